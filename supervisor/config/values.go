package config

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/recorder"
)

// take checks what was written and puts it into the Config. The first mistake ends it.
func (r *reading) take(raw configText) error {
	for _, step := range []func(configText) error{
		r.takeName, r.takeCommand, r.takePython, r.takePort, r.takeFiles, r.takeShell, r.takeChoices, r.takeHealth, r.takeRestart, r.takeStop, r.takeMemory, r.takeServer, r.takeAfter, r.takeOnEvent, r.takeEnvironment,
	} {
		if err := step(raw); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) takeName(raw configText) error {
	if !r.has("name") {
		return nil
	}
	example := "write it like this: " + keyRules["name"].example
	switch n := len([]rune(raw.Name)); {
	case strings.TrimSpace(raw.Name) == "":
		return r.fail("name", "is empty", example+", or remove the line: the folder's name is used then")
	case n > maxName:
		return r.fail("name", fmt.Sprintf("has %d characters", n), fmt.Sprintf("use at most %d: it has to fit in a menu", maxName))
	case strings.ContainsFunc(raw.Name, func(c rune) bool { return !unicode.IsPrint(c) }):
		return r.fail("name", "has a line break or another character that cannot be shown", example)
	}
	r.Name = strings.TrimSpace(raw.Name)
	return nil
}

var placeholder = regexp.MustCompile(`\{[A-Za-z_]+\}`)

func (r *reading) takeCommand(raw configText) error {
	if r.has("command") {
		r.Command = raw.Command
	}
	example := "write it like this: " + keyRules["command"].example
	if len(r.Command) == 0 || strings.TrimSpace(r.Command[0]) == "" {
		return r.fail("command", "is empty", example)
	}
	if w := r.Command[0]; len(r.Command) == 1 && strings.ContainsAny(w, " \t") && !Exists(filepath.Join(r.Dir, w)) && !Exists(w) {
		return r.fail("command", "is one word with spaces in it: no shell splits it", "make every word a text of its own: "+example)
	}
	for _, w := range r.Command {
		if strings.ContainsRune(w, 0) {
			return r.fail("command", "has a NUL character in it", "remove it")
		}
		for _, p := range placeholder.FindAllString(w, -1) {
			if p != PlaceholderPort && p != PlaceholderPython {
				return r.fail("command", p+" is not a placeholder", "there are {python} and {port}")
			}
		}
	}
	return nil
}

func (r *reading) takePython(raw configText) error {
	switch {
	case !r.has("python"):
		return nil
	case strings.TrimSpace(raw.Python) == "":
		return r.fail("python", "is empty", `write "auto", or the path of an interpreter`)
	case strings.ContainsFunc(raw.Python, unicode.IsControl):
		return r.fail("python", "has a line break or another control character in it", `write "auto", or the path of an interpreter`)
	}
	r.Python = atHome(raw.Python)
	return nil
}

func (r *reading) takePort(raw configText) error {
	if raw.Port < 0 || raw.Port > 65535 {
		return r.fail("port", fmt.Sprintf("%d is no port", raw.Port), "write a number from 1 to 65535, or 0 if it listens nowhere")
	}
	r.Port = int(raw.Port)
	command := strings.Join(r.Command, "\x00")
	if r.Port == 0 && strings.Contains(command, PlaceholderPort) {
		key := "command"
		if !r.has(key) {
			key = "port"
		}
		return r.fail(key, "the command has {port} in it, but port = 0 says that it listens nowhere", "set a port, or take {port} out of the command")
	}
	if n, ok := portWord(r.Command); ok && r.Port != 0 && n != r.Port {
		return r.fail("command", fmt.Sprintf("says port %d, but the port is %d", n, r.Port),
			fmt.Sprintf("write --port {port} in the command, and port = %d", n))
	}
	return nil
}

// portWord is the number after --port, if the command has one instead of {port}.
func portWord(command []string) (int, bool) {
	for i, w := range command {
		value, joined := strings.CutPrefix(w, "--port=")
		if w == "--port" && i+1 < len(command) {
			value, joined = command[i+1], true
		}
		if n, err := strconv.Atoi(value); joined && err == nil {
			return n, true
		}
	}
	return 0, false
}

// maxShellNames bounds what a shell is asked: all of it is one command line.
const maxShellNames = 100

func (r *reading) takeShell(raw configText) error {
	const key = "login_shell_env"
	if len(raw.LoginShellEnv) > maxShellNames {
		return r.fail(key, fmt.Sprintf("has %d names", len(raw.LoginShellEnv)), fmt.Sprintf("name at most %d", maxShellNames))
	}
	for _, name := range raw.LoginShellEnv {
		switch {
		case name == proc.RunVariable || name == recorder.FolderVariable:
			return r.fail(key, name+" is Vivarium's own mark on its processes", "remove it")
		case strings.Contains(name, "="):
			return r.fail(key, "wants names alone, without a value", "write it like this: "+keyRules[key].example+"; values belong under [environment]")
		case !isShellName(name):
			return r.fail(key, Quoted(name)+" is no name of a variable", "use letters, digits and underscores, as in "+keyRules[key].example)
		case slices.Contains(r.LoginShellEnv, name):
			return r.fail(key, name+" is there twice", "keep one of the two")
		}
		r.LoginShellEnv = append(r.LoginShellEnv, name)
	}
	return nil
}

// isShellName: every shell takes it for one word, and for a variable.
func isShellName(name string) bool {
	special := func(c rune) bool {
		return c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9')
	}
	return name != "" && !strings.ContainsFunc(name, special) && (name[0] < '0' || name[0] > '9')
}

func (r *reading) takeFiles(raw configText) error {
	if r.has("env_file") {
		r.EnvFile, r.EnvFileNamed = "", raw.EnvFile != ""
		if strings.ContainsFunc(raw.EnvFile, unicode.IsControl) {
			return r.fail("env_file", "has a line break or another control character in it", "write it like this: "+keyRules["env_file"].example)
		}
		if r.EnvFileNamed {
			r.EnvFile = r.inDir(raw.EnvFile)
		}
	}
	if r.has("log.file") {
		example := "write it like this: " + keyRules["log.file"].example
		switch {
		case strings.TrimSpace(raw.Log.File) == "":
			return r.fail("log.file", "is empty", example)
		case strings.ContainsFunc(raw.Log.File, unicode.IsControl):
			return r.fail("log.file", "has a line break or another control character in it", example)
		case strings.HasSuffix(raw.Log.File, "/"):
			return r.fail("log.file", "is a folder", example)
		}
		r.Log.File = r.inDir(raw.Log.File)
	}
	if r.has("log.max_size") {
		size, problem := parseSize(raw.Log.MaxSize)
		if problem != "" {
			return r.fail("log.max_size", problem, `write it like this: max_size = "50MB"; KB, MB, GB, KiB, MiB and GiB are known`)
		}
		r.Log.MaxSize = size
	}
	var err error
	r.Log.Probes = raw.Log.Probes
	r.Log.Keep, err = r.count("log.keep", raw.Log.Keep, 0, 1000)
	return err
}

func (r *reading) takeChoices(raw configText) (err error) {
	if r.OnPortConflict, err = r.choice("on_port_conflict", raw.OnPortConflict, TakeOver, Refuse); err != nil {
		return err
	}
	if r.KeepAwake, err = r.choice("keep_awake", raw.KeepAwake, AwakeNever, AwakeBusy, AwakeRunning); err != nil {
		return err
	}
	r.IntervalNamed = r.has("health.interval")
	r.Autostart, r.Recorder.Enabled = raw.Autostart, raw.Recorder.Enabled
	r.Restart.Policy, err = r.choice("restart.policy", raw.Restart.Policy, RestartOnCrash, RestartAlways, RestartNever)
	return err
}

func (r *reading) takeHealth(raw configText) (err error) {
	h := raw.Health
	if problem := pathProblem(h.Path); problem != "" {
		return r.fail("health.path", problem, `write the path alone, as in path = "/health", or "" to switch the probing off`)
	}
	r.Health.Path, r.Health.RestartHung = h.Path, h.RestartHung
	if err := r.takeHealthURL(h); err != nil {
		return err
	}
	for _, d := range []struct {
		key, text  string
		into       *time.Duration
		least, top time.Duration
	}{
		{"health.interval", h.Interval, &r.Health.Interval, 50 * time.Millisecond, time.Hour},
		{"health.timeout", h.Timeout, &r.Health.Timeout, 10 * time.Millisecond, 10 * time.Minute},
		{"health.startup", h.Startup, &r.Health.Startup, 10 * time.Millisecond, 24 * time.Hour},
		{"health.busy_limit", h.BusyLimit, &r.Health.BusyLimit, 10 * time.Millisecond, 24 * time.Hour},
		{"health.quiet_start", h.QuietStart, &r.Health.QuietStart, time.Second, 24 * time.Hour},
	} {
		if *d.into, err = r.duration(d.key, d.text, *d.into, d.least, d.top); err != nil {
			return err
		}
	}
	if r.Health.Failures, err = r.count("health.failures", h.Failures, 1, 1000); err != nil {
		return err
	}
	return r.takeDeep(raw)
}

// takeHealthURL: an address stands for the path, too, so that a configuration which has both has to say which it means.
func (r *reading) takeHealthURL(h healthText) error {
	const key = "health.url"
	if !r.has(key) {
		return nil
	}
	if r.has("health.path") {
		return r.fail(key, "is there beside path", "keep one of the two: url has a path of its own")
	}
	if problem, remedy := urlProblem(h.URL); problem != "" {
		return r.fail(key, problem, remedy)
	}
	r.Health.URL = h.URL
	r.Health.Path = r.Target().Path()
	return nil
}

// pathProblem says what is wrong with a health path, or "".
func pathProblem(path string) string {
	if path == "" {
		return ""
	}
	u, err := url.ParseRequestURI(path)
	switch {
	case strings.Contains(path, "://"):
		return Quoted(path) + " is a whole address"
	case !strings.HasPrefix(path, "/"):
		return Quoted(path) + ` does not begin with "/"`
	case strings.HasPrefix(path, "//"):
		return Quoted(path) + ` begins with two "/"`
	case strings.ContainsFunc(path, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }):
		return "has a space or a control character in it"
	case strings.Contains(path, "#"):
		return Quoted(path) + ` has a "#" in it, which no server gets to see`
	case err != nil || u.Host != "":
		return Quoted(path) + " is no path of an address"
	}
	return ""
}

func (r *reading) takeRestart(raw configText) (err error) {
	r.Restart.Stable, err = r.duration("restart.stable", raw.Restart.Stable, r.Restart.Stable, 0, 24*time.Hour)
	if err != nil {
		return err
	}
	r.Restart.GiveUpAfter, err = r.count("restart.give_up_after", raw.Restart.GiveUpAfter, 0, 1000)
	return err
}

// stopSignals are the signals that a server can clean up on.
var stopSignals = map[string]syscall.Signal{
	"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM, "SIGHUP": syscall.SIGHUP, "SIGQUIT": syscall.SIGQUIT,
	"SIGUSR1": syscall.SIGUSR1, "SIGUSR2": syscall.SIGUSR2,
}

func (r *reading) takeStop(raw configText) (err error) {
	r.Stop.Signal, _, _ = StopSignal(r.Command)
	if r.has("stop.signal") {
		name := strings.ToUpper(raw.Stop.Signal)
		if !strings.HasPrefix(name, "SIG") {
			name = "SIG" + name
		}
		sig, ok := stopSignals[name]
		switch {
		case name == "SIGKILL" || name == "SIGSTOP":
			return r.fail("stop.signal", name+" gives the server no chance to clean up", `write "SIGINT" or "SIGTERM"; after the grace it is ended in any case`)
		case !ok:
			return r.fail("stop.signal", Quoted(raw.Stop.Signal)+" is not a signal to stop with", "write one of SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2")
		}
		r.Stop.Signal = sig
	}
	r.Stop.Grace, err = r.duration("stop.grace", raw.Stop.Grace, r.Stop.Grace, 0, time.Hour)
	return err
}

func (r *reading) takeEnvironment(raw configText) error {
	r.Environment = make(map[string]string, len(raw.Environment))
	for name, value := range raw.Environment {
		if problem, remedy := variableProblem(name, value); problem != "" {
			return r.fail("environment."+name, problem, remedy)
		}
		r.Environment[name] = value
	}
	return nil
}

// variableProblem says what is wrong with an environment variable, or "". The value is never in it.
func variableProblem(name, value string) (problem, remedy string) {
	switch {
	case name == "":
		return "the variable has no name", `write it like this: NAME = "value"`
	case name == proc.RunVariable || name == recorder.FolderVariable:
		return "is Vivarium's own mark on its processes", "remove it"
	case strings.ContainsFunc(name, func(c rune) bool {
		return c == '=' || c == '"' || c == '\'' || unicode.IsSpace(c) || !unicode.IsPrint(c)
	}):
		return "is no name of a variable", "use letters, digits and underscores"
	case strings.ContainsRune(value, 0):
		return "has a NUL character in its value", "remove it: no process can be given one"
	}
	return "", ""
}

func (r *reading) choice(key, word string, words ...string) (string, error) {
	for _, w := range words {
		if w == word {
			return w, nil
		}
	}
	remedy := "write one of " + strings.Join(words, ", ")
	if near := nearest(word, words...); near != "" {
		remedy = "did you mean " + strconv.Quote(near) + "?"
	}
	return "", r.fail(key, Quoted(word)+" is not known here", remedy)
}

func (r *reading) count(key string, n int64, least, top int) (int, error) {
	if n < int64(least) || n > int64(top) {
		return 0, r.fail(key, fmt.Sprintf("%d is out of range", n), fmt.Sprintf("write a number from %d to %d", least, top))
	}
	return int(n), nil
}

// inDir makes a path of the configuration absolute.
func (r *reading) inDir(path string) string {
	path = atHome(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.Dir, path)
	}
	return filepath.Clean(path)
}

// atHome expands "~/", which people write and no system call understands.
func atHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, rest)
}

func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
