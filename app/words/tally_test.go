package words

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

func TestTheTallyOfTheDayIsOneLine(t *testing.T) {
	day := testkit.Noon.Format("2006-01-02")
	long := "two OpenMP runtimes in one process: " + strings.Repeat("libomp.dylib ", 5)
	cause := func(kind crash.Kind, summary string, n int) record.Cause {
		return record.Cause{Kind: kind, Summary: summary, Deaths: n}
	}
	for name, tt := range map[string]struct {
		tally record.Tally
		want  string
	}{
		"none":                 {record.Tally{}, ""},
		"one, told elsewhere":  {record.Tally{Day: day, Deaths: 1, Causes: []record.Cause{cause("segfault", "x", 1)}}, ""},
		"of yesterday":         {record.Tally{Day: testkit.Noon.AddDate(0, 0, -1).Format("2006-01-02"), Deaths: 3, Causes: []record.Cause{cause("segfault", "x", 3)}}, ""},
		"all, in short words":  {record.Tally{Day: day, Deaths: 3, Causes: []record.Cause{cause(crash.KindOpenMP, long, 3)}}, "3 crashes today, all: two OpenMP runtimes"},
		"all, in its own":      {record.Tally{Day: day, Deaths: 2, Causes: []record.Cause{cause(crash.KindException, "ValueError: no\nmodel", 2)}}, "2 crashes today, all: ValueError: no model"},
		"all, in other words":  {record.Tally{Day: day, Deaths: 2, Causes: []record.Cause{cause(crash.KindException, "", 2)}}, "2 crashes today, all: an uncaught exception"},
		"mostly":               {record.Tally{Day: day, Deaths: 3, Causes: []record.Cause{cause(crash.KindOpenMP, "", 2), cause("abort", "", 1)}}, "3 crashes today, mostly: two OpenMP runtimes"},
		"half is not mostly":   {record.Tally{Day: day, Deaths: 2, Causes: []record.Cause{cause("abort", "", 1), cause("segfault", "", 1)}}, "2 crashes today, of 2 causes"},
		"a kind of the future": {record.Tally{Day: day, Deaths: 2, Causes: []record.Cause{cause("eaten-by-mice", "", 2)}}, "2 crashes today, all: eaten by mice"},
	} {
		require.Equal(t, tt.want, TallyLine(tt.tally, testkit.Noon), name)
	}
}
