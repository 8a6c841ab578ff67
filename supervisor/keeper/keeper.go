// Package keeper is the small process that is the parent of a backend's runs, one at a time: it owns the output, the log
// file, the exit status and the stop. The package holds both sides: the process (Main, Serve) and the client that
// attaches to it (Launch, Attach, Conn).
//
// It is built from the standard library and golang.org/x/sys alone, without cgo: a keeper lives as long as its server,
// beside every server, and pays for what it links.
package keeper

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// Version is the program's version as in `vivarium version`; the build sets it with -ldflags -X.
var Version = "dev"

// Spec says what a keeper is to run. The environment travels in it and never touches the keeper's own.
type Spec struct {
	Argv    []string `json:"argv"`     // Argv[0] is an absolute path
	Env     []string `json:"env"`      // complete; the keeper adds RunVariable and nothing else
	Dir     string   `json:"dir"`      // working directory of the child
	Log     string   `json:"log"`      // absolute path of the log file; its folder is made when missing
	LogSize int64    `json:"log_size"` // bytes in one log file before it is rotated. If zero, it is never rotated
	LogKeep int      `json:"log_keep"` // rotated files kept beside the current one
	Tail    int      `json:"tail"`     // bytes of output kept for Exit.Tail. If zero, 64 KiB
	// Probed is the path of the health probes of which an access log's lines are left out of the log. If "", everything is written.
	Probed string `json:"probed,omitempty"`
}

// Run is one life of the server process. A PID alone never identifies anything.
type Run struct {
	ID  string `json:"id"`
	PID int    `json:"pid"`
	// Stamp is the kernel's own mark of that process (Linux: boot id and field 22 of /proc/PID/stat; macOS: p_starttime
	// as sec.usec). It is compared for equality only.
	Stamp   string    `json:"stamp"`
	Started time.Time `json:"started"`
}

// Exit is how a run ended.
type Exit struct {
	Run    Run            `json:"run"`
	At     time.Time      `json:"at"`
	Code   int            `json:"code"`   // exit code; meaningful if Known and Signal is 0
	Signal syscall.Signal `json:"signal"` // signal that ended the leader; 0 if it exited by itself
	Known  bool           `json:"known"`  // false: the keeper was lost, nobody saw the exit status
	Asked  bool           `json:"asked"`  // a Stop was under way
	Tail   []string       `json:"tail"`   // the last lines of output, oldest first
}

// Ladder is how a run is stopped: Signal to the leader, Grace, the same again, 2 s, SIGTERM to the group, 2 s, SIGKILL to
// everything but the resource trackers, which then have 5 s to unlink the named semaphores.
type Ladder struct {
	// Abort: before SIGKILL a Python gets SIGABRT, if its faulthandler then writes what its threads do, and no recorder could tell it. Nothing
	// but that: no core. On Linux alone; on a Mac it would be a crash with a dialog. A keeper before 1.1 does not know it.
	Abort bool `json:"abort,omitempty"`

	Signal syscall.Signal `json:"signal"` // If zero, SIGINT
	Grace  time.Duration  `json:"grace"`  // ns on the wire. If zero, the first wait is skipped
}

// Errors that a caller inspects.
var (
	// ErrNone: there is no keeper, and no news of a former one.
	ErrNone = errors.New("keeper: no keeper is running")
	// ErrLost: the connection to the keeper ended. Attach again; only a free lock means that the keeper is dead.
	ErrLost = errors.New("keeper: connection lost")
	// ErrSilent: the lock is held but nobody answers. Never a reason for a signal.
	ErrSilent = errors.New("keeper: the keeper does not answer")
)

// BusyError: the keeper already serves a client.
type BusyError struct{ PID int }

func (e *BusyError) Error() string {
	return fmt.Sprintf("keeper: already attached by process %d", e.PID)
}
