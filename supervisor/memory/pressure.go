package memory

import "fmt"

// Level is how short of memory the system is.
type Level string

// The levels, in the words of records and of the command line's JSON.
const (
	Unknown  Level = ""
	Normal   Level = "normal"
	Warning  Level = "warning"
	Critical Level = "critical"
)

// Pressure is what the system says about the want of memory, of all its programs together.
type Pressure struct {
	Level Level
	Free  float64 // macOS: the share of memory that can still be had
	Some  float64 // Linux: the share of the last 10 s in which some program waited for memory
	Full  float64 // Linux: in which all of them did
}

// Above these shares of the last ten seconds Linux is short of memory. The kernel has no words for it; systemd-oomd ends programs from 0.6
// of Full on, long after a server has become slow.
const (
	warningSome  = 0.10
	criticalFull = 0.10
)

// Now asks the system. Level is Unknown where it does not say.
func Now() Pressure { return now() }

// Words say how macOS judges it, "" if it is well or if it does not say. Linux is asked about the process itself where that matters.
func (p Pressure) Words() string {
	if p.Free == 0 || p.Level != Warning && p.Level != Critical {
		return ""
	}
	return fmt.Sprintf("macOS calls the memory pressure %s, with %.0f %% left", p.Level, 100*p.Free)
}

func linuxPressure(text string) Pressure {
	some, full, ok := pressureIn(text)
	if !ok {
		return Pressure{}
	}
	p := Pressure{Level: Normal, Some: some, Full: full}
	switch {
	case full >= criticalFull:
		p.Level = Critical
	case some >= warningSome:
		p.Level = Warning
	}
	return p
}

// macPressure takes kern.memorystatus_vm_pressure_level, a bit of NOTE_MEMORYSTATUS_PRESSURE_* in <sys/event.h>, and kern.memorystatus_level,
// which is a percentage.
func macPressure(level, free uint32) Pressure {
	p := Pressure{Free: float64(min(free, 100)) / 100}
	switch level {
	case 1:
		p.Level = Normal
	case 2:
		p.Level = Warning
	case 4:
		p.Level = Critical
	}
	return p
}

// Worse is the greater want of two.
func Worse(a, b Level) Level {
	rank := map[Level]int{Normal: 1, Warning: 2, Critical: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}
