package proc

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnInterpreterIsKnownByTheNameOfItsFile(t *testing.T) {
	for exe, is := range map[string]bool{
		"/usr/bin/python3.11": true, "/x/bin/python": true, "/x/bin/python3.13t": true, "/x/bin/pypy3.10": true, "/x/python3.12 (deleted)": true, "/x/Python": true, "/x/python3.8-dbg": false,
		"/usr/bin/pythonista": false, "/usr/bin/node": false, "": false, "/x/python/bin/llama-server": false, "/usr/bin/python-config": false,
	} {
		require.Equal(t, is, isPython(exe), exe)
	}
}

func TestACaughtSignalIsSeenInTheStatus(t *testing.T) {
	const status = "Name:\tpython3\nSigIgn:\tffffffffffffffff\nSigCgt:\t0000000180000020\nSigQ:\t1/2\n"
	require.True(t, caught(status, syscall.SIGABRT))
	require.False(t, caught(status, syscall.SIGINT))
	require.True(t, caught(status, syscall.Signal(33)))
	for _, bad := range []string{"", "SigCgt:", "SigCgt:\tzz\n", "SigCgt:\tfffffffffffffffffff\n"} {
		require.False(t, caught(bad, syscall.SIGABRT), bad)
	}
	require.False(t, caught(status, 0))
	require.False(t, caught(status, 65))
}

func FuzzCaught(f *testing.F) {
	f.Add("SigCgt:\t0000000000000020\n", 6)
	f.Fuzz(func(_ *testing.T, status string, sig int) { caught(status, syscall.Signal(sig)) })
}

func TestNoProcessButAPythonTellsItsStacks(t *testing.T) {
	p, err := Find(os.Getpid())
	require.NoError(t, err)
	require.False(t, TellsStacks(p))
	require.False(t, TellsStacks(Process{PID: 1 << 22}))
}
