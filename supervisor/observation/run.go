package observation

import (
	"context"

	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/process"
)

// TakeRun looks at all Pythons of a run of which the leader alone is known: below a launcher the server is not the leader, and workers have
// workers. They are of the run if the leader is still the process with its stamp after the tree below it was read.
func TakeRun(ctx context.Context, s Subject) Observation {
	if len(s.Members) == 0 {
		return Take(ctx, s)
	}
	leader := s.Members[0]
	all := process.Pythons(leader.PID)
	if p, err := proc.Find(leader.PID); err == nil && p.Stamp == leader.Stamp && len(all) > 0 {
		s.Members = members(all)
	}
	return Take(ctx, s)
}

func members(all []process.Python) []Member {
	list := make([]Member, 0, len(all))
	for _, p := range all {
		list = append(list, Member{PID: p.PID, Stamp: p.Stamp, Name: p.Name, Worker: len(p.Above) > 0, Above: p.Above})
	}
	return list
}
