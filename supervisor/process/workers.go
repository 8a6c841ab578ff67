package process

import (
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/servers"
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

// isWorker says whether a Python with the command line args is a worker of the one with leaderArgs, or what runs below its reloader, in the way
// of the server that the leader is (see servers.Server.IsWorker). What is known of no server may use multiprocessing, or fork. A script that
// the backend runs for a while, and that ends when it is done, is neither; its end must not look like a death.
func isWorker(args, leaderArgs []string, old func() bool) bool {
	leader, _ := servers.ByCommand(leaderArgs)
	leader.Workers, leader.Reloader = settledWays(leader, args, leaderArgs)
	if leader.IsWorker(args, leaderArgs) {
		return true
	}
	anyServer := servers.Server{Workers: servers.Spawned, Reloader: servers.Titled}
	if slices.Equal(args, leaderArgs) {
		return len(args) > 0 && old()
	}
	return anyServer.IsWorker(args, leaderArgs)
}

// settledWays are the ways in which the server's children come to be, without the one of a plain fork: a fork has its parent's command line
// until it becomes another program, so that its age decides.
func settledWays(s servers.Server, args, leaderArgs []string) (workers, reloader servers.Children) {
	without := func(c servers.Children) servers.Children {
		if (c == servers.Forked || c == servers.Titled || c == servers.Again) && slices.Equal(args, leaderArgs) {
			return servers.None
		}
		return c
	}
	return without(s.Workers), without(s.Reloader)
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
	if s, _ := servers.ByCommand(command); s.Name == "" || s.Name == "script" || s.Name == "module" { // it means what it means elsewhere
		return servers.IsReloader(command) || slices.ContainsFunc(command, func(w string) bool { return w == "--reload" || w == "--reload=true" })
	}
	return servers.IsReloader(command)
}

// EndsWithWorker is what is known of a server that ended in good order and had workers: some do so when one of them dies, without a word. ""
// for every other.
func EndsWithWorker(command []string, children []Child) string {
	s, _ := servers.ByCommand(command)
	if !s.EndsWithWorker || !slices.ContainsFunc(children, func(c Child) bool { return c.Interpreter }) {
		return ""
	}
	return s.Title + " does so when one of its workers dies"
}
