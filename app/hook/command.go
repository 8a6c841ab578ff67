package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
	"github.com/vivarium-app/vivarium/supervisor/proc"
)

const (
	politeTime = time.Second            // between SIGTERM and SIGKILL
	pipeTime   = 200 * time.Millisecond // for the rest of its output, once it has ended
	maxSaid    = 4 << 10                // bytes of its output that are kept for a failure
)

// start runs the command with text on its standard input, and returns when nothing of it is left.
func start(ctx context.Context, c config.OnEvent, dir string, e supervisor.Event, text []byte) error {
	env := environment(os.Environ(), runtime.GOOS)
	program, err := find(c.Command[0], dir, env)
	if err != nil {
		return err
	}
	var said tail
	cmd := &exec.Cmd{
		Path: program, Args: c.Command, Dir: dir, Stdin: bytes.NewReader(text), Stdout: &said, Stderr: &said, WaitDelay: pipeTime,
		Env:         append(env, "VIVARIUM_EVENT="+string(e.What), "VIVARIUM_BACKEND="+e.Snapshot.Backend),
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s cannot be started: %w", c.Command[0], bare(err))
	}
	leader, err := proc.Find(cmd.Process.Pid) // it is not reaped before Wait: this is it
	if err != nil {
		leader = proc.Process{PID: cmd.Process.Pid}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	timer := time.NewTimer(c.Timeout)
	defer timer.Stop()
	select {
	case err = <-ended:
		signalGroup(leader, syscall.SIGKILL) // what it left in the background is bounded, too
		if errors.Is(err, exec.ErrWaitDelay) {
			err = nil
		}
	case <-timer.C:
		endGroup(leader, cmd.Process, ended)
		return fmt.Errorf("%s took longer than %s and was ended%s", c.Command[0], c.Timeout, said.last())
	case <-ctx.Done():
		endGroup(leader, cmd.Process, ended)
		return ctx.Err()
	}
	return outcome(c.Command[0], err, &said)
}

// outcome is a failure with the last words of the command. That it did not read its input is none.
func outcome(name string, err error, said *tail) error {
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, syscall.EPIPE):
		return nil
	case errors.As(err, &exit):
		return fmt.Errorf("%s ended with %s%s", name, exit.ProcessState, said.last())
	}
	return fmt.Errorf("running %s: %w", name, bare(err))
}

// endGroup ends the command and what it started: politely, then not. What no signal ends is left to the system.
func endGroup(leader proc.Process, process *os.Process, ended <-chan error) {
	signalGroup(leader, syscall.SIGTERM)
	select {
	case <-ended:
		signalGroup(leader, syscall.SIGKILL)
		return
	case <-time.After(politeTime):
	}
	signalGroup(leader, syscall.SIGKILL)
	_ = process.Kill() // the group may not have been seen
	select {
	case <-ended:
	case <-time.After(politeTime):
	}
}

// signalGroup signals those that are proven to be of the command's own process group, one by one: each is still the process that was seen.
func signalGroup(leader proc.Process, sig syscall.Signal) {
	all, err := proc.Processes()
	if err != nil {
		return
	}
	for _, p := range members(leader, all) {
		_ = proc.Signal(p, sig) // it may have ended
	}
}

// members are the processes of the group that leader began. If its number was given to another process meanwhile, the group is another one, too,
// and nobody is.
func members(leader proc.Process, all []proc.Process) []proc.Process {
	var found []proc.Process
	for _, p := range all {
		if p.PID == leader.PID && p.Stamp != leader.Stamp {
			return nil
		}
		if p.Group == leader.PID && p.UID == os.Getuid() && !p.Zombie {
			found = append(found, p)
		}
	}
	return found
}

// kept are the variables of this program that the command gets. The backend's own, from its env_file and its configuration, and whatever else a
// person's shell has set, may hold secrets: a command that needs one reads it from where it is kept.
var kept = []string{
	"HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "TZ", "TMPDIR",
	"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", // a notice of its own
}

func environment(parent []string, goos string) []string {
	var env []string
	path := ""
	for _, v := range parent {
		name, value, _ := strings.Cut(v, "=")
		switch {
		case name == "PATH":
			path = value
		case slices.Contains(kept, name) || strings.HasPrefix(name, "LC_"):
			env = append(env, v)
		}
	}
	dirs := filepath.SplitList(path)
	more := []string{"/usr/local/bin", "/usr/bin", "/bin"} // an app that Finder opens has few
	if goos == "darwin" {
		more = append([]string{"/opt/homebrew/bin"}, more...)
	}
	for _, dir := range more {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return append(env, "PATH="+strings.Join(dirs, string(filepath.ListSeparator)))
}

// find gives the program's path: one with a slash is in the backend's folder, any other on PATH.
func find(name, dir string, env []string) (string, error) {
	if strings.ContainsRune(name, '/') {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, nil
	}
	for _, v := range env {
		path, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for _, d := range filepath.SplitList(path) {
			if !filepath.IsAbs(d) {
				continue
			}
			full := filepath.Join(d, name)
			if st, err := os.Stat(full); err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o111 != 0 {
				return full, nil
			}
		}
	}
	return "", fmt.Errorf("there is no program %s on PATH: name it with its folder", name)
}

// bare is an error without the path, which is named already.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// tail keeps the end of what was written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - maxSaid; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

// last is the last line that says something, to stand behind a failure.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.text)), "\n")
	if l := strings.TrimSpace(mask.Line(lines[len(lines)-1])); l != "" {
		return ": " + l
	}
	return ""
}
