package python

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func optionsOf(m *testkit.Mac, value string) Options {
	return Options{Dir: m.Dir, Value: value, GOOS: m.GOOS, Home: m.Home, Root: m.Root, Interactive: m.Interactive, Own: m.Own,
		Getenv: func(name string) string { return m.Env[name] }}
}

func findIn(m *testkit.Mac, value string) Interpreter {
	m.T.Helper()
	in, err := Find(optionsOf(m, value))
	require.NoError(m.T, err)
	return in
}

func refuseIn(m *testkit.Mac, value string) *Error {
	m.T.Helper()
	in, err := Find(optionsOf(m, value))
	require.Error(m.T, err, "%+v", in)
	var e *Error
	require.ErrorAs(m.T, err, &e)
	require.NotEmpty(m.T, e.Problem)
	require.NotContains(m.T, e.Error(), "\n")
	return e
}

func TestABackendsOwnEnvironmentComesFirstAndKeepsItsPath(t *testing.T) {
	m := testkit.NewMac(t)
	brew := m.Python("/opt/homebrew/Cellar/python@3.11/3.11.9/Frameworks/Python.framework/Versions/3.11", "3.11")
	m.Link(brew, "/opt/homebrew/bin/python3")
	require.Equal(t, m.At("/opt/homebrew/bin/python3"), findIn(m, "auto").Path)
	for _, name := range []string{"env", "venv", ".venv"} { // from the last to the first
		p := m.Venv(filepath.Join(m.Dir, name), brew, testkit.VenvConfig)
		in := findIn(m, "auto")
		require.Equal(t, p, in.Path, "a venv is found by its path: the link must not be resolved")
		require.Equal(t, brew, in.Real)
		require.Equal(t, filepath.Join(m.Dir, name), in.Prefix)
		require.Equal(t, []string{filepath.Join(m.Dir, name, "lib/python3.11/site-packages")}, in.Site)
		require.Equal(t, "3.11.9", in.Version)
		require.True(t, in.Venv)
		require.Empty(t, in.Warning)
		require.Equal(t, p+" -m pip install", in.Install)
	}
}

func TestTheOrderOutsideTheBackend(t *testing.T) {
	m := testkit.NewMac(t)
	m.Interactive = true
	apple := m.Put("/usr/bin/python3", testkit.Binary)
	type step struct{ want, name string }
	require.Equal(t, apple, findIn(m, "auto").Path)
	require.Contains(t, findIn(m, "auto").Warning, "DYLD_INSERT_LIBRARIES")
	m.Env["PATH"] = "/custom/bin:relative:" + m.Env["PATH"]
	steps := []step{}
	add := func(name, path string) {
		steps = append(steps, step{path, name})
		require.Equal(t, path, findIn(m, "auto").Path, name)
		require.Empty(t, findIn(m, "auto").Warning, name)
	}
	m.Python("/custom", "3.9")
	add("PATH", m.At("/custom/bin/python3"))
	m.Python(m.Home+"/.pyenv/versions/3.10.1", "3.10")
	add("pyenv", m.Home+"/.pyenv/versions/3.10.1/bin/python3")
	m.Python(m.Home+"/.local/share/uv/python/cpython-3.9.18-macos-aarch64-none", "3.9")
	m.Python(m.Home+"/.local/share/uv/python/cpython-3.12.4-macos-aarch64-none", "3.12")
	m.Python(m.Home+"/.local/share/uv/python/cpython-3.14.0rc1-macos-aarch64-none", "3.14")
	m.Python(m.Home+"/.local/share/uv/python/cpython-3.13.0+freethreaded-macos-aarch64-none", "3.13")
	add("uv, the newest that is finished", m.Home+"/.local/share/uv/python/cpython-3.12.4-macos-aarch64-none/bin/python3")
	m.Python(framework+"/3.11", "3.11")
	add("python.org", m.At(framework+"/3.11/bin/python3"))
	m.Python(framework+"/3.9", "3.9")
	m.Link("3.9", framework+"/Current")
	add("python.org, the current one", m.At(framework+"/Current/bin/python3"))
	m.Python("/opt/homebrew", "3.12")
	add("Homebrew", m.At("/opt/homebrew/bin/python3"))
	conda := m.Home + "/miniconda3/envs/ai"
	m.Python(conda, "3.10")
	require.NoError(t, os.Mkdir(m.At(conda+"/conda-meta"), 0o755))
	m.Env["CONDA_PREFIX"] = conda
	add("conda", conda+"/bin/python3")
	require.True(t, findIn(m, "auto").Venv)
	m.Env["VIRTUAL_ENV"] = m.Home + "/other"
	add("the active venv", m.Venv(m.Home+"/other", "/usr/bin/../../"+strings.TrimPrefix(m.At("/opt/homebrew/bin/python3"), "/"), testkit.VenvConfig))
	m.Interactive = false
	require.Equal(t, m.At("/opt/homebrew/bin/python3"), findIn(m, "auto").Path, "an app's inherited $VIRTUAL_ENV is somebody else's")
	require.Len(t, steps, 8)
}

func TestOnLinuxTheSystemsPythonIsAsGoodAsAny(t *testing.T) {
	m := testkit.NewMac(t)
	m.GOOS = "linux"
	m.Put("/opt/homebrew/bin/python3", testkit.Binary)
	p := m.Put("/usr/bin/python3", testkit.Binary)
	in := findIn(m, "auto")
	require.Equal(t, p, in.Path)
	require.Empty(t, in.Warning)
	require.False(t, in.Venv)
}

func TestTheVersionThatTheBackendPinsIsPreferred(t *testing.T) {
	m := testkit.NewMac(t)
	for _, v := range []string{"3.11.2", "3.11.9", "3.12.4"} {
		m.Python(m.Home+"/.local/share/uv/python/cpython-"+v+"-macos-aarch64-none", v)
	}
	require.NoError(t, os.WriteFile(filepath.Join(m.Dir, ".python-version"), []byte("# why\n3.11\n"), 0o644))
	in := findIn(m, "auto")
	require.Equal(t, m.Home+"/.local/share/uv/python/cpython-3.11.9-macos-aarch64-none/bin/python3", in.Path)
	require.Equal(t, "3.11.9", in.Version)
}

func TestPyenvsShimIsResolvedToTheVersionThatItWouldStart(t *testing.T) {
	m := testkit.NewMac(t)
	m.GOOS = "linux"
	m.Env["PATH"] = "/home/.pyenv/shims:/usr/bin"
	m.Env["PYENV_ROOT"] = m.At("/elsewhere") // a shim knows its own root better
	m.Put("/home/.pyenv/shims/python3", testkit.Shim)
	m.Python("/home/.pyenv/versions/3.9.18", "3.9")
	e := refuseIn(m, "auto")
	require.Contains(t, e.Problem, "pyenv's shim")
	require.Contains(t, e.Remedy, "pyenv local")
	v := func(name string) string { return m.At("/home/.pyenv/versions/" + name + "/bin/python3") }
	m.Python("/home/.pyenv/versions/3.11.7", "3.11")
	m.Put("/home/.pyenv/version", "3.9.18\n")
	require.Equal(t, v("3.9.18"), findIn(m, "auto").Path, "the global version")
	require.NoError(t, os.WriteFile(filepath.Join(m.Home, ".python-version"), []byte("3.11.7\n"), 0o644))
	require.Equal(t, v("3.11.7"), findIn(m, "auto").Path, ".python-version above the backend's folder")
	require.NoError(t, os.WriteFile(filepath.Join(m.Dir, ".python-version"), []byte("3.99\n3.9\n"), 0o644))
	require.Equal(t, v("3.9.18"), findIn(m, "auto").Path, "the first of the backend's own that is there, by its minor version")
	m.Env["PYENV_VERSION"] = "3.11.7:3.9.18"
	in := findIn(m, "auto")
	require.Equal(t, v("3.11.7"), in.Path, "$PYENV_VERSION")
	require.Equal(t, "3.11.7", in.Version)
	require.Equal(t, v("3.11.7"), findIn(m, m.At("/home/.pyenv/shims/python3")).Path, "named in the configuration")
	m.Env["PYENV_VERSION"] = "../../etc"
	require.Contains(t, refuseIn(m, "auto").Problem, "shim")
}

func TestPyenvsSystemMeansAnotherPython(t *testing.T) {
	m := testkit.NewMac(t)
	m.GOOS = "linux"
	m.Python(m.Home+"/.pyenv/versions/3.9.18", "3.9")
	require.NoError(t, os.WriteFile(filepath.Join(m.Dir, ".python-version"), []byte("system\n"), 0o644))
	p := m.Put("/usr/bin/python3", testkit.Binary)
	require.Equal(t, p, findIn(m, "auto").Path)
}

func TestAScriptOrAChooserIsRefusedWithARemedyOrPassedByForABetterOne(t *testing.T) {
	m := testkit.NewMac(t)
	m.GOOS = "linux"
	m.Env["PATH"] = "/asdf/shims:/mise/shims:/usr/bin"
	asdf := m.Put("/asdf/shims/python3", "#!/usr/bin/env bash\nexec /opt/asdf/bin/asdf exec \"python3\" \"$@\"\n")
	m.Put("/opt/bin/mise", testkit.Binary)
	m.Link(m.At("/opt/bin/mise"), "/mise/shims/python3")
	e := refuseIn(m, "auto")
	require.Equal(t, asdf, e.Path)
	require.Contains(t, e.Problem, "is a script")
	require.Contains(t, e.Remedy, "sys.executable")
	require.Contains(t, refuseIn(m, m.At("/mise/shims/python3")).Problem, "only chooses a Python")
	require.Contains(t, refuseIn(m, asdf).Problem, "is a script")
	p := m.Put("/usr/bin/python3", testkit.Binary)
	require.Equal(t, p, findIn(m, "auto").Path)
}

func TestADanglingEnvironmentIsAnErrorThatNamesTargetAndCommand(t *testing.T) {
	gone := "/opt/homebrew/opt/python@3.11/bin/python3.11"
	tests := map[string]struct {
		cfg    string
		setup  func(m *testkit.Mac)
		remedy string
	}{
		"the same minor version is there": {testkit.VenvConfig, func(m *testkit.Mac) { m.Python("/opt/homebrew", "3.11") },
			"rm .venv/bin/python .venv/bin/python3 && ROOT/opt/homebrew/bin/python3.11 -m venv --upgrade .venv"},
		"it is uv's": {"home = /x\nuv = 0.4.1\nversion_info = 3.11.9\n", func(m *testkit.Mac) {}, "uv venv --allow-existing --python 3.11 .venv"},
		"only another version is there": {testkit.VenvConfig, func(m *testkit.Mac) { m.Python("/opt/homebrew", "3.12") },
			"python3 -m venv --clear .venv` and install its packages again"},
		"with a requirements.txt": {testkit.VenvConfig, func(m *testkit.Mac) {
			require.NoError(m.T, os.WriteFile(filepath.Join(m.Dir, "requirements.txt"), nil, 0o644))
		}, "python3 -m venv --clear .venv && .venv/bin/python -m pip install -r requirements.txt"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := testkit.NewMac(t)
			tt.setup(m)
			m.Venv(m.Dir+"/.venv", m.At(gone), tt.cfg)
			for _, value := range []string{"auto", ".venv", ".venv/bin/python", "~/backend/.venv/bin/python3"} {
				e := refuseIn(m, value)
				require.Contains(t, e.Problem, "leads to "+m.At(gone)+", which is gone")
				require.Contains(t, e.Remedy, strings.ReplaceAll(tt.remedy, "ROOT", m.Root))
				require.Contains(t, e.Remedy, "in "+m.Dir+" run")
			}
		})
	}
}

func TestAnEnvironmentWithoutPythonIsNotPassedBy(t *testing.T) {
	m := testkit.NewMac(t)
	m.Put("/opt/homebrew/bin/python3", testkit.Binary)
	require.NoError(t, os.MkdirAll(filepath.Join(m.Dir, ".venv"), 0o755))
	require.Equal(t, m.At("/opt/homebrew/bin/python3"), findIn(m, "auto").Path, "an empty folder is no environment")
	require.NoError(t, os.WriteFile(filepath.Join(m.Dir, ".venv", VenvFile), []byte(testkit.VenvConfig), 0o644))
	require.Contains(t, refuseIn(m, "auto").Problem, "has no bin/python")
}

// The command that is offered really mends a really broken environment, and its packages are still there.
func TestTheMendingCommandReallyMends(t *testing.T) {
	python := testkit.RealPython(t)
	version, err := exec.Command(python, "-c", "import platform; print(platform.python_version())").Output()
	require.NoError(t, err)
	m := testkit.NewMac(t)
	m.GOOS, m.Root = "linux", ""
	gone := filepath.Join(m.Home, "gone", "bin", "python"+minor(string(version)))
	require.NoError(t, os.MkdirAll(filepath.Dir(gone), 0o755))
	out, err := exec.Command(python, "-m", "venv", "--without-pip", filepath.Join(m.Dir, ".venv")).CombinedOutput()
	require.NoError(t, err, string(out))
	bin := filepath.Join(m.Dir, ".venv", "bin")
	keep := filepath.Join(m.Dir, ".venv", "lib", "python"+minor(string(version)), "site-packages", "keep.py")
	require.NoError(t, os.WriteFile(keep, []byte("value = 7\n"), 0o644))
	in := findIn(m, "auto")
	require.Equal(t, strings.TrimSpace(string(version)), in.Version)
	entries, err := os.ReadDir(bin)
	require.NoError(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "python") {
			require.NoError(t, os.Remove(filepath.Join(bin, e.Name())))
		}
	}
	for from, to := range map[string]string{"python3": gone, "python": "python3", filepath.Base(gone): "python3"} {
		require.NoError(t, os.Symlink(to, filepath.Join(bin, from)))
	}
	m.Env["PATH"] = filepath.Join(m.Home, "bin")
	require.NoError(t, os.MkdirAll(m.Env["PATH"], 0o755))
	require.NoError(t, os.Symlink(python, filepath.Join(m.Env["PATH"], filepath.Base(gone))))
	_, command, ok := strings.Cut(refuseIn(m, "auto").Remedy, "`")
	require.True(t, ok)
	command = strings.TrimSuffix(command, "`")
	sh := exec.Command("sh", "-c", strings.Replace(command, "--upgrade", "--upgrade --without-pip", 1))
	sh.Dir = m.Dir
	out, err = sh.CombinedOutput()
	require.NoError(t, err, "%s: %s", command, out)
	out, err = exec.Command(findIn(m, "auto").Path, "-c", "import keep, sys; print(keep.value, sys.prefix)").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "7 "+filepath.Join(m.Dir, ".venv"), strings.TrimSpace(string(out)))
}

func TestTheConfigurationNamesAnInterpreterInManyWays(t *testing.T) {
	m := testkit.NewMac(t)
	brew := m.Python("/opt/homebrew", "3.12")
	venv := m.Venv(m.Dir+"/my env", brew, testkit.VenvConfig)
	for value, want := range map[string]string{
		"my env/bin/python":       venv,
		"./my env/bin/python3":    filepath.Join(m.Dir, "my env/bin/python3"),
		"my env":                  venv,
		m.Dir + "/my env":         venv,
		"~/backend/my env":        venv,
		brew:                      brew,
		"../backend/my env":       venv,
		"python3.12":              brew,
		"":                        m.At("/opt/homebrew/bin/python3"),
		"~/backend/my env/bin/..": venv,
	} {
		in := findIn(m, value)
		require.Equal(t, want, in.Path, value)
	}
	require.Equal(t, "'"+venv+"' -m pip install", findIn(m, "my env").Install, "ready to be pasted")
}

func TestWhatCannotBeAnInterpreterIsRefused(t *testing.T) {
	m := testkit.NewMac(t)
	require.NoError(t, os.WriteFile(filepath.Join(m.Dir, "plain"), []byte("x"), 0o644))
	for value, problem := range map[string]string{
		"nowhere/python": "is not there",
		"python9":        "is not there",
		"plain":          "is not executable",
		".":              "is a folder without bin/python",
		"/dev/null":      "is not a program",
		"plain/python":   "cannot be used",
	} {
		require.Contains(t, refuseIn(m, value).Problem, problem, value)
	}
	_, err := Find(optionsOf(m, "auto"))
	require.ErrorIs(t, err, fs.ErrNotExist, "there is just none")
	require.ErrorContains(t, err, "python3 -m venv .venv")
	loop := filepath.Join(m.Dir, ".venv", "bin", "python")
	require.NoError(t, os.MkdirAll(filepath.Dir(loop), 0o755))
	require.NoError(t, os.Symlink("python", loop))
	require.Contains(t, refuseIn(m, "auto").Problem, "cannot be used")
}

func TestWithOwnOnlyTheBackendsFolderIsLookedAt(t *testing.T) {
	m := testkit.NewMac(t)
	m.Own = true
	brew := m.Python("/opt/homebrew", "3.12")
	_, err := Find(optionsOf(m, "auto"))
	require.True(t, errors.Is(err, fs.ErrNotExist))
	p := m.Venv(m.Dir+"/.venv", brew, testkit.VenvConfig)
	require.Equal(t, p, findIn(m, "auto").Path)
}

func TestAVenvThatSeesTheSystemsPackagesHasTheirFoldersToo(t *testing.T) {
	m := testkit.NewMac(t)
	brew := m.Python("/opt/homebrew", "3.11")
	m.Venv(m.Dir+"/.venv", brew, "home = "+m.At("/opt/homebrew/bin")+"\nInclude-System-Site-Packages = true\nversion = 3.11.9\n")
	require.Equal(t, []string{m.Dir + "/.venv/lib/python3.11/site-packages", m.At("/opt/homebrew/lib/python3.11/site-packages")}, findIn(m, "auto").Site)
}

func TestAVenvThatSeesTheSystemsPackagesSeesThePersonsToo(t *testing.T) {
	m := testkit.NewMac(t)
	brew := m.Python("/opt/homebrew", "3.11")
	m.Venv(m.Dir+"/.venv", brew, "home = "+m.At("/usr/local/linked/bin")+"\ninclude-system-site-packages = true\nversion = 3.11.9\n")
	mine := filepath.Join(m.Home, "Library/Python/3.11/lib/python/site-packages")
	require.NoError(t, os.MkdirAll(mine, 0o755))
	require.Equal(t, []string{m.Dir + "/.venv/lib/python3.11/site-packages", mine, m.At("/opt/homebrew/lib/python3.11/site-packages")}, findIn(m, "auto").Site,
		"also where home is the name of a link to the installation")
}

func TestPackagesOfThePersonCountWithoutAVenv(t *testing.T) {
	m := testkit.NewMac(t)
	m.Python("/opt/homebrew", "3.12")
	mine := filepath.Join(m.Home, "Library/Python/3.12/lib/python/site-packages")
	require.NoError(t, os.MkdirAll(mine, 0o755))
	require.Equal(t, []string{mine, m.At("/opt/homebrew/lib/python3.12/site-packages")}, findIn(m, "auto").Site)
}

func TestVersionsAreReadFromPaths(t *testing.T) {
	for path, want := range map[string]string{
		"/opt/homebrew/Cellar/python@3.12/3.12.1_1/Frameworks/Python.framework/Versions/3.12/bin/python3.12": "3.12.1",
		"/Library/Frameworks/Python.framework/Versions/3.11/bin/python3.11":                                  "3.11",
		"/Users/ada/.local/share/uv/python/cpython-3.12.4-macos-aarch64-none/bin/python3.12":                 "3.12.4",
		"/Users/ada/.pyenv/versions/3.11.7/bin/python3.11":                                                   "3.11.7",
		"/usr/bin/python3.9":              "3.9",
		"/usr/bin/python3":                "",
		"/home/ada/v2.0/x":                "",
		"/opt/thing-3.4.5/bin/python3.10": "3.10",
	} {
		require.Equal(t, want, versionInPath(path), path)
	}
	for text, want := range map[string]string{"3.11.7": "3.11.7", "3.12.1.final.0": "3.12.1", "3.13.0rc1": "3.13.0", "3.11.7+": "3.11.7", "": "", "x": "", "3": ""} {
		require.Equal(t, want, threeNumbers(text), text)
	}
}

// What is read from the disk is what Python says of itself.
func TestARealVenvIsReadAsPythonSeesItself(t *testing.T) {
	m := testkit.NewMac(t)
	m.GOOS, m.Root = "linux", ""
	out, err := exec.Command(testkit.RealPython(t), "-m", "venv", "--without-pip", filepath.Join(m.Dir, ".venv")).CombinedOutput()
	require.NoError(t, err, string(out))
	in := findIn(m, "auto")
	out, err = exec.Command(in.Path, "-c", `import sys, os, site, platform
print(sys.prefix, os.path.realpath(sys.executable), platform.python_version(), *site.getsitepackages())`).Output()
	require.NoError(t, err)
	require.Equal(t, append([]string{in.Prefix, in.Real, in.Version}, in.Site...), strings.Fields(string(out)))
}

func TestTheRealPythonBehindPATHIsFound(t *testing.T) {
	want := testkit.RealPython(t)
	in, err := Find(Options{Dir: t.TempDir(), Value: "python3", GOOS: "linux", Getenv: os.Getenv})
	require.NoError(t, err)
	real, err := filepath.EvalSymlinks(want)
	require.NoError(t, err)
	require.Equal(t, real, in.Real, "a shim is resolved")
}

func FuzzVenvFile(f *testing.F) {
	f.Add(testkit.VenvConfig)
	f.Add("uv=1\nversion_info = 3..1\n===\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, VenvFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cfg := readVenv(dir)
		_ = threeNumbers(cfg["version"]) + threeNumbers(cfg["version_info"]) + versionInPath(text)
	})
}

func BenchmarkFindPythonWithoutAnEnvironment(b *testing.B) {
	home, _ := os.UserHomeDir()
	o := Options{Dir: b.TempDir(), GOOS: "linux", Home: home, Getenv: os.Getenv}
	if _, err := Find(o); err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		_, _ = Find(o)
	}
}
