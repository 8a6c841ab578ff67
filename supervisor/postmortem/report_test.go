package postmortem

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/report"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestAReportIsFoundByPIDAndTimeAndNeverBecauseItIsTheLatest(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string // by name; each was written 2 s after the death
		late  time.Duration     // or so much later
		want  string
	}{
		"nothing there":                         {nil, 0, ""},
		"of this death":                         {map[string]string{"python3.11-2026-03-01-120000.ips": testkit.CrashReport(4711, testkit.Noon)}, 0, "python3.11-2026-03-01-120000.ips"},
		"under a framework's name":              {map[string]string{"Python-2026-03-01-120000.000.ips": testkit.CrashReport(4711, testkit.Noon)}, 0, "Python-2026-03-01-120000.000.ips"},
		"in Retired":                            {map[string]string{"Retired/Python.ips": testkit.CrashReport(4711, testkit.Noon)}, 0, "Retired/Python.ips"},
		"in another time zone":                  {map[string]string{"Python.ips": testkit.CrashReport(4711, testkit.Noon.In(time.FixedZone("", -8*60*60)))}, 0, "Python.ips"},
		"among others":                          {map[string]string{"a.ips": testkit.CrashReport(1, testkit.Noon), "b.ips": testkit.CrashReport(4711, testkit.Noon), "c.ips": testkit.CrashReport(2, testkit.Noon)}, 0, "b.ips"},
		"of another process":                    {map[string]string{"Python.ips": testkit.CrashReport(47, testkit.Noon)}, 0, ""},
		"of an earlier process of the same PID": {map[string]string{"Python.ips": testkit.CrashReport(4711, testkit.Noon.Add(-time.Hour))}, 0, ""},
		"written much later":                    {map[string]string{"Python.ips": testkit.CrashReport(4711, testkit.Noon)}, time.Hour, ""},
		"no report by its name":                 {map[string]string{"Python.txt": testkit.CrashReport(4711, testkit.Noon)}, 0, ""},
		"half-written":                          {map[string]string{"Python.ips": testkit.CrashReport(4711, testkit.Noon)[:120]}, 0, ""},
		"a header alone":                        {map[string]string{"Python.ips": `{"bug_type":"309"}` + "\n"}, 0, ""},
		"empty":                                 {map[string]string{"Python.ips": ""}, 0, ""},
		"no JSON":                               {map[string]string{"Python.ips": "Process: Python [4711]\n"}, 0, ""},
		"without a time":                        {map[string]string{"Python.ips": `{"bug_type":"309"}` + "\n" + `{"pid":4711}`}, 0, "Python.ips"},
		"a key of another type":                 {map[string]string{"Python.ips": `{"bug_type":"309","timestamp":7}` + "\n" + `{"processes":{},"pid":4711}`}, 0, "Python.ips"},
		"another kind of report":                {map[string]string{"Python.ips": strings.Replace(testkit.CrashReport(4711, testkit.Noon), "309", "202", 1)}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := testkit.Shelf{T: t, Dir: t.TempDir()}
			for file, text := range tt.files {
				s.Put(file, text, testkit.Noon.Add(2*time.Second+tt.late))
			}
			q := reportSearch{folders: []string{s.Dir, filepath.Join(s.Dir, "Retired"), filepath.Join(s.Dir, "gone")}, pid: 4711, died: testkit.Noon}
			got, ok := q.look()
			require.Equal(t, tt.want != "", ok)
			if ok {
				require.Equal(t, filepath.Join(s.Dir, tt.want), got.file)
				require.Zero(t, got.memory)
				require.Equal(t, 4711, got.report.PID)
			}
			again, _ := q.look()
			require.Equal(t, got, again)
		})
	}
}

func TestTheProcessWithAReasonWasEndedForWantOfMemoryAndNotTheLargest(t *testing.T) {
	s := testkit.Shelf{T: t, Dir: t.TempDir()}
	file := s.Put("JetsamEvent-2026-03-01-120003.ips", testkit.JetsamEvent(4711, `,"reason":"vm-compressor-space-shortage","killDelta":3`), testkit.Noon.Add(3*time.Second))
	look := func(pid int) (foundReport, bool) {
		q := reportSearch{folders: []string{s.Dir}, pid: pid, died: testkit.Noon}
		return q.look()
	}
	got, ok := look(4711)
	require.True(t, ok)
	require.Equal(t, file, got.file)
	require.Equal(t, crash.Memory{OOM: true, Source: "JetsamEvent", Peak: 2000 * 16384}, got.memory)
	_, ok = look(1104)
	require.False(t, ok, "the largest process lives")
	s.Put("JetsamEvent-2026-03-01-120003.ips", testkit.JetsamEvent(4711, ""), testkit.Noon.Add(3*time.Second))
	_, ok = look(4711)
	require.False(t, ok)
	s.Put("JetsamEvent-2026-03-01-120003.ips", testkit.JetsamEvent(4711, `,"reason":"x"`), testkit.Noon.Add(3*time.Second))
	crashed := s.Put("Python.ips", testkit.CrashReport(4711, testkit.Noon), testkit.Noon.Add(3*time.Second))
	got, ok = look(4711)
	require.True(t, ok)
	require.Equal(t, crashed, got.file, "a crash report tells more")
}

func TestASearchWaitsForTheSystemToFinishItsReport(t *testing.T) {
	s := testkit.Shelf{T: t, Dir: t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		s.T = t
		died := time.Now()
		whole := testkit.CrashReport(4711, died)
		go func() {
			time.Sleep(time.Second)
			s.Put("Python.ips", whole[:100], time.Now())
			time.Sleep(1500 * time.Millisecond)
			s.Put("Python.ips", whole, time.Now())
		}()
		q := reportSearch{folders: []string{s.Dir}, pid: 4711, died: died}
		got, ok := q.wait(t.Context())
		require.True(t, ok)
		require.Equal(t, filepath.Join(s.Dir, "Python.ips"), got.file)
		require.InDelta(t, 2.5, time.Since(died).Seconds(), 0.4)

		died = time.Now()
		q = reportSearch{folders: []string{s.Dir}, pid: 4712, died: died}
		_, ok = q.wait(t.Context())
		require.False(t, ok)
		require.InDelta(t, 10, time.Since(died).Seconds(), 0.5, "then there is none")

		q = reportSearch{folders: []string{s.Dir}, pid: 4712, died: died.Add(-time.Hour)}
		began := time.Now()
		_, ok = q.wait(t.Context())
		require.False(t, ok)
		require.Zero(t, time.Since(began), "a death of long ago is not waited for")

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began = time.Now()
		q = reportSearch{folders: []string{s.Dir}, pid: 4712, died: began}
		_, ok = q.wait(ctx)
		require.False(t, ok)
		require.Equal(t, time.Second, time.Since(began), "the app leaves")
	})
}

func TestReportsAreLookedForInTheUsersAndTheSystemsFolderOnAMacAlone(t *testing.T) {
	require.Equal(t, []string{
		"/Users/alice/Library/Logs/DiagnosticReports", "/Users/alice/Library/Logs/DiagnosticReports/Retired",
		"/Library/Logs/DiagnosticReports", "/Library/Logs/DiagnosticReports/Retired",
	}, reportFolders("darwin", "/Users/alice"))
	require.Empty(t, reportFolders("linux", "/home/alice"))
}

func TestARecordedReportHoldsNoSecret(t *testing.T) {
	const secret = "sk-abcdefgh12345678"
	r := report.Report{PID: 7, Message: "key " + secret, Said: []string{"abort() called", "failed with token=" + secret}, Reasons: []string{secret}}
	masked := maskReport(r)
	require.NotContains(t, fmt.Sprintf("%+v", *masked), secret)
	require.Equal(t, 7, masked.PID)
	require.Contains(t, masked.Said, "abort() called")
	require.Equal(t, "failed with token="+secret, r.Said[1], "the verdict is judged by the text itself, which it masks")
}
