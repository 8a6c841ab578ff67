package logfile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// logOf writes a log like a server's, of about that size.
func logOf(tb testing.TB, size int) *Log {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "server.log")
	f, err := os.Create(path)
	require.NoError(tb, err)
	r := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	var block []byte
	for written := 0; written < size; {
		block = block[:0]
		for len(block) < 1<<20 {
			at = at.Add(time.Duration(r.IntN(40)) * time.Millisecond)
			block = fmt.Appendf(block, "%s INFO     uvicorn.access 127.0.0.1:%d - \"POST /v1/embeddings HTTP/1.1\" 200 OK %d ms id=%08x\n",
				at.Format("2006-01-02 15:04:05,000"), 40000+r.IntN(20000), r.IntN(400), r.Uint32())
		}
		n, err := f.Write(block)
		require.NoError(tb, err)
		written += n
	}
	_, err = f.WriteString("2026-11-28 12:00:00,000 ERROR    main needle in a haystack: code=E1234 while reading shard 77\n")
	require.NoError(tb, err)
	require.NoError(tb, f.Close())
	l := Open(path)
	tb.Cleanup(l.Close)
	return l
}

func BenchmarkSearch(b *testing.B) {
	const size = 256 << 20
	l := logOf(b, size)
	s, err := l.Snapshot()
	require.NoError(b, err)
	defer s.Close()
	for _, c := range []struct {
		name, pattern string
		fold          bool
	}{
		{"rare text", "needle in a haystack", false},
		{"text of every line", "uvicorn.access", false},
		{"rare text, any case", "NEEDLE IN A", true},
		{"common letters, any case", "haystack", true},
		{"required text", `code=E\d+ while`, false},
		{"alternatives", `needle|Traceback|CRITICAL`, false},
		{"required in every line", `embeddings.* 200 OK 39\d ms`, false},
		{"no text", `\b\d{9,}\b`, false},
		{"no text, classes", `[a-f]{8}`, false},
		{"words", `\w+\s\w+\s\w+\s\w+\s\w+\s\w+$`, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, err := Compile(c.pattern, c.fold)
			require.NoError(b, err)
			b.SetBytes(s.Size())
			began := cpuTime(b)
			for b.Loop() {
				require.NoError(b, s.Search(context.Background(), p, Position{}, 1000, func(Found) error { return nil }))
			}
			b.ReportMetric(float64(s.Size())*float64(b.N)/1e6/(cpuTime(b)-began).Seconds(), "MB/CPU-s") // what a busy machine does not change
		})
	}
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkTheEndOfALargeLog(b *testing.B) {
	l := logOf(b, 256<<20)
	for b.Loop() {
		s, err := l.Snapshot()
		require.NoError(b, err)
		c, err := s.Last(context.Background(), 300, Form{})
		require.NoError(b, err)
		require.Len(b, c.Rows, 300)
		s.Close()
	}
}

func BenchmarkClassify(b *testing.B) {
	text := []byte("2026-11-28 12:00:00,123 INFO     uvicorn.access 127.0.0.1:51234 - \"POST /v1/embeddings HTTP/1.1\" 200 OK 12 ms")
	var j judge
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		j.classify(text)
		j.keyOf(text, NoPart)
	}
}
