package page

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// crashPage is a crash as its page shows it: every text in it is safe.
type crashPage struct {
	Backend, Dir, Log string
	At, Zone          string
	Kind              string
	Summary, Remedy   string
	Confidence        string
	Line              string // that decided
	Asked             bool
	Facts             []fact
	Amended           bool
	Timeline          *timeline
	Graph             *graph
	Stacks            []stack
	Threads           []stack // others of the same process, where faulthandler told of them
	Native            *native
	ReportFile        string // the system's own
	Tail              tail
	Environment       []variable
	Missing           []string // variables that did not arrive, of which no more is known
	Names             []string // of all variables
	Versions          []fact
	Version           string // of Vivarium
	Markdown          string
}

type fact struct{ Name, Value string }

type variable struct {
	Name, Value, From, Why string
	Missing                bool
}

// Crash writes the report on a death. The same record gives the same page.
func (w Words) Crash(out io.Writer, r record.Record) error {
	p := w.report(r)
	return write(out, "crash.html", sheet{Title: p.Backend + ": " + p.Summary, Content: p})
}

// Markdown is the report as text, for an issue.
func (w Words) Markdown(r record.Record) string { return w.report(r).Markdown }

func (w Words) report(r record.Record) crashPage {
	masked := mask.Lines(r.Tail)
	lines := make([]string, len(masked))
	for i, l := range masked {
		lines[i] = w.short(l)
	}
	v := r.Verdict
	p := crashPage{
		Backend: orElse(w.Safe(r.Backend), "backend"), Dir: w.Safe(r.Dir), Log: w.Safe(r.Log), At: r.At.Format("2 January 2006, 15:04:05"), Zone: r.At.Format("-07:00"),
		Kind: w.Safe(string(v.Kind)), Summary: orElse(w.Safe(v.Summary), "how it ended is not known"), Remedy: w.Safe(v.Remedy), Line: w.Safe(v.Line), Asked: r.Asked,
		Confidence: w.Safe(v.Confidence), Facts: w.facts(r), Amended: r.Amended, Timeline: newTimeline(r, w), Version: w.Safe(r.Versions["Vivarium"]),
	}
	p.Native, p.ReportFile = newNative(r.Report, w), w.Safe(r.ReportFile)
	p.Graph = newGraph(Copies{Runtimes: r.OpenMP, Loaded: r.Loaded, Together: clashing(r.OpenMP, r.Loaded)}, w)
	deciding := find(lines, p.Line)
	p.Tail = newTail(lines, deciding)
	p.Stacks = stacks(masked, deciding, func(file string) bool { return crash.Own(r.Dir, file) }) // a shortened path is not absolute
	if len(r.Stacks) > 0 {                                                                        // it hung: what its threads did before it was ended
		hung := everyStack(mask.Lines(r.Stacks), func(file string) bool { return crash.Own(r.Dir, file) })
		p.Stacks = hung[:min(len(hung), mostThreads)]
	}
	for i := range p.Stacks {
		p.Stacks[i].shorten(w)
	}
	if len(p.Stacks) > 1 && p.Stacks[0].Thread() {
		p.Stacks, p.Threads = p.Stacks[:1], p.Stacks[1:]
	}
	p.Environment, p.Missing, p.Names = w.environment(r)
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		p.Versions = append(p.Versions, fact{w.Safe(name), w.Safe(r.Versions[name])})
	}
	p.Markdown = p.markdown()
	return p
}

// facts are what is known of the end beside the verdict.
func (w Words) facts(r record.Record) []fact {
	var all []fact
	add := func(name, value string) {
		if value != "" {
			all = append(all, fact{name, w.Safe(value)})
		}
	}
	switch {
	case r.Worker != 0:
		add("Ended", fmt.Sprintf("a worker, process %d: only its parent saw how", r.Worker))
	case !r.Known:
		add("Ended", "nobody saw how")
	case r.Signal != "":
		add("Ended", "by the signal "+r.Signal)
	default:
		add("Ended", fmt.Sprintf("with exit code %d", r.Code))
	}
	if r.Asked {
		add("Asked for", "yes")
	}
	if r.Uptime > 0 {
		add("It had run for", w.Duration(r.Uptime))
	}
	if r.Worker == 0 {
		add("It had been", map[bool]string{true: "healthy", false: "never healthy"}[r.Healthy])
	}
	if n := len(r.Native); n > 0 { // it hung
		add("In native code", strings.Join(r.Native[:min(n, 8)], " ← "))
	}
	add("Last health check", w.health(r.Health, r.At))
	if r.PID != 0 {
		add("Process", fmt.Sprint(r.PID))
	}
	add("The port is now held by", r.PortOwner)
	add("Memory", w.memory(r.Memory))
	add("Largest other programs", w.programs(r.Programs))
	if r.Away {
		add("Seen", "later: Vivarium was not running then")
	}
	return all
}

// health is the last word of the health check before the end.
func (w Words) health(h record.Health, end time.Time) string {
	text := string(h.Phase)
	if !h.Good.IsZero() && h.Good.Before(end) {
		text = "answered " + w.Duration(end.Sub(h.Good)) + " before the end"
		if end.Sub(h.Good) < time.Second {
			text = "answered right before the end"
		}
	}
	if h.Problem != "" {
		text = join(text, "then: "+h.Problem)
	}
	return text
}

// programs are the largest others at the time of the death.
func (w Words) programs(all []memory.Program) string {
	var parts []string
	for _, p := range all[:min(len(all), 5)] {
		text := w.Safe(p.Name) + " " + w.Size(p.Bytes)
		if p.Processes > 1 {
			text += fmt.Sprintf(" (%d processes)", p.Processes)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// memory is the system's word.
func (w Words) memory(m crash.Memory) string {
	var text string
	if m.OOM {
		text = "ended by the system because memory ran out"
	}
	if m.Last > 0 {
		text = join(text, w.Size(m.Last)+" at last")
	}
	if m.Peak > 0 {
		text = join(text, w.Size(m.Peak)+" at most")
	}
	if m.Limit > 0 {
		text = join(text, w.Size(m.Limit)+" allowed")
	}
	if text != "" && m.Source != "" {
		text += " (" + m.Source + ")"
	}
	return text
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// environment gives values of the crash environment alone; of every other variable its name.
func (w Words) environment(r record.Record) (ours []variable, missing, names []string) {
	for _, v := range r.Env {
		one := variable{Name: w.Safe(v.Name), Value: w.Safe(v.Value), From: w.Safe(v.From), Why: w.Safe(v.Why), Missing: slices.Contains(r.Missing, v.Name)}
		if v.Unset {
			one.Value = ""
		}
		ours = append(ours, one)
	}
	for _, name := range r.Missing {
		if !slices.ContainsFunc(r.Env, func(v environment.Var) bool { return v.Name == name }) { // else its row says it
			missing = append(missing, w.Safe(name))
		}
	}
	for _, name := range r.EnvNames {
		names = append(names, w.Safe(name))
	}
	return ours, missing, names
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Heading is the verdict.
func (p crashPage) Heading() string { return sentenceCase(p.Summary) }

// Copyable is the text for an issue.
func (p crashPage) Copyable() copyable {
	return copyable{ID: "markdown", Label: "The report as Markdown", Text: p.Markdown}
}
