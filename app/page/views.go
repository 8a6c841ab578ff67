package page

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// Report writes the report on a death as a piece of the live page.
func (w Words) Report(out io.Writer, r record.Record) error {
	p := part("", "live-report", w.report(r))
	_, err := io.WriteString(out, p.HTML)
	return err
}

// Stalled writes the report on a stall as a piece of the live page.
func (w Words) Stalled(out io.Writer, name, dir string, s record.Stalled) error {
	at := s.At.Local()
	content := map[string]any{
		"Name": orElse(w.Safe(name), "backend"), "At": at.Format("2 January 2006, 15:04:05"), "Zone": at.Format("-07:00"),
		"Heading": sentenceCase(orElse(w.Safe(s.Why()), "it did not answer")), "Remedy": w.Safe(s.Stall.Remedy), "Facts": w.stallFacts(s),
		"Stacks": w.pythonStacks(dir, s.Stacks),
	}
	_, err := io.WriteString(out, part("", "live-stalled", content).HTML)
	return err
}

func (w Words) stallFacts(s record.Stalled) []fact {
	var all []fact
	add := func(name, value string) {
		if value != "" {
			all = append(all, fact{name, value})
		}
	}
	if d := s.Until.Sub(s.At); !s.Until.IsZero() && d > 0 {
		add("It lasted", w.Duration(d))
	}
	add("How it ended", orElse(outcomes[s.Outcome], unseen))
	if s.Uptime > 0 {
		add("The run had lived", w.Duration(s.Uptime))
	}
	add("Health check", w.Safe(s.Problem))
	if s.Busy {
		add("CPU", "it worked all the time")
	}
	if s.Stall.File != "" {
		add("Your code", w.Safe(fmt.Sprintf("%s:%d", s.Stall.File, s.Stall.Line)))
	}
	add("Kind", w.Safe(string(s.Stall.Kind)))
	add("Run", w.Safe(s.Run))
	return all
}

const unseen = "it lasts, or nobody saw its end"

// outcomes say how a stall ended.
var outcomes = map[record.Outcome]string{record.Recovered: "it answered again", record.Ended: "the run ended"}

// StallOf is a stall as a line of the list.
func StallOf(s record.Stalled) Death {
	d := Death{
		Trouble: Trouble{Stall: true, ID: s.ID(), At: s.At, Kind: string(s.Stall.Kind), Summary: orElse(s.Why(), "it did not answer"), Remedy: s.Stall.Remedy},
		Uptime:  s.Uptime, Report: true, End: orElse(outcomes[s.Outcome], unseen),
	}
	if !s.Until.IsZero() {
		d.Lasted = max(0, s.Until.Sub(s.At))
	}
	return d
}

// Environment is what a backend's Python is started with.
type Environment struct {
	Vars    []environment.Var // the crash environment
	Missing []string          // of it: what did not arrive in the running process
	Names   []string          // of all variables
	Problem string            // why it is not known; "" it is
}

// EnvironmentView shows names, and values of the crash environment alone.
func (w Words) EnvironmentView(b Backend, e Environment) Part {
	ours, missing, names := w.environment(record.Record{Env: e.Vars, Missing: e.Missing, EnvNames: e.Names})
	return part("main", "live-environment", map[string]any{
		"Backend": w.live(b, time.Time{}), "Environment": ours, "Missing": missing, "Names": names, "Problem": w.Safe(e.Problem),
	})
}

// Config is a backend's configuration file.
type Config struct {
	File     string // absolute path
	Text     string // "" there is none
	Missing  bool   // there is no file: every key has its default
	Problems []ConfigProblem
}

// ConfigProblem is a mistake in the file.
type ConfigProblem struct {
	Line         int // from 1; 0: of the whole file
	Text, Remedy string
}

type configLine struct {
	Number   int
	Text     string
	Problems []ConfigProblem
}

// ConfigView shows the file as it is, but for the values of its variables, with its problems at their lines.
func (w Words) ConfigView(b Backend, c Config) Part {
	var lines []configLine
	if !c.Missing {
		for i, l := range hideValues(strings.Split(strings.TrimSuffix(c.Text, "\n"), "\n")) {
			lines = append(lines, configLine{Number: i + 1, Text: l})
		}
	}
	var whole []ConfigProblem
	for _, p := range c.Problems {
		at := p.Line
		p.Text, p.Remedy = w.Safe(p.Text), w.Safe(p.Remedy)
		if at < 1 || at > len(lines) {
			whole = append(whole, p)
			continue
		}
		lines[at-1].Problems = append(lines[at-1].Problems, p)
	}
	return part("main", "live-config", map[string]any{
		"Backend": w.live(b, time.Time{}), "File": w.Safe(c.File), "Missing": c.Missing, "Lines": lines, "Whole": whole, "Count": len(c.Problems),
	})
}

// Doing is what a backend does at this moment.
type Doing struct {
	Summary, Remedy string
	Lines           []string // as Python prints them
	Dir             string   // the backend's folder: what lies in it is the person's own
}

// StacksPart shows it below a backend's card.
func (w Words) StacksPart(id string, s Doing) Part {
	all := w.pythonStacks(s.Dir, s.Lines)
	return part("stacks-"+id, "live-stacks", map[string]any{"Summary": sentenceCase(w.Safe(s.Summary)), "Remedy": w.Safe(s.Remedy), "Stacks": all})
}

// pythonStacks are the stacks in lines that Python, or the recorder, printed.
func (w Words) pythonStacks(dir string, lines []string) []stack {
	all := everyStack(mask.Lines(lines), func(file string) bool { return crash.Own(dir, file) })
	all = all[:min(len(all), 4*mostStacks)]
	for i := range all {
		all[i].shorten(w)
	}
	return all
}
