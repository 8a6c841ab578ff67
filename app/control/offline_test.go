package control

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// unheld is a backend that nobody keeps, and the folder of its state.
func unheld(t *testing.T) (state, folder string, c config.Config) {
	t.Helper()
	state, dir := testkit.ShortDir(t), testkit.Folder(t, map[string]string{config.FileName: "name = 'brain'\n"})
	c, err := config.Load(dir)
	require.NoError(t, err)
	return state, keeper.BackendFolder(state, dir), c
}

func TestALookAtWhatNeverRanMakesNothing(t *testing.T) {
	state, folder, c := unheld(t)
	row, err := Look(t.Context(), state, c)
	require.NoError(t, err)
	require.Equal(t, "brain", row.Backend)
	require.Equal(t, "stopped", row.State)
	require.Zero(t, row.HeldBy)
	require.NoDirExists(t, folder)
	stopped, err := EndUnwatched(t.Context(), folder, keeper.Ladder{})
	require.NoError(t, err)
	require.False(t, stopped)
	require.NoDirExists(t, folder)
}

func TestWhatIsRememberedIsToldWhileNobodyKeepsIt(t *testing.T) {
	state, folder, c := unheld(t)
	require.NoError(t, keeper.MakeFolder(folder))
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	require.NoError(t, record.WriteWant(folder, record.Saved{Want: true, GaveUp: true, Last: crash.Verdict{Kind: "missing-module", Summary: "no torch"}, LastAt: at}))
	row, err := Look(t.Context(), state, c)
	require.NoError(t, err)
	require.Equal(t, supervisor.GaveUp.String(), row.State)
	require.Equal(t, "no torch", row.Verdict.Summary)
	require.True(t, at.Equal(row.LastAt))

	stopped, err := EndUnwatched(t.Context(), folder, keeper.Ladder{})
	require.NoError(t, err)
	require.False(t, stopped, "nothing ran")
	row, err = Look(t.Context(), state, c)
	require.NoError(t, err)
	require.Equal(t, "stopped", row.State)
	require.False(t, row.Want, "and nobody starts it again")
	require.Equal(t, "no torch", row.Verdict.Summary, "why it ended is not forgotten")
}

func TestABrokenMemoryKeepsNobodyFromStopping(t *testing.T) {
	for name, text := range map[string]string{"cut off": `{"want":tr`, "bytes": "\x00\xff", "empty": "", "another kind": `[]`} {
		t.Run(name, func(t *testing.T) {
			_, folder, _ := unheld(t)
			require.NoError(t, keeper.MakeFolder(folder))
			path := filepath.Join(folder, "want.json")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			_, err := EndUnwatched(t.Context(), folder, keeper.Ladder{})
			require.NoError(t, err)
			saved, err := record.ReadWant(folder)
			require.NoError(t, err)
			require.False(t, saved.Want)
			kept, err := os.ReadFile(path + ".broken")
			require.NoError(t, err)
			require.Equal(t, text, string(kept), "and it is not lost")
		})
	}
}

func TestAMemoryThatCannotBeReadIsSaidByWhoLooks(t *testing.T) {
	state, folder, c := unheld(t)
	require.NoError(t, keeper.MakeFolder(folder))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(folder, "want.json")))
	_, err := Look(t.Context(), state, c)
	require.ErrorContains(t, err, "want.json")
	_, err = EndUnwatched(t.Context(), folder, keeper.Ladder{})
	require.ErrorContains(t, err, "want.json", "it may be started again: that has to be said")
}

func TestAHolderThatIsOnItsWayIsWaitedForAndNoLongerThanOneLikes(t *testing.T) {
	state, folder, c := unheld(t)
	require.NoError(t, keeper.MakeFolder(folder))
	lock, err := keeper.Lock(filepath.Join(folder, holderLock))
	require.NoError(t, err)
	_, err = lock.WriteString("4711\n")
	require.NoError(t, err)
	var held *HeldError
	_, err = EndUnwatched(t.Context(), folder, keeper.Ladder{})
	require.ErrorAs(t, err, &held, "its holder is to be asked")
	require.Equal(t, 4711, held.PID)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Look(ctx, state, c)
	require.ErrorAs(t, err, &held)

	looked := make(chan error, 1)
	go func() {
		_, err := Look(t.Context(), state, c)
		looked <- err
	}()
	require.NoError(t, lock.Close())
	require.NoError(t, <-looked)
}

func TestABrokenConfigurationIsAPartOfWhatIsSeen(t *testing.T) {
	state, _, c := unheld(t)
	require.NoError(t, os.WriteFile(c.File, []byte("port = 'eighty'\n"), 0o600))
	row, err := LookAt(t.Context(), state, c.Dir)
	require.NoError(t, err)
	require.Contains(t, row.Problem, "vivarium.toml:1: port")
	require.Equal(t, c.File, row.ConfigFile)
	require.Equal(t, "stopped", row.State)
}

func TestTheBackendBehindAPortIsProvenByTheProcessThatListens(t *testing.T) {
	state, folder, c := unheld(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	number := ln.Addr().(*net.TCPAddr).Port
	_, found := Keeping(t.Context(), state, number)
	require.False(t, found, "nobody keeps anything")

	p := testkit.NewPuppet(c.Dir)
	held, err := Hold(folder)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { _ = held.Serve(ctx, p) })
	t.Cleanup(func() { cancel(); work.Wait(); _ = held.Close() })
	shows := func(pid, number int) {
		held.Show(supervisor.Snapshot{Backend: "brain", Dir: c.Dir, State: supervisor.Healthy, Port: number, Run: keeper.Run{ID: "a-run", PID: pid}})
	}
	other := exec.Command("sleep", "60")
	require.NoError(t, other.Start())
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })

	shows(os.Getpid(), number)
	row, found := Keeping(t.Context(), state, number)
	require.True(t, found)
	require.Equal(t, "brain", row.Backend)
	for name, show := range map[string]func(){
		"its run is another process": func() { shows(other.Process.Pid, number) },
		"it has no run":              func() { shows(0, number) },
		"it has another port":        func() { shows(os.Getpid(), number%65535+1) },
	} {
		show()
		_, found = Keeping(t.Context(), state, number)
		require.False(t, found, name)
	}
	shows(os.Getpid(), number)
	for _, none := range []int{0, -1, 70000} {
		_, found = Keeping(t.Context(), state, none)
		require.False(t, found, "%d is no port", none)
	}
	require.True(t, within(other.Process.Pid, os.Getpid()), "a worker descends from its run")
	require.False(t, within(os.Getpid(), other.Process.Pid))
}

func TestAHolderThatSaysSomethingElseIsNoHolder(t *testing.T) {
	for name, c := range map[string]struct{ says, want string }{
		"another protocol":    {"HTTP/1.1 200 OK\n", "does not speak Vivarium's protocol"},
		"no hello":            {`{"id":1,"row":{}}` + "\n", "does not speak Vivarium's protocol"},
		"a null":              {"null\n", "does not speak Vivarium's protocol"},
		"too many clients":    {`{"hello":{"proto":1},"error":{"kind":"busy","text":"x"}}` + "\n", ErrHolderBusy.Error()},
		"an error of its own": {`{"hello":{"proto":1},"error":{"kind":"new","text":"no\u001b[31m room\nat all"}}` + "\n", "no [31m room at all"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := testkit.ShortDir(t)
			ln, err := net.Listen("unix", filepath.Join(folder, controlAt))
			require.NoError(t, err)
			t.Cleanup(func() { ln.Close() })
			go func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					_, _ = conn.Write([]byte(c.says))
					_ = conn.Close()
				}
			}()
			_, err = Dial(t.Context(), folder)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestAHoldersPIDIsReadOnlyFromWhatItCanHaveWritten(t *testing.T) {
	path := filepath.Join(testkit.ShortDir(t), holderLock)
	require.Zero(t, holderOf(path), "there is none")
	for text, pid := range map[string]int{"4711\n": 4711, " 12 ": 12, "": 0, "-5\n": 0, "12x": 0, "99999999999999999999": 0, "1\n2\n": 0} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.Equal(t, pid, holderOf(path), "%q", text)
	}
}
