package crash

import "fmt"

// outOfMemory: the system says itself that it ended a process of this run for want of memory. The count of a cgroup is of all its
// processes, which is almost certain of one that was killed just then; a log or a report that names the process is certain.
func outOfMemory(s *scene) (Verdict, bool) {
	m := s.Memory
	if !m.OOM || !s.ended("SIGKILL") {
		return Verdict{}, false
	}
	ran, limit := "memory ran out", ""
	if m.Source == "cgroup" {
		ran = "memory " + almostCertainly + " ran out"
	}
	v := Verdict{Remedy: lessMemory}
	if m.Limit > 0 {
		limit = " at the limit of " + bytesText(m.Limit)
		v.Remedy += " Or raise the limit of its container or service."
	}
	if m.Source == "cgroup" {
		v.Confidence = almostCertainly
	}
	v.Summary = ran + limit + ", and the system ended Python (SIGKILL)"
	return v, true
}

// bytesText counts in decimal units, as the rest of the app does.
func bytesText(n uint64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}
