package proc

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// SignalName is a signal in the words of the command line: "SIGSEGV", "" for none.
func SignalName(s syscall.Signal) string {
	if s == 0 {
		return ""
	}
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("SIG%d", int(s)) // a real-time signal
}
