// Package setup finds out how the server in a folder is started, and writes vivarium.toml and ./start for it: `vivarium init` and Add
// Backend. Begin with Inspect and Found.Write. Files are read and never run. It must not know a running backend.
package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// defaultPort is what a server listens on when nothing says otherwise, here as in vivarium.toml.
const defaultPort = 8000

// Found is what a look at a folder found, without running anything of it: what `vivarium init` and Add Backend propose.
type Found struct {
	Dir        string // absolute, links resolved
	Name       string
	Configured bool // vivarium.toml is there already; it is kept

	Python        string // the interpreter, "" if none was found
	PythonFrom    string // where it was found, for a person: ".venv"
	PythonProblem string // why there is none, or a warning

	App       string   // "main:app", "" if none was found
	AppFile   string   // the file it is in, relative to Dir
	Framework string   // "FastAPI"; "" if it is a plain script
	Command   []string // what will start it, with the placeholders of vivarium.toml; nil if nothing was found
	Health    string   // the path to probe, "" for none

	Port     int
	PortFrom string // the file that says so, relative to Dir; "" for the default

	Environment []Export // what start scripts export, and Vivarium would not set by itself
	Covered     []string // names they export that the crash environment sets
	Skipped     []string // names whose values only a shell can work out

	Start     bool     // ./start is there
	StartOurs bool     // and it starts Vivarium already
	Advice    []string // sentences for a person
}

// Export is an `export NAME=value` of a start script.
type Export struct {
	Name, Value string
	From        string // the script, relative to the backend's folder
}

// Shown is the export as it may be printed: a value that looks like a secret stays out.
func (e Export) Shown() string {
	if looksSecret(e.Name) {
		return e.Name + "=(not shown)"
	}
	return e.Name + "=" + words.Short(e.Value, 60)
}

var secretName = lazily(`(?i)(key|token|secret|pass|pwd|credential|private|auth|dsn|_pat$|cookie|session)`)

// lazily compiles a pattern when it is first needed: every command of the command line pays for what is compiled at its start.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// looksSecret errs on the side of silence. Connection strings carry passwords, too.
func looksSecret(name string) bool {
	return secretName().MatchString(name) || strings.HasSuffix(strings.ToUpper(name), "_URL") || strings.HasSuffix(strings.ToUpper(name), "_URI")
}

// startScripts are the scripts that may have started the server so far, the most telling first.
var startScripts = []string{"start", "scripts/start.sh", "start.sh", "run.sh", "scripts/start", "scripts/run.sh"}

// Inspect looks at a folder. Nothing in it is run, and nothing is written.
func Inspect(dir string) (Found, error) {
	real, err := RealFolder(dir)
	if err != nil {
		return Found{}, err
	}
	f := Found{Dir: real, Name: filepath.Base(real)}
	_, err = os.Lstat(filepath.Join(real, config.FileName))
	f.Configured = err == nil
	scripts := f.readScripts()
	f.findPython()
	f.findApp(scripts)
	f.findPort(scripts)
	f.takeExports(scripts)
	f.advise(scripts)
	return f, nil
}

// sourceText is the text of a file that says how the server is started.
type sourceText struct{ name, text string }

func (f *Found) readScripts() []sourceText {
	var all []sourceText
	for _, name := range startScripts {
		text := readSmall(filepath.Join(f.Dir, name))
		if text == "" {
			continue
		}
		if name == "start" {
			f.Start = true
			f.StartOurs = isOurStart(text)
			if f.StartOurs {
				continue
			}
		}
		all = append(all, sourceText{name, text})
	}
	if _, err := os.Lstat(filepath.Join(f.Dir, "start")); err == nil {
		f.Start = true
	}
	return all
}

// readSmall gives "" for what cannot be read, is no file, or is too large to be written by a person.
func readSmall(path string) string {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() || st.Size() > 1<<20 {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

var portPatterns = []func() *regexp.Regexp{
	lazily(`--port[ =]"?(\d{2,5})\b`),
	lazily(`--bind[ =]"?[\w.\[\]:]*:(\d{2,5})\b`),
	lazily(`(?m)^\s*(?:export\s+)?PORT=["']?(\d{2,5})\b`),
	lazily(`\$\{PORT:-(\d{2,5})\}`),
	lazily(`(?s)(?:uvicorn\.run|\bapp\.run|hypercorn\.run)\([^()]*?\bport\s*=\s*(\d{2,5})\b`),
}

func (f *Found) findPort(scripts []sourceText) {
	files := append([]sourceText{}, scripts...)
	for _, name := range []string{".env", f.AppFile, "main.py", "app.py", "server.py", "run.py"} {
		if name != "" {
			files = append(files, sourceText{name, readSmall(filepath.Join(f.Dir, name))})
		}
	}
	for _, s := range files {
		text := withoutComments(s.text)
		for _, p := range portPatterns {
			if m := p().FindStringSubmatch(text); m != nil {
				if port, err := strconv.Atoi(m[1]); err == nil && port > 0 && port < 65536 {
					f.Port, f.PortFrom = port, s.name
					return
				}
			}
		}
	}
	f.Port = defaultPort
	if f.Framework == "Flask" {
		f.Port = 5000 // where its own server listens
	}
}

// withoutComments drops lines that a shell and Python alike do not look at.
func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

var exportLine = lazily(`^\s*export\s+([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)

// takeExports reads the `export NAME=value` lines. Of one name the last script line wins, and ./start over what it calls.
func (f *Found) takeExports(scripts []sourceText) {
	ours := map[string]crash.Var{}
	for _, v := range crash.Table() {
		ours[v.Name] = v
	}
	seen := map[string]bool{}
	for _, s := range scripts {
		for _, e := range exportsOf(s) {
			if seen[e.Name] {
				continue
			}
			seen[e.Name] = true
			v, covered := ours[e.Name]
			switch {
			case covered && (e.computed || e.Value == v.Value || !tunable[e.Name]):
				f.Covered = append(f.Covered, e.Name)
			case e.computed:
				f.Skipped = append(f.Skipped, e.Name)
			case e.Name == "PORT" || e.Name == "PATH":
			default:
				f.Environment = append(f.Environment, e.Export)
			}
		}
	}
}

// tunable are the variables of the crash environment whose value is a matter of taste: a person's own figure is kept.
var tunable = map[string]bool{"OMP_NUM_THREADS": true}

type scriptExport struct {
	Export
	computed bool // only a shell can tell the value
}

// exportsOf gives each name once, with the value it has at the script's end.
func exportsOf(s sourceText) []scriptExport {
	var all []scriptExport
	at := map[string]int{}
	for line := range strings.Lines(s.text) {
		m := exportLine().FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		value, literal := shellWord(m[2])
		e := scriptExport{Export{Name: m[1], Value: value, From: s.name}, !literal}
		if i, ok := at[e.Name]; ok {
			all[i] = e
			continue
		}
		at[e.Name] = len(all)
		all = append(all, e)
	}
	return all
}

// shellWord reads the first word of a POSIX shell's line. literal is false where only a shell can tell what it is.
func shellWord(s string) (word string, literal bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\'':
			end := strings.IndexByte(s[i+1:], '\'')
			if end < 0 {
				return "", false
			}
			b.WriteString(s[i+1 : i+1+end])
			i += end + 1
		case '"':
			n, ok := quotedPart(&b, s[i+1:])
			if !ok {
				return "", false
			}
			i += n + 1
		case '\\':
			if i+1 == len(s) {
				return "", false // goes on in the next line
			}
			i++
			b.WriteByte(s[i])
		case ' ', '\t', ';', '&', '|':
			return b.String(), true
		case '$', '`', '(', '<', '>', '*', '?', '[':
			return "", false
		case '~':
			if b.Len() == 0 {
				return "", false
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// quotedPart reads to the closing double quote and says how many bytes that took, the quote included.
func quotedPart(b *strings.Builder, s string) (n int, literal bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i, true
		case '$', '`':
			return 0, false
		case '\\':
			if i+1 < len(s) && strings.IndexByte("\\\"$`", s[i+1]) >= 0 {
				i++
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return 0, false
}

var reloadFlag = lazily(`(?:^|[\s"'(,])(?:--reload\b|reload\s*=\s*True\b)`)

func (f *Found) advise(scripts []sourceText) {
	for _, s := range append(scripts, sourceText{f.AppFile, readSmall(filepath.Join(f.Dir, f.AppFile))}) {
		if reloadFlag().MatchString(withoutComments(s.text)) {
			f.Advice = append(f.Advice, fmt.Sprintf("%s uses --reload: leave it off under Vivarium, a crashed worker is not noticed below the reloader.", s.name))
		}
	}
	for _, name := range f.Skipped {
		f.Advice = append(f.Advice, fmt.Sprintf("%s is worked out by the script that exports it: set it in [environment] yourself if the server needs it.", name))
	}
	if f.Health == "" && f.App != "" {
		f.Advice = append(f.Advice, "No /health route was found: add one, and Vivarium sees when the server hangs.")
	}
}

// Question is what Add Backend asks before anything is written.
func (f Found) Question() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Add “%s”?\n\n", f.Name)
	for _, l := range f.Lines() {
		b.WriteString(l + "\n")
	}
	b.WriteString("\nVivarium writes vivarium.toml and ./start into the folder")
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
		lines = append(lines, "Interpreter: none found. "+words.Plain(f.PythonProblem))
	default:
		lines = append(lines, "Interpreter: "+f.Python+words.Prefixed(" · ", words.Plain(f.PythonProblem)))
	}
	switch {
	case f.App != "":
		lines = append(lines, fmt.Sprintf("Server: %s (%s, in %s)", f.App, f.Framework, f.AppFile))
	case f.Command != nil:
		lines = append(lines, "Server: the script "+f.AppFile)
	default:
		lines = append(lines, "Server: none found. Say which one with command in vivarium.toml.")
	}
	lines = append(lines, fmt.Sprintf("Port: %d%s", f.Port, words.Prefixed(", from ", f.PortFrom)))
	if f.Health != "" {
		lines = append(lines, "Health: "+f.Health)
	}
	for _, e := range f.Environment {
		lines = append(lines, fmt.Sprintf("Environment: %s, from %s", e.Shown(), e.From))
	}
	if len(f.Covered) > 0 {
		lines = append(lines, "Set by Vivarium from now on: "+strings.Join(f.Covered, ", "))
	}
	return append(lines, f.Advice...)
}
