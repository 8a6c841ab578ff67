package project

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"

	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// Project is what a folder says of itself.
type Project struct {
	Environment Environment
	Apps        []App   // the most likely first
	Starts      []Start // the most telling first
	Activated   string  // the environment's folder that a start script activates, "" if none
	CondaName   string  // the conda environment that one activates
	Vars        []Var   // what start scripts export; of one name the most telling script's
	Taken       []Note  // what is taken over
	LeftOut     []Note  // what is not, and why
	PortFile    Place   // what says Port
	Port        int     // what .env says, 0 for nothing

	tree *tree
	r    *reader
}

// Read reads a folder. It runs nothing, and cannot fail: what cannot be read is not there.
func Read(fsys fs.FS) Project {
	r := newReader(fsys)
	p := Project{r: r, Environment: r.environment(), tree: readTree(r)}
	p.scripts()
	p.procfile()
	p.tasks()
	p.makefile()
	p.dockerfile()
	p.compose()
	p.packageJSON()
	p.gunicorn()
	p.dotenv()
	p.Apps = p.tree.apps()
	return p
}

// ours is how a ./start that starts Vivarium is recognised, also one of another version.
func ours(text string) bool {
	return strings.Contains(text, "# Written by `vivarium init`.") || strings.Contains(text, "exec vivarium run")
}

func (p *Project) scripts() {
	seen := map[string]bool{}
	for _, name := range scriptNames {
		text := p.r.text(name)
		if text == "" || ours(text) || strings.HasPrefix(text, "#!") && strings.Contains(firstLine(text), "python") {
			continue
		}
		if !strings.Contains(path.Base(name), ".") && !strings.HasPrefix(text, "#!") {
			continue // a file named "run" that is no script
		}
		s := readScript(name, text)
		p.Starts = append(p.Starts, s.starts...)
		p.Taken = append(p.Taken, s.taken...)
		p.LeftOut = append(p.LeftOut, s.left...)
		for _, v := range s.vars {
			if i := slices.IndexFunc(p.Vars, func(o Var) bool { return o.Name == v.Name && o.File == v.File }); i >= 0 {
				p.Vars[i] = v // of one script the last line counts
			} else if !seen[v.Name] {
				p.Vars = append(p.Vars, v)
			}
		}
		for _, v := range s.vars {
			seen[v.Name] = true
		}
		if p.Activated == "" {
			p.Activated = s.env
		}
		if p.CondaName == "" {
			p.CondaName = s.conda
		}
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// procfile reads `web: gunicorn app:app`.
func (p *Project) procfile() {
	for _, file := range []string{"Procfile", "Procfile.dev"} {
		n := 0
		for line := range strings.Lines(p.r.text(file)) {
			n++
			name, text, ok := strings.Cut(line, ":")
			if ok && isName(strings.ReplaceAll(strings.TrimSpace(name), "-", "_")) {
				p.line("Procfile", strings.TrimSpace(name), text, Place{file, n}, ".")
			}
		}
	}
}

// line takes one command line of a file that is no script.
func (p *Project) line(kind, name, text string, at Place, dir string) {
	p.lineWith(map[string]string{}, kind, name, text, at, dir)
}

// lineWith is line with variables that are known already.
func (p *Project) lineWith(vars map[string]string, kind, name, text string, at Place, dir string) {
	s := script{file: at.File, dir: dir, fromDir: "."}
	for _, c := range readShell(text, vars) {
		c.line = at.Line
		s.take(c, vars)
	}
	for _, st := range s.starts {
		st.Kind, st.Name = kind, name
		p.Starts = append(p.Starts, st)
	}
	if len(s.starts) > 0 || kind == "Procfile" { // what stands beside a server is a part of its start; the rest is another matter
		p.LeftOut = append(p.LeftOut, s.left...)
		p.Vars = append(p.Vars, s.vars...)
	}
}

// serveNames are what tasks that start a server are mostly called.
var serveNames = []string{"serve", "server", "start", "run", "web", "api", "app", "backend", "dev", "develop", "up"}

// tasks reads what the project's tool calls scripts or tasks, and its console scripts.
func (p *Project) tasks() {
	scripts := slices.Clone(p.Environment.Scripts)
	slices.SortStableFunc(scripts, func(a, b Script) int { return nameRank(a.Name) - nameRank(b.Name) })
	for _, s := range scripts {
		if module, object, ok := strings.Cut(strings.TrimSpace(s.Text), ":"); ok && !strings.ContainsAny(s.Text, " \t") && isName(object) {
			p.consoleScript(s, module, object)
			continue
		}
		text := hatchDefault().ReplaceAllString(s.Text, "$${${1}:-${2}}")
		p.line(s.Kind, s.Name, hatchField().ReplaceAllString(text, ""), s.Place, ".")
	}
}

// Hatch writes {env:PORT:8000} where a shell writes ${PORT:-8000}.
var (
	hatchDefault = lazily(`\{env:(\w+):([^{}]*)\}`)
	hatchField   = lazily(`\{(?:env|args|root|home)(?::[^{}]*)?\}`)
)

func nameRank(name string) int {
	if i := slices.Index(serveNames, name); i >= 0 {
		return i
	}
	return len(serveNames)
}

// consoleScript is a start if its function serves, as far as the code shows it.
func (p *Project) consoleScript(s Script, module, object string) {
	file := p.tree.fileOf("x.py", module)
	m := p.tree.module(file)
	if m == nil {
		return
	}
	serves := false
	for _, c := range m.calls {
		serves = serves || starts(m, c) && (c.inside == object || c.inside == mainBlock || c.inside == "")
	}
	if !serves {
		return
	}
	row, _ := servers.ByName("module")
	st := Start{Place: s.Place, Kind: s.Kind, Name: s.Name, Words: []string{s.Name}, Dir: ".", Server: row}
	st.Match.App = strings.TrimSuffix(module, ".__main__")
	if !p.Environment.named(file) {
		st.Path = "src"
	}
	if m.main {
		st.Command = []string{servers.Python, "-m", st.Match.App}
	} else {
		st.Command = []string{servers.Python, "-c", "from " + module + " import " + object + "; raise SystemExit(" + object + "())"}
	}
	p.Starts = append(p.Starts, st)
}

// makefile reads the recipes of the targets that start a server.
func (p *Project) makefile() {
	for _, file := range []string{"Makefile", "makefile", "justfile", "Justfile", ".justfile"} {
		if just := strings.HasSuffix(strings.ToLower(file), "justfile"); just {
			p.justfile(file)
		} else {
			p.makeTargets(file)
		}
		if p.r.has(file) {
			return
		}
	}
}

func (p *Project) makeTargets(file string) {
	target, n := "", 0
	for line := range strings.Lines(p.r.text(file)) {
		n++
		if recipe := strings.TrimLeft(line, " \t"); recipe != line && target != "" {
			if slices.Contains(serveNames, target) {
				recipe = strings.TrimLeft(recipe, "@-")
				p.line("Makefile", target, strings.NewReplacer("$$", "$", "$(", "${", ")", "}").Replace(recipe), Place{file, n}, ".")
			}
			continue
		}
		name, _, ok := strings.Cut(line, ":")
		target = ""
		if fields := strings.Fields(name); ok && len(fields) > 0 && !strings.Contains(name, "=") {
			target = fields[0]
		}
	}
}

// dockerfile reads the last CMD and ENTRYPOINT.
func (p *Project) dockerfile() {
	text := p.r.text("Dockerfile")
	if text == "" {
		return
	}
	var words, entry []string
	vars := map[string]string{}
	at, n := 0, 0
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "  ")) {
		n++
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(instruction) {
		case "FROM":
			words, entry = nil, nil
		case "ENV":
			dockerVariables(rest, vars)
		case "ENTRYPOINT":
			entry, at = dockerWords(rest), n
		case "CMD":
			words, at = dockerWords(rest), n
		}
	}
	if all := append(entry, words...); len(all) > 0 {
		p.lineWith(vars, "Dockerfile", "", strings.Join(quoteAll(all), " "), Place{"Dockerfile", at}, ".")
	}
}

// dockerVariables reads `ENV PORT=8080 X=y` and the older `ENV PORT 8080`.
func dockerVariables(rest string, vars map[string]string) {
	words := strings.Fields(rest)
	if len(words) == 2 && !strings.Contains(words[0], "=") {
		words = []string{words[0] + "=" + words[1]}
	}
	for _, w := range words {
		if name, value, ok := strings.Cut(w, "="); ok && isName(name) && !strings.Contains(value, "$") {
			vars[name] = strings.Trim(value, `"'`)
		}
	}
}

// compose reads the commands of the services in a compose file.
func (p *Project) compose() {
	for _, file := range []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"} {
		var c struct {
			Services map[string]struct {
				Command any `yaml:"command"`
			} `yaml:"services"`
		}
		text := p.r.text(file)
		if text == "" || len(text) > 64<<10 || yaml.Unmarshal([]byte(text), &c) != nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(c.Services)) {
			switch command := c.Services[name].Command.(type) {
			case string:
				p.line("compose", name, command, Place{file, lineWith(text, command)}, ".")
			case []any:
				var words []string
				for _, w := range command {
					words = append(words, fmt.Sprint(w))
				}
				if len(words) == 3 && strings.HasSuffix(words[0], "sh") && words[1] == "-c" {
					words = words[2:]
				}
				p.line("compose", name, strings.Join(quoteAll(words), " "), Place{file, 0}, ".")
			}
		}
		return
	}
}

// lineWith is the first line that has the text, 0 for none.
func lineWith(text, part string) int {
	if i := strings.Index(text, part); i >= 0 && part != "" {
		return 1 + strings.Count(text[:i], "\n")
	}
	return 0
}

// packageJSON reads the scripts of a JavaScript part, which often start the server beside it.
func (p *Project) packageJSON() {
	const file = "package.json"
	var c struct {
		Scripts map[string]string `json:"scripts"`
	}
	text := p.r.text(file)
	if text == "" || json.Unmarshal([]byte(text), &c) != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.Scripts)) {
		p.line(file, name, c.Scripts[name], Place{file, lineWith(text, strconv.Quote(name))}, ".")
	}
}

func dockerWords(rest string) []string {
	var words []string
	if json.Unmarshal([]byte(rest), &words) == nil {
		if len(words) == 3 && (path.Base(words[0]) == "sh" || path.Base(words[0]) == "bash") && strings.HasSuffix(words[1], "c") {
			return []string{words[2]}
		}
		return words
	}
	return []string{rest}
}

// quoteAll quotes words for the reader of shell lines; one word alone is a whole line of shell.
func quoteAll(words []string) []string {
	if len(words) == 1 {
		return words
	}
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w
		if strings.ContainsAny(w, " \t\"'$;&|()<>`\\*?#") || w == "" {
			out[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return out
}

// gunicorn adds what gunicorn.conf.py says: where it binds, and which application.
func (p *Project) gunicorn() {
	const file = "gunicorn.conf.py"
	for i := range p.Starts {
		st := &p.Starts[i]
		if st.Server.Name == "hypercorn" && len(st.Match.Files) > 0 {
			p.applyHypercorn(st, st.Match.Files[len(st.Match.Files)-1])
		}
		if st.Server.Name != "gunicorn" {
			continue
		}
		config := file
		if len(st.Match.Files) > 0 {
			config = strings.TrimPrefix(st.Match.Files[len(st.Match.Files)-1], "python:")
		}
		p.applyGunicorn(st, config)
	}
	if len(p.Starts) > 0 || !p.r.has(file) {
		return
	}
	values, _ := gunicornFile(file, p.r.text(file))
	if values["wsgi_app"] == "" {
		return
	}
	st := Start{Place: Place{File: file}, Kind: file, Words: []string{"gunicorn"}, Dir: "."}
	if st.rewrite() {
		p.applyGunicorn(&st, file)
		p.Starts = append(p.Starts, st)
	}
}

// applyHypercorn reads where hypercorn's own file says that it binds. What the command line says counts more.
func (p *Project) applyHypercorn(st *Start, file string) {
	var c struct {
		Bind any `toml:"bind"`
	}
	if st.Match.PortAt >= 0 || st.Match.Socket != "" || toml.Unmarshal([]byte(p.r.text(path.Join(cmp.Or(st.Dir, "."), file))), &c) != nil {
		return
	}
	if list, ok := c.Bind.([]any); ok && len(list) > 0 {
		c.Bind = list[0]
	}
	bind, _ := c.Bind.(string)
	if _, m := servers.ByCommand([]string{"hypercorn", "--bind", bind}); m.Port != 0 || m.Socket != "" {
		st.Match.Port, st.Match.Host, st.Match.Socket = m.Port, m.Host, m.Socket
	}
}

func (p *Project) applyGunicorn(st *Start, file string) {
	values, left := gunicornFile(file, p.r.text(file))
	p.LeftOut = append(p.LeftOut, left...)
	if app := values["wsgi_app"]; app != "" && st.Match.App == "" {
		st.Match.App = app
	}
	if values["bind"] == "" || st.Match.PortAt >= 0 || st.Match.Socket != "" {
		return
	}
	if _, m := servers.ByCommand([]string{"gunicorn", "--bind", values["bind"]}); m.Port != 0 {
		st.Match.Port, st.Match.Host = m.Port, m.Host
		// The file's own bind is not overridden: it is what the rest of the project knows.
		if i := slices.Index(st.Command, "--bind"); i >= 0 && i+1 < len(st.Command) {
			st.Command = slices.Delete(st.Command, i, i+2)
		}
	}
}

var envPort = lazily(`(?m)^[ \t]*(?:export[ \t]+)?([A-Z_]*PORT)[ \t]*=[ \t]*["']?(\d{2,5})\b`)

// dotenv reads the port of .env, and nothing else: the rest stays in it.
func (p *Project) dotenv() {
	p.portOf(".env")
	if p.Port == 0 {
		p.portOf(".flaskenv")
	}
}

func (p *Project) portOf(file string) {
	text := p.r.text(file)
	for _, m := range envPort().FindAllStringSubmatchIndex(text, 20) {
		if slices.Contains([]string{"PORT", "FLASK_RUN_PORT", "APP_PORT", "SERVER_PORT", "API_PORT", "UVICORN_PORT", "BACKEND_PORT", "HTTP_PORT"}, text[m[2]:m[3]]) {
			p.Port, p.PortFile = portNumber(text[m[4]:m[5]]), Place{file, 1 + strings.Count(text[:m[0]], "\n")}
			return
		}
	}
}
