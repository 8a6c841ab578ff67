package config

import (
	"path/filepath"
	"strings"
	"syscall"

	"github.com/vivarium-app/vivarium/supervisor/python"
)

// stopSignalOf are the servers that stop well on another signal than SIGINT. Gunicorn takes SIGINT for a quick shutdown, in which its
// workers, uvicorn's above all, are waited for in vain; Celery's SIGINT is for a person at a terminal.
var stopSignalOf = map[string]syscall.Signal{
	"gunicorn": syscall.SIGTERM,
	"celery":   syscall.SIGTERM,
}

// StopSignal is the signal on which the server of a command line stops well, and that server's name. known is false if the command does
// not tell which server it starts: then it is SIGINT, on which Python raises KeyboardInterrupt.
func StopSignal(command []string) (signal syscall.Signal, server string, known bool) {
	name := serverOf(command)
	if signal, ok := stopSignalOf[name]; ok {
		return signal, name, true
	}
	return syscall.SIGINT, name, name != ""
}

// serverOf is what a command line starts: the module after -m, or the program, also where an interpreter runs it as a script. It is "" if
// that is code of the backend's own.
func serverOf(command []string) string {
	if len(command) == 0 {
		return ""
	}
	if strings.HasPrefix(command[0], "gunicorn: ") { // as setproctitle shows it
		return "gunicorn"
	}
	if command[0] != PlaceholderPython && !python.IsProgram(command[0]) {
		return knownServer(command[0])
	}
	for i := 1; i < len(command); i++ {
		switch w := command[i]; {
		case w == "-m" && i+1 < len(command):
			module, _, _ := strings.Cut(command[i+1], ".")
			return knownServer(module)
		case w == "-X" || w == "-W":
			i++ // its value
		case !strings.HasPrefix(w, "-"):
			return knownServer(w)
		}
	}
	return ""
}

func knownServer(program string) string {
	switch name := filepath.Base(program); name {
	case "gunicorn", "celery", "uvicorn", "hypercorn", "daphne", "granian", "waitress", "waitress-serve", "flask", "fastapi", "streamlit":
		return name
	}
	return ""
}
