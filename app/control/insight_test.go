package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// knowing is a Supervision that also knows what was, and what its run does.
type knowing struct {
	*testkit.Puppet
	past record.History
	err  error
}

func (k *knowing) History(context.Context) (record.History, error) { return k.past, k.err }

func holdKnowing(t *testing.T, k *knowing) string {
	t.Helper()
	k.Puppet = testkit.NewPuppet("/srv/brain")
	folder := filepath.Join(testkit.ShortDir(t), "b", "x")
	held, err := Hold(folder)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- held.Serve(ctx, k) }()
	held.Show(k.Shown)
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
		require.NoError(t, held.Close())
	})
	return folder
}

func TestTheHistoryIsToldAsItIsKept(t *testing.T) {
	past := record.History{
		Samples: []record.Sample{{At: testkit.Midday, CPU: 0.5, RSS: 1 << 30, Latency: 12 * time.Millisecond, OK: true}},
		Marks: []record.Mark{
			{At: testkit.Midday, What: record.MarkDeath, Text: "two OpenMP runtimes"},
			{At: testkit.Midday, Until: testkit.Midday.Add(time.Minute), What: record.MarkSleep},
		},
	}
	c := dial(t, holdKnowing(t, &knowing{past: past}))
	got, err := c.History(t.Context())
	require.NoError(t, err)
	require.Equal(t, past, got)
}

func TestALongHistoryFitsIntoOneLine(t *testing.T) {
	k := &knowing{}
	for i := range 181 {
		k.past.Samples = append(k.past.Samples, record.Sample{At: testkit.Midday.Add(time.Duration(i) * time.Second), CPU: 1.0 / 3, RSS: 1 << 40, Latency: time.Hour, OK: true})
	}
	for range 100 {
		k.past.Marks = append(k.past.Marks, record.Mark{At: testkit.Midday, Until: testkit.Midday, What: record.MarkStall, Text: strings.Repeat("<", 300)})
	}
	c := dial(t, holdKnowing(t, k))
	past, err := c.History(t.Context())
	require.NoError(t, err)
	require.Len(t, past.Samples, 181)
	require.Len(t, past.Marks, 100)
}

func TestWhatCannotBeToldIsAnErrorAndTheConnectionLivesOn(t *testing.T) {
	c := dial(t, holdKnowing(t, &knowing{err: errors.New("the run is\nbusy")}))
	_, err := c.History(t.Context())
	require.EqualError(t, err, "the run is busy")
	_, err = c.Status(t.Context())
	require.NoError(t, err)

	c = dial(t, hold(t).folder) // of a supervision that knows neither
	_, err = c.History(t.Context())
	require.ErrorIs(t, err, ErrUnsupported)
	_, err = c.Status(t.Context())
	require.NoError(t, err)
}

// TestTheConversationOfTheFirstProtocolIsAnsweredAsEver holds what an older program says and reads: what was added since is not in its way.
func TestTheConversationOfTheFirstProtocolIsAnsweredAsEver(t *testing.T) {
	conn, r := raw(t, holdKnowing(t, &knowing{past: record.History{Samples: []record.Sample{{}}}}), false)
	_, err := fmt.Fprint(conn, `{"hello":{"proto":1,"version":"1.0.0","pid":17}}`+"\n"+`{"id":1,"do":"status"}`+"\n"+`{"id":2,"do":"start"}`+"\n"+`{"id":3,"do":"x"}`+"\n")
	require.NoError(t, err)
	for id := 1; id <= 3; id++ {
		line, err := r.ReadString('\n')
		require.NoError(t, err)
		var old map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(line), &old))
		require.JSONEq(t, fmt.Sprint(id), string(old["id"]))
		if id == 3 {
			require.JSONEq(t, `{"kind":"unsupported","text":"unsupported"}`, string(old["error"]))
			require.Len(t, old, 2)
			continue
		}
		require.Contains(t, string(old["row"]), `"v":1`)
		require.Len(t, old, 2, "nothing that was not asked for")
	}
}
