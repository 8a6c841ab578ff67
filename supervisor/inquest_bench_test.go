package supervisor

import (
	"context"
	"fmt"
	"testing"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// A first record of a death with as much output as a keeper keeps.
func BenchmarkFirstRecord(b *testing.B) {
	var tail []string
	for i := 0; len(tail) < 700; i++ {
		tail = append(tail, fmt.Sprintf(`INFO:     127.0.0.1:%d - "GET /search?k=%d&q=lorem+ipsum+dolor HTTP/1.1" 200 OK in 12.3 ms`, 40000+i, i))
	}
	s := New("/b", Deps{State: b.TempDir()})
	exit := keeper.Exit{Known: true, Signal: 11, Tail: tail}
	var h history
	for i := range maxSamples {
		h = append(h, Sample{At: at(float64(i) * 5), RSS: 1 << 30})
	}
	b.ReportAllocs()
	for b.Loop() {
		q := inquest{s: s, doRecord: doRecord{death: Death{Run: "r", At: noon}, exit: &exit, samples: h}}
		q.begin(tail)
		q.keep(context.Background())
	}
}
