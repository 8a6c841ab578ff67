package keeper

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

func TestWhenTheKeeperIsKilledAtAnyMomentThereAreNeverTwoServers(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	mark := "KEEPER_TEST_MARK=" + dir
	// marked are the servers of this test, with the children that they may have.
	marked := func() []proc.Process {
		all, err := proc.Processes()
		require.NoError(t, err)
		return slices.DeleteFunc(all, func(p proc.Process) bool {
			env, _ := proc.Environ(p.PID)
			return p.Zombie || !slices.Contains(env, mark)
		})
	}
	s := shell(dir, "trap '' TERM; sleep 0.01; exec sleep 1001")
	s.Env = append(s.Env, mark)
	for range 12 {
		c := launched(t, dir)
		if e, err := c.Wait(alreadyOver()); err == nil {
			require.NoError(t, c.Forget(e.Run.ID))
		}
		p := ofKeeper(t, c)
		spawned := make(chan error)
		go func() { _, err := c.Spawn(soon(t), s); spawned <- err }()
		time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond)
		killKeeper(t, p)
		if err := <-spawned; err != nil {
			require.ErrorIs(t, err, ErrLost)
		}
		require.LessOrEqual(t, len(marked()), 2, "sh, and while it waits its sleep")
	}
	c := launched(t, dir)
	if e, err := c.Wait(alreadyOver()); err == nil {
		require.False(t, e.Known)
		require.NoError(t, c.Forget(e.Run.ID))
	}
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	require.NotEmpty(t, marked())
	for _, p := range marked() {
		require.Contains(t, []string{run.ID, ""}, proc.RunOf(p.PID), "of the others nobody is left")
	}
}

// alreadyOver is a context for asking what is known already.
func alreadyOver() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
