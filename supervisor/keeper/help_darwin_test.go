package keeper

import (
	"errors"
	"os/exec"

	"golang.org/x/sys/unix"
)

var errNotHere = errors.New("not on macOS")

func shellCommand(script string) *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }

func getsid(pid int) (int, error) { return unix.Getsid(pid) }

func mountSmall(string, int) error { return errNotHere }

func unmount(string) error { return errNotHere }

func raiseFileSize(int) error { return errNotHere }

func asNobody(func() error) error { return errNotHere }
