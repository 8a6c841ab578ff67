//go:build e2e && linux

package e2e

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// installed are the app's programs in a folder of their own, as in a bundle; the keeper of a newer version, if that is named.
func installed(t *testing.T, folder, version string) {
	t.Helper()
	menubarProgram, err := menubar()
	needs(t, err == nil, "vivarium-menubar cannot be built here")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for _, path := range []string{menubarProgram, filepath.Join(binaries, "vivarium-keeper")} {
		in, err := os.Open(path)
		require.NoError(t, err)
		out, err := os.OpenFile(filepath.Join(folder, filepath.Base(path)), os.O_CREATE|os.O_WRONLY, 0o755)
		require.NoError(t, err)
		_, err = io.Copy(out, in)
		require.NoError(t, err)
		require.NoError(t, in.Close())
		require.NoError(t, out.Close())
	}
	if version == "" {
		return
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-X github.com/vivarium-app/vivarium/supervisor/keeper.Version="+version,
		"-o", filepath.Join(folder, "vivarium-keeper"), "../../../cmd/vivarium-keeper")
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
}

func (r *rig) appFrom(folder string, desktop []string) *exec.Cmd {
	r.t.Helper()
	cmd := exec.Command(filepath.Join(folder, "vivarium-menubar"))
	cmd.Env = append(append([]string(nil), desktop...), "VIVARIUM_HOME="+r.home)
	require.NoError(r.t, cmd.Start())
	r.t.Cleanup(func() { end(cmd) })
	return cmd
}

func TestAnAppThatIsReplacedWhileItRunsLosesNothing(t *testing.T) {
	t.Parallel()
	r := twin(t, quick)
	r.register()
	screen := desktop(t)
	top, err := os.MkdirTemp("", "viv-update")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	bundle, aside := filepath.Join(top, "app"), filepath.Join(top, "trash")
	installed(t, bundle, "")
	old := r.appFrom(bundle, screen)
	pid, keeper := r.held(), r.keeper()

	require.NoError(t, os.Rename(bundle, aside))
	installed(t, bundle, "v99.0.0")
	require.NoError(t, os.RemoveAll(aside)) // the trash is emptied: nothing is left of what runs
	require.Equal(t, pid, r.held(), "an update is no reason to stop")

	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	var restarted int
	eventually(t, "the old app restarts it", func() bool { restarted = r.held(); return restarted != pid })
	require.Equal(t, keeper, r.keeper())

	end(old)
	require.True(t, alive(restarted))
	r.appFrom(bundle, screen)
	require.Equal(t, restarted, r.held(), "the new app finds the server")
	require.Equal(t, keeper, r.keeper(), "and speaks with the keeper of the version before")

	require.NoError(t, syscall.Kill(keeper, syscall.SIGKILL))
	eventually(t, "a keeper of the new version", func() bool { return r.held() != restarted && r.keeper() != keeper })
	newer, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(r.keeper()), "exe"))
	require.NoError(t, err)
	program, err := os.ReadFile(newer)
	require.NoError(t, err)
	require.Contains(t, string(program), "v99.0.0")
}
