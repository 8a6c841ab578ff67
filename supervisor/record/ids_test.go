package record

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
	"github.com/vivarium-app/vivarium/supervisor/stall"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// An ID comes from a command line, a page or a coding agent.
func TestNoIDLeadsToAFileThatIsNoRecord(t *testing.T) {
	folder := t.TempDir()
	r := &Record{Death: Death{Run: "r1", At: testkit.Noon, Verdict: crash.Verdict{Kind: crash.KindKilled}}}
	require.NoError(t, r.Write(folder))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "secret.json"), []byte("{}"), 0o600))
	file, err := FileOf(folder, r.ID())
	require.NoError(t, err)
	require.Equal(t, r.File, file)
	for _, id := range []string{"", ".", "..", "../secret", "secret", "crashes/" + r.ID(), "./" + r.ID(), r.ID() + ".json", "/etc/passwd", r.ID() + "\x00", "*"} {
		file, err := FileOf(folder, id)
		require.Error(t, err, "%q", id)
		require.Empty(t, file, "%q", id)
		_, err = StallOf(folder, id)
		require.ErrorIs(t, err, ErrNoStall, "%q", id)
	}
	_, err = FileOf(filepath.Join(folder, "gone"), r.ID())
	require.ErrorContains(t, err, "no record of that death any more")
}

func TestTheStateThatCannotBeWrittenIsAnErrorAndTheOldOneStays(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, WriteWant(folder, Saved{Want: true, Name: "shop"}))
	require.NoError(t, os.Mkdir(filepath.Join(folder, "want.json.d"), 0o700))

	missing := filepath.Join(folder, "gone")
	require.ErrorContains(t, WriteWant(missing, Saved{}), "saving what is wanted")
	notFolder := filepath.Join(folder, wantFile) // a file where a folder is to be
	require.ErrorContains(t, stallAt(testkit.Noon).Write(notFolder), "recording a stall")
	require.ErrorContains(t, (&Record{Death: Death{Run: "r1", At: testkit.Noon}}).Write(notFolder), "recording a death")
	_, err := All(notFolder)
	require.Error(t, err)

	s, err := ReadWant(folder)
	require.NoError(t, err)
	require.Equal(t, "shop", s.Name)
}

// A second broken state must not take the place of the first: both may be needed to find out what happened.
func TestEveryBrokenStateIsKept(t *testing.T) {
	folder := t.TempDir()
	for _, text := range []string{"{first", "{second", "{third"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, wantFile), []byte(text), 0o600))
		_, err := ReadWant(folder)
		require.ErrorContains(t, err, "the file was kept as ")
		_, name, _ := strings.Cut(err.Error(), "kept as ")
		kept, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, text, string(kept))
		s, err := ReadWant(folder)
		require.NoError(t, err)
		require.Nil(t, s, "nothing was saved since")
	}
	all, err := filepath.Glob(filepath.Join(folder, wantFile+".broken*"))
	require.NoError(t, err)
	var texts []string
	for _, path := range all {
		text, err := safefile.ReadState(path, 1<<10)
		require.NoError(t, err)
		texts = append(texts, string(text))
	}
	require.ElementsMatch(t, []string{"{first", "{second", "{third"}, texts)
}

// An adopted run is probed and stopped as it was started, whatever the file says by now; what is asked of its work may change at any time.
func TestARunKeepsWhatItWasStartedWith(t *testing.T) {
	dir := t.TempDir()
	was, err := config.Parse(dir, "command = [\"{python}\", \"a.py\"]\nport = 8001\n[health]\npath = \"/old\"\n[stop]\ngrace = \"1s\"\n[log]\nkeep = 2\n")
	require.NoError(t, err)
	now, err := config.Parse(dir, "name = \"new\"\ncommand = [\"{python}\", \"b.py\"]\nport = 8002\n[health]\npath = \"/new\"\n[health.deep]\npath = \"/v1/models\"\n[stop]\ngrace = \"2s\"\n[log]\nkeep = 3\n")
	require.NoError(t, err)

	text, err := json.Marshal(NewRanWith(keeper.Run{ID: "r1"}, was))
	require.NoError(t, err)
	var with RanWith
	require.NoError(t, json.Unmarshal(text, &with))
	got := with.Apply(now)
	require.Equal(t, was.Command, got.Command)
	require.Equal(t, 8001, got.Port)
	require.Equal(t, "/old", got.Health.Path)
	require.Equal(t, time.Second, got.Stop.Grace)
	require.Equal(t, 2, got.Log.Keep)
	require.Equal(t, "new", got.Name)
	require.Equal(t, "/v1/models", got.Health.Deep.Path)
	require.Equal(t, "/new", now.Health.Path, "the caller's own is as it was")
}

func TestWhyAServerStoodStillIsToldAsFarAsItIsKnown(t *testing.T) {
	const problem, summary = "no answer within 3 s", "the event loop is blocked"
	for name, c := range map[string]struct {
		s    Stalled
		want string
	}{
		"nothing was found":            {Stalled{Problem: problem}, problem},
		"what was found says nothing":  {Stalled{Problem: problem, Stall: stall.Stall{Kind: stall.KindUnknown, Summary: "nobody knows"}}, problem},
		"nothing else is known either": {Stalled{Stall: stall.Stall{Kind: stall.KindUnknown, Summary: "nobody knows"}}, "nobody knows"},
		"it was found":                 {Stalled{Problem: problem, Stall: stall.Stall{Kind: stall.KindLoop, Summary: summary}}, summary},
	} {
		require.Equal(t, c.want, c.s.Why(), name)
		require.Equal(t, c.want, c.s.Mark().Text, name)
	}
	require.Equal(t, crash.KindKilled, Death{First: crash.KindKilled, Verdict: crash.Verdict{Kind: crash.KindOutOfMemory}}.FirstKind())
	require.Equal(t, crash.KindOutOfMemory, Death{Verdict: crash.Verdict{Kind: crash.KindOutOfMemory}}.FirstKind())
}
