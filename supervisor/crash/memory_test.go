package crash

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheVerdictOnWantOfMemorySaysHowMuchPythonUsed(t *testing.T) {
	for name, tt := range map[string]struct {
		memory Memory
		want   string
	}{
		"a Mac's report":       {Memory{OOM: true, Source: "JetsamEvent", Last: 13_600_000_000}, "memory ran out: Python used 13.6 GB, and the system ended it (SIGKILL)"},
		"a group's count":      {Memory{OOM: true, Source: "cgroup", Last: 640_000_000}, "memory almost certainly ran out: Python used 640 MB, and the system ended it (SIGKILL)"},
		"a group with a limit": {Memory{OOM: true, Source: "cgroup", Limit: 512_000_000, Last: 400_000_000}, "memory almost certainly ran out at the limit of 512 MB, and the system ended Python (SIGKILL)"},
		"never measured":       {Memory{OOM: true, Source: "kernel log"}, "memory ran out, and the system ended Python (SIGKILL)"},
	} {
		v := Judge(Evidence{Known: true, Signal: "SIGKILL", Memory: tt.memory})
		require.Equal(t, KindOutOfMemory, v.Kind, name)
		require.Equal(t, tt.want, v.Summary, name)
	}
}
