package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

const (
	reportTime = 10 * time.Second // macOS writes a report 0.3 to 3 s after a death
	reportWait = 300 * time.Millisecond
	// Around a death: the times in a report have seconds, and a file that was read later keeps its own.
	reportEarly = 5 * time.Second
	reportLate  = time.Minute
	maxReport   = 64 << 20 // bytes of a file that are read
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

// found is what a search found: a crash report's file, or the system's word on memory.
type foundReport struct {
	file   string
	memory crash.Memory
}

// wait looks until there is something, for at most ten seconds after the death: the system takes its time, and a half-written file is looked
// at again. A death that is longer ago is looked for once.
func (q *reportSearch) wait(ctx context.Context) (foundReport, bool) {
	for {
		if f, ok := q.look(); ok {
			return f, true
		}
		if time.Since(q.died) > reportTime || !sleep(ctx, reportWait) {
			return foundReport{}, false
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
			head, err := readReportHead(path)
			if errors.Is(err, errHalfWritten) {
				continue
			}
			switch m, killed := head.killed(q.pid); {
			case err == nil && killed:
				memory = foundReport{path, m}
			case err == nil && head.BugType == bugCrash && head.PID == q.pid && q.near(head.at()):
				return foundReport{file: path}, true
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

// The kinds of report, as their headers call them.
const (
	bugCrash  = "309"
	bugJetsam = "298"
)

// reportHead is as much of a report as it takes to know whose it is.
type reportHead struct {
	BugType   string `json:"bug_type"`
	Timestamp string `json:"timestamp"` // "2026-03-01 12:00:03.00 +0100", truncated to seconds

	PID         int    `json:"pid"`
	CaptureTime string `json:"captureTime"` // "2026-03-01 12:00:02.1234 +0100"
	// Of a JetsamEvent: all processes. The one with a reason was ended; the largest mostly was not.
	Processes []struct {
		PID         int    `json:"pid"`
		Reason      string `json:"reason"`
		LifetimeMax uint64 `json:"lifetimeMax"` // pages
	} `json:"processes"`
	MemoryStatus struct {
		PageSize uint64 `json:"pageSize"`
	} `json:"memoryStatus"`
}

var errHalfWritten = errors.New("the report is not complete yet")

// readReportHead reads the two JSON values of a report: a header of one line, and the body.
func readReportHead(path string) (reportHead, error) {
	f, err := os.Open(path)
	if err != nil {
		return reportHead{}, err
	}
	defer f.Close()
	var head reportHead
	d := json.NewDecoder(io.LimitReader(f, maxReport))
	for range 2 {
		err := d.Decode(&head)
		var odd *json.UnmarshalTypeError // every key is optional, and may be something else in the next macOS
		switch {
		case errors.As(err, &odd):
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return reportHead{}, errHalfWritten
		case err != nil:
			return reportHead{}, err
		}
	}
	return head, nil
}

// at is when the process died, as the report has it; the zero time if it does not say.
func (h reportHead) at() time.Time {
	for _, text := range []string{h.CaptureTime, h.Timestamp} {
		if at, err := time.Parse("2006-01-02 15:04:05 -0700", strings.TrimSpace(text)); err == nil { // a fraction is read, too
			return at
		}
	}
	return time.Time{}
}

// killed is the system's word that it ended the process for want of memory.
func (h reportHead) killed(pid int) (crash.Memory, bool) {
	if h.BugType != bugJetsam {
		return crash.Memory{}, false
	}
	for _, p := range h.Processes {
		if p.PID == pid && p.Reason != "" {
			return crash.Memory{OOM: true, Source: "JetsamEvent", Peak: p.LifetimeMax * h.MemoryStatus.PageSize}, true
		}
	}
	return crash.Memory{}, false
}

// lookForReport finds what macOS wrote on this death. It writes nothing on a process that exited by itself.
func (q *inquest) lookForReport(ctx context.Context) bool {
	if len(q.s.world.ReportFolders) == 0 || q.record.PID == 0 || q.exit != nil && q.exit.Known && q.exit.Signal == 0 {
		return false
	}
	search := reportSearch{folders: q.s.world.ReportFolders, pid: q.record.PID, died: q.death.At}
	found, ok := search.wait(ctx)
	if !ok {
		return false
	}
	q.record.ReportFile = found.file
	if found.memory.OOM {
		q.evidence.Memory, q.record.Memory = found.memory, found.memory
	}
	return true
}
