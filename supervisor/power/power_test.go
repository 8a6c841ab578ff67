package power

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAServerThatHasBeenWellIsLookedAtLessOften(t *testing.T) {
	const base = 5 * time.Second
	battery, saving := State{Battery: true}, State{Battery: true, Saving: true}
	for name, c := range map[string]struct {
		chosen  bool
		healthy time.Duration
		state   State
		want    time.Duration
	}{
		"plugged in, just healthy":            {false, 4 * time.Minute, State{}, base},
		"plugged in, healthy for long":        {false, 5 * time.Minute, State{}, 2 * base},
		"on its battery, just healthy":        {false, 59 * time.Second, battery, base},
		"on its battery, healthy":             {false, time.Minute, battery, 3 * base},
		"in low power mode":                   {false, time.Hour, saving, 4 * base},
		"low power mode at the mains":         {false, time.Hour, State{Saving: true}, 4 * base},
		"not healthy":                         {false, 0, saving, base},
		"an interval that a person chose":     {true, time.Hour, saving, base},
		"a clock that was set back meanwhile": {false, -time.Hour, saving, base},
	} {
		require.Equal(t, c.want, Interval(base, c.chosen, c.healthy, c.state), name)
	}
}

func TestTheComputerIsKeptAwakeOnlyWhileThatIsWanted(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		mode   string
		runs   bool
		worked time.Time
		want   bool
	}{
		"never":                       {Never, true, now, false},
		"nothing is said":             {"", true, now, false},
		"running":                     {Running, true, time.Time{}, true},
		"running, and nothing runs":   {Running, false, now, false},
		"busy, at work":               {Busy, true, now, true},
		"busy, at work a moment ago":  {Busy, true, now.Add(-Linger + time.Second), true},
		"busy, at work long ago":      {Busy, true, now.Add(-Linger), false},
		"busy, never seen at work":    {Busy, true, time.Time{}, false},
		"busy, and it has just ended": {Busy, false, now, false},
	} {
		require.Equal(t, c.want, Wants(c.mode, c.runs, c.worked, now), name)
	}
}

// clock is the system's distance between its two clocks.
type clock struct {
	asleep time.Duration
	told   bool
}

func (c *clock) read() (time.Duration, bool) { return c.asleep, c.told }

// wall is a moment of the calendar's clock alone: its differences are those of that clock.
func wall(d time.Duration) time.Time {
	return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).Add(d)
}

func TestSleepIsWhatTheClocksOfTheSystemDifferBy(t *testing.T) {
	c := &clock{asleep: time.Hour, told: true}
	s := NewSleep(c.read, wall(0))
	require.Zero(t, s.Since(wall(5*time.Second)), "what was slept before is old")
	c.asleep += 40 * time.Second
	require.Equal(t, 40*time.Second, s.Since(wall(50*time.Second)))
	require.Zero(t, s.Since(wall(55*time.Second)))
	c.asleep += 300 * time.Millisecond
	require.Zero(t, s.Since(wall(time.Minute)), "reading two clocks takes a moment")
	require.Zero(t, s.Since(wall(48*time.Hour)), "somebody set the calendar's clock")
	require.Zero(t, s.Since(wall(-time.Hour)))
}

func TestSleepIsGuessedWhereTheSystemDoesNotTell(t *testing.T) {
	now := time.Now()
	for name, read := range map[string]func() (time.Duration, bool){"no clocks": nil, "clocks that cannot be read": (&clock{}).read} {
		s := NewSleep(read, now)
		require.Zero(t, s.Since(now.Add(5*time.Second)), name) // both clocks of a time.Time went on
		s = NewSleep(read, now)
		require.Zero(t, s.Since(now.Add(8*time.Second).Round(0)), name)
	}
	c := &clock{}
	s := NewSleep(c.read, now)
	c.told, c.asleep = true, time.Hour
	require.Zero(t, s.Since(now.Add(time.Second)), "the first look tells nothing")
}

func TestThisComputerTellsHowLongItSlept(t *testing.T) {
	before, ok := Asleep()
	require.True(t, ok)
	require.GreaterOrEqual(t, before, -time.Millisecond)
	after, ok := Asleep()
	require.True(t, ok)
	require.InDelta(t, before.Seconds(), after.Seconds(), 1)
}
