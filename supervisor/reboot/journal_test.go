package reboot

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A message of several lines goes on without a time of its own, indented: whatever its lines begin with is the program's.
func TestOnlyTheTimeOfTheJournalItselfIsTheLastSignOfLife(t *testing.T) {
	const entry = "1777636800.250000 host python3[4711]: INFO request handled\n"
	for name, more := range map[string]string{
		"a number that a program wrote":        "                               12 tensors loaded\n",
		"a time that a program wrote":          "    1999999999.5 is the time\n",
		"no number, and yet one for Go":        "    NaN loss\n",
		"no number, in the column of the time": "nan loss\ninf loss\n-inf loss\n",
		"a time that no computer has":          "17179869183.0 host x\n",
		"a time before the first":              "-5.0 host x\n0 host x\n",
		"a line that was cut off":              "1777636900.250000",
		"an empty line":                        "\n \n",
	} {
		end, last := journalEnd(entry + more)
		require.Equal(t, Forced, end, name)
		require.Equal(t, time.Unix(1777636800, 0).UTC(), last.UTC().Truncate(time.Second), name)
	}
}

func TestWhatHasNoTimeIsNoJournal(t *testing.T) {
	for _, text := range []string{"    12 tensors loaded\n", "nan systemd-shutdown[1]: Syncing\n", "Journal stopped\n", "1e400 x\n", strings.Repeat("x", 1<<16)} {
		end, last := journalEnd(text)
		require.Equal(t, Unknown, end, "%.20q", text)
		require.Zero(t, last, "%.20q", text)
	}
}
