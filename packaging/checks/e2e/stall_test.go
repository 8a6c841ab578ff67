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

// sleeper is a FastAPI server whose chat sleeps in async code, which stops everybody.
const sleeper = `import time
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
async def health():
    return {"ok": True}


@app.get("/chat")
async def chat():
    time.sleep(3600)
`

const sleepsAt = 14 // the line of time.sleep

// stillApp is a rig with uvicorn and that text as its application.
func stillApp(t *testing.T, text, config string) *rig {
	t.Helper()
	dir, err := openmpEnvironment()
	needs(t, err == nil, fmt.Sprintf("no virtual environment with uvicorn: %v", err))
	r := newRig(t, "deaths", config)
	main := filepath.Join(r.dir, "main.py")
	require.NoError(t, os.WriteFile(main, []byte(text), 0o644))
	old := time.Now().Add(-time.Minute)
	require.NoError(t, os.Chtimes(main, old, old))
	require.NoError(t, os.Symlink(dir, filepath.Join(r.dir, ".venv")))
	return r
}

func TestABlockedEventLoopIsToldWithThePersonsOwnLineWithinThreeSeconds(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"one process": attentive + "busy_limit = \"3s\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := stillApp(t, sleeper, config)
			f := r.run()
			f.await("healthy")
			looked(r)
			for range 6 { // a worker that is blocked takes no more
				r.behind("/chat")
			}
			told := f.await("unhealthy")
			for told.Stall.Kind == "" {
				later := f.await("stalled")
				require.Less(t, later.At.Sub(told.At), 3*time.Second)
				told = later
			}
			require.Equal(t, "loop-blocked", told.Stall.Kind, told.Stall.Summary)
			require.Equal(t, filepath.Join(r.dir, "main.py"), told.Stall.File)
			require.Equal(t, sleepsAt, told.Stall.Line)
			require.Contains(t, told.Stall.Summary, "time.sleep")
			require.NotEmpty(t, told.Stall.Remedy)
			out, _ := r.do("status", r.dir)
			require.Contains(t, out, "Hung: "+told.Stall.Summary)
			f.stop()
		})
	}
}

func TestAHungRunThatIsEndedLeavesItsStacksInTheRecord(t *testing.T) {
	t.Parallel()
	r := stillApp(t, sleeper, attentive+"busy_limit = \"1s\"\nrestart_hung = true\n[stop]\ngrace = \"500ms\"\n")
	f := r.run()
	f.await("healthy")
	r.behind("/chat")
	crashed := f.await("crashed")
	require.Equal(t, "hung", crashed.Verdict.Kind)
	require.Contains(t, crashed.Verdict.Summary, fmt.Sprintf("main.py line %d", sleepsAt))
	f.await("healthy")
	eventually(t, "the death is on record", func() bool { return len(r.deaths()) == 1 && r.deaths()[0].Report != "" })
	files, err := filepath.Glob(filepath.Join(r.keeperFolder(), "crashes", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	var kept struct {
		Stall  struct{ Kind string }
		Stacks []string
	}
	require.NoError(t, json.Unmarshal(text, &kept))
	require.Equal(t, "loop-blocked", kept.Stall.Kind)
	require.Contains(t, strings.Join(kept.Stacks, "\n"), fmt.Sprintf("main.py\", line %d in chat", sleepsAt))
	f.stop()
}

func TestAQuietStartIsExplainedWhileItLasts(t *testing.T) {
	t.Parallel()
	r := stillApp(t, "import time\ntime.sleep(3600)\n", attentive+"startup = \"3m\"\nquiet_start = \"2s\"\n")
	f := r.run()
	told := f.await("stalled")
	require.Equal(t, "starting", told.State)
	require.Equal(t, filepath.Join(r.dir, "main.py"), told.Stall.File)
	require.Equal(t, 2, told.Stall.Line)
	out, _ := r.do("status", r.dir)
	require.Contains(t, out, "Starting: "+told.Stall.Summary)
	f.stop()
}

func TestStacksOfAHealthyServerAreToldAndHarmNobody(t *testing.T) {
	t.Parallel()
	r := stillApp(t, sleeper, attentive)
	f := r.run()
	pid := f.await("healthy").PID
	out, code := r.do("stacks", r.dir)
	require.Zero(t, code, out)
	require.Contains(t, out, fmt.Sprintf("process %d", pid))
	require.Contains(t, out, "main thread")
	out, code = r.do("stacks", "--json", r.dir)
	require.Zero(t, code, out)
	var seen struct {
		Stall     struct{ Kind string }
		Processes []struct {
			PID     int
			Threads []struct{ Frames []struct{ File string } }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &seen))
	require.Len(t, seen.Processes, 1)
	require.Equal(t, pid, seen.Processes[0].PID)
	require.NotEmpty(t, seen.Processes[0].Threads[0].Frames)
	require.NotEqual(t, "loop-blocked", seen.Stall.Kind)
	require.Equal(t, "healthy", r.status().State)
	require.Empty(t, f.seen("stalled"))

	out, code = r.do("page", "--stacks", r.dir)
	require.Zero(t, code, out)
	page, err := os.ReadFile(strings.TrimSpace(out))
	require.NoError(t, err)
	require.Contains(t, string(page), "main thread (most recent call first)")
	f.stop()
}

func TestAnExceptionThatTheOutputDoesNotShowIsTheVerdict(t *testing.T) {
	t.Parallel()
	r := newRig(t, "deaths", "command = [\"{python}\", \"main.py\"]")
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte("import os, sys\nos.close(2)\nraise RuntimeError('the index is of version 3')\n"), 0o644))
	f := r.run()
	f.await("crashed")
	amended := f.await("amended")
	require.Equal(t, "uncaught-exception", amended.Verdict.Kind)
	require.Contains(t, amended.Verdict.Summary, "the index is of version 3")
	f.stop()
}
