//go:build e2e || bench

package dashboard

import (
	"time"

	"github.com/vivarium-app/vivarium/app/page"
	appwords "github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// words are those of the program.
var words = page.Words{Duration: appwords.Duration, Size: appwords.Size}

func recordOf(dir string, d page.Death, tail []string) record.Record {
	return record.Record{
		Death: record.Death{Run: "r1", At: d.At, Uptime: d.Uptime, Healthy: true, Signal: "SIGABRT", Verdict: crash.Verdict{
			Kind: crash.Kind(d.Kind), Summary: d.Summary, Remedy: d.Remedy, Line: d.Line,
		}},
		Backend: "search-api", Dir: dir, Log: dir + "/logs/server.log", PID: 4711, Known: true, Tail: tail,
		Samples: []record.Sample{{At: d.At.Add(-time.Minute), CPU: 0.3, RSS: 1e9, Latency: 10 * time.Millisecond, OK: true}, {At: d.At.Add(-55 * time.Second), CPU: 0.5, RSS: 1.1e9, Latency: 12 * time.Millisecond, OK: true}},
	}
}
