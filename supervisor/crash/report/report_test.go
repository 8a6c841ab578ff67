package report

import (
	"bufio"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// update writes what is read of the reports beside them, to be read by a person before it is committed.
var update = flag.Bool("update", false, "write the files beside testdata's reports anew")

func reports(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, form := range []string{"*.ips", "*.txt"} {
		found, err := filepath.Glob(filepath.Join("testdata", form))
		require.NoError(t, err)
		files = append(files, found...)
	}
	require.NotEmpty(t, files)
	return files
}

func reportText(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(text)
}

// What is read of each report stands beside it, to be read by a person when -update has written it.
func TestEveryReportIsReadAsTheFileBesideItSays(t *testing.T) {
	for _, path := range reports(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, Is(text[:min(len(text), 4<<10)]), "it is not seen to be a report")
			r, err := Parse(strings.NewReader(string(text)))
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
			plain, err := Parse(strings.NewReader(string(text)))
			require.NoError(t, err)
			r, err := Parse(strings.NewReader(before + string(text)))
			require.NoError(t, err, "%q before %s", before, path)
			require.Equal(t, plain, r, path)
		}
	}
}

func TestAnIndentedReportIsReadLikeAnyOther(t *testing.T) {
	for _, indent := range []string{"    ", "\t"} {
		for _, path := range reports(t) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			plain, err := Parse(strings.NewReader(string(text)))
			require.NoError(t, err)
			r, err := Parse(strings.NewReader(indent + strings.ReplaceAll(string(text), "\n", "\n"+indent)))
			require.NoError(t, err, path)
			require.Equal(t, plain, r, path)
		}
	}
}

func TestWhatAPageMakesOfAReportChangesNothing(t *testing.T) {
	for _, path := range reports(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if strings.HasPrefix(string(text), "{") {
			continue
		}
		plain, err := Parse(strings.NewReader(string(text)))
		require.NoError(t, err)
		for _, changed := range []string{strings.ReplaceAll(string(text), "  ", "\u00a0\u00a0"), strings.ReplaceAll(string(text), "\n", "\x00\n"), strings.ReplaceAll(string(text), "\n", "\n\n")} {
			r, err := Parse(strings.NewReader(changed))
			require.NoError(t, err, path)
			require.Equal(t, plain, r, path)
		}
	}
}

func TestWindowsLineEndsChangeNothing(t *testing.T) {
	for _, path := range reports(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		plain, err := Parse(strings.NewReader(string(text)))
		require.NoError(t, err)
		r, err := Parse(strings.NewReader(strings.ReplaceAll(string(text), "\n", "\r\n")))
		require.NoError(t, err)
		require.Equal(t, plain, r, path)
	}
}

// The system writes a report while it is looked for: what is not whole is looked at again, and nothing is said of it meanwhile.
func TestAReportThatIsHalfWrittenIsNotRead(t *testing.T) {
	for _, name := range []string{"openmp-two-images.ips", "code-signature.ips", "jetsam.ips"} {
		text := strings.TrimSpace(reportText(t, name))
		for n := 1; n < len(text); n += 1 + n/50 {
			_, err := Parse(strings.NewReader(text[:n]))
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
			_, err := Parse(strings.NewReader(text))
			require.Error(t, err)
			require.ErrorIs(t, err, ErrNoReport)
		})
	}
}

func TestAnErrorOfTheReaderIsHandedOn(t *testing.T) {
	for _, name := range []string{"openmp-two-images.ips", "text-macos-26.txt"} {
		text := reportText(t, name)
		_, err := Parse(io.MultiReader(strings.NewReader(text[:len(text)/2]), broken{}))
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
	r, err := Parse(huge(t, 4<<20))
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
	r, err := Parse(c)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.LessOrEqual(t, c.n, maxReport)
	require.Equal(t, 4711, r.PID)
	require.Equal(t, "SIGSEGV", r.Signal)
	require.Equal(t, "SIGNAL", r.Namespace)
	require.Less(t, int64(after.HeapSys)-int64(before.HeapSys), int64(8<<20), "bytes that the program grew by")

	lines := &counted{Reader: io.MultiReader(strings.NewReader(reportText(t, "text-macos-26.txt")),
		&repeated{text: "       0x185d62000 -        0x185d9afff libsystem_kernel.dylib (*) <0a1b2c3d-0000-3000-8000-00000000dcba> /usr/lib/system/libsystem_kernel.dylib\n", n: 500_000})}
	r, err = Parse(lines)
	require.NoError(t, err)
	require.LessOrEqual(t, lines.n, maxReport)
	require.Len(t, r.Images, maxImages)
}

func TestALineWithoutAnEndIsCut(t *testing.T) {
	r, err := Parse(io.MultiReader(strings.NewReader(reportText(t, "text-macos-26.txt")+"\nApplication Specific Information:\n"), &repeated{text: "x", n: 1 << 20}))
	require.NoError(t, err)
	for _, s := range r.Said {
		require.LessOrEqual(t, len(s), maxLineLength)
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
		r, err := Parse(strings.NewReader(reportText(t, name)))
		require.NoError(t, err)
		f, ok := r.Culprit()
		require.Equal(t, want != "", ok, name)
		if ok {
			require.Equal(t, want, f.Text(), name)
		}
	}
	r := Report{Frames: []Frame{{Image: "libsystem_platform.dylib", Symbol: "_platform_strlen"}, {Image: "Python"}, {Image: "libffi.dylib", Symbol: "ffi_call_SYSV"},
		{Image: "_ctypes.cpython-311-darwin.so"}, {Image: "python3.11"}}}
	_, ok := r.Culprit()
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

func FuzzParse(f *testing.F) {
	for _, path := range reports(f) {
		text, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Add(`{"bug_type":"309"}{"threads":[{"triggered":true,"frames":[{"imageIndex":-1}]}],"usedImages":[{}]}`)
	f.Add(`{"bug_type":"298"}{"memoryStatus":{"pageSize":18446744073709551615},"processes":[{"lifetimeMax":18446744073709551615,"reason":"x","name":"Python"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		Is([]byte(text))
		r, err := Parse(strings.NewReader(text))
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
		_ = r.Ended() + r.Sender() + r.Says("x")
		r.Culprit()
	})
}

func TestAPartOfAReportIsRead(t *testing.T) {
	for text, want := range map[string]string{
		"Exception Type:    EXC_BAD_ACCESS (SIGSEGV)\nThread 0 Crashed:\n0   libx.dylib  0x11883ee0b f() + 91\n":                          "SIGSEGV",
		"Application Specific Information:\nterminating with uncaught exception of type std::runtime_error: no\nabort() called\n":         "SIGABRT",
		"Thread 3 Crashed:\n0   libsystem_kernel.dylib  0x19ba06388 __pthread_kill + 8\n1   libsystem_c.dylib  0x19b9489e4 abort + 124\n": "SIGABRT",
		"Thread 3 Crashed:\n0   libx.dylib  0x11883ee0b f() + 91\n1   liby.dylib  0x21883ee0b g() + 91\n":                                 "SIGSEGV",
	} {
		r, err := Excerpt(text)
		require.NoError(t, err, text)
		require.Equal(t, want, r.Ended(), text)
	}
	for _, text := range []string{"", "nothing", "Thread 3 Crashed:", "Path: /usr/bin/python3\n", "Exception Type: \n"} {
		_, err := Excerpt(text)
		require.ErrorIs(t, err, ErrNoReport, text)
	}
}

func TestFramesOfATextKnowWhereTheyAre(t *testing.T) {
	r, err := Excerpt("Exception Type: EXC_BAD_ACCESS (SIGSEGV)\nThread 0 Crashed:\n0   libx.dylib  0x11883ee0b f() + 91\n1   libx.dylib  0x31883ee0b g() + 91\n")
	require.NoError(t, err)
	require.Equal(t, uint64(0x11883ee0b), r.Frames[0].Address)
	require.Equal(t, uint64(0x31883ee0b), r.Frames[1].Address)
}

func FuzzExcerpt(f *testing.F) {
	f.Add("Exception Type: EXC_CRASH (SIGABRT)\nApplication Specific Information:\nabort() called\n")
	f.Add("Thread 0 Crashed:\n0   libx.dylib  0x11883ee0b f() + 91\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Excerpt(text)
		if err != nil {
			return
		}
		_ = r.Ended() + r.Sender() + r.Says("x")
		for _, frame := range r.Frames {
			_ = frame.Text()
		}
	})
}
