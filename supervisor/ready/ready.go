// Package ready looks before a backend is started for what would keep it from starting: a syntax error, a module that is nowhere, an
// application or a model file that is not there, a port that is taken. None of the backend's code is run: Python only parses it.
// What it finds has the words of the verdict that the start would end with, as the same judge makes them.
// It must not know of a running backend, or of who asks. Begin with Look.
package ready

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/servers"
)

//go:embed look.py
var look string

// patience is how long Python may take to parse the backend's files: a start that is explained late is not explained. Tests have more.
var patience = 800 * time.Millisecond

// Port says who has the backend's port, if it is anybody whom a start could not end.
func Port(ctx context.Context, c config.Config) (crash.Verdict, bool) {
	found, err := port.Claim(ctx, c, port.Mine{})
	if err != nil || found.Free || found.Owner.Ours {
		return crash.Verdict{}, false
	}
	return port.Taken(found.Owner, c.Port, false), true
}

// Line is a verdict on one line, as it is told before a start.
func Line(v crash.Verdict) string {
	if v.Remedy == "" {
		return "It would not start: " + v.Summary + "."
	}
	return "It would not start: " + v.Summary + ". " + v.Remedy
}

// Unplanned is why no plan could be made: the interpreter or its environment is not there. ok is false for what is no matter of Python.
func Unplanned(err error) (v crash.Verdict, ok bool) {
	var problem *python.Error
	if !errors.As(err, &problem) {
		return crash.Verdict{}, false
	}
	return crash.Verdict{Kind: crash.KindCannotStart, Summary: problem.Problem, Remedy: problem.Remedy}, true
}

// Look says why the backend would not start as planned, the likeliest cause first; nothing if no cause is seen. It takes about a tenth
// of a second, and never much more than patience.
func Look(ctx context.Context, c config.Config, p plan.Plan) []crash.Verdict {
	known := crash.Evidence{
		Known: true, Code: 1, Uptime: 100 * time.Millisecond, Port: c.Port, Python: p.Python.Path, Install: p.Python.Install, All: p.InstallAll,
		Declares: p.Declares, Dir: c.Dir,
	}
	foreign := !within(c.Dir, p.Python.Real)
	if p.Spec.Dir != "" { // where a launcher would have gone: the command's paths and modules begin there
		c.Dir = p.Spec.Dir
	}
	if model := modelOf(c); model != "" {
		return []crash.Verdict{judge(known, "FileNotFoundError: [Errno 2] No such file or directory: '"+model+"'")}
	}
	if len(p.Lacks) > 0 {
		return []crash.Verdict{judge(known, p.Python.Path+": No module named "+p.Lacks)}
	}
	file, missing := appFile(c, p)
	if missing != "" {
		if strings.HasPrefix(missing, p.Python.Path+": ") {
			known.Code = 2 // Python's own, where uvicorn has 1
		}
		return []crash.Verdict{judge(known, missing)}
	}
	if file == "" || p.Python.Real == "" || !foreign {
		return nil // a program in the backend's folder is not run before the backend is
	}
	var all []crash.Verdict
	for _, f := range parse(ctx, c, p, file) {
		v := judge(known, traceback(f)...)
		if v.Kind != crash.KindUnknown && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

func judge(known crash.Evidence, tail ...string) crash.Verdict {
	known.Tail = tail
	return crash.Judge(known)
}

// finding is a line of look.py.
type finding struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

// traceback is what Python would print.
func traceback(f finding) []string {
	lines := []string{"Traceback (most recent call last):"}
	if strings.Contains(f.Text, "SyntaxError:") || strings.Contains(f.Text, "IndentationError:") || strings.Contains(f.Text, "TabError:") {
		lines = append(lines, fmt.Sprintf(`  File "%s", line %d`, f.File, f.Line))
	} else {
		lines = append(lines, fmt.Sprintf(`  File "%s", line %d, in <module>`, f.File, f.Line))
	}
	return append(lines, strings.Split(f.Text, "\n")...)
}

// parse asks the interpreter itself, outside of every environment and without the backend's folder: it parses for its own version.
func parse(ctx context.Context, c config.Config, p plan.Plan, file string) []finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, _ := c.Code()
	path := []string{dir}
	if dir != c.Dir {
		path = append(path, c.Dir)
	}
	path = append(path, pythonPath(c, p)...)
	sites, whole := packages(p.Python.Site)
	job, err := json.Marshal(map[string]any{"folder": c.Dir, "files": []string{file}, "path": append(path, sites...)})
	if err != nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, p.Python.Real, "-I", "-S", "-B", "-X", "utf8", "-W", "ignore", "-c", look)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin"}
	cmd.Stdin = bytes.NewReader(job)
	cmd.WaitDelay = 100 * time.Millisecond
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		return nil // an interpreter that cannot even parse is told by its own start
	}
	var all []finding
	for line := range bytes.Lines(out[:min(len(out), 1<<20)]) {
		var f finding
		if json.Unmarshal(line, &f) == nil && (whole || !strings.HasPrefix(f.Text, "ModuleNotFoundError")) && len(all) < 20 {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b finding) int { return rank(a) - rank(b) })
	return all
}

// rank: a syntax error ends everything, and a missing module what comes after it.
func rank(f finding) int {
	switch {
	case strings.HasPrefix(f.Text, "ModuleNotFoundError"):
		return 1
	case strings.HasPrefix(f.Text, "FileNotFoundError"):
		return 2
	}
	return 0
}

func pythonPath(c config.Config, p plan.Plan) []string {
	var all []string
	for _, e := range p.Spec.Env {
		if value, ok := strings.CutPrefix(e, "PYTHONPATH="); ok {
			for _, dir := range filepath.SplitList(value) {
				if dir != "" {
					all = append(all, absolute(c.Dir, dir))
				}
			}
		}
	}
	return all
}

// packages are the folders from which modules come: the site-packages, and what their .pth files add. whole is false where such a file does
// something that cannot be known without running it, as an editable install may: a module may then be anywhere.
func packages(site []string) (all []string, whole bool) {
	whole = len(site) > 0
	for _, dir := range site {
		all = append(all, dir)
		files, _ := filepath.Glob(filepath.Join(dir, "*.pth")) // a folder with odd letters has none
		for _, file := range files[:min(len(files), 50)] {
			if st, err := os.Stat(file); err != nil || !st.Mode().IsRegular() || st.Size() > 64<<10 {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			for line := range strings.Lines(string(text)) {
				line = strings.TrimSpace(line)
				switch {
				case line == "" || strings.HasPrefix(line, "#"):
				case strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "import\t"):
					whole = whole && known(filepath.Base(file))
				case filepath.IsAbs(line):
					all = append(all, line)
				default:
					all = append(all, filepath.Join(dir, line))
				}
			}
		}
	}
	return all, whole
}

// known are .pth files that bring no modules.
func known(name string) bool {
	return slices.Contains([]string{"distutils-precedence.pth", "_virtualenv.pth", "a1_coverage.pth", "pywin32.pth", "ddtrace.pth", "sitecustomize.pth"}, name) || strings.HasPrefix(name, "init_cov")
}

// appFile is the file of the application that the command names, relative to the folder, "" if it names none of the backend's own. missing is
// the line with which the server would say that it is not there.
func appFile(c config.Config, p plan.Plan) (file, missing string) {
	dir, module := c.Code()
	if module == "" {
		return "", ""
	}
	path := filepath.Join(dir, strings.ReplaceAll(module, ".", string(filepath.Separator)))
	for _, f := range []string{path + ".py", filepath.Join(path, "__init__.py"), filepath.Join(path, "__main__.py")} {
		if isFile(f) {
			rel, err := filepath.Rel(c.Dir, f)
			if err != nil || !filepath.IsLocal(rel) {
				return "", ""
			}
			return rel, ""
		}
	}
	s, m := servers.ByCommand(c.Command)
	top, _, _ := strings.Cut(module, ".")
	if _, err := os.Stat(filepath.Join(dir, top)); err == nil || s.App != servers.Object && s.Name != "script" {
		return "", "" // a part of a package, or the name of an installed one
	}
	if s.Name == "script" {
		return "", fmt.Sprintf("%s: can't open file '%s': [Errno 2] No such file or directory", p.Python.Path, filepath.Join(dir, filepath.Base(m.App)))
	}
	if strings.Contains(m.App, "{") {
		return "", ""
	}
	return "", fmt.Sprintf("ERROR:    Error loading ASGI app. Could not import module %q.", module)
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// modelOf is the model file that the command names and that is not there, "" if there is none.
func modelOf(c config.Config) string {
	for i, w := range c.Command {
		name, value, glued := strings.Cut(w, "=")
		if !glued && i+1 < len(c.Command) {
			value = c.Command[i+1]
		}
		if !slices.Contains([]string{"--model", "-m", "--model-path", "--model_path", "--mmproj", "--clip_model_path", "--lora", "--adapter-path", "--checkpoint"}, name) || name == "-m" && i <= 1 {
			continue
		}
		if !isPath(value) {
			continue
		}
		if _, err := os.Stat(absolute(c.Dir, value)); errors.Is(err, os.ErrNotExist) {
			return value
		}
	}
	return ""
}

// isPath: it is no name of a model that is fetched. "org/model" is one of those, "./model" and "model.gguf" are files.
func isPath(value string) bool {
	if strings.Contains(value, "://") || strings.Contains(value, "{") {
		return false
	}
	ext := strings.ToLower(filepath.Ext(value))
	return strings.HasPrefix(value, "/") || strings.HasPrefix(value, "./") || strings.HasPrefix(value, "../") || strings.HasPrefix(value, "~/") ||
		slices.Contains([]string{".gguf", ".ggml", ".safetensors", ".onnx", ".pt", ".pth", ".ckpt", ".npz"}, ext)
}

func absolute(dir, path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}
