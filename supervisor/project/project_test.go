package project

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what the fixtures expect anew")

// folder is one case of a fixture: the files of a folder, and what is found there.
type folder struct {
	title string
	has   []string // what is installed; nil: what the folder declares
	files fstest.MapFS
	want  string
	head  string // everything before want, as it stands there
}

// readFolders reads "=== title", "has: …", "-- name --" with a file's text, and "--- found" with what is expected.
func readFolders(t *testing.T, file string) []folder {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var all []folder
	name := ""
	for line := range strings.Lines(string(text)) {
		if title, ok := strings.CutPrefix(line, "=== "); ok {
			all = append(all, folder{title: strings.TrimSpace(title), files: fstest.MapFS{}, head: line})
			name = ""
			continue
		}
		f := &all[len(all)-1]
		switch {
		case line == "--- found\n":
			f.head += line
			name = "--- found"
		case name == "--- found":
			f.want += line
		case strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --\n"):
			f.head += line
			name = line[3 : len(line)-4]
			f.files[name] = &fstest.MapFile{Mode: 0o644}
		case strings.HasPrefix(line, "has:") && name == "":
			f.head += line
			f.has = append([]string{}, strings.Fields(strings.TrimPrefix(line, "has:"))...)
		default:
			f.head += line
			if name != "" {
				f.files[name].Data = append(f.files[name].Data, line...)
			}
		}
	}
	return all
}

// told is all that was found, in words that a person can check.
func told(p Project, has []string) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	var installed func(string) bool
	if has != nil {
		installed = func(name string) bool { return slices.Contains(has, name) }
	}
	e := p.Environment
	if e.Tool != NoTool || e.Make != "" {
		say("environment: %s, by %s: %s", orNone(string(e.Tool)), e.Said.File, e.Make)
	}
	if e.Requires != "" || e.Pinned != "" {
		say("python: %s %s", e.Requires, e.Pinned)
	}
	if p.Activated != "" || p.CondaName != "" {
		say("activates: %s%s", p.Activated, p.CondaName)
	}
	out, ok := p.Propose(installed)
	if !ok {
		say("nothing to start")
	} else {
		say("%s on %s, by %s %s", out.Of.Title, out.Server.Title, out.Kind, at(out.From))
		say("command: %s", strings.Join(out.Command, " "))
		say("port: %d %s", out.Port, at(out.PortFrom))
		if out.Health != "" {
			say("health: %s", out.Health)
		}
		if len(out.Needs) > 0 {
			say("needs: %s", strings.Join(out.Needs, " "))
		}
		for _, name := range slices.Sorted(maps.Keys(out.Environment)) {
			say("sets: %s=%s", name, out.Environment[name])
		}
		for _, o := range out.Others {
			say("or: %s (%s) %s", o.App, o.Title, at(o.Place))
		}
		if out.Ask {
			say("ask")
		}
	}
	for _, v := range p.Vars {
		value := v.Value
		if Secret(v.Name) {
			value = "(not shown)"
		}
		if v.Computed {
			value = "(only a shell knows)"
		}
		say("export: %s=%s %s", v.Name, value, at(v.Place))
	}
	for _, n := range p.Taken {
		say("taken: %s", n.Shown())
	}
	for _, n := range append(slices.Clone(p.LeftOut), out.LeftOut...) {
		say("left out: %s", n.Shown())
	}
	return b.String()
}

func orNone(s string) string {
	if s == "" {
		return "pip"
	}
	return s
}

func at(p Place) string {
	if p.File == "" {
		return "(default)"
	}
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

func TestWhatAFolderSaysIsFound(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	n := 0
	for _, file := range files {
		folders := readFolders(t, file)
		var out strings.Builder
		for _, f := range folders {
			n++
			got := told(Read(f.files), f.has) + "\n"
			out.WriteString(f.head + got)
			if *update {
				continue
			}
			t.Run(f.title, func(t *testing.T) { require.Equal(t, f.want, got) })
		}
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
		}
	}
	require.GreaterOrEqual(t, n, 60)
}

// Nothing of a folder's text may stop the reader, whichever file it is in.
func FuzzNoFolderIsTooStrange(f *testing.F) {
	for _, file := range []string{"testdata/code.txt", "testdata/scripts.txt", "testdata/environments.txt", "testdata/layouts.txt"} {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range strings.Split(string(text), "\n-- ") {
			f.Add(part)
		}
	}
	names := []string{"main.py", "start.sh", "pyproject.toml", "Procfile", "Makefile", "Dockerfile", "gunicorn.conf.py", ".env", "environment.yml", "Pipfile", "pixi.toml", ".python-version", "requirements.txt", "app/__init__.py", "package.json", "compose.yaml", "hypercorn.toml", ".streamlit/config.toml"}
	f.Fuzz(func(t *testing.T, text string) {
		fsys := fstest.MapFS{}
		for _, name := range names {
			fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: fs.FileMode(0o644)}
		}
		p := Read(fsys)
		out, ok := p.Propose(nil)
		if ok {
			require.NotEmpty(t, out.Command)
		}
		require.GreaterOrEqual(t, out.Port, 0)
		require.Less(t, out.Port, 65536)
	})
}
