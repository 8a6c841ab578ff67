package crash

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func reports(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, form := range []string{"*.ips", "*.txt"} {
		found, err := filepath.Glob(filepath.Join("testdata/reports", form))
		require.NoError(t, err)
		files = append(files, found...)
	}
	require.NotEmpty(t, files)
	return files
}

func reportText(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/reports", name))
	require.NoError(t, err)
	return string(text)
}

// What is read of each report stands beside it, to be read by a person when -update has written it.
func TestEveryReportIsReadAsTheFileBesideItSays(t *testing.T) {
	for _, path := range reports(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, IsReport(text[:min(len(text), 4<<10)]), "it is not seen to be a report")
			r, err := ParseReport(strings.NewReader(string(text)))
			require.NoError(t, err)
			read, err := json.MarshalIndent(r, "", "  ")
			require.NoError(t, err)
			if *update {
				require.NoError(t, os.WriteFile(path+".json", append(read, '\n'), 0o644))
				return
			}
			want, err := os.ReadFile(path + ".json")
			require.NoError(t, err)
			require.Equal(t, string(want), string(read)+"\n")
		})
	}
}

func TestAReportMayBeginWithAByteOrderMarkOrEmptyLines(t *testing.T) {
	for _, before := range []string{"\ufeff", "\n\n", "\r\n \t\n"} {
		for _, path := range reports(t) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			plain, err := ParseReport(strings.NewReader(string(text)))
			require.NoError(t, err)
			r, err := ParseReport(strings.NewReader(before + string(text)))
			require.NoError(t, err, "%q before %s", before, path)
			require.Equal(t, plain, r, path)
		}
	}
}

func TestWindowsLineEndsChangeNothing(t *testing.T) {
	for _, path := range reports(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		plain, err := ParseReport(strings.NewReader(string(text)))
		require.NoError(t, err)
		r, err := ParseReport(strings.NewReader(strings.ReplaceAll(string(text), "\n", "\r\n")))
		require.NoError(t, err)
		require.Equal(t, plain, r, path)
	}
}

// The system writes a report while it is looked for: what is not whole is looked at again, and nothing is said of it meanwhile.
func TestAReportThatIsHalfWrittenIsNotRead(t *testing.T) {
	for _, name := range []string{"openmp-two-images.ips", "code-signature.ips", "jetsam.ips"} {
		text := strings.TrimSpace(reportText(t, name))
		for n := 1; n < len(text); n += 1 + n/50 {
			_, err := ParseReport(strings.NewReader(text[:n]))
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s, its first %d bytes", name, n)
		}
	}
}

func TestWhatIsNoReportIsCalledSo(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                       "",
		"white space":                   " \n\t",
		"a log":                         "INFO:     Started server process [4711]\nERROR:    [Errno 48] address already in use\n",
		"a log of JSON lines":           `{"level":"error","message":"no"}` + "\n" + `{"level":"info","message":"bug_type"}` + "\n",
		"another kind of .ips":          `{"bug_type":"288","os_version":"macOS 15.4"}` + "\n" + `{"pid":1,"exception":{"type":"EXC_CRASH"}}`,
		"a hang, in words":              "Date/Time:        2026-03-01 12:00:00\nCommand:          python3.11\nEvent:            hang\n",
		"binary":                        "\x00\x01\xcf\xfa\xed\xfe",
		"JSON that is none":             `{"bug_type":"309"} {not json}`,
		"a list":                        `[1,2]`,
		"one key of a report in a log":  "Process: starting\nall is well\n",
		"a page about a crash report":   "<html><body>Process: Python [1]\nException Type: EXC_CRASH</body></html>",
		"a bug type that is a number":   `{"bug_type":309} {"pid":1}`,
		"an iOS report of another kind": `{"bug_type":"202"}` + "\nProcess: x\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseReport(strings.NewReader(text))
			require.Error(t, err)
			require.ErrorIs(t, err, ErrNoReport)
		})
	}
}

func TestNoOutputOfAServerIsTakenForAReport(t *testing.T) {
	for _, path := range fixtures(t) {
		e, _ := readFixture(t, path)
		if e.Foreign { // a text of elsewhere may have a report in it
			continue
		}
		text := strings.Join(e.Tail, "\n")
		require.False(t, IsReport([]byte(text)), path)
		_, err := ParseReport(strings.NewReader(text))
		require.ErrorIs(t, err, ErrNoReport, path)
	}
	require.False(t, IsReport(nil))
	require.False(t, IsReport([]byte(`{"level":"info","message":"\"bug_type\" was asked for"}`)))
}

func TestAnErrorOfTheReaderIsHandedOn(t *testing.T) {
	for _, name := range []string{"openmp-two-images.ips", "text-macos-26.txt"} {
		text := reportText(t, name)
		_, err := ParseReport(io.MultiReader(strings.NewReader(text[:len(text)/2]), broken{}))
		require.ErrorIs(t, err, os.ErrPermission, name)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, os.ErrPermission }

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

// counted counts what is read.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestALongReportIsReadWhole(t *testing.T) {
	r, err := ParseReport(huge(t, 4<<20))
	require.NoError(t, err)
	require.Len(t, r.Frames, 10)
	require.Equal(t, "__kmp_suspend_initialize_thread", r.Frames[0].Symbol)
	require.Len(t, r.Images, 7)
}

// A report of 50 MB is nothing that macOS writes. Of what is read of it a verdict can still be made, and little memory is taken.
func TestAHugeReportIsReadInPartAndTakesLittleMemory(t *testing.T) {
	c := &counted{Reader: huge(t, 50<<20)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := ParseReport(c)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.LessOrEqual(t, c.n, maxReport)
	require.Equal(t, 4711, r.PID)
	require.Equal(t, "SIGSEGV", r.Signal)
	require.Equal(t, "SIGNAL", r.Namespace)
	require.Less(t, int64(after.HeapSys)-int64(before.HeapSys), int64(8<<20), "bytes that the program grew by")

	lines := &counted{Reader: io.MultiReader(strings.NewReader(reportText(t, "text-macos-26.txt")),
		&repeated{text: "       0x185d62000 -        0x185d9afff libsystem_kernel.dylib (*) <0a1b2c3d-0000-3000-8000-00000000dcba> /usr/lib/system/libsystem_kernel.dylib\n", n: 500_000})}
	r, err = ParseReport(lines)
	require.NoError(t, err)
	require.LessOrEqual(t, lines.n, maxReport)
	require.Len(t, r.Images, maxImages)
}

func TestALineWithoutAnEndIsCut(t *testing.T) {
	r, err := ParseReport(io.MultiReader(strings.NewReader(reportText(t, "text-macos-26.txt")+"\nApplication Specific Information:\n"), &repeated{text: "x", n: 1 << 20}))
	require.NoError(t, err)
	for _, s := range r.Said {
		require.LessOrEqual(t, len(s), maxLineLength)
	}
}

func TestAReportAloneIsEvidence(t *testing.T) {
	parse := func(name string) *Report {
		r, err := ParseReport(strings.NewReader(reportText(t, name)))
		require.NoError(t, err)
		return r
	}
	e := parse("openmp-two-images.ips").Evidence(0)
	require.Equal(t, "SIGSEGV", e.Signal)
	require.True(t, e.Known)
	require.Equal(t, "darwin", e.OS)
	require.Equal(t, time.Hour, e.Uptime.Round(time.Second))

	require.Equal(t, "SIGKILL", parse("code-signature.ips").Evidence(0).Signal, "the prose behind it is no part of the signal")

	jetsam := parse("jetsam.ips")
	for _, pid := range []int{0, 4711} { // 0: the only Python in it
		e = jetsam.Evidence(pid)
		require.Equal(t, "SIGKILL", e.Signal)
		require.Equal(t, Memory{OOM: true, Source: "JetsamEvent", Peak: 490000 * 16384}, e.Memory)
		require.Equal(t, KindOutOfMemory, Judge(e).Kind)
	}
	require.False(t, jetsam.Evidence(12).Known, "another process was ended, not this one")
	require.False(t, jetsam.Evidence(462).Known, "a process without a reason lives on")
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
		r, err := ParseReport(strings.NewReader(`{"bug_type":"309"}{` + text + `}`))
		require.NoError(t, err)
		e := r.Evidence(0)
		require.Equal(t, want, e.Signal, text)
		require.Equal(t, want != "", e.Known, text)
		require.NotEqual(t, KindCleanExit, Judge(e).Kind, text)
	}
}

func TestTheCulpritIsTheInnermostImageThatIsNotTheSystems(t *testing.T) {
	for name, want := range map[string]string{
		"openmp-two-images.ips":             "libomp.dylib (__kmp_suspend_initialize_thread)",
		"metal-assertion.ips":               "libtorch_cpu.dylib (at::mps::MPSStream::commit())",
		"text-macos-26.txt":                 "libmlx.dylib (mlx::core::load(std::string))",
		"code-signature.ips":                "_imaging.cpython-312-darwin.so",
		"library-missing-macos-13.ips":      "",
		"text-macos-14-library-missing.txt": "",
	} {
		r, err := ParseReport(strings.NewReader(reportText(t, name)))
		require.NoError(t, err)
		f, ok := r.culprit()
		require.Equal(t, want != "", ok, name)
		if ok {
			require.Equal(t, want, f.text(), name)
		}
	}
	r := Report{Frames: []Frame{{Image: "libsystem_platform.dylib", Symbol: "_platform_strlen"}, {Image: "Python"}, {Image: "libffi.dylib", Symbol: "ffi_call_SYSV"},
		{Image: "_ctypes.cpython-311-darwin.so"}, {Image: "python3.11"}}}
	_, ok := r.culprit()
	require.False(t, ok, "ctypes only calls what it is told to")
}

// What is gone through byte by byte ends where encoding/json ends it.
func FuzzJSONStream(f *testing.F) {
	f.Add(`{"a":"\\","b":["\"]"],"c":{"d":-1.5e3}, "e" : null }`)
	f.Add(` "x\u0022]" `)
	f.Add(`-1.5e+3`)
	f.Add(`[[],{},[{"":""}]]`)
	f.Fuzz(func(t *testing.T, text string) {
		s := &jsonStream{r: bufio.NewReader(strings.NewReader(text + ",7"))}
		raw, err := s.value(true)
		if !json.Valid([]byte(text)) {
			return // it has come to an end, which is all that is asked
		}
		if want := strings.Trim(text, " \t\r\n"); err != nil || string(raw) != want {
			t.Fatalf("%q: %v, want %q", raw, err, want)
		}
		if c, err := s.next(); err != nil || c != ',' {
			t.Fatalf("%q does not end there: %q, %v", raw, c, err)
		}
	})
}

func FuzzParseReport(f *testing.F) {
	for _, path := range reports(f) {
		text, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Add(`{"bug_type":"309"}{"threads":[{"triggered":true,"frames":[{"imageIndex":-1}]}],"usedImages":[{}]}`)
	f.Add(`{"bug_type":"298"}{"memoryStatus":{"pageSize":18446744073709551615},"processes":[{"lifetimeMax":18446744073709551615,"reason":"x","name":"Python"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		IsReport([]byte(text))
		r, err := ParseReport(strings.NewReader(text))
		if err != nil {
			if r != nil {
				t.Fatalf("an error and a report: %v", err)
			}
			return
		}
		if len(r.Frames) > maxFrames || len(r.Images) > maxImages || len(r.Said) > maxTexts || len(r.Reasons) > maxTexts || r.Thread < 0 {
			t.Fatalf("%+v", r)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		if v := Judge(r.Evidence(0)); v.Kind == "" || v.Summary == "" {
			t.Fatalf("%+v", v)
		}
	})
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
				r, err := ParseReport(strings.NewReader(string(text)))
				require.NoError(b, err)
				e := r.Evidence(0)
				e.Tail = tail
				if v := Judge(e); v.Kind != KindOpenMP {
					b.Fatalf("%+v", v)
				}
			}
		})
	}
}
