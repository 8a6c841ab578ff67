// Package setup finds out how the server in a folder is started, and writes vivarium.toml and ./start for it: `vivarium init` and Add
// Backend. Begin with Inspect and Found.Write. Files are read and never run; what they say is supervisor/project's matter, and which server
// that is supervisor/servers'. It must not know a running backend.
package setup

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/project"
	"github.com/vivarium-app/vivarium/supervisor/ready"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// Found is what a look at a folder found, without running anything of it: what `vivarium init` and Add Backend propose.
type Found struct {
	Dir        string // absolute, links resolved
	Name       string
	Configured bool // vivarium.toml is there already; it is kept

	Python        string // the interpreter, "" if none was found
	PythonFrom    string // where it was found, for a person: ".venv"
	PythonValue   string // what python in vivarium.toml is to say; "" to leave it at "auto"
	PythonProblem string // why there is none, or a warning

	App       string   // "main:app", "" if none was found
	AppFile   string   // the file it is in, relative to Dir
	Framework string   // "FastAPI"; "" if it is a plain script
	Command   []string // what will start it, with the placeholders of vivarium.toml; nil if nothing was found
	Health    string   // the path to probe, "" for none

	Port     int    // 0: it listens nowhere, or nothing says where
	PortFrom string // the file that says so, relative to Dir; "" for the default
	Socket   string // the Unix socket that it listens on instead, "" for none

	Environment []Export // what start scripts export, and Vivarium would not set by itself
	Covered     []string // names they export that the crash environment sets
	Skipped     []string // names whose values only a shell can work out

	Taken   []string // what else is taken over, a line each: "start.sh:4  source venv/bin/activate  (the environment)"
	LeftOut []string // what is not, each with the reason
	Others  []string // further servers, of which a person may mean one; each begins with the words for --app
	Ask     bool     // the first of Others is as likely as this one

	Missing []string // packages that the command needs, and that the interpreter has not
	Mend    string   // the command that installs them, or that makes the environment

	Start     bool     // ./start is there, as a file or a link
	StartOurs bool     // and it starts Vivarium already
	Advice    []string // sentences for a person
	Stops     []string // what would keep it from starting, in the words that a start has for it

	startTaken bool // by a folder of that name

	terminal bool
	project  project.Project
	has      func(string) bool // which distributions are installed; nil if that is not known
	install  string            // the command that installs a package
}

// Export is an `export NAME=value` of a start script.
type Export struct {
	Name, Value string
	From        string // the script, relative to the backend's folder
	Needed      bool   // the server does not start, or listens elsewhere, without it: it is written without being asked for
}

// Shown is the export as it may be printed: a value that looks like a secret stays out.
func (e Export) Shown() string {
	if project.Secret(e.Name) {
		return e.Name + "=(not shown)"
	}
	return e.Name + "=" + words.Short(e.Value, 60)
}

// Offered is how many variables a person may take over or leave.
func (f Found) Offered() int {
	n := 0
	for _, e := range f.Environment {
		if !e.Needed {
			n++
		}
	}
	return n
}

// lazily compiles a pattern when it is first needed: every command of the command line pays for what is compiled at its start.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// Inspect looks at a folder. Nothing in it is run, and nothing is written. terminal: a person's shell stands around, whose active
// environment counts.
func Inspect(dir string, terminal bool) (Found, error) {
	real, err := RealFolder(dir)
	if err != nil {
		return Found{}, err
	}
	folder, err := project.Open(real)
	if err != nil {
		return Found{}, fmt.Errorf("adding a backend: %w", err)
	}
	defer folder.Close()
	f := Found{Dir: real, Name: config.Defaults(real).Name, project: project.Read(folder), terminal: terminal}
	_, err = os.Lstat(filepath.Join(real, config.FileName))
	f.Configured = err == nil
	f.lookAtStart()
	f.findPython(terminal)
	if p, ok := f.project.Propose(f.has); ok {
		f.take(p)
	}
	f.takeExports()
	f.advise()
	f.tryOut()
	if len(f.Missing) > 0 && len(f.Stops) == 0 { // an environment that cannot be looked into, or one that is still to be made
		f.Advice = append(f.Advice, fmt.Sprintf("%s is not installed: the server cannot start before it is%s.", strings.Join(f.Missing, ", "), words.Prefixed(". Run ", f.Mend)))
	}
	return f, nil
}

// tryOut looks for what would keep it from starting as it stands in vivarium.toml, or as it would be written there.
func (f *Found) tryOut() {
	f.Stops = nil
	if f.Command == nil && !f.Configured {
		return
	}
	var c config.Config
	var err error
	if f.Configured {
		c, err = config.Load(f.Dir)
	} else {
		text, _ := f.Config(false)
		c, err = config.Parse(f.Dir, text)
	}
	if err != nil {
		if !f.Configured { // otherwise whoever loads it tells
			f.Stops = []string{unwritable(err)}
		}
		return
	}
	home, _ := os.UserHomeDir()
	p, err := plan.Make(c, plan.Options{Parent: os.Environ(), Home: home, Interactive: f.terminal})
	if err != nil {
		if v, ok := ready.Unplanned(err); ok {
			f.PythonProblem, f.Stops = "", []string{ready.Line(v)}
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, v := range ready.Look(ctx, c, p) {
		f.Stops = append(f.Stops, ready.Line(v))
	}
	if v, taken := ready.Port(ctx, c); taken && !f.Configured {
		f.Stops = append(f.Stops, ready.Line(v))
	}
}

func (f *Found) lookAtStart() {
	path := filepath.Join(f.Dir, "start")
	st, err := os.Lstat(path)
	if err != nil {
		return
	}
	if f.startTaken = st.IsDir(); f.startTaken {
		return
	}
	f.Start, f.StartOurs = true, isOurStart(readSmall(path))
}

// readSmall gives "" for what cannot be read, is no file, or is too large to be written by a person.
func readSmall(path string) string {
	text, err := safefile.Read(path, 1<<20)
	if err != nil {
		return ""
	}
	return string(text)
}

// take is the server that will be started from now on.
func (f *Found) take(p project.Proposal) {
	f.App, f.AppFile, f.Command, f.Health = p.App, p.File, p.Command, p.Health
	f.Framework = p.Of.Title
	if p.Server.Title != p.Of.Title {
		f.Framework += " on " + p.Server.Title
	}
	f.Port, f.PortFrom, f.Socket = p.Port, p.PortFrom.File, p.Socket
	if f.Port == 0 && f.Socket == "" {
		f.Health, f.PortFrom = "", ""
	}
	f.Taken, f.LeftOut, f.Others = nil, nil, nil
	if p.Kind != "code" {
		f.Taken = append(f.Taken, (project.Note{Place: p.From, Text: "the command"}).Shown())
	}
	for _, n := range f.project.Taken {
		f.Taken = append(f.Taken, n.Shown())
	}
	for _, n := range append(slices.Clone(f.project.LeftOut), p.LeftOut...) {
		f.LeftOut = append(f.LeftOut, n.Shown())
	}
	for _, o := range p.Others {
		f.Others = append(f.Others, fmt.Sprintf("%s (%s, in %s)", o.App, o.Title, o.File))
	}
	f.Ask, f.Missing = p.Ask, p.Needs
	f.Environment = nil
	for _, name := range slices.Sorted(maps.Keys(p.Environment)) {
		f.Environment = append(f.Environment, Export{name, p.Environment[name], cmp.Or(p.From.File, p.PortFrom.File), true})
	}
	if len(f.Missing) > 0 {
		f.Mend = f.installs()
	}
}

// installs is the command that brings in what is missing.
func (f *Found) installs() string {
	declared := !slices.ContainsFunc(f.Missing, func(m string) bool {
		name, _, _ := strings.Cut(m, "[")
		return !slices.Contains(f.project.Environment.Names, name)
	})
	if add := f.project.Environment.Add; declared && add != "" {
		return "cd " + environment.Quote(f.Dir) + " && " + add
	}
	if f.install == "" {
		return ""
	}
	quoted := make([]string, len(f.Missing))
	for i, m := range f.Missing {
		quoted[i] = environment.Quote(m)
	}
	return f.install + " " + strings.Join(quoted, " ")
}

// Choose takes the server that a person named: an app as module:name, a file, or a process of the Procfile.
func (f *Found) Choose(named string) error {
	folder, err := project.Open(f.Dir) // what a file says is read when it is asked for
	if err != nil {
		return fmt.Errorf("choosing the server: %w", err)
	}
	defer folder.Close()
	f.project = project.Read(folder)
	p, err := f.project.Choose(named, f.has)
	if err != nil {
		return err
	}
	f.Covered, f.Skipped, f.Advice = nil, nil, nil
	f.take(p)
	f.takeExports()
	f.advise()
	f.tryOut()
	if len(f.Missing) > 0 && len(f.Stops) == 0 { // an environment that cannot be looked into, or one that is still to be made
		f.Advice = append(f.Advice, fmt.Sprintf("%s is not installed: the server cannot start before it is%s.", strings.Join(f.Missing, ", "), words.Prefixed(". Run ", f.Mend)))
	}
	return nil
}

// ListenOn is a person's own choice of the port.
func (f *Found) ListenOn(port int) {
	f.Port, f.PortFrom = port, ""
	f.tryOut()
}

// takeExports takes what start scripts export, as far as Vivarium does not set it by itself.
func (f *Found) takeExports() {
	ours := map[string]environment.Var{}
	for _, v := range environment.Table() {
		ours[v.Name] = v
	}
	seen := map[string]bool{} // a script and a Procfile may say the same: a name that is twice in vivarium.toml makes it unreadable
	for _, e := range f.Environment {
		seen[e.Name] = true
	}
	for _, e := range f.project.Vars {
		if seen[e.Name] {
			continue
		}
		seen[e.Name] = true
		v, covered := ours[e.Name]
		switch {
		case covered && (e.Computed || e.Value == v.Value || !tunable[e.Name]):
			f.Covered = append(f.Covered, e.Name)
		case e.Computed:
			f.Skipped = append(f.Skipped, e.Name)
		case e.Name == "PORT" || e.Name == "PATH" || e.Name == "VIRTUAL_ENV" || e.Name == "CONDA_PREFIX":
		case !writable(f.Dir, e):
		default:
			f.Environment = append(f.Environment, Export{e.Name, e.Value, e.File, false})
		}
	}
}

// writable: vivarium.toml may have it under [environment]. What is Vivarium's own mark, and what no process can be given, it may not.
func writable(dir string, v project.Var) bool {
	_, err := config.Parse(dir, "[environment]\n"+v.Name+" = "+tomlString(v.Value)+"\n")
	return err == nil
}

// tunable are the variables of the crash environment whose value is a matter of taste: a person's own figure is kept.
var tunable = map[string]bool{"OMP_NUM_THREADS": true}

var reloadArgument = lazily(`(?m)^[^#\n]*[\s(,]reload\s*=\s*True\b`)

func (f *Found) advise() {
	if f.startTaken {
		f.Advice = append(f.Advice, "A folder named start is in the way of ./start, and may be a part of your program: start the backend with “"+f.StartWith()+"”.")
	}
	if f.AppFile != "" && reloadArgument().MatchString(readSmall(filepath.Join(f.Dir, f.AppFile))) && slices.Contains(f.Command, f.AppFile) {
		f.Advice = append(f.Advice, fmt.Sprintf("%s uses reload=True: leave it off under Vivarium, a crashed worker is not noticed below the reloader.", f.AppFile))
	}
	for _, name := range f.Skipped {
		f.Advice = append(f.Advice, fmt.Sprintf("%s is worked out by the script that exports it: set it in [environment] yourself if the server needs it.", name))
	}
	if f.Health == "" && f.App != "" && (f.Port != 0 || f.Socket != "") {
		f.Advice = append(f.Advice, "No /health route was found: add one, and Vivarium sees when the server hangs.")
	}
	if f.Port == 0 && f.Socket == "" && f.Command != nil {
		f.Advice = append(f.Advice, "Nothing says where it listens: if it does, set port and [health] path in vivarium.toml, or say --port.")
	}
}

// StartWith is the command that starts the backend from now on.
func (f Found) StartWith() string {
	if f.startTaken {
		return "vivarium run " + environment.Quote(f.Dir)
	}
	return "./start"
}

// Question is what Add Backend asks before anything is written.
func (f Found) Question() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Add “%s”?\n\n", f.Name)
	for _, l := range f.Lines() {
		b.WriteString(l + "\n")
	}
	b.WriteString("\nVivarium writes vivarium.toml" + words.Chosen(f.startTaken, "", " and ./start") + " into the folder")
	if f.Start && !f.StartOurs {
		b.WriteString("; your present ./start is kept as start.before-vivarium")
	}
	b.WriteString(".")
	return b.String()
}

// Lines is what was found, a line each.
func (f Found) Lines() []string {
	lines := []string{"Folder: " + f.Dir}
	switch {
	case f.Python == "":
		lines = append(lines, "Interpreter: none found."+words.Prefixed(" ", words.Plain(f.PythonProblem)))
	default:
		lines = append(lines, "Interpreter: "+f.Python+words.Prefixed(" · ", words.Plain(f.PythonProblem)))
	}
	switch {
	case f.App != "" && f.AppFile != "" && f.App != f.AppFile:
		lines = append(lines, fmt.Sprintf("Server: %s (%s, in %s)", f.App, f.Framework, f.AppFile))
	case f.AppFile != "":
		lines = append(lines, fmt.Sprintf("Server: %s (%s)", f.AppFile, f.Framework))
	case f.Command != nil:
		lines = append(lines, fmt.Sprintf("Server: %s", strings.Join(slices.DeleteFunc([]string{f.Framework, f.App}, func(s string) bool { return s == "" }), ", ")))
	default:
		lines = append(lines, "Server: none found. Say which one with command in vivarium.toml.")
	}
	if f.Command != nil {
		lines = append(lines, "Command: "+strings.Join(f.Command, " "))
	}
	if f.Port != 0 {
		lines = append(lines, fmt.Sprintf("Port: %d%s", f.Port, words.Prefixed(", from ", f.PortFrom)))
	}
	if f.Socket != "" {
		lines = append(lines, "Socket: "+f.Socket+", where its health is asked; it has no port to be taken or freed")
	}
	switch {
	case f.secure():
		lines = append(lines, fmt.Sprintf("Health: https://127.0.0.1:%d%s", f.Port, f.Health))
	case f.Health != "":
		lines = append(lines, "Health: "+f.Health)
	}
	for _, e := range f.Environment {
		lines = append(lines, fmt.Sprintf("Environment: %s, from %s", e.Shown(), e.From))
	}
	if len(f.Covered) > 0 {
		lines = append(lines, "Set by Vivarium from now on: "+strings.Join(f.Covered, ", "))
	}
	for _, n := range f.Taken {
		lines = append(lines, "Taken over: "+words.Plain(n))
	}
	for _, n := range f.LeftOut {
		lines = append(lines, "Left out: "+words.Plain(n))
	}
	for _, o := range f.Others {
		lines = append(lines, "Or: "+words.Plain(o))
	}
	for _, s := range f.Stops {
		lines = append(lines, words.Plain(s))
	}
	return append(lines, f.Advice...)
}
