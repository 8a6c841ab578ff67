package process

import (
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Child is one process right below a run's leader.
type Child struct {
	PID   int
	Stamp string // the kernel's mark, see keeper.Run
	Name  string // "python3.12"
	// Interpreter: it runs Python code of the backend as a worker of it; the helpers of multiprocessing and programs that the
	// backend calls are none.
	Interpreter bool
}

// settled is the age from which a child with its parent's command line is a forked worker. Younger ones may be on their way to another
// program: between fork and exec every subprocess looks like that.
const settled = time.Second

// isWorker says whether a Python with the command line args is a worker of the one with leaderArgs: it was started by multiprocessing, as
// uvicorn's are, or forked, as gunicorn's are. A script that the backend runs for a while, and that ends when it is done, is neither; its
// end must not look like a death. A module's name alone proves nothing: multiprocessing hands a PYTHONWARNINGS that names
// its resource_tracker to every child as -W.
func isWorker(args, leaderArgs []string, old func() bool) bool {
	spawned := false
	for _, a := range args {
		for _, helper := range []string{"resource_tracker import main", "semaphore_tracker import main", "multiprocessing.forkserver import main"} {
			if strings.Contains(a, helper) {
				return false
			}
		}
		spawned = spawned || strings.Contains(a, "multiprocessing.spawn import spawn_main") || a == "--multiprocessing-fork"
	}
	if spawned || len(args) > 0 && strings.HasPrefix(args[0], "gunicorn: worker") {
		return true
	}
	return len(args) > 0 && slices.Equal(args, leaderArgs) && old()
}

// Vanished are the interpreters of before that are no longer among after.
func Vanished(before, after []Child) []Child {
	var gone []Child
	for _, b := range before {
		if b.Interpreter && !slices.ContainsFunc(after, func(a Child) bool { return a.PID == b.PID && a.Stamp == b.Stamp }) {
			gone = append(gone, b)
		}
	}
	return gone
}

// HasReload says whether the command starts a server that restarts itself with every edit.
func HasReload(command []string) bool {
	if slices.Contains(command, "--reload") || slices.ContainsFunc(command, func(w string) bool { return strings.HasPrefix(w, "--reload=") }) {
		return true
	}
	if slices.Contains(command, "--no-reload") {
		return false
	}
	dev := slices.Index(command, "dev") // "fastapi dev" reloads unless told otherwise
	return dev > 0 && filepath.Base(command[dev-1]) == "fastapi"
}
