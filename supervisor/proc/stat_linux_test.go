package proc

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A program chooses its own name, and the kernel puts it into the middle of the line as it is.
func TestTheNameOfAProcessDoesNotShiftWhatStandsBehindIt(t *testing.T) {
	const rest = " S 7 8 9 0 -1 4194304 1 0 0 0 5 6 0 0 20 0 3 0 123456 1 2 3"
	for _, name := range []string{"python3", "", " ", "a b", ")", "(", ") S 1 2 3", "x) R 1 (y", "a\nb", "(((", ")))", "\xff\xfe", "1 (2) 3"} {
		p, err := ParseStat([]byte("4711 (" + name + ")" + rest))
		require.NoError(t, err, "%q", name)
		require.Equal(t, Process{PID: 4711, PPID: 7, Group: 8, Name: name, Stamp: BootID() + "/123456"}, p, "%q", name)
	}
}

func TestAProcessIsGoneOnlyWhenItsLastThreadIs(t *testing.T) {
	line := func(state, threads string) []byte {
		return []byte("4711 (a) " + state + " 7 8 9 0 -1 0 1 0 0 0 5 6 0 0 20 0 " + threads + " 0 123456 1")
	}
	for _, c := range []struct {
		state, threads string
		zombie         bool
	}{{"Z", "1", true}, {"Z", "0", true}, {"X", "1", true}, {"Z", "4", false}, {"S", "1", false}, {"D", "1", false}, {"T", "1", false}, {"I", "1", false}} {
		p, err := ParseStat(line(c.state, c.threads))
		require.NoError(t, err)
		require.Equal(t, c.zombie, p.Zombie, "%s with %s threads", c.state, c.threads)
	}
}

func TestWhatIsNoStatusOfAProcessIsAnError(t *testing.T) {
	for _, text := range []string{"", "4711", "4711 (a", "4711 a)", ") (", "(a) S 7 8", "4711 (a)", "4711 (a) S 7 8 9", strings.Repeat("(", 1<<12), strings.Repeat(")", 1<<12)} {
		_, err := ParseStat([]byte(text))
		require.Error(t, err, "%.20q", text)
	}
	for _, pid := range []int{-1, 0, 1 << 30} {
		_, err := Find(pid)
		require.ErrorIs(t, err, ErrGone, "%d", pid)
		require.False(t, Alive(Process{PID: pid, Stamp: "x"}), "%d", pid)
		require.ErrorIs(t, Signal(Process{PID: pid, Stamp: "x"}, 0), ErrGone, "%d: nobody is signalled", pid)
	}
}

// A PID is given again: only the stamp tells one process from the next.
func TestAProcessWithAnotherStampIsNotSignalled(t *testing.T) {
	me, err := Find(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, Signal(me, 0))
	other := me
	other.Stamp += "1"
	require.ErrorIs(t, Signal(other, 0), ErrGone)
	require.False(t, Alive(other))
	other.Stamp = ""
	require.ErrorIs(t, Signal(other, 0), ErrGone)
}
