package keeper

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A keeper stands beside every server for as long as that lives.
func TestTheKeeperLinksTheStandardLibraryAndXSysAlone(t *testing.T) {
	for _, system := range []string{"linux", "darwin"} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{.Standard}} {{len .CgoFiles}}", "github.com/vivarium-app/vivarium/cmd/vivarium-keeper")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			require.Len(t, f, 3)
			ours := f[0] == "github.com/vivarium-app/vivarium/supervisor/keeper" || f[0] == "github.com/vivarium-app/vivarium/supervisor/proc" || f[0] == "github.com/vivarium-app/vivarium/supervisor/safefile" || f[0] == "github.com/vivarium-app/vivarium/cmd/vivarium-keeper"
			require.True(t, f[1] == "true" || ours || strings.HasPrefix(f[0], "golang.org/x/sys/"), f[0])
			require.Equal(t, "0", f[2], "%s uses cgo", f[0])
			require.NotContains(t, []string{"net/http", "crypto/tls"}, f[0], "what probes is the app, not the keeper")
			require.NotEqual(t, "runtime/cgo", f[0])
		}
	}
}
