//go:build e2e && picture

package dashboard

import (
	"os"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/stretchr/testify/require"
)

// TestAPictureOfARunningDashboard makes the README's picture, of backends that have run for some minutes under the real programs:
//
//	VIVARIUM_PICTURE_OF="$(vivarium dashboard --print)" VIVARIUM_PICTURES=folder go test -tags e2e,picture -run Picture ./packaging/checks/dashboard
func TestAPictureOfARunningDashboard(t *testing.T) {
	address := os.Getenv("VIVARIUM_PICTURE_OF")
	require.NotEmpty(t, address, "VIVARIUM_PICTURE_OF is the address of a dashboard")
	for _, scheme := range []string{"light", "dark"} {
		b := newTab(t, 1000, scheme)
		call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 1000, Height: 640, DeviceScaleFactor: 2})
		b.open(address)
		b.until("charts are drawn", `document.querySelector(".spark .line")`)
		b.until("every card is there", `[...document.querySelectorAll(".card")].every((c) => c.querySelector(".is"))`)
		b.shot("dashboard-" + scheme)
		b.cleanAt(address)
	}
}
