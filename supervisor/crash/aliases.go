package crash

import (
	"io"

	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
	"github.com/vivarium-app/vivarium/supervisor/crash/report"
)

// The reader of reports and the masks are packages of their own. Their names are reachable here for those who called them before.

type (
	Report        = report.Report
	Frame         = report.Frame
	Image         = report.Image
	Jetsam        = report.Jetsam
	JetsamProcess = report.JetsamProcess
)

// ErrNoReport: the text is no crash report of any kind that is known.
var ErrNoReport = report.ErrNoReport

// ParseReport is report.Parse.
func ParseReport(r io.Reader) (*Report, error) { return report.Parse(r) }

// IsReport is report.Is.
func IsReport(head []byte) bool { return report.Is(head) }

// Mask is mask.Line.
func Mask(line string) string { return mask.Line(line) }

// MaskLines is mask.Lines.
func MaskLines(lines []string) []string { return mask.Lines(lines) }

// OfReport is what a report alone tells of an end: the signal, how long it lived, and of a JetsamEvent that memory ran out. pid is the
// process that is asked about, 0 for the only Python that a JetsamEvent names.
func OfReport(r *report.Report, pid int) Evidence {
	e := Evidence{Signal: r.Ended(), OS: "darwin", Report: r}
	e.Known = e.Signal != ""
	if r.Captured.After(r.Launched) && !r.Launched.IsZero() {
		e.Uptime = r.Captured.Sub(r.Launched)
	}
	if r.Jetsam == nil {
		return e
	}
	e.Report, e.Known = nil, false
	if p, ok := r.Jetsam.Process(pid); ok {
		e.Known, e.Signal = true, "SIGKILL"
		e.Memory = Memory{OOM: true, Source: "JetsamEvent", Peak: p.Peak}
	}
	return e
}
