package postmortem

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
	"github.com/vivarium-app/vivarium/supervisor/crash/report"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

const (
	reportTime = 10 * time.Second // macOS writes a report 0.3 to 3 s after a death
	reportWait = 300 * time.Millisecond
	// Around a death: the times in a report have seconds, and a file that was read later keeps its own.
	reportEarly = 5 * time.Second
	reportLate  = time.Minute
)

// reportFolders are where a system leaves reports on processes that died: macOS in the person's own folder and in the system's, and after a
// while in Retired below each. home is the person's real home folder. Linux has none.
func reportFolders(goos, home string) []string {
	if goos != "darwin" {
		return nil
	}
	var folders []string
	for _, library := range []string{filepath.Join(home, "Library"), "/Library"} {
		logs := filepath.Join(library, "Logs/DiagnosticReports")
		folders = append(folders, logs, filepath.Join(logs, "Retired"))
	}
	return folders
}

// reportSearch looks for what the system wrote on one death: by PID and time, never the latest file.
type reportSearch struct {
	folders []string
	pid     int
	died    time.Time
	foreign map[string]time.Time // files that are about something else, with the time of that text
}

// foundReport is what a search found: a crash report, or the system's word on memory.
type foundReport struct {
	file   string
	report *report.Report
	memory crash.Memory // of a JetsamEvent
}

// wait looks until there is something, for at most ten seconds after the death: the system takes its time, and a half-written file is looked
// at again. A death that is longer ago is looked for once.
func (q *reportSearch) wait(ctx context.Context) (foundReport, bool) {
	for {
		if f, ok := q.look(); ok {
			return f, true
		}
		if time.Since(q.died) > reportTime {
			return foundReport{}, false
		}
		select {
		case <-ctx.Done():
			return foundReport{}, false
		case <-time.After(reportWait):
		}
	}
}

// look goes through the folders once. A crash report is worth more than a JetsamEvent: the first tells why, the second that memory ran out.
func (q *reportSearch) look() (foundReport, bool) {
	var memory foundReport
	for _, folder := range q.folders {
		entries, _ := os.ReadDir(folder) // one that is not there, or not for us, has no reports
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			info, err := e.Info()
			if err != nil || filepath.Ext(path) != ".ips" || !q.near(info.ModTime()) || q.foreign[path].Equal(info.ModTime()) {
				continue
			}
			r, err := readReport(path)
			if errors.Is(err, io.ErrUnexpectedEOF) {
				continue
			}
			switch m, jetsam := killed(r, q.pid); {
			case jetsam:
				memory = foundReport{path, r, m}
			case err == nil && r.Jetsam == nil && r.PID == q.pid && q.near(r.Captured):
				return foundReport{file: path, report: r}, true
			default:
				if q.foreign == nil {
					q.foreign = map[string]time.Time{}
				}
				q.foreign[path] = info.ModTime()
			}
		}
	}
	return memory, memory.file != ""
}

// near: the time fits the death. The zero time is unknown, and fits.
func (q *reportSearch) near(at time.Time) bool {
	return at.IsZero() || !at.Before(q.died.Add(-reportEarly)) && !at.After(q.died.Add(reportLate))
}

// readReport reads a report. io.ErrUnexpectedEOF: the system is still writing it.
func readReport(path string) (*report.Report, error) {
	f, err := safefile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return report.Parse(f)
}

// killed is the system's word that it ended the process for want of memory. The largest process mostly lives on.
func killed(r *report.Report, pid int) (crash.Memory, bool) {
	if r == nil || r.Jetsam == nil {
		return crash.Memory{}, false
	}
	for _, p := range r.Jetsam.Ended {
		if p.PID == pid {
			return crash.Memory{OOM: true, Source: "JetsamEvent", Peak: p.Peak}, true
		}
	}
	return crash.Memory{}, false
}

// lookForReport finds what macOS wrote on this death. It writes nothing on a process that exited by itself.
func (x *examination) lookForReport(ctx context.Context) bool {
	if len(x.ReportFolders) == 0 || x.record.PID == 0 || x.Exit != nil && x.Exit.Known && x.Exit.Signal == 0 {
		return false
	}
	search := reportSearch{folders: x.ReportFolders, pid: x.record.PID, died: x.Death.At}
	found, ok := search.wait(ctx)
	if !ok {
		return false
	}
	x.evidence.Report = found.report
	x.record.ReportFile, x.record.Report = found.file, maskReport(*found.report)
	if found.memory.OOM {
		x.ranOut(found.memory)
	}
	return true
}

// maskReport is the report without what looks like a secret: a failed assertion may hold anything.
func maskReport(r report.Report) *report.Report {
	r.Message, r.Said, r.Reasons = mask.Line(r.Message), mask.Lines(r.Said), mask.Lines(r.Reasons)
	return &r
}
