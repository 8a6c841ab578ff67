package python

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// What a shell may take and say. It runs files that a person wrote, which can do anything.
const (
	shellTime   = 5 * time.Second
	shellOutput = 1 << 20 // bytes; what is more is dropped
)

// loginShell asks the person's own shell for variables that an app opened by Finder or at login does not get: those that the shell's
// start files set. Its answer, also that it has none, is kept as long as this program runs, so that a restart never waits for a shell.
// The zero value is ready.
type loginShell struct {
	mu    sync.Mutex
	known map[string]shellAnswer // by shell and names
}

type shellAnswer struct {
	vars []string // NAME=value, of those that are set
	err  error
}

// loginShells is this program's.
var loginShells loginShell

// LoginShell gives those of the variables that the person's login shell has, as "NAME=value". The shell is asked once and its answer kept.
func LoginShell(parent, names []string, goos string) ([]string, error) {
	return loginShells.variables(parent, names, goos)
}

// variables gives those of the names that the shell has. An error is a sentence for a person and holds no value.
func (l *loginShell) variables(parent, names []string, goos string) ([]string, error) {
	shell := Lookup(parent, "SHELL")
	if !filepath.IsAbs(shell) {
		shell = "/bin/sh"
		if goos == "darwin" {
			shell = "/bin/zsh"
		}
	}
	key := strings.Join(append([]string{shell}, names...), "\x00")
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, ok := l.known[key]; ok {
		return a.vars, a.err
	}
	var a shellAnswer
	if a.vars, a.err = askShell(shell, parent, names); a.err != nil {
		a.err = fmt.Errorf("login_shell_env is not used: %s %w", shell, a.err)
	}
	if l.known == nil {
		l.known = map[string]shellAnswer{}
	}
	l.known[key] = a
	return a.vars, a.err
}

// askShell runs the shell as a terminal window of a Mac does, as a login shell and interactive: people write their variables into the
// files of either kind. It has no terminal and a session of its own, so that it can neither ask nor take ours.
func askShell(shell string, parent, names []string) ([]string, error) {
	mark, err := shellMark()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), shellTime)
	defer cancel()
	out := &shortOutput{}
	cmd := exec.CommandContext(ctx, shell, "-l", "-i", "-c", shellScript(mark, names))
	cmd.Env, cmd.Stdout = parent, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // it is not reaped yet: the group is its own
	cmd.WaitDelay = 500 * time.Millisecond                                               // what a start file left behind may hold its output open
	err = cmd.Run()
	if vars, whole := shellVariables(string(out.text), mark, names); whole {
		return vars, nil
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("did not end within %s: its start files may wait for an answer", shellTime)
	case err != nil:
		return nil, fmt.Errorf("could not be asked: %w", err)
	}
	return nil, errors.New("ended before it could be asked: one of its start files may leave it")
}

func shellMark() (string, error) {
	b := make([]byte, 16)
	_, err := rand.Read(b)
	return hex.EncodeToString(b), err
}

// shellScript is the same in every shell: names hold no character that is special in one, and printenv prints a value as it is.
func shellScript(mark string, names []string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "echo %s; /usr/bin/printenv %s; ", mark, name)
	}
	b.WriteString("echo " + mark)
	return b.String()
}

// shellVariables reads what stands between the marks; what start files print stands before the first one. A variable that is not set
// prints not even a line.
func shellVariables(out, mark string, names []string) (vars []string, whole bool) {
	parts := strings.Split(out, mark+"\n")
	if len(parts) != len(names)+2 {
		return nil, false
	}
	for i, name := range names {
		if value, set := strings.CutSuffix(parts[i+1], "\n"); set {
			vars = append(vars, name+"="+value)
		}
	}
	return vars, true
}

// shortOutput keeps no more than shellOutput.
type shortOutput struct{ text []byte }

func (o *shortOutput) Write(b []byte) (int, error) {
	o.text = append(o.text, b[:min(len(b), shellOutput-len(o.text))]...)
	return len(b), nil
}

// Lookup is the last value of a variable, as in environment.Of.
func Lookup(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(env[i], name+"="); ok {
			return value
		}
	}
	return ""
}
