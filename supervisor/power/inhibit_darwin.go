package power

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// Take has caffeinate(8) hold an assertion against idle sleep for as long as this process lives: with -w it watches our end itself, so that
// nothing is left behind whatever ends us. It is for programs without a bundle; the app has NSProcessInfo's activity, which carries its name.
func Take(string) (io.Closer, error) {
	cmd := exec.Command("/usr/bin/caffeinate", "-i", "-w", strconv.Itoa(os.Getpid()))
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting caffeinate: %w", err)
	}
	return caffeinate{cmd}, nil
}

type caffeinate struct{ cmd *exec.Cmd }

func (c caffeinate) Close() error {
	if err := c.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("ending caffeinate: %w", err)
	}
	_ = c.cmd.Wait() // it was killed
	return nil
}

// Watch has nothing to tell: macOS tells of sleep on a run loop only, and its clocks tell afterwards.
func Watch(context.Context, func(sleeps bool)) {}
