package page

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

func TestThePageAboutWhatAServerDoesBeginsWithTheStall(t *testing.T) {
	seen := observation.Observation{
		At: time.Unix(0, 0).UTC(), Stall: stall.Stall{Kind: stall.KindLoop, Summary: "the event loop is blocked by time.sleep, main.py line 17", Remedy: "Make it `def`."},
		Processes: []observation.Process{{
			PID: 4711, CPU: 0.5, Silent: true, Problem: "<b>no dump</b>",
			Threads: []observation.Thread{
				{Main: true, Count: 1, Frames: []observation.Frame{{File: "/home/ada/b/main.py", Line: 17, Function: "chat", Own: true}, {File: "/usr/lib/python3.12/asyncio/events.py", Line: 88}}},
				{Name: "pool <script> sk-proj-AbCdEf1234567890", Count: 40, Frames: []observation.Frame{{File: "/x/queue.py", Line: 1, Function: "get"}}},
			},
			Tasks: []observation.Thread{{Name: "suspended coroutine", Count: 3, Frames: []observation.Frame{{File: "/home/ada/b/main.py", Line: 9, Function: "poll", Own: true}}}},
		}},
	}
	var b bytes.Buffer
	require.NoError(t, Words{Home: "/home/ada"}.Stacks(&b, Stacks{Backend: "brain", Dir: "/home/ada/b", State: "Unhealthy", Seen: seen, Version: "1"}))
	text := b.String()
	for _, want := range []string{
		"<h1>The event loop is blocked by time.sleep, main.py line 17</h1>", "Make it <code>def</code>.", "Process 4711, 50 % CPU",
		"main thread (most recent call first)", `<span class="place">~/b/main.py:17</span> <span class="yours">yours</span>`, "×40", "&lt;b&gt;no dump",
		">one suspended coroutine<", "Its main thread ran no Python for a second.",
	} {
		require.Contains(t, text, want)
	}
	for _, never := range []string{"/home/ada", "AbCdEf1234567890", "<b>no dump", "pool <script>", "http://"} {
		require.NotContains(t, text, never)
	}
}

func TestAPageOfManyThreadsIsBoundedAndSaysWhatItLeavesOut(t *testing.T) {
	p := observation.Process{PID: 1}
	for n := range 500 {
		p.Threads = append(p.Threads, observation.Thread{Count: 1, Frames: []observation.Frame{{File: "/x.py", Line: n}}})
	}
	var b bytes.Buffer
	require.NoError(t, Words{}.Stacks(&b, Stacks{Seen: observation.Observation{Processes: []observation.Process{p}}}))
	require.Equal(t, mostThreads, strings.Count(b.String(), `<div class="stack">`))
	require.Contains(t, b.String(), "400 more threads are not shown")
	b.Reset()
	p.Threads = p.Threads[:mostThreads+1]
	require.NoError(t, Words{}.Stacks(&b, Stacks{Seen: observation.Observation{Processes: []observation.Process{p}}}))
	require.Contains(t, b.String(), "One more thread is not shown.")
	b.Reset()
	require.NoError(t, Words{}.Stacks(&b, Stacks{}))
	require.Contains(t, b.String(), "What it does is not known")
}

func TestTheReportOnARunThatHungShowsItsStacks(t *testing.T) {
	var b bytes.Buffer
	r := record.Record{Dir: "/b", Stacks: []string{
		"Process 7 python", "Current thread 0x0000000000000001 [main thread] (most recent call first):", `  File "/b/main.py", line 17 in chat`,
		"Thread 0x0000000000000002 [pool] (most recent call first):", `  File "/usr/lib/python3.12/queue.py", line 5 in get`,
	}}
	require.NoError(t, Words{Duration: time.Duration.String, Size: func(uint64) string { return "" }}.Crash(&b, r))
	require.Contains(t, b.String(), "/b/main.py:17")
	require.Contains(t, b.String(), "Another thread")
}
