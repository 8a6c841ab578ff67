package project

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func there(path, from string) Candidate { return Candidate{path, from, true} }
func lost(path, from string) Candidate  { return Candidate{path, from, false} }

func TestWhichPythonABackendGets(t *testing.T) {
	const dir = "/p/shop"
	global := there("/usr/bin/python3", "PATH")
	for _, c := range []struct {
		name   string
		places Places
		want   Decision
	}{
		{"its own environment", Places{Own: []Candidate{there(dir+"/.venv", ".venv")}, Global: global}, Decision{Path: dir + "/.venv", From: ".venv"}},
		{"its own before the active one, which is told", Places{Own: []Candidate{there(dir+"/.venv", ".venv")}, Active: []Candidate{there("/x/other", "VIRTUAL_ENV")}},
			Decision{Path: dir + "/.venv", From: ".venv", Warning: "VIRTUAL_ENV names another environment (/x/other); the one of .venv is used"}},
		{"the active one is no other if it is its own", Places{Own: []Candidate{there(dir+"/.venv", ".venv")}, Active: []Candidate{there(dir+"/.venv", "VIRTUAL_ENV")}}, Decision{Path: dir + "/.venv", From: ".venv"}},
		{"an active one where it has none of its own", Places{Active: []Candidate{there("/envs/ml", "CONDA_PREFIX")}, Global: global},
			Decision{Path: "/envs/ml", From: "CONDA_PREFIX", Keep: true, Warning: "CONDA_PREFIX names an environment outside of this folder: /envs/ml"}},
		{"one in a folder below", Places{Below: []Candidate{there(dir+"/backend/venv", "backend/venv")}, Global: global}, Decision{Path: dir + "/backend/venv", From: "backend/venv", Keep: true}},
		{"what a start script activates", Places{Script: there("/envs/ml", "start.sh"), Global: global}, Decision{Path: "/envs/ml", From: "start.sh", Keep: true}},
		{"a script of another machine does not count", Places{Script: lost("/Users/other/envs/ml", "start.sh"), Global: global}, Decision{Path: "/usr/bin/python3", From: "PATH"}},
		{"what poetry would take", Places{Tool: there("/c/shop-x-py3.12", "poetry"), Active: []Candidate{there("/x/other", "VIRTUAL_ENV")}},
			Decision{Path: "/c/shop-x-py3.12", From: "poetry", Keep: true, Warning: "VIRTUAL_ENV names another environment (/x/other); the one of poetry is used"}},
		{"a deleted environment is not replaced", Places{Recorded: lost(dir+"/.venv/bin/python", ".venv"), Active: []Candidate{there("/x/other", "VIRTUAL_ENV")}, Global: global, Make: "uv sync"},
			Decision{From: ".venv", Problem: "the environment is gone: /p/shop/.venv/bin/python", Remedy: "cd /p/shop && uv sync"}},
		{"a deleted environment comes back under its own name", Places{Recorded: lost(dir+"/venv/bin/python", "venv"), Make: "python3 -m venv .venv && .venv/bin/python -m pip install -r requirements.txt"},
			Decision{From: "venv", Problem: "the environment is gone: /p/shop/venv/bin/python", Remedy: "cd /p/shop && python3 -m venv venv && venv/bin/python -m pip install -r requirements.txt"}},
		{"what is named and gone", Places{Named: lost("/opt/homebrew/bin/python3.11", "vivarium.toml"), Own: []Candidate{there(dir+"/.venv", ".venv")}},
			Decision{From: "vivarium.toml", Problem: "the Python is gone: /opt/homebrew/bin/python3.11", Remedy: "install it again, or name another one"}},
		{"what is named is taken", Places{Named: there("/x/python", "vivarium.toml"), Own: []Candidate{there(dir+"/.venv", ".venv")}}, Decision{Path: "/x/python", From: "vivarium.toml"}},
		{"what it ran with stays", Places{Recorded: there("/envs/ml", "CONDA_PREFIX"), Below: []Candidate{there(dir+"/backend/venv", "x")}}, Decision{Path: "/envs/ml", From: "CONDA_PREFIX", Keep: true}},
		{"no environment yet, and how to make it", Places{Global: global, Make: "uv sync"}, Decision{Path: "/usr/bin/python3", From: "PATH", Warning: "the project has no environment yet", Remedy: "cd /p/shop && uv sync"}},
		{"nothing at all", Places{}, Decision{Problem: "no Python was found for this backend", Remedy: "cd /p/shop && python3 -m venv .venv"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.places.Dir = dir
			require.Equal(t, c.want, Decide(c.places))
		})
	}
}

// Whatever is there besides, a Python that was fixed and is gone gives no other one.
func TestAGonePythonIsNeverReplacedSilently(t *testing.T) {
	all := []Candidate{there("/a/.venv", "a"), there("/b", "b")}
	for _, p := range []Places{{Recorded: lost("/x/venv", "r")}, {Named: lost("/x/venv", "n")}, {Named: lost("/x/venv", "n"), Recorded: there("/y", "r")}} {
		p.Dir, p.Own, p.Active, p.Below, p.Script, p.Tool, p.Global = "/a", all, all, all, all[1], all[1], all[0]
		d := Decide(p)
		require.Empty(t, d.Path)
		require.Contains(t, d.Problem, "gone: /x/venv")
		require.Contains(t, d.Remedy, "venv /x/venv")
	}
}

func TestWhereToolsKeepTheirEnvironments(t *testing.T) {
	mac := System{GOOS: "darwin", Home: "/Users/me"}
	linux := System{GOOS: "linux", Home: "/home/me", Getenv: func(name string) string {
		return map[string]string{"XDG_CACHE_HOME": "/cache"}[name]
	}}
	poetry := Environment{Tool: Poetry, Name: "My Shop"}
	require.Equal(t, "/Users/me/Library/Caches/pypoetry/virtualenvs/my_shop-", poetry.ToolPlaces("/p/shop", "", mac)[0][:len("/Users/me/Library/Caches/pypoetry/virtualenvs/my_shop-")])
	require.Contains(t, poetry.ToolPlaces("/p/shop", "", linux)[0], "/cache/pypoetry/virtualenvs/my_shop-")
	require.Contains(t, Environment{Tool: Hatch, Name: "shop"}.ToolPlaces("/p/shop", "", linux)[0], "/home/me/.local/share/hatch/env/virtual/shop/*/shop")
	require.Equal(t, []string{"/p/shop/.pixi/envs/default"}, Environment{Tool: Pixi}.ToolPlaces("/p/shop", "", mac))
	require.Contains(t, Environment{Tool: UV}.ToolPlaces("/p/shop", "ml", mac), "/Users/me/miniforge3/envs/ml")
	require.Equal(t, []string{"/envs/ml"}, Environment{}.ToolPlaces("/p/shop", "/envs/ml", mac))
	require.Empty(t, Environment{}.ToolPlaces("/p/shop", "../x", mac))
	require.Empty(t, Environment{Tool: UV}.ToolPlaces("/p/shop", "", mac))
	require.Len(t, OwnPlaces("/p"), 3)
	require.Contains(t, BelowPlaces("/p"), "/p/backend/venv")
}

// What would block a reader, or never end, or lies outside, is as if it were not there.
func TestHostileFilesAreNotRead(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(outside, []byte("from fastapi import FastAPI\napp = FastAPI()\n"), 0o644))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "main.py"), 0o644))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "start.sh"), 0o644))
	require.NoError(t, os.Symlink("/dev/zero", filepath.Join(dir, "pyproject.toml")))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "app.py")))
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "loop")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "Procfile"), 0o755))
	big, err := os.Create(filepath.Join(dir, "server.py"))
	require.NoError(t, err)
	require.NoError(t, big.Truncate(1<<40))
	require.NoError(t, big.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "requirements.txt"), []byte("flask\n"), 0o644))

	fsys, err := Open(dir)
	require.NoError(t, err)
	defer fsys.Close()
	done := make(chan Project, 1)
	go func() { done <- Read(fsys) }()
	select {
	case p := <-done:
		require.Empty(t, p.Apps)
		require.Empty(t, p.Starts)
		require.Equal(t, []string{"flask"}, p.Environment.Names)
	case <-time.After(20 * time.Second):
		t.Fatal("reading the folder does not end")
	}
	_, err = fsys.Open("../x")
	require.Error(t, err)
}

func TestAFolderWithVeryMuchInItIsReadWithinBounds(t *testing.T) {
	dir := t.TempDir()
	text := []byte("import x\n")
	for i := range 30 {
		text = append(text, "def create_app"+string(rune('a'+i%26))+"(): return create_app()\napp = create_app()\n"...)
	}
	for i := range 700 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "f"+string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676))+".py"), text, 0o644))
	}
	fsys, err := Open(dir)
	require.NoError(t, err)
	defer fsys.Close()
	p := Read(fsys)
	require.LessOrEqual(t, p.r.files, maxFiles)
	require.LessOrEqual(t, len(p.tree.files), maxFiles)
}
