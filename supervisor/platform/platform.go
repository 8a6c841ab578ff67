// Package platform is all that a supervisor asks of the computer and of its keeper, as one struct of functions: tests put others in their place.
// It knows who answers each question, and nothing of states and decisions. Begin with System; Real is the one of every program.
package platform

import (
	"context"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/postmortem"
	"github.com/vivarium-app/vivarium/supervisor/power"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/reboot"
	"github.com/vivarium-app/vivarium/supervisor/sampler"
)

// Keeper is what a supervisor needs of the keeper that it is attached to: a *keeper.Conn, or in tests one that runs nothing.
type Keeper interface {
	Live() bool
	Current() (keeper.Run, bool)
	Stopping() bool
	Spawn(ctx context.Context, s keeper.Spec) (keeper.Run, error)
	Stop(run string, l keeper.Ladder) error
	Wait(ctx context.Context) (keeper.Exit, error)
	Forget(run string) error
	Probing(run string, port int)
	Goodbye(ctx context.Context)
	Close() error
}

// System is everything outside the machine that may block.
type System struct {
	App       string // whom macOS holds to account for the server
	Attach    func(ctx context.Context, folder string) (Keeper, error)
	Launch    func(ctx context.Context, exe, folder string) (Keeper, error)
	EndStale  func(ctx context.Context, r keeper.Run, l keeper.Ladder) error
	Load      func(dir string) (config.Config, error)
	Plan      func(c config.Config) (plan.Plan, error)
	Record    func(c config.Config, spec keeper.Spec) (keeper.Spec, error) // brings the recorder in; the Spec is good also with an error
	Changed   func(c config.Config) bool
	Claim     func(ctx context.Context, c config.Config, mine port.Mine) (port.Finding, error)
	EndCopies func(ctx context.Context, c port.Finding, l keeper.Ladder) error
	Probe     func(ctx context.Context, c config.Config, o probe.Options) (time.Duration, error)
	Deep      func(ctx context.Context, t config.Target, d config.Deep, env []string, o probe.Options) (time.Duration, error)
	FindPath  func(ctx context.Context, t config.Target) string
	SpeaksTLS func(ctx context.Context, t config.Target) bool
	Listening func(port int, r keeper.Run) (bool, error)
	Ports     func(r keeper.Run) ([]int, error)
	Use       func(r keeper.Run, before process.Usage, elapsed time.Duration, whole bool, meter *memory.Meter) (process.Usage, []process.Child, error)
	Machine   func(pid int) uint64 // how much memory there is for the process
	Pressure  func() memory.Pressure
	Programs  func(skip func(pid int) bool) []memory.Program
	Observe   func(ctx context.Context, s observation.Subject) observation.Observation
	Sample    func(ctx context.Context, pid int, stamp string) (sampler.Stack, error) // nil where nothing looks at native code
	Loaded    func(pid int) ([]string, error)
	Power     func() power.State
	Wall      func(lines []string, dir string) (crash.Verdict, bool) // see crash.Wall; nil where there is no macOS
	Restarted func(started, seen time.Time) reboot.Told              // why the computer was started anew since
	Asleep    func() (time.Duration, bool)                           // how long the computer has slept so far, see power.Asleep
	Sleeps    func(ctx context.Context, told func(bool))             // tells when it is about to, and when it is back
	Environ   func(pid int) ([]string, error)
	Memory    func(pid int) *postmortem.MemoryWatch
	Scan      func(ctx context.Context, in python.Interpreter) (openmp.Environment, error)
	// ReportFolders are where the system leaves reports on processes that died.
	ReportFolders []string
}
