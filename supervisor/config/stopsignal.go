package config

import (
	"strings"
	"syscall"

	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// StopSignal is the signal on which the server of a command line stops well, and that server's name. known is false if the command does
// not tell which server it starts: then it is SIGINT, on which Python raises KeyboardInterrupt.
func StopSignal(command []string) (signal syscall.Signal, server string, known bool) {
	if len(command) > 0 && strings.HasPrefix(command[0], "gunicorn: ") { // as setproctitle shows it
		command = []string{"gunicorn"}
	}
	s, _ := servers.ByCommand(command)
	if s.Name == "" || s.Name == "script" || s.Name == "module" {
		return syscall.SIGINT, "", false
	}
	return s.StopSignal(), s.Name, true
}
