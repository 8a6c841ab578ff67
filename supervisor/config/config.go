// Package config is a backend's vivarium.toml and env_file: what they may say, how they are read, and every mistake in them with its
// file, line, key and remedy. Begin with Load and Config. It asks the disk and nothing else: it starts nothing, and it must not know
// what a supervisor makes of a value.
//
// A new key needs its field in config.go, its default in load.go, its toml tag and the words of its rule in text.go, its check in
// values.go, and its line in template.go, which `vivarium init` fills in, and in the README.
package config

import (
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/guard"
)

// FileName is the configuration's name in a backend's folder.
const FileName = "vivarium.toml"

// Values of Config.OnPortConflict, Restart.Policy and Config.KeepAwake.
const (
	TakeOver = "take_over" // end a copy of this backend that was started by hand
	Refuse   = "refuse"    // touch nothing that was not started by Vivarium

	RestartAlways     = "always"
	RestartOnCrash    = "on-crash"
	RestartNever      = "never"
	AwakeNever        = "never" // the computer sleeps when it likes
	AwakeBusy         = "busy"  // not while the server is at work
	AwakeRunning      = "running"
	defaultEnvFile    = ".env"
	PlaceholderPort   = "{port}"
	PlaceholderPython = "{python}"
)

// Config is what a backend's vivarium.toml says, checked and with every default filled in.
type Config struct {
	Dir  string // the backend's folder, absolute, links resolved
	File string // the configuration's path, also when there is none

	Name           string
	Command        []string // with its placeholders {python} and {port}
	Python         string   // "auto", or an interpreter
	Port           int      // 0: it listens nowhere
	Autostart      bool
	EnvFile        string   // absolute; "" if there is to be none
	EnvFileNamed   bool     // the configuration names it: then it must exist
	LoginShellEnv  []string // variables that are taken from the person's login shell; none by default
	OnPortConflict string   // TakeOver or Refuse
	After          []string // names of the backends that have to be healthy before it is started
	KeepAwake      string   // AwakeNever, AwakeBusy or AwakeRunning: when the computer is kept from idle sleep
	IntervalNamed  bool     // the configuration names [health] interval: then it is kept to

	Health      Health
	Restart     Restart
	Stop        Stop
	Log         Log
	Recorder    Recorder
	OnEvent     OnEvent
	Memory      guard.Policy      // the section [memory]
	Environment map[string]string // overrides; "" leaves the variable unset

	afterLine int    // where After is written
	marks     []mark // what the files were when they were read
}

// Health is the section [health].
type Health struct {
	Path        string // "" = no probing, unless there is a URL
	URL         string // where to ask instead of Path on the backend's port: "https://127.0.0.1:8443/health", "unix:/run/app.sock:/health"
	Interval    time.Duration
	Timeout     time.Duration
	Startup     time.Duration
	Failures    int
	BusyLimit   time.Duration
	QuietStart  time.Duration // a start without a line of log for so long is explained
	RestartHung bool
	// Deep is what the file says now, also for a run that was started before: there may be a key in it, which is not kept on disk.
	Deep Deep `json:"-"`
}

// Restart is the section [restart].
type Restart struct {
	Policy      string        // RestartAlways, RestartOnCrash or RestartNever
	Stable      time.Duration // 0: every run clears the back-off
	GiveUpAfter int           // 0: never
}

// Stop is the section [stop].
type Stop struct {
	Signal syscall.Signal
	Grace  time.Duration
}

// Log is the section [log].
type Log struct {
	File    string // absolute
	MaxSize int64  // bytes
	Keep    int
	Probes  bool // the lines that an access log writes of health probes are kept, too
}

// Recorder is the section [recorder].
type Recorder struct {
	Enabled bool // Vivarium's few lines of Python are brought into the server
}

// OnEvent is the section [on_event].
type OnEvent struct {
	Command []string      // gets each event as JSON on its standard input; empty: there is none
	Events  []string      // which ones, by the names of the command line's JSON
	Timeout time.Duration // then it is ended
}

// URL is where the backend answers, or "" if it listens nowhere.
func (c Config) URL() string {
	if c.Port == 0 {
		return ""
	}
	if strings.HasPrefix(c.Health.URL, "https:") && (Target{URL: c.Health.URL}).Port() == c.Port {
		return "https://" + net.JoinHostPort(c.Host(), strconv.Itoa(c.Port))
	}
	return "http://" + net.JoinHostPort(c.Host(), strconv.Itoa(c.Port))
}
