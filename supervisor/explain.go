package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/probe"
)

// explain looks why a server of ours does not answer well where it is asked. An empty problem means that nothing explains it: it may
// just be starting.
func (s *Supervisor) explain(ctx context.Context, c config.Config, e doExplain) explained {
	in := explained{runID: e.run.ID, answer: e.err.Error()}
	mine := func() bool {
		if e.proven {
			return true
		}
		listens, _ := s.listens(c, e.run)
		return listens
	}
	t, answer := c.Target(), answerOf(e.err)
	switch {
	case answer != nil:
		found := ""
		if answer.Status == 404 || answer.Status == 405 {
			found = s.system.FindPath(ctx, t)
		}
		in.problem, in.sure = probe.WrongPath(t.Path(), answer, found), true
	case errors.Is(e.err, probe.ErrRefused), errors.Is(e.err, probe.ErrNoSocket):
		ports, err := s.system.Ports(e.run)
		if err != nil {
			s.log.Debug("looking for the run's ports", "error", err)
		}
		in.problem = probe.Elsewhere(c, ports)
	case !mine(): // whoever speaks there is somebody else
	case errors.Is(e.err, probe.ErrNoTLS):
		in.problem, in.sure = fmt.Sprintf("it speaks http, not https: write url = %q under [health]", strings.Replace(t.URL, "https:", "http:", 1)), true
	case errors.Is(e.err, probe.ErrSpeaksTLS) || !t.TLS() && s.system.SpeaksTLS(ctx, t):
		in.problem, in.sure = fmt.Sprintf("it speaks https, not http: write url = %q under [health]", strings.Replace(t.URL, "http:", "https:", 1)), true
	}
	return in
}

// listens says whether the run has the socket that is asked. A Unix socket is its own by its path.
func (s *Supervisor) listens(c config.Config, run keeper.Run) (bool, error) {
	port := c.Target().Port()
	if port == 0 {
		return true, nil
	}
	listens, err := s.system.Listening(port, run)
	if err != nil {
		s.log.Debug("looking for the run's socket", "error", err)
	}
	return listens, err
}
