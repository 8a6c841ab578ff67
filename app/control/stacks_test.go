package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

func TestWhatARunDoesIsToldOverTheSocket(t *testing.T) {
	h := hold(t)
	c, err := Dial(t.Context(), h.folder)
	require.NoError(t, err)
	defer c.Close()
	want := observation.Observation{Run: "r1", PID: 4711, Stall: stall.Stall{Kind: stall.KindIdle, Summary: "it waits"}, Processes: []observation.Process{
		{PID: 4711, Threads: []observation.Thread{{ID: 1, Main: true, Count: 1, Frames: []observation.Frame{{File: "/b/main.py", Line: 3, Function: "f", Own: true}}}}},
	}}
	h.puppet.Seen = func() (observation.Observation, error) { return want, nil }
	got, err := c.Stacks(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)

	h.puppet.Seen = func() (observation.Observation, error) { return want, errors.New("nothing runs") }
	_, err = c.Stacks(t.Context())
	require.EqualError(t, err, "nothing runs")
	_, err = c.Status(t.Context())
	require.NoError(t, err, "the connection lives on")
}

func TestAnObservationFitsIntoALineAndSaysWhatIsLeftOut(t *testing.T) {
	p := observation.Process{PID: 1}
	for n := range 5000 {
		p.Threads = append(p.Threads, observation.Thread{Count: 1, Frames: []observation.Frame{{File: "/b/" + fmt.Sprint(n), Line: n}}})
	}
	o := observation.Observation{Processes: []observation.Process{p, {PID: 2}}}
	b := bounded(o, 10_000)
	text, err := json.Marshal(b)
	require.NoError(t, err)
	require.LessOrEqual(t, len(text), 10_000)
	require.Equal(t, 5000, len(b.Processes[0].Threads)+b.Processes[0].Cut)
	require.Len(t, o.Processes[0].Threads, 5000, "what was given is unchanged")
	require.Empty(t, bounded(o, 10).Processes)
}
