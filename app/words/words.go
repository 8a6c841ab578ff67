// Package words says things in the same words everywhere: states, durations, sizes, events, causes. Begin with StatusLine and Sentence.
// Everything is a pure function of a value to one line of text that is safe to show; it must not know where that is shown.
package words

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// Words that a status line and a menu item share.
const (
	TakeOver     = "Take Over"
	TryAgain     = "Try Again"
	Changed      = "configuration changed: restart to apply"
	WithoutEnv   = "running without the crash environment"
	Unnamed      = "backend"
	MissingShort = "crash environment incomplete"
)

// MaxTitle is how many characters a menu line may have before it is cut: a menu must not cover the screen.
const MaxTitle = 60

// MaxLine is the same for a line where there is more room: in a terminal, in a tooltip.
const MaxLine = 90

// Between stands between two facts of one line.
const Between = " · "

// KeptPort is told where somebody starts a second copy by hand: "port 8000 is kept by Vivarium for shop: `vivarium restart shop` instead".
func KeptPort(port int, backend string) string {
	name := Plain(backend)
	if strings.ContainsFunc(name, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '-' && c != '_' && c != '.'
	}) {
		name = "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return fmt.Sprintf("port %d is kept by Vivarium for %s: `vivarium restart %s` instead of a second copy", port, Plain(backend), name)
}

// StateWord is a state as a person reads it.
func StateWord(s supervisor.Snapshot) string {
	switch s.State {
	case supervisor.Stopped:
		return "Stopped"
	case supervisor.Starting:
		if s.Awaits.Name != "" {
			return "Waiting"
		}
		return "Starting"
	case supervisor.Healthy:
		return "Healthy"
	case supervisor.Unhealthy:
		switch s.Health.Phase {
		case record.PhaseBusy:
			return "Busy"
		case record.PhaseMisconfigured:
			return "Misconfigured"
		case record.PhaseWrongAnswer:
			return "Unhealthy: wrong answer"
		case record.PhaseWedged:
			return "Unhealthy: wedged"
		}
		return "Unhealthy: hung"
	case supervisor.Stopping:
		return "Stopping"
	case supervisor.Restarting:
		return "Restarting"
	case supervisor.GaveUp:
		return "Gave up"
	case supervisor.Unreachable:
		return "Unreachable"
	}
	return "Unknown"
}

// Duration is a length of time in its two largest units: "45 s", "3 h 12 min", "2 d 4 h".
func Duration(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return two(s/60, "min", s%60, "s", s >= 600)
	case s < 86400:
		return two(s/3600, "h", s%3600/60, "min", false)
	}
	return two(s/86400, "d", s%86400/3600, "h", false)
}

// two leaves the smaller unit out when there is none of it, or when it only makes the line flicker.
func two(a int64, unitA string, b int64, unitB string, coarse bool) string {
	if b == 0 || coarse {
		return fmt.Sprintf("%d %s", a, unitA)
	}
	return fmt.Sprintf("%d %s %d %s", a, unitA, b, unitB)
}

// Latency is how long an answer took: "12 ms", "1.4 s".
func Latency(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// Size is a number of bytes in decimal units, as Finder and Activity Monitor count: "640 MB", "1.2 GB".
func Size(bytes uint64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB", "PB", "EB"}
	f, i := float64(bytes), 0
	for i < len(units)-1 && math.Round(f*10)/10 >= 1000 {
		f, i = f/1000, i+1
	}
	switch {
	case i == 0 && bytes == 1:
		return "1 byte"
	case i < 3: // a tenth of a megabyte is noise
		return fmt.Sprintf("%.0f %s", f, units[i])
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

// Percent is a share as a whole number: 0.04 is "4 %".
func Percent(share float64) string {
	if math.IsNaN(share) || math.IsInf(share, 0) || share < 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.0f %%", share*100)
}

// Clock is a moment as a person says it today: "14:02", else "3 Oct 14:02", else "3 Oct 2025 14:02".
func Clock(at, now time.Time) string { return clock(at, now, "15:04") }

// clockSeconds is Clock where the second matters.
func clockSeconds(at, now time.Time) string { return clock(at, now, "15:04:05") }

func clock(at, now time.Time, layout string) string {
	at = at.In(now.Location())
	switch {
	case at.Year() != now.Year():
		layout = "2 Jan 2006 " + layout
	case at.YearDay() != now.YearDay():
		layout = "2 Jan " + layout
	}
	return at.Format(layout)
}

// Count is a number with its noun: "1 crash", "3 crashes".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Plain makes one printable line of any text: names come from people, and output from anywhere.
func Plain(s string) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			space = b.Len() > 0
			continue
		case r == utf8.RuneError:
			r = '?'
		case !unicode.IsPrint(r): // also the marks that turn the direction of writing
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Short is Plain, cut with … to at most n characters.
func Short(s string, n int) string {
	s = Plain(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	return strings.TrimRight(string([]rune(s)[:n-1]), " ·,;:") + "…"
}

// wrap breaks a text at its spaces into at most lines lines of n characters; what is left over is cut.
func wrap(s string, n, lines int) []string {
	s = Plain(s)
	var out []string
	for s != "" {
		if len(out) == lines-1 || utf8.RuneCountInString(s) <= n {
			return append(out, Short(s, n))
		}
		head := string([]rune(s)[:n+1])
		cut := strings.LastIndexByte(head, ' ')
		if cut <= 0 {
			cut = len(string([]rune(s)[:n]))
		}
		out = append(out, strings.TrimSpace(s[:cut]))
		s = strings.TrimSpace(s[cut:])
	}
	return out
}

// EndSentence ends a text with a full stop, so that another one can follow.
func EndSentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, "…") {
		return s
	}
	if last, _ := utf8.DecodeLastRuneInString(s); strings.ContainsRune(".!?:", last) {
		return s
	}
	return s + "."
}

// Sentences joins what there is of them.
func Sentences(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p = EndSentence(Plain(p)); p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, " ")
}

// Facts joins what there is of them in one line.
func Facts(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, Between)
}

// NameOf is a backend's name for a line that has more to say.
func NameOf(s supervisor.Snapshot) string {
	if n := Short(s.Backend, 40); n != "" {
		return n
	}
	return Unnamed
}

// longPath is an absolute path of at least two folders.
var longPath = regexp.MustCompile("(^|[\\s\"'`(=])(?:/[^/\\s\"'`,;:()]+){2,}/([^/\\s\"'`,;:()]+)")

// WithoutFolders leaves of each path in a text the name of the file: in a menu there is room for what happened, not for where all of it lies.
func WithoutFolders(text string) string { return longPath.ReplaceAllString(text, "$1$2") }
