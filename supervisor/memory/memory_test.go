package memory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const gb = 1_000_000_000

// machineOf is a system whose processes have what a test says, and whose looks at what is shared take as long as it says.
type machineOf struct {
	of, fair map[int]Figure
	takes    time.Duration // for one process
	now      time.Time
	looks    int
}

func (m *machineOf) meter() *Meter {
	m.now = time.Date(2026, 11, 26, 14, 0, 0, 0, time.UTC)
	return &Meter{System: System{
		Of: func(pid int) (Figure, bool) { f, ok := m.of[pid]; return f, ok },
		Fair: func(pid int) (Figure, bool) {
			m.looks++
			m.now = m.now.Add(m.takes)
			f, ok := m.fair[pid]
			return f, ok
		},
		Now: func() time.Time { return m.now },
	}}
}

func held(n uint64) Figure { return Figure{RSS: n, Used: n, Held: n} }

func yes() bool { return true }
func no() bool  { return false }

func TestTheMemoryOfATreeIsTheSumOfItsProcesses(t *testing.T) {
	m := &machineOf{of: map[int]Figure{1: {5 * gb, 6 * gb, 2 * gb}, 2: {1 * gb, 1 * gb, 1 * gb}}}
	require.Equal(t, Figure{6 * gb, 7 * gb, 3 * gb}, m.meter().Read([]int{1, 2, 3}, no), "the third has ended meanwhile")
	require.Zero(t, m.looks, "what is no copy of another shares little")
	require.Zero(t, m.meter().Read(nil, no))
}

func TestWhatForkedWorkersShareCountsOnce(t *testing.T) {
	m := &machineOf{of: map[int]Figure{1: held(4 * gb), 2: held(4 * gb), 3: held(4 * gb), 4: held(4 * gb)}, fair: map[int]Figure{}}
	for pid := 1; pid <= 4; pid++ {
		m.fair[pid] = held(1.25 * gb)
	}
	meter, pids := m.meter(), []int{1, 2, 3, 4}
	require.Equal(t, Figure{16 * gb, 5 * gb, 5 * gb}, meter.Read(pids, yes))
	require.Equal(t, 4, m.looks)
	for pid := 1; pid <= 4; pid++ { // each grows by a gigabyte of its own
		m.of[pid] = held(5 * gb)
	}
	m.now = m.now.Add(59 * time.Second)
	require.EqualValues(t, 9*gb, meter.Read(pids, yes).Held)
	require.Equal(t, 4, m.looks, "once a minute at most")
	m.now = m.now.Add(time.Second)
	meter.Read(pids, yes)
	require.Equal(t, 8, m.looks)
}

func TestASlowLookIsBrokenOffAndNeverRepeated(t *testing.T) {
	m := &machineOf{of: map[int]Figure{}, fair: map[int]Figure{}, takes: 6 * time.Millisecond}
	var pids []int
	for pid := 1; pid <= 10; pid++ {
		m.of[pid], m.fair[pid] = held(4*gb), held(0.5*gb)
		pids = append(pids, pid)
	}
	meter := m.meter()
	require.EqualValues(t, 5*gb, meter.Read(pids, yes).Held, "those that were not looked at are taken to be like the others")
	require.Equal(t, 2, m.looks)
	for range 10 {
		m.now = m.now.Add(time.Hour)
		require.EqualValues(t, 5*gb, meter.Read(pids, yes).Held)
	}
	require.Equal(t, 2, m.looks, "10 ms once is enough for the whole run")
	require.EqualValues(t, 4*gb, meter.Read(pids[:1], yes).Held, "a process alone shares with nobody")
	require.InDelta(t, 20*gb-35*gb*4/9, meter.Read(pids[:5], yes).Held, 10)
}

func TestUntilTheFirstLookOnlyWhatIsCertainIsHeld(t *testing.T) {
	m := &machineOf{of: map[int]Figure{1: held(4 * gb), 2: held(0.1 * gb)}, fair: map[int]Figure{1: held(4 * gb), 2: held(0.1 * gb)}}
	meter := m.meter()
	require.EqualValues(t, 4.1*gb, meter.Read([]int{1, 2}, yes).Held)
	for pid := 3; pid <= 6; pid++ { // workers are forked, and share all of it
		m.of[pid] = held(4 * gb)
	}
	m.now = m.now.Add(10 * time.Second)
	f := meter.Read([]int{1, 2, 3, 4, 5, 6}, yes)
	require.EqualValues(t, 4*gb, f.Held, "it may be 20, or 4: the guard must not act on what is not known")
	require.EqualValues(t, 20.1*gb, f.Used)
}

func TestAProcessThatMayNotBeLookedAtIsNoReasonToGuess(t *testing.T) {
	m := &machineOf{of: map[int]Figure{1: held(2 * gb), 2: held(3 * gb)}}
	f := m.meter().Read([]int{1, 2}, yes)
	require.EqualValues(t, 3*gb, f.Held)
	require.EqualValues(t, 5*gb, f.Used)
}

func TestWhereTheFigureIsFairNobodyLooks(t *testing.T) {
	m := &machineOf{of: map[int]Figure{1: held(2 * gb), 2: held(3 * gb)}}
	meter := m.meter()
	meter.System.Fair = nil // macOS
	require.EqualValues(t, 5*gb, meter.Read([]int{1, 2}, func() bool { t.Fatal("nobody needs to know"); return false }).Held)
}

func TestSizesAreForPeople(t *testing.T) {
	require.Equal(t, "13.6 GB", Size(13_600_000_000))
	require.Equal(t, "640 MB", Size(640_000_000))
}
