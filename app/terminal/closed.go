package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// Closed tells when nobody reads f any more: the other end of a pipe or a terminal is gone. A server that runs on for a reader who has
// left would be one that nobody knows of. The goroutine waits in the kernel, and ends with the process.
func Closed(f *os.File) <-chan struct{} {
	closed := make(chan struct{})
	st, err := f.Stat()
	if err != nil || st.Mode().IsRegular() {
		return closed // a file has no reader that could leave
	}
	go func() {
		fds := []unix.PollFd{{Fd: int32(f.Fd())}} // no events are asked for: an error and a hang-up come always
		for {
			n, err := unix.Poll(fds, -1)
			switch {
			case err == unix.EINTR:
				continue
			case err != nil || fds[0].Revents&unix.POLLNVAL != 0: // macOS cannot poll some devices
				return
			case n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0:
				close(closed)
				return
			}
		}
	}()
	return closed
}
