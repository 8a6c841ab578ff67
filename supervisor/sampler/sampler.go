// Package sampler asks macOS's own `sample` what native code a process's main thread is in, and reads its answer: Python's stacks end where C
// begins. It is pure but for Run, which starts that one program, bounded in time and bytes, and it knows nothing of stalls and of supervision. Begin
// with Take and Parse.
package sampler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

const (
	program   = "/usr/bin/sample"
	seconds   = "1"              // of sampling; to look up the names takes longer
	mostTime  = 10 * time.Second // over all of it
	mostBytes = 4 << 20
)

// Runner starts a program and gives what it wrote to its standard output.
type Runner func(ctx context.Context, argv ...string) ([]byte, error)

// Process is whom to look at. Proven says whether the PID still is the process that is meant; it is asked before and after, so that nobody
// else's is looked at or told of.
type Process struct {
	PID    int
	Proven func() bool
}

// ErrAnother: the PID is another process by now.
var ErrAnother = errors.New("the process has ended")

// Take samples a process once.
func Take(ctx context.Context, run Runner, p Process) (Stack, error) {
	if p.PID <= 1 || !p.Proven() {
		return Stack{}, ErrAnother
	}
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	out, err := run(ctx, program, strconv.Itoa(p.PID), seconds, "-file", "/dev/stdout")
	if !p.Proven() {
		return Stack{}, ErrAnother
	}
	s, found := Parse(out)
	switch {
	case found && s.PID == p.PID: // also where it was cut off behind the main thread
		return s, nil
	case err != nil:
		return Stack{}, fmt.Errorf("sampling process %d: %w", p.PID, err)
	}
	return Stack{}, fmt.Errorf("sampling process %d: its answer has no main thread", p.PID)
}

// On is what samples a process of that PID and stamp on a system; nil where nothing does.
func On(goos string) func(ctx context.Context, pid int, stamp string) (Stack, error) {
	if goos != "darwin" {
		return nil
	}
	return func(ctx context.Context, pid int, stamp string) (Stack, error) {
		return Take(ctx, Run, Process{PID: pid, Proven: func() bool { return stamp != "" && proc.Alive(proc.Process{PID: pid, Stamp: stamp}) }})
	}
}

// Run is the Runner of everybody but the tests. A program that does not end in time is killed; what it writes beyond 4 MB is dropped.
func Run(ctx context.Context, argv ...string) ([]byte, error) {
	out := limited{most: mostBytes}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.WaitDelay, cmd.Env = &out, time.Second, []string{"LC_ALL=C"}
	err := cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return out.kept.Bytes(), err
}

// limited keeps the beginning of what is written. The buffer is a field, because its ReadFrom would go around the limit.
type limited struct {
	kept bytes.Buffer
	most int
}

func (l *limited) Write(b []byte) (int, error) {
	_, _ = l.kept.Write(b[:min(len(b), max(0, l.most-l.kept.Len()))])
	return len(b), nil
}
