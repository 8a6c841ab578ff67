package power

import (
	"time"

	"golang.org/x/sys/unix"
)

// clocks are the time since the start with sleep and without it.
func clocks() (with, without time.Duration, err error) {
	var a, b unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &a); err != nil {
		return 0, 0, err
	}
	err = unix.ClockGettime(unix.CLOCK_MONOTONIC, &b)
	return time.Duration(a.Nano()), time.Duration(b.Nano()), err
}
