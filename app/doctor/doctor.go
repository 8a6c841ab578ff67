// Package doctor examines a backend's setup with coded checks and predicts what will crash, and collects the diagnostics that are sent
// with a report. Begin with Examine. It reads and asks; what it may change is the cure in supervisor/openmp/cure, on request alone.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/order"
	"github.com/vivarium-app/vivarium/app/setup"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/openmp/cure"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/recorder"
)

// CheckState is how a check came out.
type CheckState string

// The states. Only a failed check keeps a server from working.
const (
	Pass CheckState = "pass"
	Warn CheckState = "warn"
	Fail CheckState = "fail"
)

// Check is one thing that the doctor looked at.
type Check struct {
	V      int        `json:"v"`
	Code   string     `json:"code"` // "VIV006": it keeps its meaning for ever, programs may count on it
	Name   string     `json:"name"` // "OpenMP copies"
	State  CheckState `json:"state"`
	Text   string     `json:"text"`             // one line: why
	Remedy string     `json:"remedy,omitempty"` // one line: what to do
}

// The doctor's checks, in their order. packaging/docs/doctor.md has the table.
var checkNames = []struct{ code, name, what string }{
	{"VIV001", "configuration", "`vivarium.toml` can be read, and every key in it is known"},
	{"VIV002", "environment", "the backend has a Python environment of its own"},
	{"VIV003", "interpreter", "there is a Python that the command can be started with"},
	{"VIV004", "architecture", "the packages are made for the architecture that Python runs as"},
	{"VIV005", "inserted variables", "on a Mac: this Python heeds `DYLD_INSERT_LIBRARIES`"},
	{"VIV006", "OpenMP copies", "how many OpenMP runtimes the environment has, and whose they are"},
	{"VIV007", "prediction", "which of them would meet in the server's process, and what comes of it"},
	{"VIV008", "loaded now", "which of them the running server has loaded"},
	{"VIV009", "inserted library", "on a Mac: torch's OpenMP is there and fits"},
	{"VIV010", "environment arrived", "the crash environment is in the running server"},
	{"VIV011", "cure", "what `vivarium doctor --fix` did still stands"},
	{"VIV012", "port", "the port is free, or the backend has it"},
	{"VIV013", "health", "the running server answers its health probe"},
	{"VIV014", "log", "the log can be written"},
	{"VIV015", "disk space", "there is room for the log and the state folder"},
	{"VIV016", "open files", "how many files a server may open"},
	{"VIV017", "left behind", "named semaphores and OpenMP's marks of processes that are dead"},
	{"VIV018", "login item", "what starts at login is this Vivarium"},
	{"VIV019", "notices", "there is a desktop to show notices on, and the icon can be seen"},
	{"VIV020", "keeper", "the program that keeps Python is installed"},
	{"VIV021", "start", "what else is worth knowing before a start"},
	{"VIV022", "privacy", "on a Mac: whether the backend's folder is one that macOS guards, and the pane that lets Vivarium in"},
	{"VIV023", "recorder", "what explains a server that hangs is in the running one, or would be"},
	{"VIV024", "event loop", "the environment's uvloop is none with known faults"},
	{"VIV025", "reloader", "the server does not start itself anew with every edit"},
	{"VIV026", "iCloud", "on a Mac: whether iCloud has taken contents of the backend or its environment away"},
}

// CheckCodes are the codes with their names and what each looks at, for documentation.
func CheckCodes() [][3]string {
	all := make([][3]string, len(checkNames))
	for i, c := range checkNames {
		all[i] = [3]string{c.code, c.name, c.what}
	}
	return all
}

// Examination is everything that the doctor found.
type Examination struct {
	Backend string
	Dir     string
	Checks  []Check

	Environment openmp.Environment
	Prediction  openmp.Prediction
	Loaded      []string // by the running server
	Leftovers   []string // paths of what dead processes left in shared memory
}

// Failed: something keeps the server from working.
func (x Examination) Failed() bool {
	return slices.ContainsFunc(x.Checks, func(c Check) bool { return c.State == Fail })
}

// examiner goes through the checks of one backend.
type examiner struct {
	x      Examination
	state  string
	config config.Config
	plan   plan.Plan
	row    control.Row // how the backend is
	goos   string
}

// Diagnose looks at everything that a start needs. Nothing is started, and nothing is changed. progress, which may be nil, is told how
// many files of the environment were read, from any goroutine.
func Diagnose(ctx context.Context, state, dir string, progress func(files int)) (Examination, error) {
	e := &examiner{state: state, goos: runtime.GOOS, x: Examination{Dir: dir}}
	cfg, err := config.Load(dir)
	e.config, e.x.Backend = cfg, cfg.Name
	if err != nil {
		var broken *config.Error
		if !errors.As(err, &broken) {
			return e.x, err
		}
		e.fail("VIV001", err.Error(), "")
		return e.x, nil
	}
	e.row, _ = control.Look(ctx, state, cfg) // nobody who answers: it does not run
	e.configuration()
	if e.python() {
		if err := e.openMP(ctx, progress); err != nil {
			return e.x, err
		}
	}
	e.arrived()
	e.port(ctx)
	e.health()
	e.log()
	e.disk()
	e.files()
	e.leftovers()
	e.login()
	e.notices()
	e.keeper()
	e.stopSignal()
	e.privacy(os.UserHomeDir, os.ReadDir)
	e.icloud(dataless)
	e.recorder(recorder.Real())
	e.reloader()
	for _, w := range e.plan.Warnings {
		if !strings.HasPrefix(w, "--reload ") { // VIV025 says more of it
			e.warn("VIV021", w, "")
		}
	}
	slices.SortStableFunc(e.x.Checks, func(a, b Check) int { return strings.Compare(a.Code, b.Code) })
	return e.x, nil
}

func (e *examiner) add(state CheckState, code, text, remedy string) {
	i := slices.IndexFunc(checkNames, func(c struct{ code, name, what string }) bool { return c.code == code })
	e.x.Checks = append(e.x.Checks, Check{control.RowVersion, code, checkNames[i].name, state, words.Plain(text), words.Plain(remedy)})
}

func (e *examiner) pass(code, text string)         { e.add(Pass, code, text, "") }
func (e *examiner) warn(code, text, remedy string) { e.add(Warn, code, text, remedy) }
func (e *examiner) fail(code, text, remedy string) { e.add(Fail, code, text, remedy) }

func (e *examiner) configuration() {
	if _, err := os.Stat(e.config.File); err != nil {
		e.warn("VIV001", "there is no "+config.FileName+": every key has its default", "`vivarium init` writes one that fits")
		return
	}
	var mistake *config.Error
	if err := (order.Waiter{State: e.state}).Check(e.config); errors.As(err, &mistake) {
		e.warn("VIV001", mistake.Error(), "")
		return
	}
	e.pass("VIV001", e.config.File)
}

// python looks at the interpreter; false: there is none to go on with.
func (e *examiner) python() bool {
	_, plan, differs, err := setup.PlannedLike(e.x.Dir, e.row.PID)
	e.plan = plan
	var python *python.Error
	switch {
	case errors.As(err, &python):
		e.fail("VIV003", python.Problem, python.Remedy)
		return false
	case err != nil:
		e.fail("VIV003", err.Error(), "")
		return false
	case plan.Python.Path == "":
		e.pass("VIV003", "the command needs no Python")
		return false
	}
	in := plan.Python
	text := in.Path
	if in.Version != "" {
		text += " (" + in.Version + ")"
	}
	if differs != "" {
		e.warn("VIV003", differs, fmt.Sprintf("write python = %q in vivarium.toml, so that every start takes the same one", in.Path))
	} else {
		e.pass("VIV003", text)
	}
	if in.Venv {
		e.pass("VIV002", in.Prefix)
	} else {
		e.warn("VIV002", in.Prefix+" is a Python that other projects use, too", "make an environment of the backend's own: python3 -m venv .venv")
	}
	e.loading()
	if err := cure.Check(in.Prefix); err != nil {
		var why *cure.Error
		if errors.As(err, &why) {
			e.warn("VIV011", why.Problem, why.Remedy)
		}
		e.plan.Warnings = slices.DeleteFunc(e.plan.Warnings, func(w string) bool { return w == err.Error() })
	} else if _, err := cure.Cured(in.Prefix); err == nil {
		e.pass("VIV011", "one runtime of several, and every link stands")
	}
	return true
}

// loading is about what only a Mac does.
func (e *examiner) loading() {
	if e.goos != "darwin" {
		return
	}
	const another = "make the environment with a Python from Homebrew, conda, uv or python.org"
	p, err := openmp.InspectPython(e.plan.Python.Path, e.goos, runtime.GOARCH)
	switch {
	case err != nil:
		e.warn("VIV005", err.Error(), "reinstall this Python")
	case p.Drops != "":
		e.warn("VIV005", p.Runs+": "+p.Drops, another)
	case p.Refuses != "":
		e.warn("VIV005", p.Runs+": "+p.Refuses, another)
	default:
		e.pass("VIV005", p.Runs+" heeds them")
	}
	for _, v := range e.plan.Applied {
		if v.Name != "DYLD_INSERT_LIBRARIES" {
			continue
		}
		if v.Unset {
			e.pass("VIV009", "nothing is inserted: "+v.Why)
		} else {
			e.pass("VIV009", v.Value)
		}
	}
}

// openMP walks the environment, and judges what it finds.
func (e *examiner) openMP(ctx context.Context, progress func(int)) error {
	in := e.plan.Python
	if len(in.Site) == 0 {
		return nil
	}
	env, err := openmp.Scan(ctx, in.Prefix, in.Site, progress)
	if err != nil {
		return err
	}
	e.x.Environment = env
	e.architecture(env)
	e.eventLoop(env)
	e.pass("VIV006", copiesText(env))
	e.predict(env)
	if e.x.Loaded = e.loaded(env); len(e.x.Loaded) > 0 {
		e.outcome("VIV008", openmp.Judge(env, e.x.Loaded, e.goos))
	}
	return nil
}

// predict reads what the backend's code imports. Where the command does not name its code, every package may be imported: to call that harmless
// unread would be a guess.
func (e *examiner) predict(env openmp.Environment) {
	dir, module := e.config.Code()
	if module != "" {
		e.x.Prediction = openmp.Predict(env, openmp.Imports(dir, module), e.goos)
	} else {
		var all []string
		for _, p := range env.Packages {
			all = append(all, p.Modules...)
		}
		e.x.Prediction = openmp.Predict(env, all, e.goos)
		e.x.Prediction.Summary = "if the server imports every package (the command does not name its code): " + e.x.Prediction.Summary
	}
	e.outcome("VIV007", e.x.Prediction)
}

// loaded looks into the running server at this moment, also for runtimes that are part of a larger file; if it cannot, the last regular look
// has to do.
func (e *examiner) loaded(env openmp.Environment) []string {
	if !e.running() {
		return nil
	}
	var inside []string
	for _, r := range env.Runtimes {
		if r.Static {
			inside = append(inside, r.Real)
		}
	}
	found, err := process.Loaded(e.row.PID, inside...)
	if err != nil {
		return e.row.OpenMP
	}
	return found
}

func (e *examiner) outcome(code string, p openmp.Prediction) {
	if p.Outcome == openmp.Harmless {
		e.pass(code, p.Summary)
		return
	}
	e.warn(code, p.Summary, p.Remedy)
}

// architecture compares what Python runs as with what the packages are made for.
func (e *examiner) architecture(env openmp.Environment) {
	p, err := openmp.InspectPython(e.plan.Python.Path, e.goos, runtime.GOARCH)
	if err != nil {
		e.warn("VIV004", err.Error(), "make the environment anew with a Python for this computer")
		return
	}
	var foreign []string
	for _, m := range p.Misses(env.Packages) {
		foreign = append(foreign, m.Name+" ("+strings.Join(m.Archs, ", ")+")")
	}
	if len(foreign) > 0 {
		e.fail("VIV004", "made for another architecture than "+p.Arch+": "+words.Short(strings.Join(foreign, ", "), 200), "install them again with this environment's own pip: "+e.plan.Python.Install+" --force-reinstall")
		return
	}
	if p.Translated {
		e.warn("VIV004", p.Arch+", translated by Rosetta", "make the environment with a Python for Apple silicon: it is faster, and has no such limits")
		return
	}
	e.pass("VIV004", p.Arch)
}

// copiesText is "3 runtimes: faiss-cpu's LLVM, torch's LLVM (2)".
func copiesText(env openmp.Environment) string {
	var images []openmp.Runtime
	var names []string
	count := map[string]int{}
	for _, r := range env.Runtimes {
		if slices.ContainsFunc(images, r.Same) {
			continue
		}
		images = append(images, r)
		name := fmt.Sprintf("%s's %s", env.Owner(r), r.Flavor)
		if count[name]++; count[name] == 1 {
			names = append(names, name)
		}
	}
	for i, name := range names {
		if n := count[name]; n > 1 {
			names[i] = fmt.Sprintf("%s (%d)", name, n)
		}
	}
	return words.Count(len(images), "runtime", "runtimes") + words.Prefixed(": ", strings.Join(names, ", "))
}
