package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/dashboard/source"
	"github.com/vivarium-app/vivarium/app/doctor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// recorded is a death on record, in a file.
func recorded(t *testing.T, change func(*record.Record)) record.Record {
	t.Helper()
	r := record.Record{
		Death: record.Death{
			Run: "r1", At: time.Date(2026, 3, 14, 13, 42, 30, 0, time.UTC), Uptime: 90 * time.Minute, Signal: "SIGABRT",
			Verdict: crash.Verdict{Kind: crash.KindOpenMP, Summary: "two OpenMP runtimes in one process", Remedy: "Make one of them."},
		},
		Backend: "backend", Dir: "/home/ada/backend", Known: true, Tail: []string{"INFO: all is well"}, File: filepath.Join(t.TempDir(), "20260314T134230.000Z-r1.json"),
	}
	if change != nil {
		change(&r)
	}
	write(t, r.File, encoded(t, r))
	return r
}

func encoded(t *testing.T, r record.Record) string {
	t.Helper()
	text, err := json.Marshal(r)
	require.NoError(t, err)
	return string(text)
}

func TestTheReportIsWrittenBesideItsRecordForItsOwnerAlone(t *testing.T) {
	atHome(t)
	r := recorded(t, nil)
	out, _, code := do(t, "page", r.File)
	require.Zero(t, code, out)
	require.Equal(t, r.Page()+"\n", out)
	st, err := os.Stat(r.Page())
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), st.Mode().Perm())
	text, err := os.ReadFile(r.Page())
	require.NoError(t, err)
	require.Contains(t, string(text), r.Verdict.Summary)
	require.Contains(t, string(text), "1 h 30 min", "in the words of the menu")

	r.Amended, r.Verdict.Summary = true, "memory ran out"
	write(t, r.File, encoded(t, r))
	_, _, code = do(t, "page", r.File)
	require.Zero(t, code)
	text, err = os.ReadFile(r.Page())
	require.NoError(t, err)
	require.Contains(t, string(text), "<h1>Memory ran out</h1>")
	require.Contains(t, string(text), "changed the first verdict")
	files, err := os.ReadDir(filepath.Dir(r.File))
	require.NoError(t, err)
	require.Len(t, files, 2, "nothing half-written is left")
}

func TestTheHomeFolderIsNotInAReport(t *testing.T) {
	atHome(t)
	t.Setenv("HOME", "/home/ada")
	r := recorded(t, func(r *record.Record) { r.Tail = []string{"/home/ada/backend/main.py", "/home/adam/x"} })
	_, err := writeReport(r.File)
	require.NoError(t, err)
	text, err := os.ReadFile(r.Page())
	require.NoError(t, err)
	require.NotContains(t, string(text), "/home/ada/")
	require.Contains(t, string(text), "~/backend/main.py")
	require.Contains(t, string(text), "/home/adam/x", "it is somebody else's")
}

func TestARecordThatIsNoneHasNoPage(t *testing.T) {
	atHome(t)
	for _, args := range [][]string{{"page", "/gone/x.json"}, {"page"}, {"page", "--doctor"}} {
		_, told, code := do(t, args...)
		require.NotZero(t, code, args)
		require.NotEmpty(t, told)
	}
}

func TestAFolderThatIsGoneHasAPageThatSaysSo(t *testing.T) {
	atHome(t)
	out, told, code := do(t, "page", "--doctor", "/gone")
	require.Zero(t, code, told)
	text, err := os.ReadFile(strings.TrimSpace(out))
	require.NoError(t, err)
	require.Contains(t, string(text), "VIV001")
	require.Contains(t, string(text), "/gone")
}

func TestTheDoctorsPageIsWrittenWhereTheStateIs(t *testing.T) {
	home, dir := atHome(t)
	write(t, filepath.Join(dir, "vivarium.toml"), "name = \"brain\"\ncommand = [\"/bin/sleep\", \"1\"]\nport = 0\n")
	out, told, code := do(t, "page", "--doctor", dir)
	require.Zero(t, code, told)
	path := filepath.Join(keeper.BackendFolder(home, dir), "doctor.html")
	require.Equal(t, path+"\n", out)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "VIV020")
	require.Contains(t, string(text), "brain")
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
}

func TestADoctorsPageMarksWhatWouldMeet(t *testing.T) {
	x := doctor.Examination{Backend: "brain", Checks: []doctor.Check{{Code: "VIV001", State: doctor.Pass, Text: "a"}, {Code: "VIV014", State: doctor.Fail, Text: "b", Remedy: "do c"}}}
	d := source.Examined(x, time.Now())
	require.Equal(t, "fail", d.Checks[1].State)
	require.Empty(t, d.Copies.Together)
	x.Prediction = openmp.Prediction{Outcome: openmp.Aborts, Together: []openmp.Runtime{{Path: "/a"}, {Path: "/b"}}}
	require.Len(t, source.Examined(x, time.Now()).Copies.Together, 2)
}
