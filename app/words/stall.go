package words

import (
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// StallText is why a run that lives does not answer, or starts so long: "the event loop is blocked by time.sleep, main.py line 17". It is
// empty if that is not known.
func StallText(s supervisor.Snapshot) string {
	if s.Stall.Kind == "" || s.Stall.Kind == stall.KindUnknown || Answers(s) {
		return ""
	}
	return Plain(s.Stall.Summary)
}

func stallRemedy(s supervisor.Snapshot) string {
	if StallText(s) == "" {
		return ""
	}
	return Plain(s.Stall.Remedy)
}

// Wedged: its health check is good, and its real work fails.
func Wedged(s supervisor.Snapshot) bool {
	return s.State == supervisor.Unhealthy && s.Health.Phase == record.PhaseWedged
}

// stalledWord is how the run is whose stall is told.
func stalledWord(s supervisor.Snapshot) string {
	switch {
	case s.State == supervisor.Starting:
		return "starting"
	case s.Health.Phase == record.PhaseBusy:
		return "busy"
	case Wedged(s):
		return "wedged"
	}
	return "hung"
}
