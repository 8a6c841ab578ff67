//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// row is a line of `vivarium run --json`.
type row struct {
	V       int       `json:"v"`
	At      time.Time `json:"at"`
	Event   string    `json:"event"`
	Backend string    `json:"backend"`
	Dir     string    `json:"dir"`
	State   string    `json:"state"`
	Want    bool      `json:"want"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	Health  struct {
		Phase     string  `json:"phase"`
		LatencyMS float64 `json:"latency_ms"`
		Good      string  `json:"good"`
	} `json:"health"`
	Crashes int `json:"crashes"`
	Verdict struct {
		Kind    string `json:"kind"`
		Summary string `json:"summary"`
		Remedy  string `json:"remedy"`
		Line    string `json:"line"`
	} `json:"verdict"`
	Stall struct {
		Kind     string    `json:"kind"`
		Summary  string    `json:"summary"`
		Remedy   string    `json:"remedy"`
		File     string    `json:"file"`
		Line     int       `json:"line"`
		Function string    `json:"function"`
		Taken    time.Time `json:"taken"`
	} `json:"stall"`
	Signal string `json:"signal"`
	Code   int    `json:"code"`
	Log    string `json:"log"`
	HeldBy int    `json:"held_by"`
	Left   int    `json:"semaphores"`
	text   string
}

// status is the row of `vivarium status --json`; the zero row if there is none.
func (r *rig) status() row {
	r.t.Helper()
	out, _ := r.do("status", "--json", r.dir)
	one := row{text: out}
	if json.NewDecoder(strings.NewReader(out)).Decode(&one) != nil {
		return row{text: out}
	}
	return one
}

// follower is a `vivarium run --json` under way.
type follower struct {
	rig    *rig
	cmd    *exec.Cmd
	errors bytes.Buffer // stderr; read it after the end
	done   chan struct{}

	mu     sync.Mutex
	news   *sync.Cond
	rows   []row
	next   int // the first row that no await has consumed
	closed bool
}

// run starts `vivarium run --json` on the backend.
func (r *rig) run() *follower {
	r.t.Helper()
	return r.runAs(uint32(os.Getuid()))
}

func (r *rig) runAs(uid uint32) *follower {
	r.t.Helper()
	cmd := exec.Command(vivarium, "run", "--json", r.dir)
	if int(uid) != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	return r.follow(cmd)
}

// follow starts a command that ends as, or is, `vivarium run --json` on the backend.
func (r *rig) follow(cmd *exec.Cmd) *follower {
	r.t.Helper()
	f := &follower{rig: r, cmd: cmd, done: make(chan struct{})}
	f.news = sync.NewCond(&f.mu)
	f.cmd.Env, f.cmd.Stderr = r.environ(), &f.errors
	out, err := f.cmd.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, f.cmd.Start())
	go f.read(out)
	r.t.Cleanup(func() {
		_ = f.cmd.Process.Kill()
		<-f.done
		if r.t.Failed() {
			r.t.Logf("rows of run %d:\n%sstderr:\n%s", f.cmd.Process.Pid, f.dump(), f.errors.String())
		}
	})
	return f
}

func (f *follower) read(out io.Reader) {
	for d := json.NewDecoder(out); ; {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			break
		}
		one := row{text: string(raw)}
		if err := json.Unmarshal(raw, &one); err != nil {
			one.text += " ← " + err.Error()
		}
		f.mu.Lock()
		f.rows = append(f.rows, one)
		f.news.Broadcast()
		f.mu.Unlock()
	}
	_ = f.cmd.Wait()
	f.mu.Lock()
	f.closed = true
	f.news.Broadcast()
	f.mu.Unlock()
	close(f.done)
}

// await is the next row with that event that no await has consumed; rows before it are passed over.
func (f *follower) await(event string) row {
	f.rig.t.Helper()
	return f.awaitFor(patience, event)
}

func (f *follower) awaitFor(limit time.Duration, event string) row {
	f.rig.t.Helper()
	timer := time.AfterFunc(limit, func() { f.mu.Lock(); f.news.Broadcast(); f.mu.Unlock() })
	defer timer.Stop()
	deadline := time.Now().Add(limit)
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		for i := f.next; i < len(f.rows); i++ {
			if f.rows[i].Event == event {
				f.next = i + 1
				return f.rows[i]
			}
		}
		if f.closed || !time.Now().Before(deadline) {
			why := fmt.Sprintf("within %s", limit)
			if f.closed {
				why = "before run ended"
			}
			require.FailNow(f.rig.t, fmt.Sprintf("no %q %s", event, why))
		}
		f.news.Wait()
	}
}

// seen are all rows so far with that event.
func (f *follower) seen(event string) []row {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []row
	for _, r := range f.rows {
		if r.Event == event {
			found = append(found, r)
		}
	}
	return found
}

func (f *follower) dump() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, r := range f.rows {
		b.WriteString(r.text + "\n")
	}
	return b.String()
}

// kill is kill -9 of the program, and waits for its end.
func (f *follower) kill() {
	_ = f.cmd.Process.Kill()
	<-f.done
}

// stop is Ctrl-C: run has to end with exit code 0 and leave nothing behind.
func (f *follower) stop() {
	f.rig.t.Helper()
	require.NoError(f.rig.t, f.cmd.Process.Signal(syscall.SIGINT))
	f.ended(0)
	f.rig.empty()
	f.rig.free()
}

// ended waits for the end of the program and expects that exit code.
func (f *follower) ended(code int) {
	f.rig.t.Helper()
	select {
	case <-f.done:
		require.Equal(f.rig.t, code, f.cmd.ProcessState.ExitCode(), "exit code of run: %s\nstderr: %s", f.cmd.ProcessState, f.errors.String())
	case <-time.After(patience):
		require.FailNow(f.rig.t, "run has not ended")
	}
}

var client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// get asks the server; "" if it does not answer.
func (r *rig) get(path string) string {
	answer, err := client.Get("http://" + r.address() + path)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

// patient asks /health all the time from now on; the answer counts the questions and fails the test if one was not answered.
func (r *rig) patient(t *testing.T) (stop func() int) {
	quit, counted := make(chan struct{}), make(chan int)
	go func() {
		asked := 0
		var unanswered []time.Time
		for {
			select {
			case <-quit:
				if len(unanswered) > 0 {
					t.Errorf("/health was not answered %d times of %d, first at %s", len(unanswered), asked, unanswered[0])
				}
				counted <- asked
				return
			case <-time.After(10 * time.Millisecond):
			}
			asked++
			if r.get("/health") == "" {
				unanswered = append(unanswered, time.Now())
			}
		}
	}()
	return func() int { close(quit); return <-counted }
}
