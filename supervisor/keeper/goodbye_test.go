package keeper

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

func TestAKeeperThatNobodyNeedsIsGoneAfterAGoodbye(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	p := shortKeeper(t, dir, "1h")
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	run, err := c.Spawn(soon(t), shell(dir, "sleep 1000 & exit 1"))
	require.NoError(t, err)
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	require.NoError(t, c.Forget(run.ID))
	c.Goodbye(soon(t))
	require.False(t, c.Live())
	require.Empty(t, carriers(t, run.ID), "what the run left behind ended first")
	eventually(t, func() bool { return !proc.Alive(p) })
	require.NoFileExists(t, filepath.Join(dir, sockFile))
}

func TestAGoodbyeLeavesARunAlone(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	p := shortKeeper(t, dir, "1h")
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	run, err := c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	c.Goodbye(soon(t))
	next, err := Attach(soon(t), dir)
	require.NoError(t, err)
	now, running := next.Current()
	require.True(t, running)
	require.Equal(t, run.ID, now.ID)
	require.True(t, proc.Alive(p))
	require.NoError(t, next.Close())
}

func TestWhoComesDuringAGoodbyeIsServed(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	shortKeeper(t, dir, "1h")
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	parting := make(chan struct{})
	go func() { c.Goodbye(soon(t)); close(parting) }()
	for range 50 { // by then the keeper is gone, or it serves: never neither
		next, err := Attach(soon(t), dir)
		if errors.Is(err, ErrNone) {
			break
		}
		var busy *BusyError
		if errors.As(err, &busy) {
			continue
		}
		require.NoError(t, err)
		require.NoError(t, next.Close())
	}
	<-parting
}
