package supervisor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

const gb = 1_000_000_000

// guarded is a healthy run that is restarted above 12 GB, of which a person is warned above 8.
func guarded(t *testing.T) *play {
	p := newPlay(t, in("healthy"))
	p.m.config.Memory = guard.Policy{Warn: guard.Limit{Percent: 50}, Restart: guard.Limit{Bytes: 12 * gb}, For: 30 * time.Second}
	return p
}

// holds lets that many seconds pass in which the run holds so much.
func (p *play) holds(seconds int, held uint64) *play {
	for range seconds / 5 {
		p.after(5 * time.Second).feed(used{runID: p.m.Run.ID, machine: 16 * gb, usage: process.Usage{Memory: held + gb, Held: held, RSS: gb, Procs: 1}})
		if !p.m.running() {
			break
		}
	}
	return p
}

// stops is the end of a run that was told to stop.
func (p *play) stops() *play {
	return p.feed(exited{exit: keeper.Exit{Run: p.m.Run, At: p.now, Known: true, Asked: true}})
}

func TestAPersonIsWarnedOfMemoryOnceInTheLifeOfARun(t *testing.T) {
	p := guarded(t).holds(30, 9*gb)
	require.Empty(t, p.events(), "30 s have not passed since the first look")
	p.holds(5, 9*gb)
	require.Equal(t, []What{EventMemoryHigh}, p.events())
	require.True(t, p.m.Memory.High)
	p.holds(600, 9*gb).holds(60, gb)
	require.False(t, p.m.Memory.High)
	p.holds(600, 9*gb)
	require.Empty(t, p.events())
	require.Equal(t, Healthy, p.m.State)
	require.Equal(t, record.MarkMemory, p.m.marks[0].What)
}

func TestARunThatHoldsTooMuchIsStartedAnewAndNothingCountsAsACrash(t *testing.T) {
	p := guarded(t).holds(35, 9*gb)
	warned := p.told[0]
	require.Equal(t, "9.0 GB for 30 s, more than 50 % of the 16.0 GB that there are", warned.Text)
	p.events()
	p.holds(60, 13.6*gb)
	require.Equal(t, Stopping, p.m.State)
	require.Equal(t, "its memory: 13.6 GB for 30 s, more than 12.0 GB", p.told[0].Text)
	require.False(t, p.told[0].Asked, "no person did")
	require.Equal(t, []What{EventStopping}, p.events())
	require.True(t, has[doStop](p.last))
	require.True(t, p.m.Want)

	p.after(2 * time.Second).stops()
	require.Equal(t, Starting, p.m.State, "the first time it starts at once")
	require.Equal(t, "restarted at 13.6 GB, before the system would have ended it", p.told[0].Text)
	require.Equal(t, []What{EventRestarting}, p.events())
	require.False(t, has[doRecord](p.last), "it is no death")
	require.Equal(t, "r1", p.m.saved().Ended, "nor does the next app take it for one")
	p.launch().healthy()
	require.Zero(t, p.m.Crashes)
	require.Empty(t, p.m.deaths)
	require.Empty(t, p.m.Last)
	require.Equal(t, 1, p.m.Memory.Past.Restarts)
	require.False(t, p.told[len(p.told)-1].Recovery)
	require.Equal(t, []record.MarkKind{record.MarkMemory, record.MarkMemory, record.MarkStart}, marksOf(p.m))
	p.events()
	p.holds(35, 9*gb)
	require.Equal(t, []What{EventMemoryHigh}, p.events(), "it is another run")
}

func TestRestartsForMemoryThatFollowEachOtherWait(t *testing.T) {
	p := guarded(t)
	for i, wait := range []time.Duration{0, 0, time.Second, 2 * time.Second, 4 * time.Second} {
		if i == 0 {
			continue
		}
		p.holds(60, 13*gb).stops()
		if wait == 0 {
			require.Equal(t, Starting, p.m.State)
		} else {
			require.Equal(t, Restarting, p.m.State, i)
			require.InDelta(t, wait*9/10, p.m.Retry.Sub(p.now), float64(wait/9))
			p.now = p.m.Retry
			p.feed(due{})
		}
		p.launch().healthy()
	}
	require.Equal(t, 4, p.m.Memory.Past.Restarts)
	require.Zero(t, p.m.Crashes)
	p.after(time.Hour).holds(60, 13*gb).stops()
	require.Equal(t, Starting, p.m.State, "an hour of health ends the row")
	p.launch().feed(restart{})
	require.Zero(t, p.m.Memory.Past, "a person began anew")
}

func TestARunThatStartsIsLeftAlone(t *testing.T) {
	p := newPlay(t, in("starting"))
	p.m.config.Memory = guard.Policy{Restart: guard.Limit{Bytes: gb}, For: time.Second}
	p.holds(150, 5*gb)
	require.Equal(t, Starting, p.m.State)
	require.NotContains(t, p.events(), EventMemoryHigh)
	p.healthy().holds(5, 5*gb)
	require.Equal(t, Healthy, p.m.State, "what came before does not count")
	p.holds(5, 5*gb)
	require.Equal(t, Stopping, p.m.State)
	require.Equal(t, []What{EventHealthy, EventMemoryHigh, EventStopping}, p.events(), "a restart is never without a word on memory")
}

func TestTheWishOfAPersonGoesBeforeTheGuards(t *testing.T) {
	p := guarded(t).holds(60, 13*gb).feed(stop{}).stops()
	p.woundUp()
	require.Equal(t, Stopped, p.m.State)
	require.False(t, p.m.Want)

	p = guarded(t).holds(60, 13*gb).feed(restart{})
	p.events()
	p.stops()
	require.Equal(t, Starting, p.m.State)
	require.NotContains(t, p.events(), EventRestarting, "it is the person's restart now")
	require.Zero(t, p.m.Memory.Past.Restarts)
}

func TestAKeeperThatDiesDuringTheGuardsStopLosesNothing(t *testing.T) {
	p := guarded(t).holds(60, 13*gb)
	p.feed(reattached{runID: "r1", found: found{exit: &keeper.Exit{Run: p.m.Run, Asked: true}, dead: true}})
	require.Equal(t, Stopping, p.m.State)
	p.feed(staleEnded{runID: "r1"})
	require.True(t, p.m.launching)
	require.Empty(t, p.m.deaths)
}

func TestWithoutALimitNothingIsGuarded(t *testing.T) {
	p := newPlay(t, in("healthy"))
	p.m.config.Memory = guard.Policy{For: time.Second}
	p.holds(600, 15*gb)
	require.Empty(t, p.events())
	require.Equal(t, Healthy, p.m.State)
}

func TestAnEarlierAppsRestartsAreRemembered(t *testing.T) {
	p := guarded(t).holds(60, 13*gb).stops()
	saved := p.m.saved()
	m := &machine{}
	m.step(p.now, began{config: p.m.config, saved: &saved})
	require.Equal(t, p.m.Memory.Past, m.Memory.Past)
}
