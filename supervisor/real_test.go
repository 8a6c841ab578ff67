package supervisor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// program is a backend without any dependency: it answers /health, and runs until a signal ends it.
const program = `
import http.server, os, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(str(os.getpid()).encode())
    def log_message(self, *a): pass
print("up", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
`

// ground is a state folder, a backend in it, and a keeper that was really built.
type ground struct {
	state, dir, keeper string
	port               int
}

func realGround(t *testing.T) ground {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	real, err := exec.Command(python, "-c", "import sys; print(sys.executable)").Output()
	require.NoError(t, err)
	state, err := os.MkdirTemp("", "viv") // t.TempDir is too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(state) })
	g := ground{state: state, dir: filepath.Join(state, "backend"), keeper: filepath.Join(state, "vivarium-keeper"), port: testkit.FreePort(t)}
	require.NoError(t, os.Mkdir(g.dir, 0o755))
	g.dir, err = filepath.EvalSymlinks(g.dir)
	require.NoError(t, err)
	out, err := exec.Command("go", "build", "-o", g.keeper, "../cmd/vivarium-keeper").CombinedOutput()
	require.NoError(t, err, string(out))
	g.write(t, "server.py", program)
	g.write(t, config.FileName, fmt.Sprintf("command = [%q, \"server.py\", \"{port}\"]\nport = %d\n[health]\ninterval = \"1s\"\n[stop]\ngrace = \"3s\"\n",
		string(real[:len(real)-1]), g.port))
	return g
}

func (g ground) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o644))
}

// life is one life of an app that supervises the ground.
type life struct {
	*Supervisor
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}
	seen   []Event
}

func (g ground) live(t *testing.T) *life {
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{Supervisor: New(g.dir, Deps{State: g.state, KeeperExe: g.keeper}), t: t, cancel: cancel, done: make(chan struct{})}
	go func() { defer close(l.done); _ = l.Run(ctx) }()
	t.Cleanup(l.leave)
	return l
}

func (l *life) leave() { l.cancel(); <-l.done }

// until waits for an event, and keeps those before it.
func (l *life) until(what What) Event {
	l.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case e := <-l.Events():
			l.seen = append(l.seen, e)
			if e.What == what {
				return e
			}
		case <-deadline:
			l.t.Fatalf("%s never came; there was %v", what, l.seen)
		}
	}
}

func TestARealServerIsStartedKilledExplainedRestartedAdoptedAndStopped(t *testing.T) {
	g := realGround(t)
	l := g.live(t)
	first := l.until(EventHealthy).Snapshot.Run
	require.NoError(t, syscall.Kill(first.PID, syscall.SIGKILL))
	crashed := l.until(EventCrashed)
	require.Equal(t, "SIGKILL", proc.SignalName(crashed.Exit.Signal))
	require.Contains(t, crashed.Exit.Tail, "up")
	second := l.until(EventHealthy)
	require.True(t, second.Recovery)
	require.NotEqual(t, first.PID, second.Snapshot.Run.PID)

	l.leave() // the app goes, the server does not notice
	l = g.live(t)
	require.Equal(t, second.Snapshot.Run.PID, l.until(EventAttached).Snapshot.Run.PID)
	l.until(EventHealthy)
	l.Stop()
	require.True(t, l.until(EventStopped).Asked)
	free, err := port.Free("127.0.0.1", g.port)
	require.NoError(t, err)
	require.True(t, free)
}

func TestARealDeathWhileNobodyWatchesIsToldLater(t *testing.T) {
	g := realGround(t)
	l := g.live(t)
	pid := l.until(EventHealthy).Snapshot.Run.PID
	l.leave()
	require.NoError(t, syscall.Kill(pid, syscall.SIGSEGV))
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(keeper.BackendFolder(g.state, g.dir), "exit.json"))
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
	l = g.live(t)
	crashed := l.until(EventCrashed)
	require.True(t, crashed.Away)
	require.Equal(t, "SIGSEGV", proc.SignalName(crashed.Exit.Signal))
	l.until(EventHealthy)
	l.Stop()
	l.until(EventStopped)
}

func TestARealKeeperThatIsKilledIsNoticedAndNeverAreThereTwoServers(t *testing.T) {
	g := realGround(t)
	l := g.live(t)
	old := l.until(EventHealthy).Snapshot.Run
	server, err := proc.Find(old.PID)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(server.PPID, syscall.SIGKILL)) // the keeper is its parent
	l.until(EventKeeperLost)
	started := l.until(EventStarted).Snapshot.Run
	p, err := proc.Find(old.PID)
	require.True(t, err != nil || p.Zombie || p.Stamp != old.Stamp, "the old server is gone before the new one starts")
	require.NotEqual(t, old.ID, started.ID)
	l.until(EventHealthy)
	l.Stop()
	l.until(EventStopped)
}
