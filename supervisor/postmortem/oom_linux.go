package postmortem

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// WatchMemory begins to watch what the kernel says about the memory of a process.
func WatchMemory(pid int) *MemoryWatch {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil { // not reached: Linux has this clock
		return NewMemoryWatch("/", pid, 0, nil)
	}
	return NewMemoryWatch("/", pid, time.Duration(now.Nano()), kernelLog())
}

// firstPIDs is the PID namespace of the kernel itself (PROC_PID_INIT_INO): its log has no other PIDs.
const firstPIDs = "pid:[4026531836]"

func kernelLog() func() string {
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != firstPIDs {
		return nil
	}
	return func() string {
		size, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
		if err != nil || size <= 0 {
			return ""
		}
		b := make([]byte, size)
		n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, b) // EPERM where dmesg is not for everybody
		if err != nil {
			return ""
		}
		return string(b[:n])
	}
}
