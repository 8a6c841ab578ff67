package reboot

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"
)

// Look gathers what the system tells of its restart, for a server that was started at that time and seen last at the other.
func Look(started, seen time.Time) Facts {
	f := Facts{Started: started, Seen: seen, Booted: booted()}
	f.End, f.Last = journalEnd(said("journalctl", "--boot=-1", "--lines=60", "--output=short-unix", "--no-pager", "--quiet"))
	if f.Last.Before(started) { // of an older boot: the one before is not in the journal
		f.End, f.Last = Unknown, time.Time{}
	}
	if f.End == Unknown {
		f.End = lastEnd(said("last", "-x", "-n", "20", "reboot", "shutdown"))
	}
	return f
}

// booted is when this boot began, from /proc/stat.
func booted() time.Time {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range bytes.Lines(b) {
		if rest, ok := strings.CutPrefix(string(line), "btime "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			return time.Unix(n, 0)
		}
	}
	return time.Time{}
}
