package reboot

import (
	"time"

	"golang.org/x/sys/unix"
)

// folder is where macOS keeps what it reports of itself; panics are in no person's own folder.
var folders = []string{"/Library/Logs/DiagnosticReports", "/Library/Logs/DiagnosticReports/Retired"}

// Look gathers what macOS tells of its restart, for a server that was started at that time and seen last at the other.
func Look(started, seen time.Time) Facts {
	f := Facts{Mac: true, Started: started, Seen: seen, Panics: panicReports(folders, started)}
	if t, err := unix.SysctlTimeval("kern.boottime"); err == nil {
		f.Booted = time.Unix(t.Sec, 0)
	}
	f.End = lastEnd(said("/usr/bin/last", "-20", "reboot", "shutdown"))
	return f
}
