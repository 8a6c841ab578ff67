package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// sources is this package's folder: a test that is at home is elsewhere.
var sources, _ = os.Getwd()

// aReport is one of those that the reader is tested with.
func aReport(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(sources, "../../supervisor/crash/report/testdata", name)
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

const (
	missingModule = "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\nModuleNotFoundError: No module named 'faiss'\n"
	faultedStack  = "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call first):\n  File \"a.py\", line 3 in f\n"
)

// inUTF16 is a text as PowerShell writes it.
func inUTF16(text string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func TestExplainJudgesAnyEnd(t *testing.T) {
	_, dir := atHome(t)
	log := filepath.Join(dir, "log")
	write(t, log, strings.Repeat("noise that is long enough to be cut\n", 5000)+
		"OMP: Error #15: Initializing libomp.dylib, but found libiomp5.dylib already initialized.\n")
	openmp := aReport(t, "openmp-two-images.ips")
	for _, c := range []struct {
		in   string
		args []string
		want string
	}{
		{"", []string{"--log", log, "--signal", "SIGABRT"}, "openmp-duplicate"},
		{"", []string{"--log", log, "--signal", "abrt"}, "openmp-duplicate"},
		{"", []string{"--log", log, "--exit", "134"}, "openmp-duplicate"},
		{"", []string{"--log", log, "--exit", "-6"}, "openmp-duplicate"},
		{"", []string{"--log", log}, "openmp-duplicate"},
		{"", []string{log}, "openmp-duplicate"},
		{missingModule, []string{"--log", "-", "--exit", "1"}, "missing-module"},
		{missingModule, []string{"-"}, "missing-module"},
		{missingModule, []string{"--log", "-"}, "missing-module"},
		{"", []string{"--signal", "11"}, "segfault"},
		{"", []string{"--exit", "139"}, "segfault"},
		{"", []string{"--exit", "0"}, "clean-exit"},
		{"", []string{"--exit", "7"}, "exit-code"},
		{faultedStack, []string{"-"}, "segfault"},
		{"libc++abi: terminating due to uncaught exception of type std::runtime_error: no such model\n", []string{"-"}, "assertion"},
		{"all is well\n", []string{"-"}, "unknown"},
		{"", []string{"-"}, "unknown"},
		{"", []string{openmp}, "openmp-duplicate"},
		{"", []string{"--report", openmp}, "openmp-duplicate"},
		{"", []string{"--log", openmp}, "openmp-duplicate"},
		{contents(t, openmp), []string{"-"}, "openmp-duplicate"},
		{contents(t, openmp), []string{"--report", "-"}, "openmp-duplicate"},
		{faultedStack, []string{"-", openmp}, "openmp-duplicate"},
		{faultedStack, []string{"--log", "-", "--report", openmp}, "openmp-duplicate"},
		{"It died:\n\n```\n" + contents(t, aReport(t, "text-macos-26.txt")) + "\n```\nThanks!\n", []string{"-"}, "assertion"},
		{strings.Repeat("a line of a log\n", 9000) + contents(t, openmp), []string{"-"}, "openmp-duplicate"},
		{contents(t, openmp) + strings.Repeat("a line of a log\n", 9000), []string{"-"}, "openmp-duplicate"},
		{inUTF16("zsh: segmentation fault  python serve.py\r\n"), []string{"-"}, "segfault"},
		{"python serve.py\nzsh: killed     python serve.py\n", []string{"-"}, "killed"},
		{"zsh: killed     python serve.py\n", []string{"-", "--signal", "SEGV"}, "segfault"},
		{"zsh: killed     python serve.py\n", []string{"-", "--exit", "7"}, "exit-code"},
		{"", []string{"--exit", "247"}, "killed"},
		{"", []string{aReport(t, "text-macos-26.txt")}, "assertion"},
		{"", []string{aReport(t, "code-signature.ips")}, "code-signature"},
		{"", []string{aReport(t, "fork-pre-exec-macos-26.ips")}, "fork-safety"},
		{"", []string{aReport(t, "library-missing-macos-13.ips")}, "library-not-loaded"},
		{"", []string{aReport(t, "text-in-ips-macos-11.ips")}, "symbol-not-found"},
		{"", []string{aReport(t, "jetsam.ips")}, "out-of-memory"},
		{"", []string{aReport(t, "jetsam.ips"), "--pid", "4711"}, "out-of-memory"},
		{"", []string{aReport(t, "jetsam.ips"), "--pid", "12"}, "unknown"},
		{"", []string{aReport(t, "jetsam.ips"), "--pid", "12", "--signal", "SIGKILL"}, "killed"},
	} {
		out, told, code := doWith(t, c.in, append([]string{"explain"}, c.args...)...)
		require.Zero(t, code, told)
		require.Contains(t, out, "("+c.want+")", c.args)
		require.NotContains(t, out, "worker process", c.args)
		out, _, _ = doWith(t, c.in, append([]string{"explain", "--json"}, c.args...)...)
		var v crash.Verdict
		require.NoError(t, json.Unmarshal([]byte(out), &v), out)
		require.Equal(t, c.want, string(v.Kind), c.args)
		require.Equal(t, 1, strings.Count(out, "\n"), "one object, one line")
	}
}

func TestExplainSaysWhichProcessAReportIsAbout(t *testing.T) {
	atHome(t)
	out, told, code := do(t, "explain", aReport(t, "openmp-two-images.ips"))
	require.Zero(t, code, told)
	require.Contains(t, out, "  report  python3.11 (PID 4711), macOS 15.4 (24E248), EXC_BAD_ACCESS SIGSEGV\n")
}

func TestExplainSaysWhatIsMissingOfAJetsamEvent(t *testing.T) {
	atHome(t)
	two := strings.Replace(contents(t, aReport(t, "jetsam.ips")), `"name" : "mdworker_shared"`, `"name" : "python3.11"`, 1)
	out, _, code := doWith(t, two, "explain", "-")
	require.Zero(t, code)
	require.Contains(t, out, "several Pythons")
	require.Contains(t, out, "--pid: 4711, 99.")
	out, _, _ = doWith(t, two, "explain", "-", "--pid", "99")
	require.Contains(t, out, "(out-of-memory)")
	none := strings.ReplaceAll(two, "python3.11", "node")
	out, _, _ = doWith(t, none, "explain", "-")
	require.Contains(t, out, "no Python is among them; node used the most (unknown)")
}

func TestExplainTakesAnOutputForThatOfItsSystem(t *testing.T) {
	for system, line := range map[string]string{
		"darwin": "  File \"/Users/alice/backend/main.py\", line 3, in <module>",
		"linux":  "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory",
		"":       "ValueError: no",
	} {
		require.Equal(t, system, systemOf([]string{"INFO: started", line}), line)
		require.Equal(t, system, systemOf([]string{inUTF16("INFO: started\n" + line)}), line)
	}
}

// What is no answer is one line that says what to do instead.
func TestExplainSaysWhatIsWrongWithTheQuestion(t *testing.T) {
	_, dir := atHome(t)
	log, openmp := filepath.Join(dir, "a.log"), aReport(t, "openmp-two-images.ips")
	write(t, log, faultedStack)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "nothing to judge"},
		{[]string{"--exit", "1", "--signal", "SIGSEGV"}, "either --exit or --signal"},
		{[]string{"--signal", "SIGFOO"}, "no signal"},
		{[]string{"--exit", "300", log}, "300 is no exit code: it is 0 to 255"},
		{[]string{"--exit=-65", log}, "-65 is no exit code"},
		{[]string{"--exit", "1.5", log}, "invalid argument"},
		{[]string{"--pid=-1", openmp}, "-1 is no PID"},
		{[]string{"gone"}, "no such file"},
		{[]string{dir}, "is a directory"},
		{[]string{log, log}, "two logs"},
		{[]string{openmp, "--report", openmp}, "two crash reports"},
		{[]string{"--report", log}, "no crash report of macOS: if it is what the server printed, name it with --log"},
		{[]string{"-", "--log", "-"}, "standard input can be read once"},
	} {
		out, told, code := do(t, append([]string{"explain"}, c.args...)...)
		require.Equal(t, codeUsage, code, "%q: %s", c.args, told)
		require.Empty(t, out)
		require.Contains(t, told, c.want, c.args)
		require.LessOrEqual(t, strings.Count(told, "\n"), 2, told)
	}
}

// What stands before the cut counts, and a status that was given always does.
func TestExplainUsesWhatACutReportStillSays(t *testing.T) {
	_, dir := atHome(t)
	whole := contents(t, aReport(t, "openmp-two-images.ips"))
	half := filepath.Join(dir, "half.ips")
	for n := 40; n < len(whole)-3; n += 97 {
		write(t, half, whole[:n])
		out, told, code := do(t, "explain", "--signal", "11", "--report", half)
		require.Zero(t, code, "%d bytes: %s", n, told)
		require.Regexp(t, `\((segfault|openmp-duplicate)\)`, out, "%d bytes", n)
		require.Contains(t, out, "it is cut short", "%d bytes", n)
	}
	write(t, half, whole[:3000])
	out, _, code := do(t, "explain", half)
	require.Zero(t, code)
	require.Contains(t, out, "segfault")
}

// The end of a log decides, however long it is.
func TestExplainReadsTheEndOfALongOutput(t *testing.T) {
	_, dir := atHome(t)
	log := filepath.Join(dir, "long.log")
	f, err := os.Create(log)
	require.NoError(t, err)
	_, err = f.WriteString(missingModule)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(200<<20)) // a hole: zeros that take no room
	_, err = f.Seek(0, 2)
	require.NoError(t, err)
	_, err = f.WriteString("\n" + faultedStack)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	out, told, code := do(t, "explain", log)
	require.Zero(t, code, told)
	require.Contains(t, out, "(segfault)")
}
