package keeper

import (
	"os/exec"

	"golang.org/x/sys/unix"
)

func shellCommand(script string) *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }

func getsid(pid int) (int, error) { return unix.Getsid(pid) }
