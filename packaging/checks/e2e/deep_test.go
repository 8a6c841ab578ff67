//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// worker is a FastAPI server whose health check is always good, and whose work does what it was told last.
const worker = `import threading
from fastapi import FastAPI, Header, HTTPException, Request

app = FastAPI()
does = "well"
asked = 0
gate = threading.Event()


@app.get("/health")
async def health():
    return {"ok": True}


@app.get("/does/{what}")
async def tell(what: str):
    global does
    does = what
    gate.set()
    return asked


@app.post("/work")
def work(body: dict, authorization: str = Header("")):
    global asked
    asked += 1
    if authorization != "Bearer sk-e2e-hunter2" or body != {"prompt": "sk-e2e-hunter2"}:
        raise HTTPException(403)
    if does == "hang":
        gate.clear()
        gate.wait()
    if does == "fail":
        raise HTTPException(500)
    if does == "talk":
        return {"sorry": "no"}
    return {"choices": ["hello"]}
`

const waitsAt = 31 // the line of gate.wait

const deepConfig = attentive + `[health.deep]
path = "/work"
body = '{"prompt": "${WORK_KEY}"}'
headers = {Authorization = "Bearer ${WORK_KEY}"}
expect = "choices"
interval = "1s"
timeout = "3s"
[stop]
grace = "500ms"
[environment]
WORK_KEY = "sk-e2e-hunter2"
`

func TestAServerWhoseWorkFailsWhileItsHealthIsGoodIsWedgedUntilItWorksAgain(t *testing.T) {
	t.Parallel()
	r := stillApp(t, worker, deepConfig)
	f := r.run()
	f.await("healthy")
	began := time.Now()
	require.Equal(t, "0", r.get("/does/hang"))
	told := f.awaitFor(2*time.Minute, "unhealthy")
	require.GreaterOrEqual(t, time.Since(began), 55*time.Second, "a start is busy, and a busy server is left alone for a minute")
	require.Equal(t, "unhealthy", told.State)
	require.Equal(t, "wedged", told.Health.Phase)
	require.Equal(t, "wedged", told.Stall.Kind)
	require.Contains(t, told.Stall.Summary, "POST /work gave no answer within 3 s")
	require.Contains(t, told.Stall.Summary, fmt.Sprintf("main.py line %d", waitsAt))
	require.Equal(t, filepath.Join(r.dir, "main.py"), told.Stall.File)
	require.Equal(t, waitsAt, told.Stall.Line)
	out, _ := r.do("status", r.dir)
	require.Contains(t, out, "Wedged: POST /work gave no answer")
	require.Equal(t, "wedged", r.status().Stall.Kind)

	r.get("/does/well")
	require.Equal(t, "healthy", f.awaitFor(time.Minute, "healthy").State)
	require.Empty(t, r.status().Stall.Kind)

	for what, problem := range map[string]string{"fail": "POST /work answered 500", "talk": `POST /work answered without "choices"`} {
		r.get("/does/" + what)
		told = f.awaitFor(time.Minute, "unhealthy")
		require.Equal(t, "wedged", told.Stall.Kind)
		require.Contains(t, told.Stall.Summary, problem)
		r.get("/does/well")
		f.awaitFor(time.Minute, "healthy")
	}
	require.Empty(t, f.seen("crashed"), "restart_hung is off")
	require.Equal(t, told.PID, r.status().PID)
	f.stop()
	require.NotContains(t, f.dump(), "sk-e2e", "no value of the environment is told")
	require.NoError(t, filepath.WalkDir(r.keeperFolder(), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		require.False(t, strings.Contains(string(text), "sk-e2e"), path)
		return err
	}))
}

func TestAWedgedServerIsStartedAnewIfThatIsWantedAndItsStacksAreKept(t *testing.T) {
	t.Parallel()
	r := stillApp(t, worker, strings.Replace(deepConfig, "[health.deep]", "restart_hung = true\n[health.deep]", 1))
	f := r.run()
	f.await("healthy")
	r.get("/does/hang")
	crashed := f.awaitFor(2*time.Minute, "crashed")
	require.Equal(t, "hung", crashed.Verdict.Kind)
	require.Contains(t, crashed.Verdict.Summary, "POST /work gave no answer within 3 s")
	eventually(t, "the death is on record", func() bool { return len(r.deaths()) == 1 && r.deaths()[0].Report != "" })
	files, err := filepath.Glob(filepath.Join(r.keeperFolder(), "crashes", "*.json"))
	require.NoError(t, err)
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Contains(t, string(text), fmt.Sprintf(`main.py\", line %d in work`, waitsAt))
	require.Contains(t, string(text), `"kind":"wedged"`)
	f.await("healthy")
	f.stop()
}

// hungRecord is the record of the only end that is on record.
func (r *rig) hungRecord() (record struct {
	Asked   bool
	Signal  string
	Verdict struct{ Kind, Summary string }
	Stall   struct{ Kind, Summary string }
	Stacks  []string
}) {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.keeperFolder(), "crashes", "*.json"))
	require.NoError(r.t, err)
	require.Len(r.t, files, 1)
	text, err := os.ReadFile(files[0])
	require.NoError(r.t, err)
	require.NoError(r.t, json.Unmarshal(text, &record))
	return record
}

func TestAHungPythonWithoutTheRecorderTellsItsStacksByItsLastWords(t *testing.T) {
	t.Parallel()
	r := stillApp(t, sleeper, attentive+"busy_limit = \"1s\"\nrestart_hung = true\n[stop]\ngrace = \"500ms\"\n[recorder]\nenabled = false\n")
	f := r.run()
	f.await("healthy")
	r.behind("/chat")
	crashed := f.await("crashed")
	require.Equal(t, "hung", crashed.Verdict.Kind, "it is our stop, and no crash")
	f.await("healthy")
	eventually(t, "the death is on record", func() bool { return len(r.deaths()) == 1 && r.deaths()[0].Report != "" })
	kept := r.hungRecord()
	require.Equal(t, "hung", kept.Verdict.Kind)
	require.Contains(t, kept.Verdict.Summary, fmt.Sprintf("main.py line %d", sleepsAt))
	require.Equal(t, "SIGABRT", kept.Signal)
	require.Equal(t, "loop-blocked", kept.Stall.Kind, kept.Stall.Summary)
	require.Contains(t, strings.Join(kept.Stacks, "\n"), fmt.Sprintf("main.py\", line %d in chat", sleepsAt))
	require.Contains(t, r.log(), "Fatal Python error: Aborted")
	f.stop()
}

func TestAHungServerThatAPersonStopsLeavesWhatItDidOnRecord(t *testing.T) {
	t.Parallel()
	r := stillApp(t, sleeper, attentive+"busy_limit = \"1s\"\n[stop]\ngrace = \"500ms\"\n")
	f := r.run()
	f.await("healthy")
	r.behind("/chat")
	f.await("unhealthy")
	eventually(t, "its cause is known", func() bool { return r.status().Stall.Kind == "loop-blocked" })
	out, code := r.do("restart", r.dir)
	require.Zero(t, code, out)
	f.await("healthy")
	require.Empty(t, f.seen("crashed"), "it was asked for")
	eventually(t, "it is on record", func() bool {
		files, _ := filepath.Glob(filepath.Join(r.keeperFolder(), "crashes", "*.html"))
		return len(files) == 1
	})
	kept := r.hungRecord()
	require.True(t, kept.Asked)
	require.Equal(t, "SIGKILL", kept.Signal, "with the recorder nobody is aborted")
	require.Contains(t, kept.Verdict.Summary, "it hung when it was stopped: the event loop is blocked by time.sleep")
	require.Contains(t, strings.Join(kept.Stacks, "\n"), fmt.Sprintf("main.py\", line %d in chat", sleepsAt))
	require.NotContains(t, r.log(), "Fatal Python error")
	require.Zero(t, r.status().Crashes)
	out, code = r.do("crashes", r.dir)
	require.Zero(t, code, out)
	require.Contains(t, out, "it hung when it was stopped")
	f.stop()
}
