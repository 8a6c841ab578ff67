package keeper

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

func TestAStatusLineIsReadWhateverTheNameIs(t *testing.T) {
	const rest = "1 7 7 0 -1 4194304 101 0 0 0 0 0 0 0 20 0 THREADS 0 151234 3133440 416"
	for name, row := range map[string]struct {
		in     string
		want   string
		zombie bool
	}{
		"plain":                {"42 (cat) R " + strings.Replace(rest, "THREADS", "1", 1), "cat", false},
		"brackets and spaces":  {"42 (a) S (b c) R " + strings.Replace(rest, "THREADS", "1", 1), "a) S (b c", false},
		"zombie":               {"42 (cat) Z " + strings.Replace(rest, "THREADS", "1", 1), "cat", true},
		"main thread has left": {"42 (cat) Z " + strings.Replace(rest, "THREADS", "3", 1), "cat", false},
		"dead":                 {"42 (cat) X " + strings.Replace(rest, "THREADS", "0", 1), "cat", true},
	} {
		p, err := proc.ParseStat([]byte(row.in))
		require.NoError(t, err, name)
		require.Equal(t, proc.Process{PID: 42, PPID: 1, Group: 7, Name: row.want, Stamp: proc.BootID() + "/151234", Zombie: row.zombie}, p, name)
	}
	for _, in := range []string{"", "42", "42 (cat", "42 (cat) R 1", ") (", "(x) R " + rest} {
		_, err := proc.ParseStat([]byte(in))
		require.Error(t, err, in)
	}
}

func FuzzStat(f *testing.F) {
	f.Add([]byte("42 (cat) R 1 7 7 0 -1 4194304 101 0 0 0 0 0 0 0 20 0 1 0 151234 3133440"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = proc.ParseStat(b) })
}
