package keeper

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// pumped is a pump with the other end of its pipe.
func pumped(t testing.TB, tail int) (*pump, *os.File, string) {
	t.Helper()
	l, path := openLog(t, 0, 0)
	r, w, err := pipe()
	require.NoError(t, err)
	require.NoError(t, syscall.SetNonblock(r, true))
	p := newPump(r, l, tail)
	out := os.NewFile(uintptr(w), "pipe")
	t.Cleanup(func() { out.Close() })
	return p, out, path
}

func (p *pump) finished() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// held is the memory that a pump has.
func (p *pump) held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ring)
}

func TestTheTailIsTheNewestOutputInWholeLines(t *testing.T) {
	t.Parallel()
	for _, tail := range []int{1, 10, 100, 1000, 64 << 10} {
		for _, total := range []int{0, 1, 9, 10, 11, 100, 101, 5000, 500_000} {
			p, out, path := pumped(t, tail)
			go p.run()
			var all strings.Builder
			for i := 0; all.Len() < total; i++ {
				fmt.Fprintf(&all, "line %d\n", i)
			}
			text := all.String()[:min(total, all.Len())]
			_, err := out.WriteString(text)
			require.NoError(t, err)
			require.NoError(t, out.Close())
			eventually(t, p.finished)
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, text, string(b))

			got := strings.Join(p.lines(), "\n")
			rest := strings.TrimSuffix(text, "\n")
			require.True(t, strings.HasSuffix(rest, got), "tail %d of %d", tail, total)
			require.LessOrEqual(t, len(got), tail)
			if total > 0 && tail > 20 {
				require.Greater(t, len(got), min(len(rest), tail)-20)
				require.True(t, got == rest || strings.HasPrefix(got, "line "), got)
			}
		}
	}
}

func TestATailOfOneEndlessLineBeginsWithARune(t *testing.T) {
	t.Parallel()
	for shift := range 4 {
		p, out, _ := pumped(t, 1000)
		go p.run()
		_, err := out.WriteString(strings.Repeat("x", shift) + strings.Repeat("𝄞", 10_000))
		require.NoError(t, err)
		require.NoError(t, out.Close())
		eventually(t, p.finished)
		lines := p.lines()
		require.Len(t, lines, 1)
		require.NotContains(t, lines[0], "\uFFFD")
		require.InDelta(t, 1000, len(lines[0]), 4)
	}
}

func TestTailLines(t *testing.T) {
	for name, row := range map[string]struct {
		in    string
		whole bool
		want  []string
	}{
		"nothing":                  {"", true, nil},
		"a newline":                {"\n", true, nil},
		"no end":                   {"a\nb", true, []string{"a", "b"}},
		"an empty line between":    {"a\n\nb\n", true, []string{"a", "", "b"}},
		"begins at a line":         {"\na\nb\n", false, []string{"a", "b"}},
		"begins within one":        {"xa\nb\n", false, []string{"b"}},
		"one line without its top": {"xabc", false, []string{"abc"}},
		"one ended line":           {"xabc\n", false, []string{"abc"}},
		"carriage returns":         {"a\r\nb\r\n", true, []string{"a", "b"}},
		"no UTF-8":                 {"a\xffb\n", true, []string{"a\uFFFDb"}},
	} {
		require.Equal(t, row.want, tailLines(row.in, row.whole), name)
	}
}

func TestOutputCutWithinARuneIsWholeAgain(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	const text = "naïve café €\n𝄞 ends without"
	s := spec(dir, "bytes", text)
	_, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.Equal(t, strings.Split(text, "\n"), e.Tail)
	require.Equal(t, text, logOf(t, s))
}

func TestADrainTakesWhatIsThereAndDoesNotWaitForMore(t *testing.T) {
	t.Parallel()
	p, out, path := pumped(t, 0)
	p.drain()
	_, err := out.WriteString("one\ntwo")
	require.NoError(t, err)
	p.drain()
	p.drain()
	require.Equal(t, []string{"one", "two"}, p.lines())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "one\ntwo", string(b))
	require.NoError(t, out.Close())
	p.run()
	require.True(t, p.finished())
	p.drain()
}

func TestARetiredPumpServesOnInSmall(t *testing.T) {
	t.Parallel()
	p, out, path := pumped(t, 0)
	go p.run()
	_, err := out.WriteString("before\n")
	require.NoError(t, err)
	eventually(t, func() bool { b, _ := os.ReadFile(path); return len(b) > 0 })
	p.retire()
	require.Zero(t, p.held())
	text := strings.Repeat("after\n", 100_000)
	_, err = out.WriteString(text)
	require.NoError(t, err)
	require.LessOrEqual(t, p.held(), oldBuffer)
	require.NoError(t, out.Close())
	eventually(t, p.finished)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal([]byte("before\n"+text), b))
	require.Zero(t, p.held())
	require.Empty(t, p.lines())
}

func TestAFloodIsKeptWholeOverManyRotations(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, 64 << 10} {
		dir := stateDir(t)
		c := launched(t, dir)
		s := spec(dir, "flood", "20000000", strconv.Itoa(size))
		s.LogSize, s.LogKeep = 3_000_000, 20
		_, err := c.Spawn(soon(t), s)
		require.NoError(t, err)
		e, err := c.Wait(soon(t))
		require.NoError(t, err)
		require.Zero(t, e.Code)
		n := 0
		files := parts(t, s.Log)
		require.Greater(t, len(files), 6)
		for i, f := range files {
			require.LessOrEqual(t, len(f), 3_000_000)
			last := i == len(files)-1
			for line := range strings.Lines(f) {
				if last && !strings.HasSuffix(line, "\n") {
					break // the flood ends within a line
				}
				require.Len(t, line, 100)
				got, err := strconv.Atoi(line[:9])
				require.NoError(t, err)
				require.Equal(t, n, got)
				n++
			}
		}
		require.GreaterOrEqual(t, n, 20_000_000/100-1)
	}
}

func TestAFloodWithoutANewlineNeedsNoMemory(t *testing.T) {
	needsProc(t)
	if raceEnabled {
		t.Skip("skipped: the race detector multiplies memory")
	}
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	s := shell(dir, "head -c 300000000 /dev/zero | tr '\\0' 'x'")
	s.LogSize, s.LogKeep = 10_000_000, 2
	_, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.Len(t, e.Tail, 1)
	require.Len(t, e.Tail[0], defaultTail)
	pid, _ := c.Keeper()
	require.Less(t, memory(t, pid, "status", "VmHWM"), 24<<10)
	for _, f := range parts(t, s.Log) {
		require.LessOrEqual(t, len(f), 10_000_000)
	}
	require.Len(t, parts(t, s.Log), 3)
	require.True(t, utf8.ValidString(e.Tail[0]))
	require.FileExists(t, filepath.Join(dir, "server.log.2"))
}

func TestNothingIsLostBetweenAQuietPipeAndOneThatFlows(t *testing.T) {
	t.Parallel()
	p, out, path := pumped(t, 0)
	go p.run()
	var all strings.Builder
	say := func(lines int) {
		for i := range lines {
			line := fmt.Sprintf("%d of %d\n", i, lines)
			all.WriteString(line)
			_, err := out.WriteString(line)
			require.NoError(t, err)
		}
	}
	arrived := func() bool {
		b, err := os.ReadFile(path)
		return err == nil && string(b) == all.String()
	}
	for _, lines := range []int{1, 3 * burst, 1, 1, 5000, 1} { // the last writes of each are in the log without anything that follows them
		say(lines)
		eventually(t, arrived)
		time.Sleep(quiet + quiet/2) // long enough for a pump that flows to rest again
	}
	require.NoError(t, out.Close())
	eventually(t, p.finished)
	require.True(t, arrived())
}

func TestAPumpEndsWithItsPipeWhetherItRestsOrFlows(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(p *pump){
		"it rests": func(p *pump) { p.run() },
		"it flows": func(p *pump) { p.flow(-1) },
	} {
		p, out, _ := pumped(t, 0)
		ended := make(chan struct{})
		go func() { read(p); close(ended) }()
		_, err := out.WriteString("last words\n")
		require.NoError(t, err, name)
		require.NoError(t, out.Close())
		select {
		case <-ended:
		case <-time.After(patience):
			require.Fail(t, name)
		}
		require.Equal(t, []string{"last words"}, p.lines(), name)
	}
}

func TestADrainThatMeetsTheEndEndsAPumpThatRests(t *testing.T) {
	t.Parallel()
	p, out, _ := pumped(t, 0)
	ended := make(chan struct{})
	go func() { p.run(); close(ended) }()
	require.NoError(t, out.Close())
	p.drain()
	select {
	case <-ended:
	case <-time.After(patience):
		require.Fail(t, "it waits for a pipe that nobody holds")
	}
}
