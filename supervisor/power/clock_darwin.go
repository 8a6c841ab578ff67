package power

import (
	"time"

	"golang.org/x/sys/unix"
)

// From <time.h> of the macOS SDK: CLOCK_MONOTONIC_RAW goes on in sleep, as mach_continuous_time; CLOCK_UPTIME_RAW, which is
// mach_absolute_time, does not.
const (
	clockMonotonicRaw = 4
	clockUptimeRaw    = 8
)

// clocks are the time since the start with sleep and without it.
func clocks() (with, without time.Duration, err error) {
	var a, b unix.Timespec
	if err := unix.ClockGettime(clockMonotonicRaw, &a); err != nil {
		return 0, 0, err
	}
	err = unix.ClockGettime(clockUptimeRaw, &b)
	return time.Duration(a.Nano()), time.Duration(b.Nano()), err
}
