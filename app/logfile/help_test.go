package logfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// write makes a log of those files, the newest first.
func write(t testing.TB, files ...string) *Log {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.log")
	for i, text := range files {
		require.NoError(t, os.WriteFile(rotated(path, i), []byte(text), 0o600))
	}
	l := Open(path)
	t.Cleanup(l.Close)
	return l
}

func look(t testing.TB, l *Log) *Snapshot {
	t.Helper()
	s, err := l.Snapshot()
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func add(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// texts are what rows say, with how often.
func texts(rows []Row) []string {
	all := []string{}
	for _, r := range rows {
		text := textOf(r.Spans)
		if r.Count > 1 {
			text = fmt.Sprintf("%s ×%d", text, r.Count)
		}
		all = append(all, text)
	}
	return all
}

// numbered are lines that say their number.
func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func list(from, to int) []string {
	return strings.Split(strings.TrimSuffix(numbered(from, to), "\n"), "\n")
}
