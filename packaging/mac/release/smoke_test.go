package release

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests play the app themselves: what a process is, is seen from the path of its program.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "Vivarium" {
		os.Exit(playApp(os.Getenv("RECORD")+".kept", os.Getenv("PLAY")))
	}
	os.Exit(m.Run())
}

// playApp writes its PID into a file, which is what keeping a backend is here.
func playApp(kept, play string) int {
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM)
	if play == "stays" {
		signal.Ignore(syscall.SIGTERM)
	}
	if os.WriteFile(kept+".new", []byte(strconv.Itoa(os.Getpid())), 0o600) != nil || os.Rename(kept+".new", kept) != nil {
		return 1
	}
	select {
	case <-ends:
	case <-time.After(time.Minute): // no test may leave it behind
	}
	if play != "leaves it running" {
		os.Remove(kept)
	}
	return 0
}

const command = `#!/bin/sh
[ "$*" != 'stop --all' ] || : >"$RECORD.stopped"
pid=$(cat "$RECORD.kept" 2>/dev/null) || exit 3
state=healthy
[ "$PLAY" != 'never well' ] || state=starting
[ "$PLAY" != "somebody else's" ] || pid=$PPID
echo '{"v":1,"state":"'$state'","want":true,"held_by":'"$pid}"
`

// smoking is a rig with an app that can be opened; a second of the script's is shorter here.
func smoking(t *testing.T, play, patience string) *rig {
	r := newRig(t)
	self, err := os.Executable()
	require.NoError(t, err)
	program := filepath.Join(r.dir, app, "Contents/MacOS/Vivarium")
	require.NoError(t, os.Remove(program))
	require.NoError(t, os.Symlink(self, program))
	r.write(app+"/Contents/Helpers/vivarium", command, 0o755)
	require.NoError(t, os.Remove(filepath.Join(r.dir, "bin/sleep")))
	r.write("bin/sleep", "#!/bin/sh\nexec /bin/sleep 0.05\n", 0o755)
	r.env["PLAY"], r.env["PATIENCE"] = play, patience
	return r
}

func TestAnAppIsOpenedAskedAndEnded(t *testing.T) {
	r := smoking(t, "well", "1000")
	require.Zero(t, r.run("smoke.sh", app), r.err)
	require.Contains(t, r.out, "started, healthy, ended: "+filepath.Join(r.dir, app))
	require.Equal(t, []string{"open -g " + app + " --args --demo"}, r.calls())
	require.NoFileExists(t, r.env["RECORD"]+".stopped")
}

func TestAnAppThatDoesNotDoItsWorkIsAFailureAndIsStopped(t *testing.T) {
	for play, c := range map[string]struct{ patience, says string }{
		"never well":        {"3", "did not become healthy"},
		"somebody else's":   {"1000", "it is not the app"},
		"stays":             {"3", "did not end"},
		"leaves it running": {"100", "was left running"},
	} {
		t.Run(play, func(t *testing.T) {
			t.Parallel()
			r := smoking(t, play, c.patience)
			keep(t, r)
			require.Equal(t, 1, r.run("smoke.sh", app), r.out)
			require.Contains(t, r.err, c.says)
			require.FileExists(t, r.env["RECORD"]+".stopped")
		})
	}
}

// keep starts the app before the script does, so that the script's short patience is not spent on waiting for it.
func keep(t *testing.T, r *rig) {
	t.Helper()
	cmd := exec.Command(filepath.Join(r.dir, app, "Contents/MacOS/Vivarium"), "--demo")
	cmd.Env = []string{"RECORD=" + r.env["RECORD"], "PLAY=" + r.env["PLAY"]}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	require.Eventually(t, func() bool {
		_, err := os.Stat(r.env["RECORD"] + ".kept")
		return err == nil
	}, time.Minute, 20*time.Millisecond)
	r.write("bin/open.new", "#!/bin/sh\n", 0o755)
	require.NoError(t, os.Rename(filepath.Join(r.dir, "bin/open.new"), filepath.Join(r.dir, "bin/open")))
}

func TestAnAppThatCannotBeOpenedIsAFailure(t *testing.T) {
	r := smoking(t, "well", "3")
	r.env["FAIL"] = "open*"
	require.NotZero(t, r.run("smoke.sh", app))
}

func TestAMacsOwnToolsReadTheWholeApp(t *testing.T) {
	r := newRig(t)
	require.Zero(t, r.run("check.sh", app), r.err)
	in := app + "/Contents/"
	var want []string
	want = append(want, "codesign --verify --strict --deep --verbose=2 "+app)
	for _, list := range []string{
		"Info.plist", keeper + "/Contents/Info.plist", "Library/LaunchAgents/an.id.login.plist",
		"_CodeSignature/CodeResources", keeper + "/Contents/_CodeSignature/CodeResources",
	} {
		want = append(want, "plutil -lint "+in+list)
	}
	for _, program := range []string{"MacOS/Vivarium", "Helpers/vivarium", keeper + "/Contents/MacOS/vivarium-keeper"} {
		want = append(want, "codesign --verify --strict --verbose=2 "+in+program, "lipo "+in+program+" -verify_arch x86_64 arm64")
	}
	for _, code := range []string{app, in + keeper} {
		for range 3 {
			want = append(want, "codesign --display --entitlements - --xml "+code)
		}
	}
	require.Equal(t, want, r.calls())

	r = newRig(t)
	require.Zero(t, r.run("check.sh", app, "arm64"), r.err)
	require.Contains(t, r.calls(), "lipo "+in+"MacOS/Vivarium -verify_arch arm64")
	for _, tool := range []string{"codesign*", "plutil*Info.plist", "lipo*keeper*"} {
		r := newRig(t)
		r.env["FAIL"] = tool
		require.NotZero(t, r.run("check.sh", app), tool)
	}
	r = newRig(t)
	r.env["ENTITLED"] = "<key>com.apple.security.automation.apple-events</key><key>com.apple.security.device.camera</key>"
	require.Equal(t, 1, r.run("check.sh", app))
	require.Contains(t, r.err, "is not entitled to device.audio-input")
}
