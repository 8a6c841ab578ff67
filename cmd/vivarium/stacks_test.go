package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

func TestStacksAreShownWithOwnFramesMarkedAndThreadsFolded(t *testing.T) {
	var b strings.Builder
	require.NoError(t, printStacks(&b, observation.Observation{
		Stall: stall.Stall{Summary: "the event loop is blocked by time.sleep, main.py line 17", Remedy: "Make it def."},
		Processes: []observation.Process{{PID: 7, CPU: 0.5, Worker: true, Cut: 2, Threads: []observation.Thread{
			{Main: true, Count: 1, Frames: []observation.Frame{{File: "/b/main.py", Line: 17, Function: "chat", Own: true}, {File: "/b/.venv/lib/python3.12/site-packages/uvicorn/main.py", Line: 2, Function: "run"}}},
			{Name: "AnyIO\x1b[2J worker", Count: 40, Frames: []observation.Frame{{File: "/usr/lib/queue.py", Line: 1, Function: "get"}}},
		}}},
	}, "/b"))
	require.Equal(t, strings.TrimPrefix(`
the event loop is blocked by time.sleep, main.py line 17
  Make it def.

worker 7, 50 % CPU
  main thread
  > main.py:17  chat
    uvicorn/main.py:2  run
  AnyIO [2J worker ×40
    /usr/lib/queue.py:1  get
  2 more threads
`, "\n"), b.String())
}
