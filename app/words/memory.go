package words

import (
	"runtime"
	"time"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/memory"
)

// MemoryNote is what a person should know of the memory of a backend that is active: that it is above its limit, that it was restarted for
// it, that the whole computer is short of it; "" if all is well.
func MemoryNote(s supervisor.Snapshot, now time.Time) string {
	if !Active(s) {
		return ""
	}
	m := s.Memory
	var high, restarted, pressure string
	if m.High {
		high = "memory is high: " + Size(s.Usage.Held)
		if m.Machine > 0 {
			high += " of " + Size(m.Machine)
		}
	}
	if told := m.Past.Told(runtime.GOOS); told != "" {
		restarted = told + " (" + Clock(m.Past.At, now) + Chosen(m.Past.Restarts > 1, Prefixed(", ", Count(m.Past.Restarts, "time", "times")), "") + ")"
	}
	switch m.Pressure.Level {
	case memory.Warning:
		pressure = "the computer is short of memory"
	case memory.Critical:
		pressure = "the computer is very short of memory"
	}
	return Facts(high, restarted, pressure)
}

// MemoryRemedy is what to do about a run that is above the limit for a warning, "" if it is being restarted for that.
func MemoryRemedy(e supervisor.Event) string {
	if e.Snapshot.State == supervisor.Stopping {
		return ""
	}
	if limit := e.Snapshot.Memory.Restart; limit > 0 {
		return "Above " + Size(limit) + " it is stopped in good order and started anew"
	}
	return `Use a smaller model, batch or context, or fewer workers; restart = "90%" under [memory] in vivarium.toml starts it anew in time`
}
