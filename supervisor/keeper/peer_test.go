package keeper

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhoHasHungUpIsStillOfItsUser(t *testing.T) {
	dir, err := os.MkdirTemp("", "v")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	ln, err := ListenUnix(filepath.Join(dir, "sock"))
	require.NoError(t, err)
	defer ln.Close()
	c, err := net.Dial("unix", filepath.Join(dir, "sock"))
	require.NoError(t, err)
	u, err := ln.AcceptUnix()
	require.NoError(t, err)
	defer u.Close()
	require.NoError(t, c.Close())
	_, err = io.ReadAll(u)
	require.NoError(t, err)
	uid, err := PeerUID(u)
	require.NoError(t, err)
	require.Equal(t, os.Getuid(), uid)
}

func TestATroubleThatPassesIsTriedAgain(t *testing.T) {
	for err, want := range map[error]bool{
		io.EOF: true, syscall.ECONNRESET: true, syscall.EPIPE: true, syscall.EAGAIN: true, syscall.ENOTCONN: true,
		syscall.EACCES: false, syscall.ENOENT: false, errors.New("the keeper began with \"?\" instead of hello"): false,
	} {
		require.Equal(t, want, passing(&net.OpError{Op: "read", Err: os.NewSyscallError("read", err)}), err)
	}
}
