package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/mcp"
)

const filtered = `2026-11-28 10:00:00,123 INFO starting
2026-11-28 10:05:00 WARNING low on memory
  and slow
INFO:     127.0.0.1 - "GET /health HTTP/1.1" 200 OK
2026-11-28T10:06:00+00:00 ERROR it failed
Traceback (most recent call last):
  File "/srv/main.py", line 3, in f
    g()
ValueError: bad value
next line
main.py:3: UserWarning: careful
2026-11-28 10:09:30Z INFO error rate is 0`

func TestLinesOfALogAreFound(t *testing.T) {
	now := time.Date(2026, 11, 28, 10, 10, 0, 0, time.UTC)
	lines := strings.Split(filtered, "\n")
	for name, c := range map[string]struct {
		q    mcp.LogQuery
		want []int
		more bool
	}{
		"all":                       {mcp.LogQuery{Tail: 100}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, false},
		"the last":                  {mcp.LogQuery{Tail: 2}, []int{10, 11}, true},
		"errors with their stacks":  {mcp.LogQuery{Tail: 100, Level: "error"}, []int{4, 5, 6, 7, 8, 11}, false},
		"warnings and worse":        {mcp.LogQuery{Tail: 100, Level: "warning"}, []int{1, 2, 4, 5, 6, 7, 8, 10, 11}, false},
		"a text in any case":        {mcp.LogQuery{Tail: 100, Search: "VALUE"}, []int{8}, false},
		"the last minute":           {mcp.LogQuery{Tail: 100, Since: time.Minute}, []int{11}, false},
		"since, with what goes on":  {mcp.LogQuery{Tail: 100, Since: 4*time.Minute + time.Second}, []int{4, 5, 6, 7, 8, 9, 10, 11}, false},
		"a text that is not there":  {mcp.LogQuery{Tail: 100, Search: "nowhere"}, nil, false},
		"several conditions at one": {mcp.LogQuery{Tail: 1, Level: "error", Search: "e", Since: time.Hour}, []int{11}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, more, err := filterLog(lines, c.q, now)
			require.NoError(t, err)
			var want []string
			for _, i := range c.want {
				want = append(want, lines[i])
			}
			require.Equal(t, want, got)
			require.Equal(t, c.more, more)
		})
	}
	_, _, err := filterLog([]string{"no time", "here"}, mcp.LogQuery{Tail: 1, Since: time.Hour}, now)
	require.ErrorContains(t, err, "leave since out")
}

func FuzzNoLineIsTooStrangeForTheFilter(f *testing.F) {
	f.Add(filtered, "error")
	f.Add("9999-99-99T99:99:99+99:99\n", "warning")
	f.Fuzz(func(t *testing.T, text, level string) {
		lines := strings.Split(text, "\n")
		got, _, err := filterLog(lines, mcp.LogQuery{Tail: 5, Level: level}, time.Now())
		require.NoError(t, err)
		require.LessOrEqual(t, len(got), 5)
	})
}
