package record

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func recordAt(at time.Time, run string) Record {
	return Record{
		Death:   Death{Run: run, At: at, Verdict: crash.Verdict{Kind: "segfault", Summary: "it crashed"}},
		Backend: "brain", Tail: []string{"a", "b"}, Samples: []Sample{{At: at, RSS: 7}}, Versions: map[string]string{"torch": "2.13.0"},
	}
}

func TestARecordIsReadAsItWasWrittenAndIsForItsOwnerAlone(t *testing.T) {
	folder := t.TempDir()
	r := recordAt(testkit.Noon, "r1")
	require.Empty(t, r.Page())
	require.NoError(t, r.Write(folder))
	require.Equal(t, filepath.Join(folder, "crashes", "20260301T120000.000Z-r1.json"), r.File)
	require.Equal(t, filepath.Join(folder, "crashes", "20260301T120000.000Z-r1.html"), r.Page())
	st, err := os.Stat(r.File)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	st, err = os.Stat(filepath.Dir(r.File))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), st.Mode().Perm())
	got, err := Read(r.File)
	require.NoError(t, err)
	require.Equal(t, r, got)
	r.Tail = []string{"c"}
	require.NoError(t, r.Write(folder), "it is written again when more is known")
	files, err := os.ReadDir(filepath.Join(folder, "crashes"))
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing half-written stays")
}

func TestOnlyTheLastFiftyRecordsStayWithWhatStandsBesideThem(t *testing.T) {
	folder := t.TempDir()
	dir := filepath.Join(folder, "crashes")
	var ids []string
	for i := range 60 {
		r := recordAt(testkit.Noon.Add(time.Duration(i)*time.Minute), fmt.Sprint("r", i))
		require.NoError(t, r.Write(folder))
		require.NoError(t, os.WriteFile(r.Page(), nil, 0o600))
		ids = append(ids, r.ID())
	}
	foreign := filepath.Join(dir, "notes.txt")
	require.NoError(t, os.WriteFile(foreign, nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ids[0]+".json.new"), nil, 0o600), "of an app that was killed")
	last := recordAt(testkit.Noon.Add(time.Hour), "last")
	require.NoError(t, last.Write(folder))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 49*2+1+1)
	require.NoFileExists(t, filepath.Join(dir, ids[10]+".html"))
	require.FileExists(t, filepath.Join(dir, ids[11]+".html"))
	require.FileExists(t, filepath.Join(dir, ids[11]+".json"))
	require.FileExists(t, foreign, "what is not ours is not touched")
}

func TestARecordThatCannotBeWrittenIsAnErrorThatNamesIt(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "crashes"), nil, 0o600))
	r := recordAt(testkit.Noon, "r1")
	require.ErrorContains(t, r.Write(folder), "recording a death")
	require.Empty(t, r.Page())
	path := filepath.Join(t.TempDir(), "x.json")
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err := Read(path)
	require.ErrorContains(t, err, path)
}

func TestDeathsOnRecordAreListedWithTheirFilesAndThoseOfWorkersAmongThem(t *testing.T) {
	folder := t.TempDir()
	kept, err := All(folder)
	require.NoError(t, err)
	require.Empty(t, kept)
	first, second, worker := recordAt(testkit.Noon, "r1"), recordAt(testkit.Noon.Add(time.Hour), "r2"), recordAt(testkit.Noon.Add(time.Minute), "r2")
	worker.Worker = 99
	require.NoError(t, WriteWant(folder, Saved{Deaths: []Death{first.Death, second.Death}}))
	require.NoError(t, second.Write(folder))
	require.NoError(t, worker.Write(folder))
	require.NoError(t, os.WriteFile(second.Page(), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "crashes", "20260301T120000.000Z-broken.json"), []byte("{"), 0o600))
	kept, err = All(folder)
	require.NoError(t, err)
	require.Equal(t, []Kept{{Death: first.Death}, {worker.Death, worker.File, ""}, {second.Death, second.File, second.Page()}}, kept)
	require.Equal(t, second.Page(), PageOf(folder, second.At))
	second.Verdict, second.Amended = crash.Verdict{Kind: crash.KindOpenMP, Summary: "two OpenMP runtimes in one process"}, true
	require.NoError(t, second.Write(folder))
	kept, err = All(folder)
	require.NoError(t, err)
	require.Equal(t, second.Verdict, kept[2].Verdict, "the record knows better than what an app remembered that left at once")
	require.Empty(t, PageOf(folder, first.At))
	require.Empty(t, PageOf(folder, time.Time{}))
}

func TestIDsSortByTimeAndNameTheirFiles(t *testing.T) {
	zone := time.FixedZone("", 5*60*60)
	ids := []string{
		Death{At: testkit.Noon.Add(-time.Millisecond), Run: "z"}.ID(), Death{At: testkit.Noon.In(zone), Run: "a"}.ID(), Death{At: testkit.Noon.In(zone), Run: "a", Worker: 7}.ID(), Death{At: testkit.Noon.Add(time.Second)}.ID(),
	}
	require.True(t, slices.IsSorted(ids), ids)
	for _, id := range ids {
		for _, name := range []string{id + ".json", id + ".html", id + ".json.new"} {
			got, ok := idOf(name)
			require.True(t, ok, name)
			require.Equal(t, id, got)
		}
	}
	for _, name := range []string{"", "notes.txt", "x.json", ids[0], "20260301T120000.000-r1.json", "20261301T120000.000Z-r1.json"} {
		_, ok := idOf(name)
		require.False(t, ok, name)
	}
}
