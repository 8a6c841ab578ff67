package words

import (
	"fmt"

	"time"

	"github.com/vivarium-app/vivarium/supervisor/record"
)

// longestCause is how many characters of a summary may stand for a cause; longer ones give way to the kind's name.
const longestCause = 45

// TallyLine is "3 crashes today, all: two OpenMP runtimes", or "" if there were fewer than two: one is told by the last crash itself.
func TallyLine(t record.Tally, now time.Time) string {
	if t.Deaths < 2 || len(t.Causes) == 0 || t.Day != now.Format(time.DateOnly) {
		return ""
	}
	first := t.Causes[0]
	line := Count(t.Deaths, "crash", "crashes") + " today"
	switch {
	case first.Deaths == t.Deaths:
		return line + ", all: " + causeName(first)
	case 2*first.Deaths > t.Deaths:
		return line + ", mostly: " + causeName(first)
	}
	return line + fmt.Sprintf(", of %d causes", len(t.Causes))
}

func causeName(c record.Cause) string {
	if s := Plain(c.Summary); s != "" && len([]rune(s)) <= longestCause {
		return s
	}
	return c.Kind.Name()
}
