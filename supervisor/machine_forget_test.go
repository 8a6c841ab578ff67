package supervisor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// The keeper spawns nothing before the last exit is forgotten, and a launch does not wait for what is written first.
func TestAStartRightAfterAStopForgetsTheStoppedRunItself(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(stop{})
	p.feed(exited{keeper.Exit{Run: p.m.Run, At: p.now, Known: true, Asked: true}, crash.Verdict{}})
	require.Equal(t, Stopped, p.m.State)
	p.feed(start{})
	require.IsType(t, doSave{}, p.last[0], "the wish is written before it is acted on")
	require.Equal(t, "r1", p.last[1].(doLaunch).forget)
}

func TestAStopThatEndedWhileNobodyWasThereIsToldAsThat(t *testing.T) {
	p := newPlay(t, in("healthy")).feed(stop{}).after(time.Second)
	p.feed(exited{keeper.Exit{Run: p.m.Run, At: p.now, Known: true, Asked: true}, crash.Verdict{}})
	require.Equal(t, EventStopped, p.told[1].What)
	require.False(t, p.told[1].Away)

	p = newPlay(t, in("healthy"))
	p.feed(exited{keeper.Exit{Run: p.m.Run, At: p.m.came.Add(-time.Second), Known: true, Asked: true}, crash.Verdict{}})
	require.Equal(t, EventStopped, p.told[0].What)
	require.True(t, p.told[0].Away)
}
