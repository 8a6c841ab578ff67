package supervisor

import (
	"context"
	"errors"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

// await waits for the backends that this one is to be started after. What ran is not kept from its restart by a mistake in their names.
func (l launch) await(ctx context.Context, c config.Config, problem **config.Error) (waited bool, err error) {
	if len(c.After) == 0 || l.s.deps.Await == nil {
		return false, nil
	}
	asked := func() bool { return !l.automatic || l.s.wished.Load() == int64(l.attempt) }
	waited, err = l.s.deps.Await(ctx, c, asked, func(on Awaits) { l.s.post(ctx, message{in: awaiting{l.attempt, on}}) })
	var mistake *config.Error
	switch {
	case errors.As(err, &mistake) && l.fallback && l.good != nil:
		*problem = mistake
		return false, nil
	case mistake != nil:
		return waited, refused(mistake)
	}
	return waited, err
}

func (m *machine) onAwaiting(in awaiting) {
	if in.attempt != m.attempt || !m.launching || m.State != Starting {
		m.ignore("stale: nothing waits any more")
		return
	}
	m.Awaits = in.on
}

// onWished: a person starts what is there already. If it waits for others that nobody started, they are started now.
func (m *machine) onWished() {
	if !m.launching || !m.automatic || len(m.After) == 0 {
		m.ignore("it runs already")
		return
	}
	m.do(doAsk{m.attempt})
}
