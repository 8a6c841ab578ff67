package postmortem

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/python"
)

// Scans remembers what the last walk of the backend's environment found, until packages change. A walk may take seconds.
type Scans struct {
	mu     sync.Mutex // held through a walk: there is never a second one
	prefix string
	state  string
	found  []openmp.Runtime
}

// Known is what the last walk found; nil without one, or while one is under way. It asks no disk: packages may have changed since.
func (s *Scans) Known(in python.Interpreter) []openmp.Runtime {
	if !s.mu.TryLock() {
		return nil
	}
	defer s.mu.Unlock()
	if s.prefix != in.Prefix {
		return nil
	}
	return s.found
}

// walk finds the OpenMP copies in the environment.
func (s *Scans) walk(ctx context.Context, in python.Interpreter, scan func(context.Context, python.Interpreter) (openmp.Environment, error)) ([]openmp.Runtime, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := stateOfSites(in)
	if s.state == state {
		return s.found, nil
	}
	env, err := scan(ctx, in)
	if err != nil {
		return nil, err
	}
	s.prefix, s.state, s.found = in.Prefix, state, env.Runtimes
	debug.FreeOSMemory() // a walk takes more than what is left of it; this program idles for days
	return s.found, nil
}

// stateOfSites changes whenever a package is installed or removed: pip makes a folder for each in site-packages.
func stateOfSites(in python.Interpreter) string {
	var b strings.Builder
	b.WriteString(in.Prefix)
	for _, site := range in.Site {
		if st, err := os.Stat(site); err == nil {
			fmt.Fprintf(&b, "\n%s %d", site, st.ModTime().UnixNano())
		}
	}
	return b.String()
}

// lookForOpenMP finds the copies on disk, where libraries matter to this death.
func (x *examination) lookForOpenMP(ctx context.Context) bool {
	if x.Plan == nil || !x.native() || len(x.Plan.Python.Site) == 0 {
		return false
	}
	found, err := x.Scans.walk(ctx, x.Plan.Python, x.Scan)
	if err != nil && ctx.Err() == nil {
		x.Examiner.Log.Debug("looking for OpenMP", "error", err)
	}
	if err != nil || reflect.DeepEqual(found, x.record.OpenMP) {
		return false
	}
	x.evidence.OpenMP, x.record.OpenMP = found, found
	return true
}
