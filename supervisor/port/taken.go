package port

import (
	"fmt"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// Taken is the verdict on a port that belongs to somebody else.
func Taken(o Owner, number int, back bool) crash.Verdict {
	v := crash.Verdict{Kind: crash.KindPortTaken, Summary: fmt.Sprintf("port %d is taken by %s", number, Names([]Owner{o}))}
	switch {
	case back:
		v.Summary = fmt.Sprintf("%s was ended and is back on port %d", Names([]Owner{o}), number)
		v.Remedy = "Something starts it again: " + o.Why + ". Stop that first, then try again."
	case o.Copy:
		v.Remedy = "It is this backend, started without the crash environment. Take Over ends it and starts it properly."
	default:
		v.Remedy = o.Why + " End it yourself, or set another port in vivarium.toml."
	}
	return v
}
