package words

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/process"
)

func TestTheNoteOnMemorySaysWhatAPersonShouldKnow(t *testing.T) {
	const gb = 1_000_000_000
	twice := guard.Past{Restarts: 2, At: testkit.Ago(time.Hour), Bytes: 13.6 * gb}
	for name, tt := range map[string]struct {
		state  supervisor.State
		memory guard.Status
		want   string
	}{
		"all is well":          {supervisor.Healthy, guard.Status{Machine: 16 * gb, Pressure: memory.Pressure{Level: memory.Normal}}, `^$`},
		"it is high":           {supervisor.Healthy, guard.Status{Machine: 16 * gb, High: true}, `^memory is high: 13\.6 GB of 16\.0 GB$`},
		"of nobody knows what": {supervisor.Healthy, guard.Status{High: true}, `^memory is high: 13\.6 GB$`},
		"restarted twice":      {supervisor.Starting, guard.Status{Past: twice}, `^restarted at 13\.6 GB, before (macOS|the system) would have ended it \(13:02, 2 times\)$`},
		"once":                 {supervisor.Healthy, guard.Status{Past: guard.Past{Restarts: 1, At: testkit.Ago(time.Hour), Bytes: gb}}, `^restarted at 1\.0 GB, before (macOS|the system) would have ended it \(13:02\)$`},
		"short of it":          {supervisor.Unhealthy, guard.Status{Pressure: memory.Pressure{Level: memory.Warning}}, `^the computer is short of memory$`},
		"very short of it":     {supervisor.Healthy, guard.Status{Pressure: memory.Pressure{Level: memory.Critical}}, `^the computer is very short of memory$`},
		"nothing runs":         {supervisor.Stopped, guard.Status{High: true, Past: twice, Pressure: memory.Pressure{Level: memory.Critical}}, `^$`},
	} {
		s := testkit.In(tt.state, time.Minute)
		s.Memory, s.Usage = tt.memory, process.Usage{Memory: 15 * gb, Held: 13.6 * gb, RSS: gb}
		require.Regexp(t, tt.want, MemoryNote(s, testkit.Noon), name)
		if s.State == supervisor.Healthy {
			require.Contains(t, DetailOf(s, testkit.Noon), "15.0 GB", "what is shown is what is used, and not what is resident")
			require.Contains(t, StatusOf(s, testkit.Noon, MaxTitle).Note, MemoryNote(s, testkit.Noon))
		}
	}
}
