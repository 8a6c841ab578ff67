package keeper

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestALockIsHeldByOneAndReleasedByClosing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	f, err := Lock(path)
	require.NoError(t, err)
	_, err = Lock(path)
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, path)
	require.NoError(t, f.Close())
	f, err = Lock(path)
	require.NoError(t, err)
	st, err := f.Stat()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	require.NoError(t, f.Close())
	_, err = Lock(filepath.Join(t.TempDir(), "no", "folder"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotErrorIs(t, err, ErrLocked)
}

func TestASocketPathThatIsTooLongNamesTheWayOut(t *testing.T) {
	for goos, limit := range map[string]int{"darwin": 103, "linux": 107} {
		require.NoError(t, checkSocketPath(goos, strings.Repeat("x", limit)))
		err := checkSocketPath(goos, strings.Repeat("x", limit+1))
		require.ErrorContains(t, err, strings.Repeat("x", limit+1))
		require.ErrorContains(t, err, "VIVARIUM_HOME")
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	_, err := Attach(soon(t), long)
	require.ErrorContains(t, err, "VIVARIUM_HOME")
	_, err = ListenUnix(filepath.Join(long, sockFile))
	require.ErrorContains(t, err, "VIVARIUM_HOME")
	_, err = Launch(soon(t), keeperProgram, filepath.Join(long, "b", "x"))
	require.ErrorContains(t, err, "VIVARIUM_HOME", "what the keeper says at its start comes back")
}

func TestAStaleSocketIsReplacedButNoFileIs(t *testing.T) {
	dir, err := os.MkdirTemp("", "v")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sock")
	ln, err := ListenUnix(path)
	require.NoError(t, err)
	ln.SetUnlinkOnClose(false)
	require.NoError(t, ln.Close())
	ln, err = ListenUnix(path)
	require.NoError(t, err)
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	go func() {
		if c, err := net.Dial("unix", path); err == nil {
			defer c.Close()
			time.Sleep(100 * time.Millisecond)
		}
	}()
	c, err := ln.AcceptUnix()
	require.NoError(t, err)
	uid, err := PeerUID(c)
	require.NoError(t, err)
	require.Equal(t, os.Getuid(), uid)
	require.NoError(t, ln.Close())
	require.NoError(t, os.WriteFile(path, []byte("precious"), 0o600))
	_, err = ListenUnix(path)
	require.Error(t, err)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "precious", string(b))
}

func TestRunJSONIsReplacedInPlaceAndAlwaysAsLong(t *testing.T) {
	r := records{t.TempDir()}
	for _, run := range []Run{{ID: "a"}, {ID: "a", PID: 123456, Stamp: strings.Repeat("x", 100), Started: time.Now()}, {ID: "b"}} {
		require.NoError(t, r.started(run))
		st, err := os.Stat(r.path(runFile))
		require.NoError(t, err)
		require.EqualValues(t, recordSize, st.Size())
		rec, ok := r.load()
		require.True(t, ok)
		require.Equal(t, run.ID, rec.Run.ID)
		require.Equal(t, run.PID, rec.Run.PID)
		require.Equal(t, run.Stamp, rec.Run.Stamp)
	}
	require.NoError(t, r.forget(Run{ID: "b"}))
	require.Nil(t, r.news())
	last, ok := r.last()
	require.True(t, ok)
	require.Equal(t, "b", last.ID)
	require.NoError(t, r.failed(Run{}))
	_, ok = r.last()
	require.False(t, ok)
}

func TestAnExitCountsUntilItIsForgottenThoughItsFileStays(t *testing.T) {
	for name, prepared := range map[string]bool{"into the file made at the fork": true, "into a new file": false} {
		t.Run(name, func(t *testing.T) {
			r := records{t.TempDir()}
			for _, id := range []string{"a", "b"} { // the second takes the first one's file away
				require.NoError(t, r.started(Run{ID: id}))
				fd := noFile
				if prepared {
					fd = r.begin()
					require.NotEqual(t, noFile, fd)
					require.Nil(t, r.exit(), "nothing of the run before is left")
				}
				require.NoError(t, r.ended(fd, encodeExit(Exit{Run: Run{ID: id}, Known: true, Code: 3})))
				news := r.news()
				require.NotNil(t, news)
				require.Equal(t, id, news.Run.ID)
				require.Equal(t, 3, news.Code)
				require.NoError(t, r.forget(Run{ID: id}))
				require.Nil(t, r.news())
			}
		})
	}
}

func TestAnExitIsWrittenThoughItsPreparedFileIsGone(t *testing.T) {
	r := records{t.TempDir()}
	require.NoError(t, r.started(Run{ID: "a"}))
	fd := r.begin()
	require.NoError(t, os.Remove(r.path(exitFile+".tmp")))
	require.NoError(t, r.ended(fd, encodeExit(Exit{Run: Run{ID: "a"}, Known: true})))
	require.NotNil(t, r.exit())
}

func TestAKeeperIsNotStartedByHand(t *testing.T) {
	for _, args := range [][]string{nil, {"relative"}, {"/a", "/b"}} {
		out, err := exec.Command(keeperProgram, args...).CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 2, exit.ExitCode())
		require.Contains(t, string(out), "usage: vivarium-keeper DIR")
	}
	out, err := exec.Command(keeperProgram, "--version").Output()
	require.NoError(t, err)
	require.Equal(t, "vivarium-keeper "+Version+"\n", string(out))
}

func TestALaunchThatCannotWorkSaysWhy(t *testing.T) {
	dir := stateDir(t)
	_, err := Launch(soon(t), "/no/such/keeper", dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	broken := filepath.Join(t.TempDir(), "broken")
	require.NoError(t, os.WriteFile(broken, []byte("#!/bin/sh\nexit 3\n"), 0o700))
	_, err = Launch(soon(t), broken, dir)
	require.ErrorContains(t, err, logFile)
}
