package desktop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheRigSaysInOneLineWhatIsMissing(t *testing.T) {
	bin := t.TempDir()
	for _, tool := range []string{"bash", "dirname", "sort", "paste"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skip("this system lacks", tool)
		}
		require.NoError(t, os.Symlink(path, filepath.Join(bin, tool)))
	}
	cmd := exec.Command(filepath.Join(bin, "bash"), "rig.sh", "true")
	cmd.Env = []string{"PATH=" + bin, "HOME=" + bin}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 69, cmd.ProcessState.ExitCode(), "callers tell it from a failure")
	require.Equal(t, 1, strings.Count(string(out), "\n"), string(out))
	for _, pkg := range []string{" xvfb", " xfce4-panel", " xdotool", " imagemagick"} {
		require.Equal(t, 1, strings.Count(string(out), pkg), "%s in %s", pkg, out)
	}
}
