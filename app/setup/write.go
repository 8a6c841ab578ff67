package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/project"
	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// WriteOptions is what a person agreed to.
type WriteOptions struct {
	Force       bool // a ./start that is not ours is kept under another name; without it, that is an error
	Environment bool // what start scripts export goes into [environment]
}

// Written is what Write did.
type Written struct {
	Files []string // written, relative to the backend's folder
	Kept  string   // the name that the former ./start has now, "" if there was none
}

// StartExistsError: there is a ./start of somebody else, and nobody agreed to keep it under another name.
type StartExistsError struct{ Path string }

func (e *StartExistsError) Error() string {
	return e.Path + " is there already and does not start Vivarium"
}

// ErrNoServer: nothing was found that could be started.
var ErrNoServer = errors.New("no Python server was found in the folder")

// Write writes vivarium.toml and ./start as far as they are not there yet. It never overwrites: a vivarium.toml is kept as it is, a
// ./start under the name start.before-vivarium. Doing it again changes nothing.
func (f Found) Write(o WriteOptions) (Written, error) {
	var w Written
	if f.Start && !f.StartOurs && !o.Force {
		return w, &StartExistsError{filepath.Join(f.Dir, "start")}
	}
	if !f.Configured {
		if f.Command == nil {
			return w, ErrNoServer
		}
		text, mode := f.Config(o.Environment)
		if _, err := config.Parse(f.Dir, text); err != nil {
			return w, errors.New("nothing was written: " + unwritable(err))
		}
		if err := writeNew(filepath.Join(f.Dir, config.FileName), text, mode); err != nil {
			return w, fmt.Errorf("writing the configuration: %w", err)
		}
		w.Files = append(w.Files, config.FileName)
	}
	start := filepath.Join(f.Dir, "start")
	if st, err := os.Lstat(start); f.StartOurs || err == nil && st.IsDir() { // a folder of that name may be a part of the program
		return w, nil
	}
	if f.Start {
		kept, err := setAside(start)
		if err != nil {
			return w, fmt.Errorf("keeping your ./start: %w", err)
		}
		w.Kept = kept
	}
	if err := writeNew(start, startScript, 0o755); err != nil {
		return w, fmt.Errorf("writing ./start: %w", err)
	}
	w.Files = append(w.Files, "start")
	return w, nil
}

// unwritable says why what was found cannot stand in a vivarium.toml: it is said before there is a file that no start can read.
func unwritable(err error) string {
	var mistake *config.Error
	if !errors.As(err, &mistake) {
		return err.Error()
	}
	return fmt.Sprintf("what was found cannot be taken over as it is: %s %s; write a vivarium.toml with a command of your own", mistake.Key, mistake.Problem)
}

// writeNew writes a file that is not there yet, whole or not at all.
func writeNew(path, text string, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".vivarium-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Close()); err != nil {
		return err
	}
	err = os.Link(tmp.Name(), path) // a rename would replace what came meanwhile
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, serr := os.Lstat(path); serr == nil { // a file system without hard links
		return fs.ErrExist
	}
	return os.Rename(tmp.Name(), path)
}

// setAside renames the former ./start to the first free name.
func setAside(start string) (string, error) {
	for i := 1; ; i++ {
		name := "start.before-vivarium"
		if i > 1 {
			name = fmt.Sprintf("%s-%d", name, i)
		}
		to := filepath.Join(filepath.Dir(start), name)
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		return name, os.Rename(start, to)
	}
}

// Config is the text of a vivarium.toml for what was found, and the mode it should have: with a secret in it, it is for its owner
// alone. Every key that is not set stands in it as a comment.
func (f Found) Config(environment bool) (text string, mode fs.FileMode) {
	mode = 0o644
	set := map[string]string{
		"name": tomlString(f.Name), "command": tomlStrings(f.Command), "port": strconv.Itoa(f.Port), "health.path": tomlString(f.Health),
	}
	if f.PythonValue != "" {
		set["python"] = tomlString(f.PythonValue)
	}
	var b strings.Builder
	section := ""
	for line := range strings.Lines(config.Template()) {
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = name[:strings.IndexByte(name, ']')] + "."
		}
		key, _, isKey := strings.Cut(strings.TrimPrefix(line, "# "), " = ")
		if value, ok := set[section+key]; ok && isKey && strings.HasPrefix(line, "# ") {
			line = key + " = " + value + "\n"
			if section == "health." && f.Socket != "" && f.Health != "" {
				line = "url = " + tomlString("unix:"+f.Socket+":"+f.Health) + "\n"
			}
			if section == "health." && f.secure() {
				line = "url = " + tomlString(fmt.Sprintf("https://127.0.0.1:%d%s", f.Port, f.Health)) + "\n"
			}
		}
		b.WriteString(line)
		if section == "" && isKey && key == "command" {
			b.WriteString(f.remarks())
		}
	}
	for _, e := range f.Environment {
		if !environment && !e.Needed {
			continue
		}
		fmt.Fprintf(&b, "%s = %s\n", e.Name, tomlString(e.Value))
		if project.Secret(e.Name) {
			mode = 0o600
		}
	}
	return b.String(), mode
}

// secure: it is asked for its health by TLS, as its command line has a certificate.
func (f Found) secure() bool {
	_, m := servers.ByCommand(f.Command)
	return m.TLS && f.Health != "" && f.Port != 0
}

// remarks are what was taken from start scripts and what was left out, as comments.
func (f Found) remarks() string {
	var b strings.Builder
	for _, n := range f.Taken {
		b.WriteString("# taken over: " + words.Plain(n) + "\n")
	}
	for _, n := range f.LeftOut {
		b.WriteString("# left out: " + words.Plain(n) + "\n")
	}
	return b.String()
}

// tomlString is a TOML basic string. JSON's is one, but for the one control character that JSON lets through.
func tomlString(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return `""` // a string can always be encoded
	}
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007f`)
}

func tomlStrings(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = tomlString(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
