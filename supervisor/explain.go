package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
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
		in.problem, in.sure = wrongPath(t.Path(), answer, found), true
	case errors.Is(e.err, probe.ErrRefused), errors.Is(e.err, probe.ErrNoSocket):
		ports, err := s.system.Ports(e.run)
		if err != nil {
			s.log.Debug("looking for the run's ports", "error", err)
		}
		in.problem = elsewhere(c, ports)
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

// wrongPath says what a path answers that was asked in vain, and what to do. found is where the server does answer well.
func wrongPath(path string, a *probe.AnswerError, found string) string {
	switch {
	case a.Location != "":
		return fmt.Sprintf("%s redirects to %s: name the final path under [health]", path, a.Location)
	case found != "":
		return fmt.Sprintf("%s answers %d: name the right path under [health] (found: %s)", path, a.Status, found)
	case a.Status == 404 || a.Status == 405:
		return fmt.Sprintf(`%s answers %d: name the right path under [health], or path = "" if there is none`, path, a.Status)
	case a.Status == 401 || a.Status == 403 || a.Status == 407:
		return fmt.Sprintf("%s answers %d: name a path under [health] that needs no login", path, a.Status)
	case a.Status == 503:
		return fmt.Sprintf("%s still answers 503, and the time of [health] startup is over: let it be longer, or read the log", path)
	}
	return fmt.Sprintf("%s answers %d, and has not answered well since the start: read the log, or name another path under [health]", path, a.Status)
}

// elsewhere says where a server listens that does not listen where it is asked, "" if it listens nowhere.
func elsewhere(c config.Config, ports []int) string {
	t := c.Target()
	if socket := unixSocketOf(c.Command); len(ports) == 0 && t.Socket == "" && socket != "" {
		return fmt.Sprintf("it listens on the Unix socket %s, not on %d: write url = %q under [health]", config.Plain(socket), t.Port(), "unix:"+config.Plain(socket)+":"+pathOr(c.Health.Path, "/health"))
	}
	others := slices.DeleteFunc(slices.Clone(ports), func(p int) bool { return p == t.Port() })
	if len(others) == 0 {
		return ""
	}
	const most = 3
	var names []string
	for _, p := range others[:min(len(others), most)] {
		names = append(names, strconv.Itoa(p))
	}
	if more := len(others) - most; more > 0 {
		names = append(names, strconv.Itoa(more)+" more")
	}
	list := names[0]
	if n := len(names); n > 1 {
		list = strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	switch {
	case t.Socket != "":
		return fmt.Sprintf("it listens on %s, not on the socket %s: correct url under [health]", list, config.Plain(t.Socket))
	case c.Health.URL != "":
		return fmt.Sprintf("it listens on %s, not on %d: correct url under [health]", list, t.Port())
	}
	return fmt.Sprintf("it listens on %s, not on %d: write port = %d in %s, or {port} in its command", list, t.Port(), others[0], config.FileName)
}

func pathOr(path, otherwise string) string {
	if path == "" {
		return otherwise
	}
	return path
}

// unixSocketOf is the Unix socket that a command tells its server to listen on, "" none.
func unixSocketOf(command []string) string {
	for i, w := range command {
		for _, option := range []string{"--uds", "--bind", "-b", "--unix-socket", "-u"} {
			value, joined := strings.CutPrefix(w, option+"=")
			if w == option && i+1 < len(command) {
				value, joined = command[i+1], true
			}
			if !joined {
				continue
			}
			if socket, ok := strings.CutPrefix(value, "unix:"); ok {
				return socket
			}
			if option == "--uds" || option == "--unix-socket" || option == "-u" && strings.HasPrefix(value, "/") {
				return value
			}
		}
	}
	return ""
}

// PortTaken is what is said of a port that belongs to somebody else.
func PortTaken(o port.Owner, number int) crash.Verdict { return portTaken(o, number, false) }
