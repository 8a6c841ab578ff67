package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app"
)

// screen collects what a follower prints.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *screen) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *screen) all() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func TestTheLastLinesMayLieInRotatedFiles(t *testing.T) {
	_, dir := atHome(t)
	write(t, filepath.Join(dir, "vivarium.toml"), "")
	log := filepath.Join(dir, "logs", "server.log")
	out, told, code := do(t, "logs")
	require.Zero(t, code)
	require.Empty(t, out)
	require.Contains(t, told, "no log yet")
	write(t, log+".2", numbered(0, 10))
	write(t, log+".1", numbered(10, 20))
	write(t, log, numbered(20, 30))
	for _, c := range []struct{ n, from int }{{3, 27}, {10, 20}, {11, 19}, {25, 5}, {100, 0}} {
		out, _, code := do(t, "logs", "-n", fmt.Sprint(c.n))
		require.Zero(t, code)
		require.Equal(t, numbered(c.from, 30), out)
	}
	out, _, _ = do(t, "logs", "-n", "0")
	require.Empty(t, out)
}

func TestALastLineWithoutItsEndIsALine(t *testing.T) {
	require.Equal(t, "b\nc", string(lastLines([]byte("a\nb\nc"), 2)))
	require.Equal(t, "b\nc\n", string(lastLines([]byte("a\nb\nc\n"), 2)))
	require.Equal(t, "\n", string(lastLines([]byte("a\n\n"), 1)))
	require.Empty(t, lastLines(nil, 5))
}

func TestFollowingALogLosesNothingAtRotations(t *testing.T) {
	log := filepath.Join(t.TempDir(), "server.log")
	write(t, log, numbered(0, 5))
	p := &screen{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- followLog(ctx, console{out: p}, log, 3) }()
	eventually(t, "it shows what is there", func() bool { return p.all() == numbered(2, 5) })
	next := 5
	for rotation := range 4 {
		for range 3 + rotation { // several rotations between two looks, too
			f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
			require.NoError(t, err)
			_, err = f.WriteString(numbered(next, next+100))
			require.NoError(t, err)
			require.NoError(t, f.Close())
			next += 100
			for i := 5; i > 0; i-- {
				_ = os.Rename(rotated(log, i-1), rotated(log, i))
			}
			write(t, log, numbered(next, next+1))
			next++
		}
		eventually(t, "it has caught up", func() bool { return strings.HasSuffix(p.all(), fmt.Sprintf("line %d\n", next-1)) })
	}
	cancel()
	require.NoError(t, <-done)
	require.Equal(t, numbered(2, next), p.all())
}

func TestFollowingBeginsBeforeThereIsALogAndGoesOnWhenItIsEmptied(t *testing.T) {
	log := filepath.Join(t.TempDir(), "server.log")
	p := &screen{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- followLog(ctx, console{out: p}, log, 3) }()
	write(t, log, "first line, rather long\n")
	eventually(t, "the first line", func() bool { return strings.Contains(p.all(), "first") })
	write(t, log, "second\n") // truncates
	eventually(t, "the second line", func() bool { return strings.HasSuffix(p.all(), "second\n") })
	cancel()
	require.NoError(t, <-done)
}

func TestABackendThatCannotBeReadDoesNotKeepTheOthersLogsFromBeingShown(t *testing.T) {
	state, dir := atHome(t)
	broken := filepath.Join(filepath.Dir(dir), "broken")
	write(t, filepath.Join(broken, "vivarium.toml"), "port = \n")
	write(t, filepath.Join(dir, "vivarium.toml"), "")
	write(t, filepath.Join(dir, "logs", "server.log"), "here\n")
	list, err := app.OpenBackends(state)
	require.NoError(t, err)
	require.NoError(t, list.Add(broken))
	require.NoError(t, list.Add(dir))
	out, told, code := do(t, "logs", "--all")
	require.Equal(t, codeUsage, code, told)
	require.Equal(t, "==> broken <==\n\n==> brain <==\nhere\n", out)
	require.Contains(t, told, "broken: ")
}
