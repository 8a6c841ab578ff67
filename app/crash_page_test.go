package app

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor"
)

func aRecord(t *testing.T) supervisor.Record {
	t.Helper()
	return supervisor.Record{
		Death:   supervisor.Death{Run: "r1", At: noon, Uptime: 90 * time.Minute, Signal: "SIGABRT", Verdict: openMP},
		Backend: "backend", Dir: "/home/ada/backend", Known: true, Tail: []string{"INFO: all is well"}, File: filepath.Join(t.TempDir(), "20260314T134230.000Z-r1.json"),
	}
}

func TestTheReportIsWrittenBesideItsRecordForItsOwnerAlone(t *testing.T) {
	r := aRecord(t)
	Recorded(nil)(r)
	path := strings.TrimSuffix(r.File, ".json") + ".html"
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), st.Mode().Perm())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), openMP.Summary)
	require.Contains(t, string(text), "1 h 30 min", "in the words of the menu")
}

func TestAnAmendedRecordHasItsReportWrittenAgain(t *testing.T) {
	r := aRecord(t)
	hook := Recorded(nil)
	hook(r)
	r.Amended, r.Verdict.Summary = true, "memory ran out"
	hook(r)
	text, err := os.ReadFile(r.Page())
	require.NoError(t, err)
	require.Contains(t, string(text), "<h1>Memory ran out</h1>")
	require.Contains(t, string(text), "changed the first verdict")
	files, err := os.ReadDir(filepath.Dir(r.File))
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing half-written is left")
}

func TestAReportThatCannotBeWrittenIsToldInTheLogAndLeavesTheOldOne(t *testing.T) {
	var said strings.Builder
	r := aRecord(t)
	r.File = filepath.Join(filepath.Dir(r.File), "missing", "x.json")
	Recorded(slog.New(slog.NewTextHandler(&said, nil)))(r)
	require.Contains(t, said.String(), "the report on a crash is not written")

	said.Reset()
	r.File = ""
	Recorded(slog.New(slog.NewTextHandler(&said, nil)))(r)
	require.Empty(t, said.String(), "what is not on disk has no place for a report")
}

func TestTheHomeFolderIsNotInAReport(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	r := aRecord(t)
	r.Tail = []string{"/home/ada/backend/main.py", "/home/adam/x"}
	Recorded(nil)(r)
	text, err := os.ReadFile(r.Page())
	require.NoError(t, err)
	require.NotContains(t, string(text), "/home/ada/")
	require.Contains(t, string(text), "~/backend/main.py")
	require.Contains(t, string(text), "/home/adam/x", "it is somebody else's")
}
