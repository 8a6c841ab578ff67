package page

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
	"github.com/vivarium-app/vivarium/supervisor/memory"
)

// The types below are what the live page shows of a backend. Their texts may be anything: what is written is masked.

// Backend is how a backend is at one moment.
type Backend struct {
	ID, Name, Dir string    // ID: in addresses
	State         string    // in the words of the command line: "healthy", "gave-up"
	Word          string    // for a person: "Healthy", "Unhealthy: hung"
	Line          string    // the menu's line
	Note          string    // what else a person should know
	URL           string    // "" without a port
	Log           string    // absolute path
	PID           int       // 0: nothing runs
	Started       time.Time // the run
	Latency       time.Duration
	Memory        uint64   // bytes that it uses
	CPU           float64  // 1 is one core
	Trouble       *Trouble // why it ended, or does not answer; nil: nothing to do
	Can           []string // what can be asked for now: "start", "stop", "restart", "take-over", "hurry", "open", "reveal", "stacks"
}

// Trouble is a death or a stall, and what to do about it.
type Trouble struct {
	Stall         bool
	ID            string // of the death on record; "": none is
	At            time.Time
	Kind, Summary string
	Remedy, Line  string
}

// Sample is how a run was at one moment.
type Sample struct {
	At      time.Time
	CPU     float64
	Memory  uint64
	Latency time.Duration
	OK      bool // the health check was answered well

	Pressure memory.Level // how short of memory the system was
}

// Mark is something that happened, for the charts.
type Mark struct {
	At, Until time.Time // Until: it lasted; zero: it did not
	What      string    // "start", "death", "stall", "sleep", "memory"
	Text      string
}

// History is what is known of the last fifteen minutes, oldest first.
type History struct {
	Samples []Sample
	Marks   []Mark
}

// Death is one of the list: a death, or a stall that was recorded.
type Death struct {
	Trouble
	Uptime time.Duration
	Asked  bool
	Report bool          // there is a report to show
	Lasted time.Duration // of a stall; 0: it lasts, or its end is not known
	End    string        // of a stall, in words: "answered again"
}

// liveBackend is a Backend as its templates show it: every text in it is safe.
type liveBackend struct {
	Backend
	Shape   string // of the state
	Up      string
	Memory  string
	Answer  string
	More    string // of the menu's line: what is not said elsewhere
	Percent string
	Actions []action
	Trouble *liveTrouble
}

type liveTrouble struct {
	Trouble
	When     string
	Commands []command // that the remedy names
}

// command can be copied as it is, and is shown with the home folder shortened.
type command struct{ Text, Shown string }

type action struct{ What, Label, Kind string }

var actionLabels = []action{
	{"start", "Start", "first"}, {"take-over", "Take Over", "first"}, {"stop", "Stop", ""}, {"hurry", "Stop Now", ""}, {"restart", "Restart", ""},
	{"open", "Open in Browser", ""}, {"reveal", "Reveal Folder", ""}, {"stacks", "What Is It Doing?", ""},
}

// shapes tell states apart without colour.
var shapes = map[string]string{
	"healthy": "disc", "starting": "ring", "stopping": "ring", "restarting": "ring", "unhealthy": "triangle", "stopped": "square", "gave-up": "cross",
}

func (w Words) live(b Backend, now time.Time) liveBackend {
	b.Name, b.Dir, b.Line, b.Note, b.Word = orElse(w.Safe(b.Name), "backend"), w.Safe(b.Dir), w.Safe(b.Line), w.Safe(b.Note), orElse(w.Safe(b.Word), "Not known")
	if b.URL = w.Safe(b.URL); !strings.HasPrefix(b.URL, "http://") && !strings.HasPrefix(b.URL, "https://") {
		b.URL = ""
	}
	if shapes[b.State] == "" { // of a newer version
		b.State = "unknown"
	}
	l := liveBackend{Backend: b, Shape: orElse(shapes[b.State], "square"), Trouble: w.trouble(b.Trouble, now)}
	if b.PID != 0 {
		if !b.Started.IsZero() {
			l.Up = w.Duration(now.Sub(b.Started))
		}
		if b.Memory > 0 {
			l.Memory, l.Percent = w.Size(b.Memory), fmt.Sprintf("%.0f %%", 100*bounded(b.CPU))
		}
		if b.Latency > 0 {
			l.Answer = answerTime(b.Latency.Seconds())
		}
	}
	l.More = moreOf(b.Line, b.Word, l.Trouble)
	for _, a := range actionLabels {
		for _, what := range b.Can {
			if a.What == what {
				l.Actions = append(l.Actions, a)
			}
		}
	}
	return l
}

// moreOf is what a menu's line has beside the state, a latency, and the trouble that is shown anyway.
func moreOf(line, word string, t *liveTrouble) string {
	var more []string
	for i, fact := range strings.Split(line, " · ") {
		said := i == 0 && fact == word || strings.HasSuffix(fact, " ms") || t != nil && strings.Contains(strings.ToLower(t.Summary), strings.ToLower(fact))
		if !said && fact != "" {
			more = append(more, fact)
		}
	}
	return strings.Join(more, " · ")
}

// bounded is a share that can be shown.
func bounded(v float64) float64 {
	if !(v >= 0) || v > 1e4 {
		return 0
	}
	return v
}

func (w Words) trouble(t *Trouble, now time.Time) *liveTrouble {
	if t == nil {
		return nil
	}
	l := &liveTrouble{Trouble: *t, When: when(t.At, now)}
	remedy := markCommand(mask.Line(t.Remedy))
	l.Kind, l.Summary, l.Remedy, l.Line = w.Safe(t.Kind), sentenceCase(w.Safe(t.Summary)), w.short(remedy), strings.TrimSpace(w.Safe(t.Line))
	for _, p := range pieces(remedy) {
		if p.Code && strings.Contains(p.Text, " ") && len(l.Commands) < 3 {
			l.Commands = append(l.Commands, command{p.Text, w.short(p.Text)})
		}
	}
	return l
}

// runnable is a command at the end of a sentence, or before a remark in brackets: "Install it: python -m pip install torch".
var runnable = regexp.MustCompile(`(^|: )((?:'[^']*/python[\d.]*'|(?:[/.][^\s']*/)?(?:python[\d.]*|pip3?|uv|conda|mamba|poetry|brew|vivarium)) [-\w][^(;]*?)( \(|; |\. |\.?$)`)

// markCommand puts the command that a text without any backtick names between backticks.
func markCommand(s string) string {
	if strings.Contains(s, "`") {
		return s
	}
	at := runnable.FindStringSubmatchIndex(s)
	if at == nil {
		return s
	}
	return s[:at[4]] + "`" + s[at[4]:at[5]] + "`" + s[at[5]:]
}

// sentenceCase is a text with a capital, unless it begins with a name: "two runtimes", but not "sqlite3.OperationalError".
func sentenceCase(s string) string {
	first, _, more := strings.Cut(s, " ")
	if !more || first == "" || strings.Trim(first, "abcdefghijklmnopqrstuvwxyz") != "" {
		return s
	}
	return strings.ToUpper(first[:1]) + s[1:]
}

// when is a moment as a person says it: the day is left out where it is today.
func when(at, now time.Time) string {
	if at.IsZero() {
		return ""
	}
	at = at.In(now.Location())
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04:05")
	}
	return at.Format("2 January 15:04")
}

// Part is a piece of the live page: what it replaces is the element of that ID.
type Part struct {
	ID   string `json:"id"`
	HTML string `json:"html"`
}

// part makes one. A template of ours that fails is a mistake of ours: then it says so, and the page goes on.
func part(id, name string, content any) Part {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, content); err != nil {
		return Part{id, template.HTMLEscapeString(err.Error())}
	}
	return Part{id, b.String()}
}

// Shell writes the document that the live page begins as. Nothing in it is of a backend: whoever has no secret sees it, too.
func Shell(out io.Writer) error { return templates().ExecuteTemplate(out, "shell.html", nil) }

// LiveStyle is the style sheet of the live page.
func LiveStyle() string { return style() + text("live.css") }

// Nav is the list of backends, with the views of the one that is shown.
func (w Words) Nav(all []Backend, now time.Time, shown, view string) Part {
	type entry struct {
		liveBackend
		Here bool
	}
	var entries []entry
	for _, b := range all {
		entries = append(entries, entry{w.live(b, now), b.ID == shown})
	}
	return part("nav", "live-nav", map[string]any{"Backends": entries, "All": shown == "", "Shown": shown, "View": view, "Views": views})
}

type viewName struct{ Path, Name string }

var views = []viewName{
	{"", "Overview"}, {"log", "Log"}, {"deaths", "Deaths and Stalls"}, {"doctor", "Doctor"}, {"environment", "Environment"}, {"configuration", "Configuration"},
}

// Cards are the frames of backends in the overview: the parts below go into them.
func (w Words) Cards(all []Backend, now time.Time) Part {
	var cards []liveBackend
	for _, b := range all {
		cards = append(cards, w.live(b, now))
	}
	return part("main", "live-cards", cards)
}

// Card are the parts of one backend's card.
func (w Words) Card(b Backend, h History, now time.Time) []Part {
	l := w.live(b, now)
	return []Part{
		part("state-"+b.ID, "live-state", l), part("figures-"+b.ID, "live-figures", l), part("actions-"+b.ID, "live-actions", l),
		part("trouble-"+b.ID, "live-trouble", l), part("charts-"+b.ID, "live-charts", w.newCharts(b.ID, h, b.PID != 0, now)),
	}
}

// Title is what the browser shows on the tab.
func (w Words) Title(all []Backend, shown string) string {
	bad := 0
	name := "Vivarium"
	for _, b := range all {
		if b.State == "gave-up" || b.State == "unhealthy" || b.State == "restarting" {
			bad++
		}
		if b.ID == shown {
			name = w.Safe(b.Name) + " – Vivarium"
		}
	}
	if bad > 0 {
		return fmt.Sprintf("(%d!) %s", bad, name)
	}
	return name
}

// LogView is the frame of a log.
func (w Words) LogView(b Backend) Part {
	b.Log = w.Safe(b.Log)
	return part("main", "live-log", w.live(b, time.Time{}))
}

// Deaths is the list of deaths and stalls, the latest first.
func (w Words) Deaths(b Backend, deaths []Death, now time.Time) Part {
	type row struct {
		*liveTrouble
		Death Death
		Up    string
		End   string // of a stall
	}
	var rows []row
	for _, d := range deaths {
		r := row{liveTrouble: w.trouble(&d.Trouble, now), Death: d}
		if d.Uptime > 0 {
			r.Up = w.Duration(d.Uptime)
		}
		if d.Stall {
			if d.End != "" {
				r.End = sentenceCase(d.End) + "."
			}
			if d.Lasted > 0 {
				r.End = "It stood still for " + w.Duration(d.Lasted) + ", then " + d.End + "."
			}
		}
		rows = append(rows, r)
	}
	return part("main", "live-deaths", map[string]any{"Backend": w.live(b, now), "Rows": rows})
}

// DoctorView is the doctor's view: what was found, or, before the first examination, that there was none.
func (w Words) DoctorView(b Backend, d *Doctor) Part {
	content := map[string]any{"Backend": w.live(b, time.Time{}), "Found": nil}
	if d != nil {
		content["Found"] = w.doctor(*d)
	}
	return part("main", "live-doctor", content)
}

// Failed says what went wrong in place of a view.
func (w Words) Failed(heading string, err error) Part {
	return part("main", "live-failed", map[string]string{"Heading": heading, "Text": w.Safe(err.Error())})
}
