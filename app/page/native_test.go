package page

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash/report"
)

func TestTheSystemsReportIsShownWithItsOpenMPFramesMarked(t *testing.T) {
	n := newNative(&report.Report{
		Exception: "EXC_BAD_ACCESS", Signal: "SIGSEGV", Subtype: "KERN_INVALID_ADDRESS at 0x540", Namespace: "SIGNAL", Code: 11, Indicator: "Segmentation fault: 11", By: "exc handler",
		OS: "macOS 15.4", Arch: "ARM-64", Said: []string{"/Users/alice/x", "token=abc"},
		Frames: []report.Frame{{Image: "libomp.dylib", Symbol: "__kmp_suspend_initialize_thread", Offset: 4096}, {Image: "libpython3.11.dylib", Offset: 16}, {Symbol: "start"}},
	}, plainWords)
	require.Equal(t, []fact{
		{"Exception", "EXC_BAD_ACCESS, SIGSEGV, KERN_INVALID_ADDRESS at 0x540"}, {"Termination", "SIGNAL, code 11, Segmentation fault: 11"}, {"Ended by", "exc handler"},
		{"It said", "~/x, token=[masked]"}, {"System", "macOS 15.4, ARM-64"},
	}, n.Facts)
	require.Equal(t, []nativeFrame{
		{"libomp.dylib", "__kmp_suspend_initialize_thread (0x1000)", true}, {"libpython3.11.dylib", "0x10", false}, {"?", "start", false},
	}, n.Frames)
	require.Contains(t, n.lines()[0], "libomp.dylib")
}

func TestOfALongNativeStackTheFirstFramesAreShown(t *testing.T) {
	n := newNative(&report.Report{Frames: make([]report.Frame, 500)}, plainWords)
	require.Len(t, n.Frames, mostNative)
	require.Equal(t, 500-mostNative, n.More)
	require.Nil(t, newNative(nil, plainWords))
	require.Nil(t, newNative(&report.Report{PID: 1}, plainWords), "it says nothing")
}

func TestAMemoryKillNamesWhatTheSystemEnded(t *testing.T) {
	n := newNative(&report.Report{OS: "macOS 15.4", Jetsam: &report.Jetsam{Largest: "python3.11", Ended: []report.JetsamProcess{{PID: 7, Name: "python3.11", Reason: "per-process-limit"}}}}, plainWords)
	require.Contains(t, n.Facts, fact{"Ended for memory", "python3.11 (PID 7), per-process-limit"})
}

func TestTheSystemsReportIsPartOfThePageAndOfTheTextForAnIssue(t *testing.T) {
	ips := `{"app_name":"python3.11","timestamp":"2026-11-26 14:02:11.00 +0100","bug_type":"309","os_version":"macOS 15.4 (24E248)"}
{"pid":4711,"procName":"python3.11","exception":{"type":"EXC_CRASH","signal":"SIGABRT"},"termination":{"namespace":"SIGNAL","code":6,"indicator":"Abort trap: 6"},
"asi":{"libsystem_c.dylib":["abort() called","</script><script>x"]},"faultingThread":0,
"threads":[{"triggered":true,"frames":[{"imageIndex":0,"imageOffset":1024,"symbol":"__kmp_abort_process"},{"imageIndex":1,"imageOffset":8,"symbol":"<b>main"}]}],
"usedImages":[{"name":"libomp.dylib","path":"/Users/USER/*/libomp.dylib"},{"name":"python3.11","path":"/opt/python3.11"}]}`
	parsed, err := report.Parse(strings.NewReader(ips))
	require.NoError(t, err)
	r := openMPDeath(t)
	r.Report, r.ReportFile = parsed, "/Users/alice/Library/Logs/DiagnosticReports/python3.11-2026-11-26-140211.ips"
	page := made(t, r)
	inert(t, page)
	all := elements(t, page)
	native := withClass(all, "native")
	require.Len(t, native, 1)
	require.Contains(t, native[0].text, "__kmp_abort_process")
	require.Contains(t, page, "~/Library/Logs/DiagnosticReports/python3.11-2026-11-26-140211.ips")
	require.Contains(t, page, "EXC_CRASH, SIGABRT")
	require.Contains(t, withTag(all, "textarea")[0].text, "libomp.dylib                   __kmp_abort_process")
}
