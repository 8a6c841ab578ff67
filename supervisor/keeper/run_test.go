package keeper

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func playStubborn() int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	os.Stdout.WriteString("ready\n")
	time.Sleep(time.Hour)
	return 0
}

func playClient(args []string) int { return 0 }

func TestARunTellsHowItEnded(t *testing.T) {
	dir := stateDir(t)
	c := launched(t, dir)
	s := shell(dir, "echo out; echo err >&2; printf last; exit 3")
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	require.NotZero(t, run.PID)
	require.NotEmpty(t, run.Stamp)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.True(t, e.Known)
	require.False(t, e.Asked)
	require.Equal(t, 3, e.Code)
	require.Equal(t, run.ID, e.Run.ID)
	require.Equal(t, []string{"out", "err", "last"}, e.Tail)
	require.Equal(t, "out\nerr\nlast", logOf(t, s))
	require.NoError(t, c.Forget(run.ID))
}
