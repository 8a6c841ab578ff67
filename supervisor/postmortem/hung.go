package postmortem

import (
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// Hung is the verdict on a run that was ended while it hung.
func Hung(uptime time.Duration, words string, st stall.Stall) crash.Verdict {
	v := crash.Judge(crash.Evidence{Hung: true, Known: true, Uptime: uptime})
	if st.Kind != "" && st.Kind != stall.KindUnknown {
		if st.Kind == stall.KindWedged {
			words = strings.Replace(words, "it hung", "it was wedged", 1)
		}
		v.Summary, v.Remedy = words+": "+st.Summary, st.Remedy
	}
	return v
}
