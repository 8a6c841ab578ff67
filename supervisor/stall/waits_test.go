package stall

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// blockedBy is an event loop that is kept by the last line of a source.
func blockedBy(source string, line int, inner ...Frame) Case {
	c := stuck(source, []int{line})
	for n := range c.Samples {
		th := &c.Samples[n].Threads[0]
		th.Frames = append(append(inner, th.Frames...), Frame{"/usr/lib/python3.11/asyncio/events.py", 80, "Handle._run"})
	}
	return c
}

func TestAnEventLoopIsToldAWayOutThatFitsWhatBlocksIt(t *testing.T) {
	handler := []Frame{{"/usr/lib/python3.11/logging/__init__.py", 951, "Handler.acquire"}, {"/usr/lib/python3.11/logging/__init__.py", 1489, "Logger.info"}}
	for name, c := range map[string]struct {
		source        string
		line          int
		inner         []Frame
		says, remedy  string
		notThisRemedy string
	}{
		"sqlite":             {"\nimport sqlite3\nasync def f():\n    db.execute('BEGIN IMMEDIATE')", 3, nil, "the database (sqlite3)", "commit or roll back", "asyncio's own Lock"},
		"a driver in C":      {"\nimport psycopg2\nasync def f():\n    cursor.execute(q)", 3, nil, "a query of psycopg2", "psycopg.AsyncConnection", "httpx"},
		"no database":        {"\nimport tools\nasync def f():\n    tools.execute(q)", 3, nil, "tools.execute", "to_thread", "commit or roll back"},
		"logging":            {"\nasync def f():\n    log.info('x')", 2, handler, "a lock of logging", "forked", "asyncio's own Lock"},
		"a regular one":      {"\nWORD = re.compile('x')\nasync def f():\n    WORD.search(t)", 3, nil, "WORD.search", "backtracks", "to_thread"},
		"another's search":   {"\nasync def f():\n    index.search(t)", 2, nil, "index.search", "to_thread", "backtracks"},
		"the same loop":      {"\nasync def f():\n    fut = asyncio.run_coroutine_threadsafe(g(), loop)\n    fut.result()", 3, nil, "fut.result", "`await` it instead", ""},
		"another function's": {"\ndef g():\n    asyncio.run_coroutine_threadsafe(g(), loop)\nasync def f():\n    fut.result()", 4, nil, "fut.result", "asyncio's own Lock", "`await` it instead"},
	} {
		t.Run(name, func(t *testing.T) {
			st := Judge(blockedBy(c.source, c.line, c.inner...))
			require.Equal(t, KindLoop, st.Kind, "%+v", st)
			require.Contains(t, st.Summary, c.says)
			require.Contains(t, st.Remedy, c.remedy)
			if c.notThisRemedy != "" {
				require.NotContains(t, st.Remedy, c.notThisRemedy)
			}
		})
	}
}

func TestAPipeIsToldWhereTheProgramHasOne(t *testing.T) {
	wait := []Frame{{"/usr/lib/python3.11/subprocess.py", 2003, "Popen._wait"}, {"/usr/lib/python3.11/subprocess.py", 1264, "Popen.wait"}}
	for source, pipe := range map[string]bool{
		"\np = Popen(c, stdout=subprocess.PIPE)\np.wait()": true,
		"\np = Popen(c, stdin=subprocess.PIPE)\np.wait()":  false,
		"\np = Popen(c)\np.wait()":                         false,
	} {
		c := stuck(source, []int{2})
		for n := range c.Samples {
			c.Samples[n].Threads[0].Frames = append(wait, c.Samples[n].Threads[0].Frames...)
		}
		st := Judge(c)
		require.Equal(t, KindSubprocess, st.Kind)
		if pipe {
			require.Contains(t, st.Remedy, "communicate()")
		} else {
			require.NotContains(t, st.Remedy, "communicate()")
		}
	}
}
