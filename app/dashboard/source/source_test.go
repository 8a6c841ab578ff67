package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/dashboard"
	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// desk remembers what was opened.
type desk struct {
	mu     sync.Mutex
	opened []string
}

func (d *desk) open(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened = append(d.opened, what)
	return nil
}

func (d *desk) URL(address string) error    { return d.open("url " + address) }
func (d *desk) Reveal(path string) error    { return d.open("reveal " + path) }
func (d *desk) EditConfig(dir string) error { return d.open("edit " + dir) }

// bench is a backend's folder with a Source on it.
type bench struct {
	*Source
	state, dir string
	desk       *desk
}

func setUp(t *testing.T, toml string) bench {
	t.Helper()
	b := bench{state: testkit.ShortDir(t), dir: testkit.ShortDir(t), desk: &desk{}}
	require.NoError(t, os.Chmod(b.state, 0o700))
	if toml != "" {
		require.NoError(t, os.WriteFile(filepath.Join(b.dir, "vivarium.toml"), []byte(toml), 0o644))
	}
	b.Source = New(b.state, func(context.Context) ([]string, error) { return []string{b.dir}, nil }, b.desk, page.Words{Duration: words.Duration, Size: words.Size})
	return b
}

// held is a puppet that keeps the backend, for as long as it is not let go.
func (b bench) held(t *testing.T) (p *testkit.Puppet, letGo func()) {
	t.Helper()
	p = testkit.NewPuppet(b.dir)
	h, err := control.Hold(b.folder(b.dir))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { _ = h.Serve(ctx, p) })
	work.Go(func() {
		for {
			select {
			case s := <-p.Changed():
				h.Show(s)
			case <-ctx.Done():
				return
			}
		}
	})
	p.Become(func(*supervisor.Snapshot) {})
	letGo = sync.OnceFunc(func() {
		cancel()
		work.Wait()
		require.NoError(t, h.Close())
	})
	t.Cleanup(letGo)
	return p, letGo
}

// watch gives the newest of what is shown.
func (b bench) watch(t *testing.T) func() page.Backend {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var latest page.Backend
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Watch(ctx, b.dir, func(now page.Backend) { mu.Lock(); latest = now; mu.Unlock() })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return func() page.Backend { mu.Lock(); defer mu.Unlock(); return latest }
}

const plain = "name = \"brain\"\nport = 8765\n[environment]\nHF_TOKEN = \"hf_abcdefghijklmnopqrst\"\n"

func TestABackendIsFollowedWhereverItsHolderComesAndGoes(t *testing.T) {
	b := setUp(t, plain)
	shown := b.watch(t)
	testkit.Eventually(t, "it is shown without a holder", func() bool {
		now := shown()
		return now.Name == "brain" && now.State == "stopped" && strings.Contains(now.Note, "vivarium run")
	})
	require.Equal(t, []string{"reveal"}, shown().Can, "there is nobody who could start it")
	require.Equal(t, filepath.Join(b.dir, "logs", "server.log"), shown().Log)

	p, letGo := b.held(t)
	testkit.Eventually(t, "its holder is found", func() bool { return shown().Note == "" && len(shown().Can) == 2 })
	require.Equal(t, []string{"start", "reveal"}, shown().Can)
	testkit.Eventually(t, "somebody looks", func() bool { return p.Has("look") })
	require.NoError(t, b.Do(t.Context(), b.dir, dashboard.Start))
	testkit.Eventually(t, "it runs", func() bool { return shown().State == "healthy" && shown().PID == 4711 })
	require.Equal(t, []string{"stop", "restart", "open", "reveal", "stacks"}, shown().Can)

	letGo()
	testkit.Eventually(t, "the holder is gone", func() bool { return strings.Contains(shown().Note, "vivarium run") })
	_, _ = b.held(t)
	testkit.Eventually(t, "and is back", func() bool { return shown().Note == "" })
}

func TestWhatIsAskedForReachesTheHolderOrIsRefusedInWords(t *testing.T) {
	b := setUp(t, plain)
	require.ErrorContains(t, b.Do(t.Context(), b.dir, dashboard.Start), "vivarium run")
	require.ErrorContains(t, b.Do(t.Context(), b.dir, dashboard.Hurry), "vivarium run")
	require.NoError(t, b.Do(t.Context(), b.dir, dashboard.Stop), "nothing runs: that is what was asked for")
	p, _ := b.held(t)
	for _, what := range []dashboard.Action{dashboard.Start, dashboard.Stop, dashboard.Restart, dashboard.TakeOver, dashboard.Hurry} {
		require.NoError(t, b.Do(t.Context(), b.dir, what))
		require.True(t, p.Has(string(what)), what)
	}
	require.ErrorIs(t, b.Do(t.Context(), b.dir, "make-coffee"), control.ErrUnsupported)
	require.NoError(t, b.Do(t.Context(), b.dir, dashboard.Browse))
	require.NoError(t, b.Do(t.Context(), b.dir, dashboard.Reveal))
	require.NoError(t, b.Do(t.Context(), b.dir, dashboard.Edit))
	require.Equal(t, []string{"url http://127.0.0.1:8000", "reveal " + b.dir, "edit " + b.dir}, b.desk.opened)

	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "vivarium.toml"), []byte("port = \"x\"\n"), 0o644))
	require.ErrorContains(t, b.Do(t.Context(), b.dir, dashboard.Restart), "port", "what is wrong with the file is said here and now")
	require.NoError(t, b.Do(t.Context(), b.dir, dashboard.Stop))
}

func TestAFolderThatWasAskedForIsListedOnce(t *testing.T) {
	b := setUp(t, "")
	b.ask("/elsewhere")
	b.ask("/elsewhere")
	b.ask(b.dir)
	b.ask("")
	dirs, err := b.Folders(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{b.dir, "/elsewhere"}, dirs)
}

// died writes a death as the supervisor does.
func (b bench) died(t *testing.T, at time.Time, run, summary string) record.Record {
	t.Helper()
	v := crash.Verdict{Kind: crash.KindSegfault, Summary: summary, Remedy: "Read the stack.", Line: "Fatal Python error: Segmentation fault"}
	r := record.Record{
		Death: record.Death{Run: run, At: at, Uptime: time.Minute, Verdict: v}, Backend: "brain", Dir: b.dir, Known: true,
		Tail: []string{"starting", v.Line}, Samples: []record.Sample{{At: at.Add(-10 * time.Second), RSS: 7}, {At: at.Add(-5 * time.Second), RSS: 9}},
	}
	require.NoError(t, keeper.MakeFolder(b.folder(b.dir)))
	require.NoError(t, r.Write(b.folder(b.dir)))
	deaths, err := record.Deaths(b.folder(b.dir))
	require.NoError(t, err)
	require.NoError(t, record.WriteWant(b.folder(b.dir), record.Saved{Deaths: append(deaths, r.Death)}))
	return r
}

func TestDeathsAreReadFromFilesWithoutAnyHolder(t *testing.T) {
	b := setUp(t, plain)
	deaths, err := b.Deaths(t.Context(), b.dir)
	require.NoError(t, err)
	require.Empty(t, deaths)
	now := time.Now().Truncate(time.Millisecond)
	b.died(t, now.Add(-time.Hour), "r1", "the first")
	last := b.died(t, now.Add(-time.Minute), "r2", "the second")
	deaths, err = b.Deaths(t.Context(), b.dir)
	require.NoError(t, err)
	require.Equal(t, "the second", deaths[0].Summary)
	require.Equal(t, last.ID(), deaths[0].ID)
	require.True(t, deaths[0].Report)
	require.Len(t, deaths, 2)

	var html strings.Builder
	require.NoError(t, b.Report(t.Context(), b.dir, last.ID(), &html))
	require.Contains(t, html.String(), "The second")
	line, tail, err := b.Output(t.Context(), b.dir, last.ID())
	require.NoError(t, err)
	require.Equal(t, last.Verdict.Line, line)
	require.Equal(t, last.Tail, tail)
	for _, id := range []string{"", "nothing", "../" + last.ID(), "/etc/passwd", last.ID() + ".json"} {
		require.Error(t, b.Report(t.Context(), b.dir, id, &html), id)
	}

	past, err := b.History(t.Context(), b.dir)
	require.NoError(t, err)
	require.Len(t, past.Samples, 2, "what the last death left")
	require.Len(t, past.Marks, 1)
	require.Equal(t, "death", past.Marks[0].What)
}

func TestWhatANewHolderDoesNotKnowYetComesFromTheRecords(t *testing.T) {
	b := setUp(t, plain)
	now := time.Now().Truncate(time.Millisecond)
	r := b.died(t, now.Add(-time.Minute), "r1", "it died")
	known := record.History{
		Samples: []record.Sample{{At: now.Add(-67 * time.Second), RSS: 3}, {At: now}},
		Marks:   []record.Mark{{At: now.Add(-time.Minute + 200*time.Millisecond), What: record.MarkDeath}, {At: now, What: record.MarkStart}},
	}
	got := b.before(b.dir, known, now)
	require.Len(t, got.Marks, 2, "a death that the holder saw is not told twice")
	require.Len(t, got.Samples, 3)
	require.True(t, r.Samples[0].At.Equal(got.Samples[0].At))
	require.Len(t, b.before(b.dir, record.History{}, now.Add(time.Hour)).Marks, 0)
}

// stalled writes a stall as the supervisor does.
func (b bench) stalled(t *testing.T, at time.Time, run string, end record.Outcome) record.Stalled {
	t.Helper()
	s := record.Stalled{
		Run: run, At: at, Outcome: end, Uptime: time.Hour, Problem: "no answer within 3 s",
		Stall:  stall.Stall{Kind: stall.KindLoop, Summary: "the event loop is blocked by time.sleep", Remedy: "Make it `def`.", File: b.dir + "/main.py", Line: 17},
		Stacks: []string{"Thread 0x000000000000001f (most recent call first):", `  File "` + b.dir + `/main.py", line 17 in search`},
	}
	if end != record.Lasts {
		s.Until = at.Add(90 * time.Second)
	}
	require.NoError(t, keeper.MakeFolder(b.folder(b.dir)))
	require.NoError(t, s.Write(b.folder(b.dir)))
	return s
}

func TestStallsStandAmongTheDeathsWithReportsOfTheirOwn(t *testing.T) {
	b := setUp(t, plain)
	now := time.Now().Truncate(time.Millisecond)
	b.died(t, now.Add(-time.Hour), "r1", "the first")
	recovered := b.stalled(t, now.Add(-30*time.Minute), "r2", record.Recovered)
	b.died(t, now.Add(-time.Minute), "r2", "the second")
	b.stalled(t, now.Add(-10*time.Minute), "r2", record.Lasts)
	all, err := b.Deaths(t.Context(), b.dir)
	require.NoError(t, err)
	var what []string
	for _, d := range all {
		what = append(what, d.Summary)
	}
	require.Equal(t, []string{"the second", "the event loop is blocked by time.sleep", "the event loop is blocked by time.sleep", "the first"}, what, "the latest first")
	require.Equal(t, 90*time.Second, all[2].Lasted)
	require.Equal(t, "it answered again", all[2].End)
	require.Zero(t, all[1].Lasted)
	require.True(t, all[2].Stall && all[2].Report)

	var html strings.Builder
	require.NoError(t, b.Report(t.Context(), b.dir, recovered.ID(), &html))
	for _, want := range []string{"The event loop is blocked by time.sleep", "What to do", "brain", "it answered again", "main.py:17", "yours"} {
		require.Contains(t, html.String(), want)
	}
	require.Error(t, b.Report(t.Context(), b.dir, "20260301T120000.000Z-r9-stall", &html))

	past, err := b.History(t.Context(), b.dir)
	require.NoError(t, err)
	require.Len(t, past.Marks, 2, "the death and the stall of the last fifteen minutes")
	require.Equal(t, "stall", past.Marks[0].What)
}

func TestAStallThatEndedInADeathOfItsOwnIsToldOnce(t *testing.T) {
	b := setUp(t, plain)
	now := time.Now().Truncate(time.Millisecond)
	b.stalled(t, now.Add(-3*time.Minute), "r1", record.Ended)
	all, err := b.Deaths(t.Context(), b.dir)
	require.NoError(t, err)
	require.Len(t, all, 1, "a person ended it: no death tells of it")
	hung := record.Death{Run: "r1", At: now, Verdict: crash.Verdict{Kind: crash.KindHung, Summary: "it hung"}}
	require.NoError(t, record.WriteWant(b.folder(b.dir), record.Saved{Deaths: []record.Death{hung}}))
	all, err = b.Deaths(t.Context(), b.dir)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.False(t, all[0].Stall)
}

func TestAStallThatTheHolderKnowsIsMarkedOnce(t *testing.T) {
	b := setUp(t, plain)
	now := time.Now().Truncate(time.Millisecond)
	s := b.stalled(t, now.Add(-3*time.Minute), "r1", record.Recovered)
	known := record.History{Marks: []record.Mark{{At: s.At.Add(10 * time.Millisecond), Until: s.Until, What: record.MarkStall}}}
	require.Len(t, b.before(b.dir, known, now).Marks, 1)
	require.Len(t, b.before(b.dir, record.History{}, now).Marks, 1)
	require.Empty(t, b.before(b.dir, record.History{}, now.Add(time.Hour)).Marks)
}
