package probe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// WrongPath says what a path answers that was asked in vain, and what to do. found is where the server does answer well.
func WrongPath(path string, a *AnswerError, found string) string {
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

// Elsewhere says where a server listens that does not listen where it is asked, "" if it listens nowhere.
func Elsewhere(c config.Config, ports []int) string {
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

// unixSocketOf is the Unix socket that a command tells its server to listen on, "" none. Of a server that nobody knows only the words count
// that mean a socket everywhere: -u is a socket of a few, a user of others, and Python's own option before a script.
func unixSocketOf(command []string) string {
	if _, m := servers.ByCommand(command); m.Socket != "" {
		if strings.HasPrefix(m.Socket, "fd://") {
			return ""
		}
		return m.Socket
	}
	for i, w := range command {
		for _, option := range []string{"--uds", "--bind", "-b", "--unix-socket"} {
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
			if option == "--uds" || option == "--unix-socket" {
				return value
			}
		}
	}
	return ""
}
