package config

import (
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// takeServer fills in what the server of the command settles where the configuration says nothing: on which signal it stops well, its own
// health path, and its own port where the command names none.
func (r *reading) takeServer(configText) error {
	if !r.has("stop.signal") {
		r.Stop.Signal, _, _ = StopSignal(r.Command)
	}
	s, m := servers.ByCommand(r.Command)
	if s.Name == "" || s.Name == "script" || s.Name == "module" {
		return nil
	}
	asked := r.has("health.path") || r.has("health.url")
	if s.Health != "" && !asked {
		r.Health.Path = s.Health
	}
	named := m.PortAt >= 0 || m.Socket != "" || slices.ContainsFunc(r.Command, func(w string) bool { return strings.Contains(w, PlaceholderPort) })
	if r.has("port") || named {
		return nil
	}
	if r.Port = s.Port; r.Port == 0 && !asked {
		r.Health.Path = ""
	}
	return nil
}
