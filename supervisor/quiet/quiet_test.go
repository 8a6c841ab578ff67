package quiet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// work lets n pieces of work go by, one in 5 s, each of which wakes the program so often, and gives after which of them it settled.
func work(w *watch, now *time.Time, n int, each int64) (settled []int) {
	for i := range n {
		*now = now.Add(5 * time.Second)
		if w.beat(*now, max(w.last, 1000)+each) {
			settled = append(settled, i+1)
		}
	}
	return settled
}

func TestAProgramThatIsWokenSeldomIsLeftAlone(t *testing.T) {
	var w watch
	now := time.Unix(1_700_000_000, 0)
	require.Empty(t, work(&w, &now, 1000, 5))
	require.Empty(t, work(&w, &now, 1000, most))
}

func TestAProgramThatIsWokenOftenSettles(t *testing.T) {
	var w watch
	now := time.Unix(1_700_000_000, 0)
	require.Equal(t, []int{beats + 1}, work(&w, &now, beats+1, 30), "the first beat has nothing to be compared with")
}

func TestAMomentOfWorkIsNoReasonToSettle(t *testing.T) {
	var w watch
	now := time.Unix(1_700_000_000, 0)
	require.Empty(t, work(&w, &now, beats+1, 4))
	require.Empty(t, work(&w, &now, 1, 20))
	require.Empty(t, work(&w, &now, beats-1, 4))
}

func TestSettlingThatHelpedIsDoneAgainWhenItIsNeeded(t *testing.T) {
	var w watch
	now := time.Unix(1_700_000_000, 0)
	require.Len(t, work(&w, &now, beats+1, 30), 1)
	require.Empty(t, work(&w, &now, 200*beats, 4))
	require.Len(t, work(&w, &now, beats, 30), 1)
	require.Equal(t, leastWait, w.wait)
}

func TestSettlingThatDoesNotHelpIsDoneLessAndLessOften(t *testing.T) {
	var w watch
	now := time.Unix(1_700_000_000, 0)
	week := int(7 * 24 * time.Hour / (5 * time.Second))
	require.InDelta(t, 15, len(work(&w, &now, week, 30)), 2, "after 5, 10, 20 minutes and so on, and then once a day")
}

func TestSettlingThatHelpsForAMomentIsDoneLessAndLessOften(t *testing.T) {
	var w watch
	now := time.Unix(1_700_000_000, 0)
	settled := 0
	for begin := now; now.Sub(begin) < 24*time.Hour; {
		settled += len(work(&w, &now, beats, 30))
		settled += len(work(&w, &now, beats, 4))
	}
	require.Less(t, settled, 24*12/2)
}

func TestSettlingEnds(t *testing.T) {
	begin := time.Now()
	settle()
	require.GreaterOrEqual(t, time.Since(begin), turn)
}

func TestTheSystemCountsHowOftenThisProgramSleeps(t *testing.T) {
	before := switches()
	for range 20 {
		time.Sleep(2 * time.Millisecond)
	}
	require.GreaterOrEqual(t, switches(), before+10)
}
