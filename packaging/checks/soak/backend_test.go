//go:build soak

package soak

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/proc"
)

const (
	answerTime  = 90 * time.Second // of any command
	recoverTime = 60 * time.Second // from any fault
)

// backend is one backend, its `vivarium run`, and what was done to it.
type backend struct {
	*book
	programs, home, dir, kind string
	folder                    string // of its state
	rand                      *rand.Rand
	app                       *exec.Cmd
	appDone                   chan struct{}
	kills                     []time.Time // of keepers
}

func newBackend(t *testing.T, b *book, programs, top, kind string, r *rand.Rand) *backend {
	t.Helper()
	dir := filepath.Join(top, kind)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	server, err := os.ReadFile("testdata/server.py")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "server.py"), server, 0o644))
	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	home := filepath.Join(top, "h")
	one := &backend{book: b, programs: programs, home: home, dir: dir, kind: kind, folder: keeper.BackendFolder(home, dir), rand: r}
	one.configure("")
	return one
}

func (b *backend) configure(more string) {
	text := fmt.Sprintf(`name = %q
command = ["{python}", "server.py", %q]
port = 0
%s
[health]
interval = "1s"
[restart]
policy = "always"
stable = "0s"
give_up_after = 0
[stop]
grace = "1s"
[log]
max_size = "300KB"
keep = 1000
`, b.kind, b.kind, more)
	if err := os.WriteFile(filepath.Join(b.dir, "vivarium.toml"), []byte(text), 0o644); err != nil {
		b.violation("%s: %v", b.kind, err)
	}
}

func (b *backend) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(b.programs, "vivarium"), args...)
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), "VIVARIUM_HOME="+b.home)
	return cmd
}

// do runs a command to its end, which must come, with a code that means something.
func (b *backend) do(args ...string) (string, int) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	cmd := b.command(ctx, args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		b.violation("%s: vivarium %v has not ended within %v: %s", b.kind, args, answerTime, out)
	case err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 1 || exit.ExitCode() > 3):
		b.violation("%s: vivarium %v ended with %v: %s", b.kind, args, err, out)
	default:
		b.mu.Lock()
		b.answers++
		b.mu.Unlock()
	}
	if cmd.ProcessState == nil {
		return string(out), -1
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// ensureApp starts `vivarium run` if it is not there.
func (b *backend) ensureApp() {
	if b.app != nil {
		select {
		case <-b.appDone:
		default:
			return
		}
	}
	log, err := os.OpenFile(filepath.Join(b.dir, "app.txt"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		b.violation("%s: %v", b.kind, err)
		return
	}
	defer log.Close()
	b.app = b.command(context.Background(), "run", "--verbose")
	b.app.Stdout, b.app.Stderr = log, log
	if err := b.app.Start(); err != nil {
		b.violation("%s: %v", b.kind, err)
	}
	done, cmd := make(chan struct{}), b.app
	b.appDone = done
	go func() { _ = cmd.Wait(); close(done) }()
}

// run is the keeper's present run, as it is on disk.
func (b *backend) run() keeper.Run {
	var r struct{ Run keeper.Run }
	text, err := os.ReadFile(filepath.Join(b.folder, "run.json"))
	if err == nil {
		_ = json.Unmarshal(bytes.TrimSpace(text), &r)
	}
	return r.Run
}

func alive(pid int) bool {
	p, err := proc.Find(pid)
	return err == nil && !p.Zombie
}

// keeperPID is 0 if there is none.
func (b *backend) keeperPID() int {
	all, _ := proc.Processes()
	for _, p := range all {
		args, err := proc.Args(p.PID)
		if err == nil && !p.Zombie && len(args) == 2 && args[1] == b.folder {
			return p.PID
		}
	}
	return 0
}

// ledger is what a run counted itself.
type ledger struct {
	lines      uint64
	begun, saw time.Time
}

func (b *backend) ledger(run string) (ledger, bool) {
	text, err := os.ReadFile(filepath.Join(b.dir, "run."+run))
	if err != nil || len(text) < 24 {
		return ledger{}, false
	}
	at := func(i int) time.Time { return time.Unix(0, int64(binary.LittleEndian.Uint64(text[i:]))) }
	return ledger{binary.LittleEndian.Uint64(text), at(8), at(16)}, true
}

// mine are the processes of all runs of this backend.
func (b *backend) mine() []string {
	all, _ := proc.Processes()
	var found []string
	for _, p := range all {
		if run := proc.RunOf(p.PID); run != "" && !p.Zombie {
			if _, err := os.Stat(filepath.Join(b.dir, "run."+run)); err == nil {
				found = append(found, fmt.Sprintf("%d %s of %s", p.PID, p.Name, run))
			}
		}
	}
	return found
}

// well waits until the backend is healthy and its server writes.
func (b *backend) well(after string) bool {
	for deadline := time.Now().Add(recoverTime); ; time.Sleep(20 * time.Millisecond) {
		b.ensureApp()
		r := b.run()
		if before, ok := b.ledger(r.ID); ok && alive(r.PID) && b.keeperPID() != 0 {
			time.Sleep(30 * time.Millisecond)
			text, _ := b.do("status", "--json")
			now, _ := b.ledger(r.ID)
			if strings.Contains(text, `"state":"healthy"`) && strings.Contains(text, r.ID) && now.lines > before.lines {
				return true
			}
		}
		if time.Now().After(deadline) {
			text, _ := b.do("status")
			b.violation("%s: not well %v after %s: %s", b.kind, recoverTime, after, text)
			return false
		}
	}
}

// suffer lets one fault after the other happen.
func (b *backend) suffer(until time.Time) {
	if !b.well("its first start") {
		return
	}
	for time.Now().Before(until) {
		f := faults[b.rand.IntN(len(faults))]
		begin := time.Now()
		f.do(b)
		if !b.well(f.name) {
			return
		}
		b.fault(f.name, time.Since(begin))
		if text, err := os.ReadFile(filepath.Join(b.dir, "two")); err == nil {
			b.violation("%s: two servers after %s: %s", b.kind, f.name, text)
			_ = os.Remove(filepath.Join(b.dir, "two"))
		}
	}
}

// end stops the backend for good.
func (b *backend) end() {
	b.stopped("the end")
	if b.app != nil {
		select {
		case <-b.appDone:
		case <-time.After(answerTime):
			b.violation("%s: run did not end after a stop", b.kind)
			_ = b.app.Process.Kill()
		}
	}
}

// stopped stops it with a command, which must succeed and leave nothing.
func (b *backend) stopped(when string) {
	text, code := b.do("stop")
	if code != 0 {
		b.violation("%s: stop at %s ended with %d: %s", b.kind, when, code, text)
		return
	}
	if left := b.mine(); len(left) > 0 {
		b.violation("%s: after a stop at %s: %v", b.kind, when, left)
	}
	if pid := b.keeperPID(); pid != 0 {
		b.violation("%s: after a stop at %s: keeper %d", b.kind, when, pid)
	}
}

// checkLog holds the log against what the servers counted: of each run the lines from 1 on, none lost, none twice.
func (b *backend) checkLog() {
	files, _ := filepath.Glob(filepath.Join(b.dir, "logs", "server.log*"))
	seen := map[string][]uint64{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			b.violation("%s: %v", b.kind, err)
		}
		for line := range strings.Lines(string(text)) {
			var run string
			var n uint64
			if _, err := fmt.Sscanf(line, "%16s %d\n", &run, &n); err == nil {
				seen[run] = append(seen[run], n)
			}
		}
	}
	books, _ := filepath.Glob(filepath.Join(b.dir, "run.*"))
	for _, path := range books {
		run := strings.TrimPrefix(filepath.Base(path), "run.")
		counted, ok := b.ledger(run)
		if !ok {
			continue
		}
		lines := seen[run]
		slices.Sort(lines)
		b.runs++
		b.lines += len(lines)
		for i, n := range lines {
			if n != uint64(i+1) {
				b.violation("%s: run %s: line %d stands where %d should", b.kind, run, n, i+1)
				break
			}
		}
		killed := slices.ContainsFunc(b.kills, func(at time.Time) bool {
			return at.After(counted.begun.Add(-time.Second)) && at.Before(counted.saw.Add(time.Second))
		})
		if got := uint64(len(lines)); !killed && (got > counted.lines || got+1 < counted.lines) {
			b.violation("%s: run %s wrote %d lines, and the log has %d", b.kind, run, counted.lines, got)
		}
	}
}

func (b *backend) checkSemaphores() {
	text, _ := os.ReadFile(filepath.Join(b.dir, "semaphores"))
	for _, name := range strings.Fields(string(text)) {
		if _, err := os.Stat("/dev/shm/sem." + strings.TrimPrefix(name, "/")); err == nil {
			b.violation("%s: the semaphore %s is left", b.kind, name)
		}
	}
}

// kill signals a process that was just found by what only it can be, and, if that ends it, waits until it is gone.
func kill(pid int, sig syscall.Signal) {
	if pid <= 1 {
		return
	}
	_ = syscall.Kill(pid, sig)
	for range 1000 {
		if sig == syscall.SIGSTOP || sig == syscall.SIGCONT || !alive(pid) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (b *backend) killKeeper() {
	b.kills = append(b.kills, time.Now())
	kill(b.keeperPID(), syscall.SIGKILL)
}

func (b *backend) killApp() {
	_ = b.app.Process.Kill()
	<-b.appDone
}

// moment is a pause of up to so many milliseconds.
func (b *backend) moment(ms int) { time.Sleep(time.Duration(b.rand.IntN(ms*1000)) * time.Microsecond) }

// storm lets several commands loose at once.
func (b *backend) storm() {
	words := []string{"status", "start", "stop", "restart", "logs", "crashes"}
	var work sync.WaitGroup
	for range 2 + b.rand.IntN(6) {
		word := words[b.rand.IntN(len(words))]
		work.Go(func() { b.do(word) })
		b.moment(100)
	}
	work.Wait()
}
