package platform

import (
	"context"
	"os"
	"runtime"
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
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/quiet"
	"github.com/vivarium-app/vivarium/supervisor/reboot"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/sampler"
)

// Real is the System of everybody but the tests. state is the state folder, parent the environment that backends inherit (nil: this
// process's); interactive says that a person's shell started us: its $VIRTUAL_ENV and $CONDA_PREFIX count.
func Real(state string, parent []string, interactive bool) System {
	if parent == nil {
		parent = os.Environ()
	}
	home, _ := os.UserHomeDir() // unknown: no interpreter is looked for there
	app := crash.Responsible(interactive, os.Getenv("TERM_PROGRAM"))
	all := System{
		App:    app,
		Attach: func(ctx context.Context, folder string) (Keeper, error) { return asKeeper(keeper.Attach(ctx, folder)) },
		Launch: func(ctx context.Context, exe, folder string) (Keeper, error) {
			return asKeeper(keeper.Launch(ctx, exe, folder))
		},
		EndStale: keeper.End,
		Load:     config.Load,
		Plan: func(c config.Config) (plan.Plan, error) {
			folder := keeper.BackendFolder(state, c.Dir)
			p, err := plan.Make(c, plan.Options{
				GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Parent: parent, Interactive: interactive, Home: home, Recorded: record.Environment(folder),
			})
			if err == nil && p.Python.Venv {
				if err := record.SetEnvironment(folder, p.Python.Prefix); err != nil {
					p.Warnings = append(p.Warnings, err.Error())
				}
			}
			return p, err
		},
		Record:  func(c config.Config, spec keeper.Spec) (keeper.Spec, error) { return AddRecorder(state, c, spec) },
		Changed: config.Config.Changed,
		Claim:   port.Claim,
		EndCopies: func(ctx context.Context, c port.Finding, l keeper.Ladder) error {
			return keeper.EndAll(ctx, c.End, l)
		},
		Probe: func(ctx context.Context, c config.Config, o probe.Options) (time.Duration, error) {
			defer quiet.Beat() // of all that a supervisor does, this comes again
			return probe.Backend(ctx, c, o)
		},
		Deep:      probe.Deep,
		FindPath:  probe.FindPath,
		SpeaksTLS: probe.SpeaksTLS,
		Listening: port.Listening,
		Ports:     port.Of,
		Use: func(r keeper.Run, before process.Usage, elapsed time.Duration, whole bool, meter *memory.Meter) (process.Usage, []process.Child, error) {
			return process.Measure(r.PID, before, elapsed, whole, meter)
		},
		Machine:  memory.Machine,
		Pressure: memory.Now,
		Programs: memory.Largest,
		Observe:  observation.TakeRun,
		Sample:   sampler.On(runtime.GOOS),
		Power:    power.Now,
		Asleep:   power.Asleep,
		Sleeps:   power.Watch,
		Loaded:   func(pid int) ([]string, error) { return process.Loaded(pid) },
		Environ:  proc.Environ,
		Memory:   postmortem.WatchMemory,
		Restarted: func(started, seen time.Time) reboot.Told {
			return reboot.Judge(reboot.Look(started, seen), time.Now())
		},
		Scan: func(ctx context.Context, in python.Interpreter) (openmp.Environment, error) {
			return openmp.Scan(ctx, in.Prefix, in.Site, nil)
		},
		ReportFolders: postmortem.ReportFolders(),
	}
	if runtime.GOOS == "darwin" {
		all.Wall = func(lines []string, dir string) (crash.Verdict, bool) { return crash.Wall(lines, dir, app) }
	}
	return all
}

// asKeeper keeps a nil *Conn from becoming a Keeper that is not nil.
func asKeeper(c *keeper.Conn, err error) (Keeper, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}
