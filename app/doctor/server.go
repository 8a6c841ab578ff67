package doctor

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/recorder"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// The doctor's checks of what explains a server that hangs, and of what makes it hang or crash below Python.

// recorder says whether a server that hangs could be explained: of the running one by its files, else by what keeps Python from loading it.
func (e *examiner) recorder(system recorder.System) {
	const code = "VIV023"
	switch {
	case !e.config.Recorder.Enabled:
		e.pass(code, "switched off by enabled = false under [recorder]: a server that hangs is not explained")
		return
	case strings.Contains(e.state, ":"):
		e.warn(code, recorder.ErrColon.Error(), "VIVARIUM_HOME names another state folder")
		return
	}
	why, remedy := hinders(e.plan.Spec.Argv, e.plan.Python)
	if !e.running() {
		if why != "" {
			e.warn(code, "it will not reach the server: "+why, remedy)
		} else {
			e.pass(code, "the next start brings it into the server")
		}
		return
	}
	folder := recorder.RunFolder(recorder.Runs(keeper.BackendFolder(e.state, e.config.Dir)), e.row.Run)
	deaf := false
	for _, pid := range append([]int{e.row.PID}, process.Tree(e.row.PID)...) {
		switch err := recorder.Reached(folder, recorder.Target{PID: pid}, system); {
		case err == nil:
			e.pass(code, fmt.Sprintf("it reached the server (PID %d)", pid))
			return
		case errors.Is(err, recorder.ErrNotHeard):
			deaf = true
		}
	}
	switch {
	case deaf:
		e.warn(code, "the server does not listen to the recorder's signal (SIGURG): it uses it for itself, or an agent's sitecustomize came first",
			"if it is an agent, bring it in by PYTHONPATH under [environment] and not by its launcher: the recorder runs it then")
	case why != "":
		e.warn(code, "it did not reach the server: "+why, remedy)
	default:
		e.warn(code, "it did not reach the server: an older Vivarium started it, what starts Python drops PYTHONPATH, or an agent puts a sitecustomize in front that runs no other",
			`restart it; let command start Python itself: ["{python}", "-m", …], and bring an agent in by PYTHONPATH under [environment]`)
	}
}

// hinders is what keeps the Python of a command from loading the recorder.
func hinders(argv []string, in python.Interpreter) (why, remedy string) {
	if option := isolated(argv); option != "" {
		return "Python is started with " + option + ", which ignores PYTHONPATH", "take " + option + " out of command in vivarium.toml"
	}
	if v, ok := version(in.Version); ok && slices.Compare(v, []int{3, 8}) < 0 {
		return "it needs Python 3.8 or newer, and this is " + in.Version, "make the environment with a newer Python"
	}
	return "", ""
}

// isolated is the option of a Python command line that switches the recorder off: -I, -E or -S, alone or among others.
func isolated(argv []string) string {
	if len(argv) == 0 || !servers.IsPython(argv[0]) {
		return ""
	}
	for i := 1; i < len(argv); i++ {
		w := argv[i]
		if len(w) < 2 || w[0] != '-' || w[1] == '-' || w[1] == 'c' || w[1] == 'm' {
			return ""
		}
		for j, letter := range w[1:] {
			switch letter {
			case 'I', 'E', 'S':
				return "-" + string(letter)
			case 'c', 'm':
				return ""
			case 'W', 'X': // the rest of the word, or the next one, is its value
				if j == len(w)-2 {
					i++
				}
			default:
				continue
			}
			break
		}
	}
	return ""
}

// version is "3.11.7" in numbers. What follows the numbers does not count.
func version(text string) ([]int, bool) {
	var v []int
	for _, part := range strings.Split(text, ".") {
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		if v = append(v, n); digits != part {
			break
		}
	}
	return v, len(v) > 0
}

// loopFaults are the known faults of uvloop by the versions that have them, [from, below). The first was read in its source: 0.23.0 detaches
// the socket whose descriptor it has closed. The second is open: nobody has said yet that 0.23.0 ends it.
var loopFaults = []struct {
	from, below []int
	what, issue string
}{
	{[]int{0}, []int{0, 23}, "under load an answer may go to another request, because a closed descriptor is closed again", "https://github.com/MagicStack/uvloop/issues/645"},
	{[]int{0, 22}, []int{0, 23}, "segmentation faults when connections close are reported", "https://github.com/MagicStack/uvloop/issues/706"},
}

// eventLoop looks for a uvloop with known faults. uvicorn and others take it wherever it is installed, unless they are told not to.
func (e *examiner) eventLoop(env openmp.Environment) {
	const code = "VIV024"
	p, ok := env.Package("uvloop")
	if !ok {
		return
	}
	v, ok := version(p.Version)
	var faults []string
	for _, f := range loopFaults {
		if ok && slices.Compare(v, f.from) >= 0 && slices.Compare(v, f.below) < 0 {
			faults = append(faults, f.what+" ("+f.issue+")")
		}
	}
	switch {
	case len(faults) == 0:
		e.pass(code, "uvloop "+p.Version)
	case asyncioLoop(e.config.Command):
		e.pass(code, "uvloop "+p.Version+" has known faults, and the command does not use it")
	default:
		e.warn(code, "uvloop "+p.Version+": "+strings.Join(faults, "; "),
			"upgrade it: "+orElse(e.plan.Python.Install, "python -m pip install")+" --upgrade 'uvloop>=0.23'; or write --loop asyncio in command, where the server is uvicorn")
	}
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func asyncioLoop(command []string) bool {
	i := slices.Index(command, "--loop")
	return slices.Contains(command, "--loop=asyncio") || i >= 0 && i+1 < len(command) && command[i+1] == "asyncio"
}

// reloader warns of a server that starts itself anew with every edit, however it is told to.
func (e *examiner) reloader() {
	const code = "VIV025"
	how, remedy := e.reloads()
	if how == "" {
		e.pass(code, "none")
		return
	}
	e.warn(code, how+" starts a reloader: it keeps the port open when the server below it dies or hangs, and then answers nobody", remedy)
}

// reloadVariables switch a reloader on, with the program that reads them.
var reloadVariables = []struct{ name, server string }{
	{"FLASK_DEBUG", "flask"}, {"FLASK_RUN_RELOAD", "flask"}, {"UVICORN_RELOAD", "uvicorn"}, {"GRANIAN_RELOAD", "granian"},
}

// reloads is what starts a reloader, and how it is left off.
func (e *examiner) reloads() (how, remedy string) {
	command := e.config.Command
	server, _ := servers.ByCommand(command)
	if process.HasReload(command) {
		return reloadWord(command), "take it out of command in vivarium.toml" + instead(command)
	}
	for _, v := range reloadVariables {
		if value := strings.ToLower(python.Lookup(e.plan.Spec.Env, v.name)); v.server == server.Name && value != "" && value != "0" && value != "false" && value != "no" {
			return v.name + "=" + value, "take " + v.name + " out of the environment"
		}
	}
	if args := python.Lookup(e.plan.Spec.Env, "GUNICORN_CMD_ARGS"); server.Name == "gunicorn" && slices.Contains(strings.Fields(args), "--reload") {
		return "--reload in GUNICORN_CMD_ARGS", "take it out of that variable"
	}
	if argument, file := e.scriptReloads(command); argument != "" {
		return argument + " in " + filepath.Base(file), "write False there, or read it from a variable that only you set"
	}
	if !e.running() {
		return "", ""
	}
	for _, pid := range process.Tree(e.row.PID) { // a script starts the server
		if args, err := proc.Args(pid); err == nil && process.HasReload(args) {
			return reloadWord(args) + fmt.Sprintf(" of process %d", pid), "take it out of what starts the server" + instead(args)
		}
	}
	return "", ""
}

// reloadWord is the word of a command that makes it a reloader.
func reloadWord(command []string) string {
	for _, w := range command {
		name, _, _ := strings.Cut(w, "=")
		if slices.Contains([]string{"--reload", "--debug", "--auto-reload", "--autoreload", "--dev", "-r"}, name) {
			return name
		}
	}
	server, m := servers.ByCommand(command)
	return strings.TrimSpace(orElse(server.Name, "the command") + " " + m.Sub)
}

// instead is the same server without a reloader, where it has one by itself.
func instead(command []string) string {
	server, m := servers.ByCommand(command)
	switch {
	case server.Name == "fastapi" && m.Sub == "dev":
		return ": fastapi run is the same server without it"
	case server.Name == "runserver" || server.Name == "django" || slices.Contains(command, "runserver"):
		return ", or write --noreload behind runserver"
	case server.Reloads && len(server.Flags.NoReload) > 0:
		return ", or write " + server.Flags.NoReload[0]
	}
	return ""
}

// A call that serves, with all of its arguments, and those that reload.
var (
	servingCall = regexp.MustCompile(`\b(?:run|serve|run_server|launch|Granian)\s*\(`)
	reloading   = regexp.MustCompile(`\b(reload|auto_reload|autoreload|use_reloader|debug)\s*=\s*True\b`)
	notLoading  = regexp.MustCompile(`\b(?:use_reloader|auto_reload|reload)\s*=\s*False\b`)
	comment     = regexp.MustCompile(`(?m)#[^\n"']*$`)
)

// scriptReloads is the argument by which a script that serves by itself starts a reloader.
func (e *examiner) scriptReloads(command []string) (argument, file string) {
	if s, _ := servers.ByCommand(command); s.Name != "script" && s.Name != "module" {
		return "", ""
	}
	dir, module := e.config.Code()
	if module == "" {
		return "", ""
	}
	for _, name := range []string{filepath.FromSlash(strings.ReplaceAll(module, ".", "/")) + ".py", filepath.Join(module, "__main__.py")} {
		text, err := safefile.Read(filepath.Join(dir, name), 1<<20)
		if err != nil {
			continue
		}
		source := comment.ReplaceAllString(string(text), "")
		for _, at := range servingCall.FindAllStringIndex(source, 50) {
			args := arguments(source[at[1]:])
			if found := reloading.FindString(args); found != "" && !notLoading.MatchString(args) {
				return found, name
			}
		}
	}
	return "", ""
}

// arguments is the text up to the bracket that closes a call, at most 10,000 bytes of it.
func arguments(text string) string {
	text = text[:min(len(text), 10_000)]
	depth := 1
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return text[:i]
			}
		}
	}
	return ""
}
