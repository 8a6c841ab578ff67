package process

import (
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
)

// Arrived gives the names of the crash environment's variables that are not in the process as they were meant to be: macOS drops
// DYLD_* whenever a protected program (/bin/sh, /usr/bin/env) stands in between. An empty environ is unknown, and nothing is said
// of it.
func Arrived(environ []string, applied []environment.Var) []string {
	if len(environ) == 0 {
		return nil
	}
	have := make(map[string]string, len(environ))
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if _, ok := have[name]; !ok { // getenv finds the first
			have[name] = value
		}
	}
	var missing []string
	for _, v := range applied {
		value, ok := have[v.Name]
		if !v.Unset && (!ok || !environment.InList(v.Name, value, v.Value)) {
			missing = append(missing, v.Name)
		}
	}
	return missing
}
