package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// reached attaches as soon as the keeper can be found again.
func reached(t *testing.T, dir string) *Conn {
	t.Helper()
	var c *Conn
	eventually(t, func() bool {
		var err error
		c, err = Attach(soon(t), dir)
		return err == nil && c.Live()
	})
	return c
}

// wiped removes a folder, also while the keeper puts back what is in it.
func wiped(dir string) error {
	err := os.RemoveAll(dir)
	for i := 0; i < 100 && errors.Is(err, syscall.ENOTEMPTY); i++ {
		err = os.RemoveAll(dir)
	}
	return err
}

func TestAKeeperThatIsRemovedFromItsFolderIsFoundAgain(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(dir string) error{
		"its socket":            func(dir string) error { return os.Remove(filepath.Join(dir, sockFile)) },
		"its lock":              func(dir string) error { return os.Remove(filepath.Join(dir, lockFile)) },
		"its folder":            wiped,
		"the state folder":      func(dir string) error { return wiped(filepath.Dir(filepath.Dir(dir))) },
		"its folder, elsewhere": func(dir string) error { return os.Rename(dir, dir+".moved") },
	} {
		dir := stateDir(t)
		c := launched(t, dir)
		p := ofKeeper(t, c)
		run, err := c.Spawn(soon(t), Spec{
			Argv: []string{"/bin/sleep", "600"}, Dir: "/", Log: filepath.Join(t.TempDir(), "server.log"), Env: os.Environ(),
		})
		require.NoError(t, err)
		require.NoError(t, c.Close())
		for range 2 { // it is watched again afterwards
			require.NoError(t, remove(dir), name)
			eventually(t, func() bool { held, err := lockHeld(dir); return err == nil && held }, name)
			c = reached(t, dir)
			now, running := c.Current()
			require.True(t, running, name)
			require.Equal(t, run.ID, now.ID, name)
			require.Equal(t, p.PID, ofKeeper(t, c).PID, name)
			last, ok := records{dir}.last()
			require.True(t, ok, name)
			require.Equal(t, run.PID, last.PID, "whoever comes after this keeper finds the run")
			require.NoError(t, c.Close())
			_ = os.RemoveAll(dir + ".moved")
			log, err := openKeeperLog(filepath.Join(dir, logFile)) // what ends the keeper looks into it
			require.NoError(t, err)
			require.NoError(t, log.Close())
		}
	}
}

func TestAKeeperWhoseFolderAnotherHasTakenLeavesWithItsServer(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	p := ofKeeper(t, c)
	run, err := c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	// Another lock is there before the keeper looks: made beside it, held, and moved into its place.
	other := filepath.Join(t.TempDir(), lockFile)
	lock, err := Lock(other)
	require.NoError(t, err)
	defer lock.Close()
	require.NoError(t, os.Rename(other, filepath.Join(dir, lockFile)))
	require.NoError(t, os.Remove(filepath.Join(dir, sockFile)))
	eventually(t, func() bool { return !proc.Alive(p) })
	require.Empty(t, carriers(t, run.ID))
	launchedAfter, err := Lock(filepath.Join(dir, lockFile))
	require.ErrorIs(t, err, ErrLocked, "the other's lock is left alone")
	require.Nil(t, launchedAfter)
}

func TestAClientThatDoesNotSayHelloIsDroppedAndTheNextOneServed(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	require.NoError(t, c.Close())
	for _, words := range []string{"", `{"type":"hel`} {
		silent, err := net.Dial("unix", filepath.Join(dir, sockFile))
		require.NoError(t, err)
		_, err = silent.Write([]byte(words))
		require.NoError(t, err)
		begin := time.Now()
		var next *Conn
		eventually(t, func() bool {
			next, err = Attach(soon(t), dir)
			var busy *BusyError
			require.True(t, err == nil || errors.As(err, &busy), err)
			return err == nil
		}, words)
		require.Less(t, time.Since(begin), helloTime+patience/2)
		require.NoError(t, next.Close())
		silent.Close()
	}
}

func TestAClientThatSaidHelloMayBeSilentForAsLongAsItLikes(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	time.Sleep(helloTime + time.Second)
	_, err := c.Spawn(soon(t), shell(dir, "exit 0"))
	require.NoError(t, err)
}

func TestAGoodbyeDoesNotWaitForAKeeperThatDoesNotKnowTheWord(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, MakeFolder(dir))
	ln, err := ListenUnix(filepath.Join(dir, sockFile))
	require.NoError(t, err)
	defer ln.Close()
	go func() {
		for {
			u, err := ln.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(u, "{\"type\":\"hello\",\"proto\":1,\"pid\":%d}\n", os.Getpid())
		}
	}()
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begin := time.Now()
	c.Goodbye(ctx)
	require.Less(t, time.Since(begin), patience/2)
	require.False(t, c.Live())
}

func TestAForgottenExitIsFoundUntilTheSecondNextRun(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	require.Empty(t, Forgotten(dir))
	var ids []string
	for code := range 4 {
		run, err := c.Spawn(soon(t), shell(dir, fmt.Sprintf("exit %d", code)))
		require.NoError(t, err)
		e, err := c.Wait(soon(t))
		require.NoError(t, err)
		require.Equal(t, code, e.Code)
		for _, past := range Forgotten(dir) {
			require.NotEqual(t, run.ID, past.Run.ID, "it is not forgotten yet")
		}
		require.NoError(t, c.Forget(run.ID))
		ids = append(ids, run.ID)
		eventually(t, func() bool {
			all := Forgotten(dir)
			return len(all) > 0 && all[len(all)-1].Run.ID == run.ID
		})
		if all := Forgotten(dir); code > 0 {
			require.Len(t, all, 2)
			require.Equal(t, ids[code-1], all[0].Run.ID)
			require.Equal(t, code-1, all[0].Code)
		}
	}
}
