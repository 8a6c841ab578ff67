package doctor

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

const (
	diagLines = 50        // the last ones of each log
	diagBytes = 256 << 10 // read from a log's end
)

// Report is what goes into Copy Diagnostics, before anything is taken out of it.
type Report struct {
	Version, System string
	Home, State     string
	Now             time.Time
	Backends        []BackendReport
	Log             []string // the last lines of the app's own log
}

// BackendReport is one backend in a Report.
type BackendReport struct {
	Snapshot supervisor.Snapshot
	Command  []string
	Python   string
	Applied  []environment.Var // the crash environment, the only variables whose values are shown
	Names    []string          // of all variables it is started with
	Problem  string            // why there is no command and no environment
	Log      []string          // the last lines
}

// Text is the text for Copy Diagnostics. It goes to people who help, so secrets are masked, of the environment there are names
// alone, and the home folder is ~.
func Text(r Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Vivarium %s on %s, %s\nState folder: %s\nBackends: %d\n", r.Version, r.System, r.Now.UTC().Format(time.RFC3339), r.State, len(r.Backends))
	for _, x := range r.Backends {
		x.write(&b, r.Now)
	}
	paragraph(&b, "Vivarium's own log", MaskLines(r.Log))
	text := b.String()
	if filepath.IsAbs(r.Home) && len(r.Home) > 1 {
		text = strings.ReplaceAll(text, r.Home, "~")
	}
	return text
}

func (x BackendReport) write(b *strings.Builder, now time.Time) {
	s := maskSnapshot(x.Snapshot)
	fmt.Fprintf(b, "\n== %s ==\n", words.NameOf(s))
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "%s: %s\n", name, value)
		}
	}
	line("Folder", s.Dir)
	line("State", words.StatusLine(s, now))
	line("Wanted", words.Chosen(s.Want, "yes", "no"))
	if s.Run.PID != 0 {
		line("Process", words.Facts(fmt.Sprint(s.Run.PID), words.DetailOf(s, now), words.Prefixed("processes ", fmt.Sprint(s.Usage.Procs))))
	}
	line("Health", words.Facts(string(s.Health.Phase), words.Latency(s.Health.Latency), s.Health.Problem))
	line("Crashes in a row", fmt.Sprint(s.Crashes))
	if s.Last.Kind != "" {
		line("Last end", words.Facts(string(s.Last.Kind), s.Last.Summary, s.LastAt.UTC().Format(time.RFC3339)))
		line("Its line", s.Last.Line)
		line("Report", s.LastReport)
	}
	line("Port", words.Facts(fmt.Sprint(s.Port), s.Owner.Name, s.Owner.Why))
	line("Configuration", words.Facts(s.ConfigProblem, words.Chosen(s.ConfigChanged, "changed since the start", "")))
	line("Missing variables", strings.Join(s.Missing, ", "))
	if s.Semaphores > 0 {
		line("Semaphores left behind", fmt.Sprint(s.Semaphores))
	}
	line("Note", s.Note)
	if s.HeldBy != 0 {
		line("Kept by", fmt.Sprintf("process %d", s.HeldBy))
	}
	line("Cannot be planned", Mask(x.Problem))
	line("Python", Mask(x.Python))
	line("Command", Mask(commandLine(x.Command)))
	paragraph(b, "Crash environment", x.crashLines())
	if len(x.Names) > 0 {
		paragraph(b, "All variables, without their values", []string{strings.Join(x.Names, " ")})
	}
	paragraph(b, "Log: "+s.Log, MaskLines(x.Log))
}

// maskSnapshot masks before anything is cut to length: half of a secret looks like none.
func maskSnapshot(s supervisor.Snapshot) supervisor.Snapshot {
	for _, field := range []*string{
		&s.Backend, &s.Dir, &s.Health.Problem, &s.Last.Summary, &s.Last.Remedy, &s.Last.Line, &s.LastReport, &s.URL, &s.Log, &s.Owner.Name, &s.Owner.Why,
		&s.ConfigProblem, &s.ConfigFile, &s.Note,
	} {
		*field = Mask(*field)
	}
	missing := make([]string, len(s.Missing))
	for i, name := range s.Missing {
		missing[i] = Mask(name)
	}
	s.Missing = missing
	return s
}

func (x BackendReport) crashLines() []string {
	var out []string
	for _, v := range x.Applied {
		value := Mask(v.Value)
		if v.Unset {
			value = "(unset)"
		}
		out = append(out, fmt.Sprintf("%s=%s%s", v.Name, value, words.Prefixed("  # ", v.From)))
	}
	return out
}

// commandLine quotes words with spaces, so that each can be told from the next.
func commandLine(argv []string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		words[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n\"'") {
			words[i] = fmt.Sprintf("%q", w)
		}
	}
	return strings.Join(words, " ")
}

// paragraph is a heading with lines, or nothing.
func paragraph(b *strings.Builder, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "-- %s --\n", heading)
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
}

// Examine gathers a Report of the backends. It reads files and may take a moment; what cannot be read is left out.
func Examine(all []supervisor.Snapshot, state string) Report {
	home, _ := os.UserHomeDir()
	r := Report{
		Version: keeper.Version, System: runtime.GOOS + "/" + runtime.GOARCH, Home: home, State: state, Now: time.Now(),
		Log: lastLines(filepath.Join(state, "vivarium.log"), diagLines),
	}
	for _, s := range all {
		r.Backends = append(r.Backends, examine(s, home))
	}
	return r
}

func examine(s supervisor.Snapshot, home string) BackendReport {
	x := BackendReport{Snapshot: s, Log: lastLines(s.Log, diagLines)}
	c, err := config.Load(s.Dir)
	if err != nil {
		x.Problem = err.Error()
		return x
	}
	p, err := plan.Make(c, plan.Options{GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Parent: os.Environ(), Home: home})
	if err != nil {
		x.Problem = err.Error()
		return x
	}
	x.Command, x.Python, x.Applied = p.Spec.Argv, p.Python.Path, p.Applied
	for _, pair := range p.Spec.Env {
		if name, _, ok := strings.Cut(pair, "="); ok {
			x.Names = append(x.Names, words.Plain(name))
		}
	}
	slices.Sort(x.Names)
	return x
}

// lastLines is the end of a text file; nothing if it cannot be read.
func lastLines(path string, n int) []string {
	f, err := safefile.Open(path) // a named pipe in its place would be waited for
	if err != nil {
		return nil
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil
	}
	from := max(st.Size()-diagBytes, 0)
	text, err := io.ReadAll(io.NewSectionReader(f, from, diagBytes))
	if err != nil {
		return nil
	}
	if from > 0 { // it begins somewhere in a line
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	return lines[max(len(lines)-n, 0):]
}
