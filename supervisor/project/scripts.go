package project

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// Note is one line of what was found: what is taken over, or what is left out and why.
type Note struct {
	Place
	Text string // as it stands there; a secret's value is not in it
	Why  string
}

// Var is a variable that a script exports.
type Var struct {
	Place
	Name, Value string
	Computed    bool // only a shell can tell the value
}

// Start is one way to start a server that the folder itself names.
type Start struct {
	Place
	Kind    string   // "script", "Procfile", "Makefile", "Dockerfile", "pyproject.toml"
	Name    string   // of the Procfile's process, the Makefile's target or the tool's task; "" for a script
	Words   []string // as written, with known variables filled in
	Command []string // the same for vivarium.toml: {python}, {port}, nothing in front
	Path    string   // the folder below Dir from which it imports, where only an installed project has it otherwise; "" for none
	Dir     string   // where it is run, relative to the folder; "." for the folder itself, "" if only a shell knows

	Server servers.Server
	Match  servers.Match // of Words
	Left   []Note
}

// scriptNames are the scripts that may have started the server so far, the most telling first.
var scriptNames = []string{"start", "scripts/start.sh", "start.sh", "run.sh", "scripts/start", "scripts/run.sh", "bin/start", "bin/run", "run", "serve", "start_server.sh", "start-server.sh", "run_server.sh", "run-server.sh", "server.sh", "serve.sh", "launch.sh", "dev.sh", "scripts/dev.sh", "scripts/server.sh", "scripts/serve.sh", "scripts/run_server.sh", "start_backend.sh", "start.command", "run.command", "entrypoint.sh", "docker-entrypoint.sh", "scripts/entrypoint.sh", "start.zsh", "start.bash"}

// script is what one shell script says.
type script struct {
	file    string
	starts  []Start
	vars    []Var
	left    []Note
	taken   []Note
	env     string // the environment that it activates: a folder, relative if it is inside
	conda   string // the conda environment that it activates
	calls   []string
	dir     string // where it works at the moment
	fromDir string // the script's own folder
}

// readScript reads a script. skip says which variables are no matter of the project.
func readScript(file, text string) script {
	s := script{file: file, dir: ".", fromDir: path.Dir(file)}
	vars := map[string]string{}
	for _, c := range readShell(text, vars) {
		s.take(c, vars)
	}
	return s
}

func (s *script) take(c command, vars map[string]string) {
	for _, name := range c.sets {
		if len(c.words) > 0 { // NAME=value command: for that command alone, but it is the server's all the same
			s.variable(c, name, vars)
		}
	}
	if len(c.words) == 0 {
		return
	}
	texts := make([]string, len(c.words))
	for i, w := range c.words {
		texts[i] = w.text
	}
	switch texts[0] {
	case "export", "declare", "typeset":
		for _, w := range c.words[1:] {
			s.export(c, w, vars)
		}
	case "cd", "pushd":
		s.cd(c.words[1:])
	case "source", ".":
		s.source(c, texts)
	case "conda", "micromamba", "mamba":
		if len(texts) > 2 && texts[1] == "activate" {
			s.conda = texts[2]
			s.taken = append(s.taken, s.note(c, "the conda environment "+texts[2]))
			return
		}
		s.run(c, texts)
	default:
		s.run(c, texts)
	}
}

func (s *script) note(c command, why string) Note {
	return Note{Place{s.file, c.line}, shown(c), why}
}

// shown is a command as it may be printed: without the values of variables, which may be secrets.
func shown(c command) string {
	var words []string
	for _, w := range c.words {
		words = append(words, maskAssignment(w.source))
	}
	for i, name := range c.sets {
		words = slices.Insert(words, i, name+"=…")
	}
	text := strings.Join(strings.Fields(strings.Join(words, " ")), " ")
	if runes := []rune(text); len(runes) > 160 {
		text = string(runes[:159]) + "…"
	}
	return text
}

func maskAssignment(w string) string {
	name, value, ok := strings.Cut(w, "=")
	if ok && value != "" && Secret(strings.TrimLeft(name, "-")) {
		return name + "=(not shown)"
	}
	return w
}

func (s *script) variable(c command, name string, vars map[string]string) {
	if isAccounts(name) {
		return
	}
	value, ok := vars[name]
	s.vars = append(s.vars, Var{Place{s.file, c.line}, name, value, !ok})
}

func (s *script) export(c command, w word, vars map[string]string) {
	name, value, ok := strings.Cut(w.text, "=")
	if !isName(name) {
		return
	}
	if !ok { // export NAME, which was set before
		if _, set := vars[name]; set {
			s.variable(c, name, vars)
		}
		return
	}
	if w.computed {
		delete(vars, name)
		value = ""
	} else {
		vars[name] = value
	}
	if !isAccounts(name) {
		s.vars = append(s.vars, Var{Place{s.file, c.line}, name, value, w.computed})
	}
}

// isAccounts: the variable says who runs the program and where that person lives. A script of a container names the container's account.
func isAccounts(name string) bool {
	return slices.Contains([]string{"HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "PWD"}, name)
}

func (s *script) cd(words []word) {
	if len(words) == 0 {
		return
	}
	w := words[len(words)-1]
	switch src := strings.Trim(w.source, `"`); {
	case strings.Contains(src, "dirname") || strings.Contains(src, "BASH_SOURCE") || strings.Contains(src, "SCRIPT_DIR") || strings.Contains(src, "%/*"):
		up := strings.TrimLeft(src[strings.LastIndexAny(src, ")}")+1:], `"/`)
		if strings.HasPrefix(src, "$SCRIPT_DIR") {
			up = strings.TrimPrefix(strings.TrimPrefix(src, "$SCRIPT_DIR"), "/")
		}
		s.dir = path.Join(s.fromDir, up)
	case w.computed || path.IsAbs(w.text):
		s.dir = ""
	case s.dir != "":
		s.dir = path.Join(s.dir, w.text)
	}
	if s.dir == ".." || strings.HasPrefix(s.dir, "../") {
		s.dir = ""
	}
}

func (s *script) source(c command, texts []string) {
	if len(texts) < 2 {
		return
	}
	if env, ok := strings.CutSuffix(texts[1], "/bin/activate"); ok {
		if c.words[1].computed { // "$DIR/venv/bin/activate"
			env = path.Base(env)
		}
		s.env = env
		if s.dir != "" && !path.IsAbs(env) && !strings.HasPrefix(env, "$") {
			s.env = path.Join(s.dir, env)
		}
		s.taken = append(s.taken, s.note(c, "the environment"))
		return
	}
	if base := path.Base(texts[1]); base == ".env" || strings.HasSuffix(base, ".env") {
		s.taken = append(s.taken, s.note(c, "the variables in it (env_file)"))
		return
	}
	s.left = append(s.left, s.note(c, "what it sets is not read"))
}

// silent are commands that mean nothing for the server.
var silent = []string{"set", "echo", "printf", "trap", "wait", "sleep", "exit", "return", "true", "false", ":", "[", "[[", "test", "clear", "shift", "local", "readonly", "function", "for", "case", "in", "break", "continue", "popd", "pwd", "dirname", "basename", "tee", "type", "which", "hash", "read", "let", "unset", "umask", "shopt", "setopt", "tput", "date", "cat", "open", "mkdir", "touch", "esac", "select", "deactivate", "hostname", "whoami", "id", "uname", "head", "tail", "sed", "awk", "grep", "cut", "tr", "sort", "xargs", "log", "info", "warn", "error", "eval", "sudo"}

func (s *script) run(c command, texts []string) {
	words, left := s.usable(c)
	st := Start{Place: Place{s.file, c.line}, Kind: "script", Words: words, Dir: s.dir, Left: left}
	if st.rewrite() && !st.isTask() {
		for _, v := range st.Match.Via {
			for _, set := range v.Sets {
				name, value, _ := strings.Cut(set, "=")
				s.vars = append(s.vars, Var{st.Place, name, value, false})
			}
			if v.Project != "" && s.env == "" && s.dir != "" {
				s.env = path.Join(s.dir, v.Project, ".venv")
				if path.IsAbs(v.Project) {
					s.env = path.Join(v.Project, ".venv")
				}
			}
			if v.Tool == "conda" && s.conda == "" {
				s.conda = v.Name + v.Prefix
			}
		}
		s.starts = append(s.starts, st)
		return
	}
	_, inner := servers.Unwrap(texts)
	if len(inner) == 0 || slices.Contains(silent, inner[0]) || strings.HasSuffix(inner[0], "()") || c.words[0].computed && len(c.words) == 1 && !strings.Contains(texts[0], "/") {
		return
	}
	name := path.Base(inner[0])
	if strings.HasSuffix(name, ".sh") || strings.HasPrefix(inner[0], "./") || name == "sh" || name == "bash" || name == "zsh" {
		s.calls = append(s.calls, strings.Join(inner, " "))
		return
	}
	s.left = append(s.left, s.note(c, leftWhy(name, inner)))
}

// usable are a command's words without what only a shell knows.
func (s *script) usable(c command) (words []string, left []Note) {
	for i, w := range c.words {
		switch {
		case !w.computed:
			words = append(words, w.text)
		case w.source == `"$@"` || w.source == "$@" || w.source == "$*" || w.source == `"${@}"`:
		case strings.Contains(w.text, "PORT}") || strings.Contains(w.source, "$PORT") || strings.Contains(strings.ToUpper(w.source), "PORT"):
			words = append(words, portWord(w.text))
		case i == 0 && strings.Contains(w.source, "python"), i == 0 && strings.HasSuffix(w.text, "}") && strings.Contains(strings.ToUpper(w.source), "PYTHON"):
			words = append(words, "python")
		case i == 0 && strings.Contains(w.text, "/"):
			words = append(words, path.Base(w.text))
		default:
			left = append(left, Note{Place{s.file, c.line}, maskAssignment(w.source), "only a shell knows its value"})
			if n := len(words); n > 1 && strings.HasPrefix(words[n-1], "-") && !strings.Contains(words[n-1], "=") {
				left[len(left)-1].Text = words[n-1] + " " + left[len(left)-1].Text
				words = words[:n-1]
			}
		}
	}
	return words, left
}

// portWord puts {port} where a variable stands: "0.0.0.0:${PORT}".
func portWord(text string) string {
	if from, to := strings.Index(text, "${"), strings.LastIndexByte(text, '}'); from >= 0 && to > from {
		return text[:from] + servers.Port + text[to+1:]
	}
	return servers.Port
}

// rewrite fills in what the words mean.
func (st *Start) rewrite() bool {
	st.Server, st.Match = servers.ByCommand(st.Words)
	command, left, ok := servers.Rewrite(st.Words)
	if !ok {
		return false
	}
	st.Command = command
	for _, l := range left {
		st.Left = append(st.Left, Note{st.Place, maskAssignment(strings.Join(l.Words, " ")), l.Why})
	}
	return true
}

// tasks are scripts and packages that do something and end.
var tasks = []string{"pip", "venv", "alembic", "pytest", "ensurepip", "compileall", "build", "black", "ruff", "mypy", "virtualenv", "json.tool", "poetry", "uv", "pre_commit", "coverage", "unittest", "playwright", "spacy", "nltk.downloader", "site", "sysconfig", "zipfile", "webbrowser"}

// isTask: it runs before the server, and is not the server.
func (st *Start) isTask() bool {
	switch st.Server.Name {
	case "module":
		top, _, _ := strings.Cut(st.Match.App, ".")
		return slices.Contains(tasks, st.Match.App) || slices.Contains(tasks, top)
	case "script":
		stem := strings.TrimSuffix(path.Base(st.Match.App), ".py")
		return stem == "manage" || stem == "setup" || slices.ContainsFunc([]string{"migrat", "seed", "init_db", "initdb", "create_db", "download", "prestart", "pre_start", "install", "check", "build", "wait_for", "collect", "warm", "test_", "ingest"}, func(w string) bool { return strings.Contains(stem, w) })
	}
	return false
}

func leftWhy(name string, inner []string) string {
	all := strings.Join(inner, " ")
	switch {
	case name == "ulimit":
		return "Vivarium sets no limits: set it in the shell that starts Vivarium, or in the program"
	case name == "alembic" || strings.Contains(all, "migrate") || strings.Contains(all, "alembic"):
		return "Vivarium starts the server alone: run the migration yourself before"
	case name == "kill" || name == "pkill" || name == "killall" || name == "lsof" || name == "fuser":
		return "Vivarium frees the port itself, and ends only what is this backend"
	case name == "pip" || name == "pip3" || strings.Contains(all, "pip install") || strings.Contains(all, "sync") || name == "npm" || name == "brew":
		return "Vivarium installs nothing"
	case name == "docker" || name == "docker-compose" || name == "redis-server" || name == "ollama" || name == "brew" || name == "pg_ctl":
		return "Vivarium starts the server alone: start this yourself"
	}
	return "Vivarium starts the server alone and runs nothing before it"
}

// Shown is the note on one line: "start.sh:12  ulimit -n 4096  (why)".
func (n Note) Shown() string {
	at := n.File
	if n.Line > 0 {
		at = fmt.Sprintf("%s:%d", n.File, n.Line)
	}
	text := at + "  " + n.Text
	if n.Why != "" {
		text += "  (" + n.Why + ")"
	}
	return text
}

var secretName = lazily(`(?i)(key|token|secret|pass|pwd|credential|private|auth|dsn|_pat$|cookie|session|_ur[li]$)`)

// Secret errs on the side of silence. Connection strings carry passwords, too.
func Secret(name string) bool { return secretName().MatchString(name) }
