package stall

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// update writes the stalls into the fixtures, to be read by a person before they are committed.
var update = flag.Bool("update", false, "write the stalls of testdata/stalls anew")

// A fixture is a header of "key: value" lines, the stacks of each sample below their mark (one alone stands for three that are the same), the
// person's source files below theirs, and the stall below its own. A thread may stand for many: "thread 2-41 worker".
const stallMark = "-- stall --\n"

var (
	mark       = regexp.MustCompile(`^-- (stacks|source (\S+)) --$`)
	threadLine = regexp.MustCompile(`^(main|thread) (\d+)(?:-(\d+))? ?(.*)$`)
	frameLine  = regexp.MustCompile(`^  File "(.*)", line (\d+), in (.*)$`)
	began      = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func readFixture(t testing.TB, path string) (Case, string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	text, want, ok := strings.Cut(string(raw), stallMark)
	require.True(t, ok, "no %q", stallMark)
	return parseFixture(t, text), want
}

func parseFixture(t testing.TB, text string) Case {
	c, base := Case{Phase: Unhealthy, Dir: "/b"}, Sample{State: Sleeping}
	uses := map[uint64]time.Duration{} // "use: 2 400ms", the CPU that a thread used between two samples
	sources, part := map[string][]string{}, "header"
	var threads []*Thread // those to which the next frame belongs
	var task bool
	current := func() *Sample { return &c.Samples[len(c.Samples)-1] }
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if m := mark.FindStringSubmatch(line); m != nil {
			if part = m[1]; part == "stacks" {
				c.Samples = append(c.Samples, base)
			} else {
				part = m[2]
			}
			continue
		}
		switch m := threadLine.FindStringSubmatch(line); {
		case part == "header" && strings.HasPrefix(line, "use: "):
			f := strings.Fields(line)
			require.Len(t, f, 3, line)
			id, err := strconv.ParseUint(f[1], 10, 64)
			require.NoError(t, err, line)
			uses[id], err = time.ParseDuration(f[2])
			require.NoError(t, err, line)
		case part == "header" && line != "":
			require.NoError(t, setHeader(&c, &base, line), line)
		case part == "stacks" && m != nil:
			task, threads = false, nil
			from, _ := strconv.Atoi(m[2])
			to, err := strconv.Atoi(m[3])
			if err != nil {
				to = from
			}
			s := current()
			s.Threads = slices.Grow(s.Threads, to-from+1)
			for id := from; id <= to; id++ {
				s.Threads = append(s.Threads, Thread{ID: uint64(id), Main: m[1] == "main", Name: m[4], CPU: uses[uint64(id)]})
				threads = append(threads, &s.Threads[len(s.Threads)-1])
			}
		case part == "stacks" && line == "task":
			task = true
			current().Tasks = append(current().Tasks, nil)
		case part == "stacks" && line != "":
			m := frameLine.FindStringSubmatch(line)
			require.NotNil(t, m, line)
			n, _ := strconv.Atoi(m[2])
			f := Frame{File: m[1], Line: n, Function: m[3]}
			if task {
				last := &current().Tasks[len(current().Tasks)-1]
				*last = append(*last, f)
				continue
			}
			for _, th := range threads {
				th.Frames = append(th.Frames, f)
			}
		case part != "header" && part != "stacks":
			sources[part] = append(sources[part], line)
		}
	}
	if len(c.Samples) == 1 {
		c.Samples = append(c.Samples, c.Samples[0], c.Samples[0])
	}
	for i := range c.Samples {
		c.Samples[i].At = began.Add(time.Duration(i) * 500 * time.Millisecond)
	}
	c.Source = func(file string) []string { return sources[file] }
	return c
}

func setHeader(c *Case, base *Sample, line string) (err error) {
	key, value, _ := strings.Cut(line, ": ")
	switch key {
	case "phase":
		c.Phase = Phase(value)
	case "dir":
		c.Dir = value
	case "place":
		c.Places = append(c.Places, value)
	case "silent":
		base.Silent, err = strconv.ParseBool(value)
	case "cpu":
		base.CPU, err = strconv.ParseFloat(value, 64)
	case "state":
		base.State = State(value)
	case "peers":
		c.Peers = strings.Fields(value)
	case "exception":
		c.Exception = value
	case "slept":
		c.Slept, err = time.ParseDuration(value)
	case "memory":
		c.Memory = value
	case "log":
		base.Log, err = strconv.ParseInt(value, 10, 64)
	case "deep":
		c.Deep = value
	default:
		return fmt.Errorf("unknown header %q", key)
	}
	return err
}

func stallText(st Stall) string {
	text := fmt.Sprintf("kind: %s\nsummary: %s\nremedy: %s\n", st.Kind, st.Summary, st.Remedy)
	if st.File != "" {
		text += fmt.Sprintf("frame: %s:%d %s\n", st.File, st.Line, st.Function)
	}
	return text
}

func fixtures(t testing.TB) []string {
	files, err := filepath.Glob("testdata/stalls/*.txt")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 145)
	return files
}

func TestEveryStandstillIsJudgedAsItsFixtureSays(t *testing.T) {
	kinds := map[Kind]bool{}
	for _, path := range fixtures(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			c, want := readFixture(t, path)
			got := Judge(c)
			kinds[got.Kind] = true
			if *update {
				raw, err := os.ReadFile(path)
				require.NoError(t, err)
				text, _, _ := strings.Cut(string(raw), stallMark)
				require.NoError(t, os.WriteFile(path, []byte(text+stallMark+stallText(got)), 0o644))
				return
			}
			require.Equal(t, want, stallText(got))
			require.NotEmpty(t, got.Remedy)
		})
	}
	for _, k := range Kinds() {
		require.True(t, kinds[k.Kind], "no fixture for %s", k.Kind)
	}
}

func TestAServerUnderFullLoadHasNoBlockedLoop(t *testing.T) {
	// The loop runs another handler in each sample.
	c := Case{Phase: Unhealthy, Dir: "/b"}
	outer := []Frame{{"/usr/lib/python3.11/asyncio/events.py", 80, "Handle._run"}, {"/usr/lib/python3.11/asyncio/base_events.py", 1900, "_run_once"}, {"/b/main.py", 90, "<module>"}}
	for i, function := range []string{"chat", "search", "health"} {
		c.Samples = append(c.Samples, Sample{CPU: 0.9, State: Running, Threads: []Thread{{ID: 1, Main: true, Frames: append([]Frame{{"/b/main.py", 10 * (i + 1), function}}, outer...)}}})
	}
	require.NotContains(t, []Kind{KindLoop, KindThreads, KindDeadlock, KindLock}, Judge(c).Kind)
}

func TestAPoolWithAFreeWorkerIsNotExhausted(t *testing.T) {
	c, _ := readFixture(t, "testdata/stalls/forty-threads-in-a-slow-call.txt")
	require.Equal(t, KindThreads, Judge(c).Kind)
	for i := range c.Samples {
		frames := c.Samples[i].Threads[5].Frames
		at := slices.IndexFunc(frames, func(f Frame) bool { return strings.HasSuffix(f.File, "anyio/_backends/_asyncio.py") })
		threads := slices.Clone(c.Samples[i].Threads)
		threads[5].Frames = append([]Frame{{"/usr/lib/python3.11/queue.py", 171, "Queue.get"}}, frames[at:]...)
		c.Samples[i].Threads = threads
	}
	require.NotEqual(t, KindThreads, Judge(c).Kind)
}

func TestNoStallCarriesASecretOfTheProgram(t *testing.T) {
	st := Judge(Case{Phase: Unhealthy, Exception: "ConnectError: postgres://u:hunter2@db/x", Samples: []Sample{{Threads: []Thread{{ID: 1, Main: true,
		Frames: []Frame{{"/usr/lib/python3.11/threading.py", 1560, "_shutdown"}}}}}}})
	require.Equal(t, KindMainEnded, st.Kind)
	require.NotContains(t, st.Summary, "hunter2")
}

func TestAnEditedFileIsNotReadForTheRunningProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.py")
	require.NoError(t, os.WriteFile(path, []byte("a\nb\n"), 0o600))
	require.NoError(t, os.Chtimes(path, began, began))
	require.Equal(t, []string{"a", "b", ""}, ReadSource(began)(path))
	require.Empty(t, ReadSource(began.Add(-time.Second))(path))
	require.Empty(t, ReadSource(began)(filepath.Dir(path)))
}

func TestTheKernelsTableOfConnectionsIsRead(t *testing.T) {
	all := parseTCP(strings.NewReader(`  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11
   1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 12
   2: 0100007F:C002 0500000A:01BB 02 00000000:00000000 00:00000000 00000000  1000        0 13
   3: 0100007F:C003 0600000A:01BB 01 00000000:00000000 00:00000000 00000000  1000        0 99
   4: 00000000000000000000000001000000:C004 00000000000000000000000001000000:01BB 01 0 0 0 1000 0 14
 bad
`))
	require.Len(t, all, 5)
	require.Equal(t, []string{"10.0.0.5:443"}, outgoing(all, func(inode string) bool { return inode != "99" && inode != "14" }),
		"neither a client of the server's own port nor another process's connection")
}

func FuzzJudge(f *testing.F) {
	for _, path := range fixtures(f) {
		raw, err := os.ReadFile(path)
		require.NoError(f, err)
		if len(raw) < 8<<10 {
			f.Add(string(raw))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := Case{Phase: Unhealthy, Dir: "/b", Source: func(string) []string { return strings.Split(text, "\n") }}
		s := Sample{State: Sleeping}
		for _, line := range strings.Split(text, "\n") {
			if m := threadLine.FindStringSubmatch(line); m != nil {
				s.Threads = append(s.Threads, Thread{ID: uint64(len(s.Threads)), Main: m[1] == "main", Name: m[4]})
			} else if m := frameLine.FindStringSubmatch(line); m != nil && len(s.Threads) > 0 {
				n, _ := strconv.Atoi(m[2])
				th := &s.Threads[len(s.Threads)-1]
				th.Frames = append(th.Frames, Frame{m[1], n, m[3]})
			}
		}
		c.Samples = []Sample{s, s, s}
		st := Judge(c)
		if st.Kind == "" || st.Summary == "" || st.Remedy == "" || utf8.RuneCountInString(st.Summary) > longestSummary {
			t.Fatalf("%+v", st)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	c, _ := readFixture(b, "testdata/stalls/forty-threads-in-a-slow-call.txt")
	for b.Loop() {
		Judge(c)
	}
}

func TestNativeCodeIsNamedWhereItExplains(t *testing.T) {
	const where = "libomp's __kmp_suspend_64"
	native := Stall{Kind: KindNative, Summary: "native code does not come back from faiss.search, main.py line 31", Remedy: "r", Line: 31}
	got := native.InNative(where)
	require.Equal(t, native.Summary+" (in "+where+")", got.Summary)
	require.Equal(t, got, got.InNative(where), "once")
	require.Equal(t, native, native.InNative(""))
	for _, kind := range []Kind{KindUnknown, ""} {
		got = Stall{Kind: kind}.InNative(where)
		require.Equal(t, KindNative, got.Kind)
		require.Contains(t, got.Summary, where)
		require.NotEmpty(t, got.Remedy)
	}
	for _, k := range Kinds() {
		if st := (Stall{Kind: k.Kind, Summary: "s"}); k.Kind != KindNative && k.Kind != KindUnknown {
			require.Equal(t, st, st.InNative(where), k.Kind)
		}
	}
	long := native.InNative(strings.Repeat("x", 500))
	require.LessOrEqual(t, utf8.RuneCountInString(long.Summary), longestSummary)
}

func TestAWorkThatAnswersWronglyIsWedgedWithoutStacks(t *testing.T) {
	st := Wedged("POST /work answered 500", began)
	require.Equal(t, KindWedged, st.Kind)
	require.Equal(t, "POST /work answered 500, while the health check is good", st.Summary)
	require.Contains(t, st.Remedy, "log")
	require.Equal(t, began, st.Taken)
}
