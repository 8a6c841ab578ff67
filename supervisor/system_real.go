package supervisor

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// realWorld is the world of everybody but the tests.
func realWorld(d Deps) world {
	parent := d.Parent
	if parent == nil {
		parent = os.Environ()
	}
	home, _ := os.UserHomeDir() // unknown: no interpreter is looked for there
	return world{
		Attach: func(ctx context.Context, folder string) (Keeper, error) { return asKeeper(keeper.Attach(ctx, folder)) },
		Launch: func(ctx context.Context, exe, folder string) (Keeper, error) {
			return asKeeper(keeper.Launch(ctx, exe, folder))
		},
		EndStale: keeper.End,
		Load:     LoadConfig,
		Plan: func(c Config) (Plan, error) {
			return MakePlan(c, PlanOptions{GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Parent: parent, Interactive: d.Interactive, Home: home})
		},
		Changed: Config.Changed,
		Claim:   ClaimPort,
		EndCopies: func(ctx context.Context, c Claim, l keeper.Ladder) error {
			return keeper.EndAll(ctx, c.End, l)
		},
		Probe:     func(ctx context.Context, c Config) (time.Duration, error) { return ProbeBackend(ctx, c) },
		Listening: Listening,
		Use: func(r keeper.Run, before Usage, elapsed time.Duration, whole bool) (Usage, []Child, error) {
			return TreeUsage(r.PID, before, elapsed, whole)
		},
		Loaded:  func(pid int) ([]string, error) { return Loaded(pid) },
		Environ: keeper.Environ,
		Memory:  WatchMemory,
		Scan: func(ctx context.Context, in Interpreter) (openmp.Environment, error) {
			return openmp.Scan(ctx, in.Prefix, in.Site, nil)
		},
		ReportFolders: ReportFolders(),
	}
}

// asKeeper keeps a nil *Conn from becoming a Keeper that is not nil.
func asKeeper(c *keeper.Conn, err error) (Keeper, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}
