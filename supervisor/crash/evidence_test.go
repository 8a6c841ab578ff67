package crash

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash/report"
)

func reportText(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("report/testdata", name))
	require.NoError(t, err)
	return string(text)
}

// huge is a report with as many threads as it takes to be so long, the one that crashed first.
func huge(t testing.TB, size int) io.Reader {
	text := reportText(t, "openmp-two-images.ips")
	before, after, ok := strings.Cut(text, `"threads" : [`)
	require.True(t, ok)
	crashed, after, ok := strings.Cut(after, "\n    {\"triggered\"")
	require.True(t, ok)
	thread := `{"id":1,"frames":[` + strings.TrimSuffix(strings.Repeat(`{"imageOffset":17236,"symbol":"__psynch_cvwait","symbolLocation":8,"imageIndex":5},`, 40), ",") +
		`],"threadState":{"x":[` + strings.TrimSuffix(strings.Repeat(`{"value":18446744073709550527},`, 29), ",") + `]}},` + "\n"
	n := max(0, size-len(text)) / len(thread)
	return io.MultiReader(strings.NewReader(before+`"threads" : [`+crashed), &repeated{text: thread, n: n}, strings.NewReader("\n    {\"triggered\""+after))
}

// repeated reads a text n times.
type repeated struct {
	text string
	n    int
	rest string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.rest, r.n = r.text, r.n-1
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestNoOutputOfAServerIsTakenForAReport(t *testing.T) {
	for _, path := range fixtures(t) {
		e, _ := readFixture(t, path)
		if e.Foreign { // a text of elsewhere may have a report in it
			continue
		}
		text := strings.Join(e.Tail, "\n")
		require.False(t, report.Is([]byte(text)), path)
		_, err := report.Parse(strings.NewReader(text))
		require.ErrorIs(t, err, report.ErrNoReport, path)
	}
	require.False(t, report.Is(nil))
	require.False(t, report.Is([]byte(`{"level":"info","message":"\"bug_type\" was asked for"}`)))
}

func TestAReportAloneIsEvidence(t *testing.T) {
	parse := func(name string) *report.Report {
		r, err := report.Parse(strings.NewReader(reportText(t, name)))
		require.NoError(t, err)
		return r
	}
	e := OfReport(parse("openmp-two-images.ips"), 0)
	require.Equal(t, "SIGSEGV", e.Signal)
	require.True(t, e.Known)
	require.Equal(t, "darwin", e.OS)
	require.Equal(t, time.Hour, e.Uptime.Round(time.Second))

	require.Equal(t, "SIGKILL", OfReport(parse("code-signature.ips"), 0).Signal, "the prose behind it is no part of the signal")

	jetsam := parse("jetsam.ips")
	for _, pid := range []int{0, 4711} { // 0: the only Python in it
		e = OfReport(jetsam, pid)
		require.Equal(t, "SIGKILL", e.Signal)
		require.Equal(t, Memory{OOM: true, Source: "JetsamEvent", Peak: 490000 * 16384}, e.Memory)
		require.Equal(t, KindOutOfMemory, Judge(e).Kind)
	}
	require.False(t, OfReport(jetsam, 12).Known, "another process was ended, not this one")
	require.False(t, OfReport(jetsam, 462).Known, "a process without a reason lives on")
}

// A report without a signal is no proof of a clean exit.
func TestAReportThatDoesNotNameASignalIsStillRead(t *testing.T) {
	for text, want := range map[string]string{
		`"exception":{"type":"EXC_BAD_ACCESS"}`:                                             "SIGSEGV",
		`"exception":{"type":"EXC_CRASH"},"termination":{"namespace":"SIGNAL","code":6}`:    "SIGABRT",
		`"exception":{"type":"EXC_CRASH"},"termination":{"namespace":"SIGNAL","code":10}`:   "SIGBUS",
		`"exception":{"type":"EXC_GUARD"},"termination":{"namespace":"GUARD","code":1}`:     "SIGKILL",
		`"exception":{"type":"EXC_BREAKPOINT","signal":"SIGTRAP"}`:                          "SIGTRAP",
		`"exception":{"type":"EXC_CRASH"},"termination":{"namespace":"SIGNAL","code":1234}`: "",
		`"captureTime":"2026-03-01 12:00:01.6368 +0100"`:                                    "",
	} {
		r, err := report.Parse(strings.NewReader(`{"bug_type":"309"}{` + text + `}`))
		require.NoError(t, err)
		e := OfReport(r, 0)
		require.Equal(t, want, e.Signal, text)
		require.Equal(t, want != "", e.Known, text)
		require.NotEqual(t, KindCleanExit, Judge(e).Kind, text)
	}
}

// The budgets: 5 ms with a report of 100 KB, 30 ms with one of 1 MB.
func BenchmarkVerdictWithAReport(b *testing.B) {
	line := `INFO:     127.0.0.1:52344 - "GET /health HTTP/1.1" 200 OK of some length`
	tail := strings.Split(strings.Repeat(line+"\n", (64<<10)/(len(line)+1)), "\n")
	for _, size := range []int{100 << 10, 1 << 20} {
		text, err := io.ReadAll(huge(b, size))
		require.NoError(b, err)
		b.Run(fmt.Sprintf("%d KB", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := report.Parse(strings.NewReader(string(text)))
				require.NoError(b, err)
				e := OfReport(r, 0)
				e.Tail = tail
				if v := Judge(e); v.Kind != KindOpenMP {
					b.Fatalf("%+v", v)
				}
			}
		})
	}
}
