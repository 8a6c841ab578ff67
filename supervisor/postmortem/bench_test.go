package postmortem

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// A first record of a death with as much output as a keeper keeps.
func BenchmarkFirstRecord(b *testing.B) {
	var tail []string
	for i := 0; len(tail) < 700; i++ {
		tail = append(tail, fmt.Sprintf(`INFO:     127.0.0.1:%d - "GET /search?k=%d&q=lorem+ipsum+dolor HTTP/1.1" 200 OK in 12.3 ms`, 40000+i, i))
	}
	folder := b.TempDir()
	exit := keeper.Exit{Known: true, Signal: 11, Tail: tail}
	var h []record.Sample
	for i := range 181 {
		h = append(h, record.Sample{At: testkit.Noon.Add(time.Duration(i) * 5 * time.Second), RSS: 1 << 30})
	}
	b.ReportAllocs()
	for b.Loop() {
		x := examination{Case: Case{Death: record.Death{Run: "r", At: testkit.Noon}, Exit: &exit, Samples: h, Tail: tail}}
		x.begin()
		require.NoError(b, x.record.Write(folder))
	}
}
