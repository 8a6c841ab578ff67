//go:build e2e

package dashboard

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

func TestTheOverviewCanBePrinted(t *testing.T) {
	h, _, _ := twoBackends(t)
	s := serve(t, h)
	b := newTab(t, 1000, "dark")
	b.open(s.URL(""))
	b.shows("Two OpenMP runtimes")
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	pdf, err := chromedp.Run(ctx, chromedp.PrintToPDF())
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(pdf, []byte("%PDF")))
	if dir := os.Getenv("VIVARIUM_PICTURES"); dir != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "overview.pdf"), pdf, 0o644))
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	require.Equal(t, "none", b.text(`getComputedStyle(document.querySelector(".bar")).display`))
	require.Equal(t, "none", b.text(`getComputedStyle(document.querySelector(".actions")).display`))
	require.Equal(t, "rgb(255, 255, 255)", b.text(`getComputedStyle(document.body).backgroundColor`), "paper is white")
	b.shot("overview-print")
	b.clean(s)
}
