package supervisor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

// backendOf is a configuration in the made-up computer's backend folder.
func backendOf(m *mac, change func(*Config)) Config {
	c := defaults(m.dir)
	if change != nil {
		change(&c)
	}
	return c
}

func planOptionsOf(m *mac) PlanOptions {
	var parent []string
	for name, value := range m.env {
		parent = append(parent, name+"="+value)
	}
	slices.Sort(parent)
	return PlanOptions{GOOS: m.goos, GOARCH: "arm64", Parent: parent, Interactive: m.interactive, Home: m.home, Root: m.root}
}

func planOf(m *mac, change func(*Config)) Plan {
	m.t.Helper()
	p, err := MakePlan(backendOf(m, change), planOptionsOf(m))
	require.NoError(m.t, err)
	return p
}

// ready is a computer whose backend has a venv with uvicorn in it.
func ready(t *testing.T) *mac {
	m := newMac(t)
	m.venv(m.dir+"/.venv", m.python("/opt/homebrew", "3.11"), cfg311)
	m.put(siteOf(m)+"/uvicorn/__init__.py", "")
	return m
}

func siteOf(m *mac) string { return m.dir + "/.venv/lib/python3.11/site-packages" }

// putDylib puts a Mach-O library of the processor (0x0100000c is arm64, 0x01000007 x86_64).
func putDylib(m *mac, path string, cpu uint32) string {
	b := make([]byte, 32)
	for i, v := range []uint32{0xfeedfacf, cpu, 0, 6, 0, 0} {
		binary.LittleEndian.PutUint32(b[4*i:], v)
	}
	return m.put(path, string(b))
}

func envOf(p Plan, name string) (string, bool) {
	for _, e := range p.Spec.Env {
		if n, v, _ := strings.Cut(e, "="); n == name {
			return v, true
		}
	}
	return "", false
}

func TestThePlanFillsInTheCommandAndTheSpec(t *testing.T) {
	m := ready(t)
	p := planOf(m, func(c *Config) { c.Port = 8123; c.Log.Keep = 2 })
	require.Equal(t, []string{m.dir + "/.venv/bin/python", "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "8123"}, p.Spec.Argv)
	require.Equal(t, m.dir, p.Spec.Dir)
	require.Equal(t, m.dir+"/logs/server.log", p.Spec.Log)
	require.Equal(t, backendOf(m, nil).Log.MaxSize, p.Spec.LogSize)
	require.Equal(t, 2, p.Spec.LogKeep)
	require.Equal(t, "3.11.9", p.Python.Version)
	require.Len(t, p.Applied, 9)
	require.Empty(t, p.Warnings)
	require.True(t, slices.IsSorted(p.Spec.Env))
	for _, name := range []string{"PORT", "VIRTUAL_ENV", "VIVARIUM_RUN"} {
		_, ok := envOf(p, name)
		require.False(t, ok, "nothing is added but the crash environment")
	}
	p = planOf(m, func(c *Config) { c.Command = []string{"{python}", "main.py", "--bind=0.0.0.0:{port}"} })
	require.Equal(t, "--bind=0.0.0.0:8000", p.Spec.Argv[2])
}

func TestThePlanReadsTheEnvironmentFromEverywhere(t *testing.T) {
	m := ready(t)
	m.goos = "linux"
	m.env["OMP_NUM_THREADS"], m.env["FROM_SHELL"] = "32", "1"
	m.put(m.dir+"/.env", "TOKEN=secret\nOMP_NUM_THREADS=2\nKMP_AFFINITY=none\n")
	p := planOf(m, func(c *Config) {
		c.Environment = map[string]string{"OMP_NUM_THREADS": "1", "MKL_THREADING_LAYER": "", "OWN": "x"}
	})
	for name, want := range map[string]string{"TOKEN": "secret", "OMP_NUM_THREADS": "1", "KMP_AFFINITY": "none", "OWN": "x", "FROM_SHELL": "1", "KMP_DUPLICATE_LIB_OK": "TRUE"} {
		got, _ := envOf(p, name)
		require.Equal(t, want, got, name)
	}
	_, ok := envOf(p, "MKL_THREADING_LAYER")
	require.False(t, ok)
	p = planOf(m, func(c *Config) { c.EnvFile = "" })
	_, ok = envOf(p, "TOKEN")
	require.False(t, ok)
}

func TestAMissingEnvFileIsAnErrorOnlyIfItIsNamed(t *testing.T) {
	m := ready(t)
	planOf(m, nil)
	_, err := MakePlan(backendOf(m, func(c *Config) { c.EnvFileNamed = true }), planOptionsOf(m))
	var e *ConfigError
	require.ErrorAs(t, err, &e)
	require.Contains(t, err.Error(), ".env")
	require.NotEmpty(t, e.Remedy)
	m.put(m.dir+"/.env", "no equals sign in \"this\n")
	_, err = MakePlan(backendOf(m, nil), planOptionsOf(m))
	require.ErrorAs(t, err, &e, "a broken one is an error, also where it is the default")
	require.Equal(t, m.dir+"/.env", e.File)
	require.NotContains(t, err.Error(), "this", "these files hold secrets")
}

func TestTorchsLibraryIsInsertedOnlyWhereItFits(t *testing.T) {
	m := ready(t)
	const name = "DYLD_INSERT_LIBRARIES"
	torch := putDylib(m, siteOf(m)+"/torch/lib/libomp.dylib", 0x0100000c)
	p := planOf(m, nil)
	value, _ := envOf(p, name)
	require.Equal(t, torch, value)
	require.Empty(t, p.Warnings)
	m.goos = "linux"
	_, ok := envOf(planOf(m, nil), name)
	require.False(t, ok)
	m.goos = "darwin"
	putDylib(m, siteOf(m)+"/torch/lib/libomp.dylib", 0x01000007)
	p = planOf(m, nil)
	_, ok = envOf(p, name)
	require.False(t, ok, "Python would die before its first instruction")
	require.Len(t, p.Warnings, 1)
	require.Contains(t, p.Warnings[0], "have x86_64, need arm64")
	putDylib(m, "/opt/homebrew/bin/python3.11", 0x01000007) // an Intel Python under Rosetta
	value, _ = envOf(planOf(m, nil), name)
	require.Equal(t, torch, value, "what counts is the interpreter's architecture")
}

func TestAnInheritedLibraryThatWouldEndPythonIsDropped(t *testing.T) {
	m := ready(t)
	torch := putDylib(m, siteOf(m)+"/torch/lib/libomp.dylib", 0x0100000c)
	good := putDylib(m, "/good.dylib", 0x0100000c)
	m.env["DYLD_INSERT_LIBRARIES"] = m.at("/gone.dylib") + ":" + good
	m.env["DYLD_LIBRARY_PATH"] = "/opt/homebrew/lib"
	p := planOf(m, nil)
	value, _ := envOf(p, "DYLD_INSERT_LIBRARIES")
	require.Equal(t, torch+":"+good, value)
	value, _ = envOf(p, "DYLD_LIBRARY_PATH")
	require.Equal(t, "/opt/homebrew/lib", value)
	require.Len(t, p.Warnings, 1)
	require.Contains(t, p.Warnings[0], "/gone.dylib is not there")
	p = planOf(m, func(c *Config) { c.Environment = map[string]string{"DYLD_INSERT_LIBRARIES": m.at("/gone.dylib")} })
	value, _ = envOf(p, "DYLD_INSERT_LIBRARIES")
	require.True(t, strings.HasPrefix(value, m.at("/gone.dylib")+":"), "what the configuration says is done")
	require.Contains(t, strings.Join(p.Warnings, "\n"), "will not start with what [environment] inserts")
}

func TestACommandWithoutPythonNeedsNone(t *testing.T) {
	m := newMac(t)
	m.goos = "linux"
	server := m.put(m.dir+"/server", machine64)
	p := planOf(m, func(c *Config) { c.Command = []string{"./server", "{port}"} })
	require.Equal(t, []string{server, "8000"}, p.Spec.Argv)
	require.Zero(t, p.Python)
	require.Empty(t, p.Warnings)
	require.Len(t, p.Applied, 7)
	_, err := MakePlan(backendOf(m, nil), planOptionsOf(m))
	require.ErrorIs(t, err, fs.ErrNotExist, "with {python} one is needed")
	m.venv(m.dir+"/.venv", m.at("/gone/python3.11"), cfg311)
	p = planOf(m, func(c *Config) { c.Command = []string{"./server"} })
	require.Len(t, p.Warnings, 1)
	require.Contains(t, p.Warnings[0], "which is gone")
}

func TestAProgramIsFoundInTheBackendsFolderAndOnThePlannedPath(t *testing.T) {
	m := newMac(t)
	m.goos = "linux"
	m.env["PATH"] = m.at("/first") + "::" + m.at("/second")
	second := m.put("/second/server", machine64)
	argv := func(word string) string {
		return planOf(m, func(c *Config) { c.Command = []string{word} }).Spec.Argv[0]
	}
	require.Equal(t, second, argv("server"))
	first := m.put("/first/server", machine64)
	require.Equal(t, first, argv("server"))
	m.put(m.dir+"/tools/server", machine64)
	m.put(m.dir+"/.env", "PATH=tools:/nowhere\n")
	require.Equal(t, m.dir+"/tools/server", argv("server"), "the PATH that the run itself has")
	require.NoError(t, os.Mkdir(m.dir+"/server", 0o755))
	require.Equal(t, m.dir+"/tools/server", argv("server"), "a folder of that name is no program")
	require.NoError(t, os.Remove(m.dir+"/server"))
	own := m.put(m.dir+"/server", machine64)
	require.Equal(t, own, argv("server"))
	require.Equal(t, first, argv(first))
}

func TestAProgramThatCannotBeStartedIsAMistakeInTheConfiguration(t *testing.T) {
	m := newMac(t)
	m.goos = "linux"
	require.NoError(t, os.WriteFile(m.dir+"/plain", nil, 0o644))
	for word, want := range map[string]string{
		"nothing": `"nothing" is not found`, "./nothing": m.dir + "/nothing is not there", "/nothing/at/all": "is not there",
		"./plain": "is not executable", "python": `write "{python}"`,
	} {
		_, err := MakePlan(backendOf(m, func(c *Config) { c.Command = []string{word} }), planOptionsOf(m))
		var e *ConfigError
		require.ErrorAs(t, err, &e, word)
		require.Equal(t, "command", e.Key)
		require.Contains(t, err.Error(), want)
		require.Equal(t, filepath.Join(m.dir, ConfigName), e.File)
	}
	_, err := MakePlan(backendOf(m, func(c *Config) { c.Command = nil }), planOptionsOf(m))
	require.ErrorContains(t, err, "is empty")
}

func TestThePlanWarnsOfWhatWillNotWorkWell(t *testing.T) {
	m := ready(t)
	warnings := func(change func(*Config)) string { return strings.Join(planOf(m, change).Warnings, "\n") }
	with := func(words ...string) func(*Config) { return func(c *Config) { c.Command = words } }
	require.Contains(t, warnings(with("{python}", "-m", "uvicorn", "main:app", "--reload")), "--reload keeps the port open")
	require.Contains(t, warnings(with("{python}", "-m", "gunicorn", "main:app")), "gunicorn seems not to be installed")
	require.Contains(t, warnings(with("{python}", "-m", "gunicorn", "main:app")), m.dir+"/.venv/bin/python -m pip install gunicorn")
	require.Empty(t, warnings(with("{python}", "-m", "http.server")))
	require.Empty(t, warnings(with("{python}", "-m", "my_own")))
	m.put(m.dir+"/vendor/gunicorn/__init__.py", "")
	require.Empty(t, warnings(func(c *Config) {
		c.Command = []string{"{python}", "-m", "gunicorn"}
		c.Environment = map[string]string{"PYTHONPATH": "vendor"}
	}))
	m.put(m.dir+"/start.sh", "#!/bin/sh\nexec uvicorn\n")
	require.Contains(t, warnings(with("./start.sh")), "drops DYLD_INSERT_LIBRARIES on the way through /bin/sh")
	m.put(m.dir+"/bin/python3", shim)
	require.Contains(t, warnings(with("bin/python3", "main.py")), `write "{python}"`)
	m.goos = "linux"
	require.Empty(t, warnings(with("./start.sh")))
}

func TestApplesPythonIsUsedAloud(t *testing.T) {
	m := newMac(t)
	m.put("/usr/bin/python3", machine64)
	p := planOf(m, func(c *Config) { c.Command = []string{"{python}", "main.py"} })
	require.Len(t, p.Warnings, 1)
	require.Contains(t, p.Warnings[0], "Apple's own")
}

func TestThePlanNeverShowsAValueOfTheEnvironmentInWarnings(t *testing.T) {
	m := ready(t)
	m.put(m.dir+"/.env", "TOKEN=hunter2\n")
	m.env["SECRET"] = "hunter3"
	p := planOf(m, func(c *Config) { c.Command = append(c.Command, "--reload") })
	require.NotContains(t, fmt.Sprint(p.Warnings, p.Applied), "hunter")
}

func TestAPlanIsMadeAnewFromWhatIsThere(t *testing.T) {
	m := ready(t)
	first := planOf(m, nil)
	require.Equal(t, first, planOf(m, nil), "the same disk gives the same plan")
	require.NoError(t, os.Remove(m.at("/opt/homebrew/bin/python3.11")))
	_, err := MakePlan(backendOf(m, nil), planOptionsOf(m))
	var e *PythonError
	require.True(t, errors.As(err, &e))
	require.Contains(t, e.Problem, "gone")
}

// The plan stands between a crash and the next start, which has 3 ms in all.
func BenchmarkPlan(b *testing.B) {
	dir := b.TempDir()
	venv := filepath.Join(dir, ".venv")
	site := filepath.Join(venv, "lib", "python3.11", "site-packages")
	for _, d := range []string{filepath.Join(venv, "bin"), filepath.Join(site, "uvicorn")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	for path, text := range map[string]string{
		filepath.Join(venv, "bin", "python3.11"): machine64, filepath.Join(venv, venvFile): cfg311,
		filepath.Join(dir, ".env"): "TOKEN=x\nOTHER='y z'\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	_ = os.Symlink("python3.11", filepath.Join(venv, "bin", "python3"))
	_ = os.Symlink("python3", filepath.Join(venv, "bin", "python"))
	c := defaults(dir)
	for _, goos := range []string{"linux", "darwin"} {
		b.Run(goos, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := MakePlan(c, PlanOptions{GOOS: goos, GOARCH: "arm64", Parent: os.Environ(), Home: "/home/ada"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestExportsOfAPlanAreReadyForAShell(t *testing.T) {
	m := ready(t)
	text := crash.Exports(planOf(m, nil).Applied)
	require.Contains(t, text, "export KMP_DUPLICATE_LIB_OK=TRUE")
	require.Contains(t, text, "unset DYLD_INSERT_LIBRARIES")
	require.Contains(t, strings.ReplaceAll(text, "\n# ", " "), "torch is not installed in this environment")
}

func TestWhatTheShellGivesIsInheritedAndCountsLess(t *testing.T) {
	m := ready(t)
	m.env["HF_HOME"] = "/inherited"
	var asked []string
	o := planOptionsOf(m)
	o.Shell = func(_, names []string) ([]string, error) {
		asked = names
		return []string{"HF_HOME=/from/the/shell", "OMP_NUM_THREADS=64", "MODEL=shell"}, nil
	}
	c := backendOf(m, func(c *Config) {
		c.LoginShellEnv, c.Environment = []string{"HF_HOME", "OMP_NUM_THREADS", "MODEL"}, map[string]string{"MODEL": "own"}
	})
	p, err := MakePlan(c, o)
	require.NoError(t, err)
	require.Equal(t, c.LoginShellEnv, asked)
	require.Equal(t, "/from/the/shell", Lookup(p.Spec.Env, "HF_HOME"))
	require.Equal(t, "4", Lookup(p.Spec.Env, "OMP_NUM_THREADS"), "the crash environment goes before it")
	require.Equal(t, "own", Lookup(p.Spec.Env, "MODEL"))

	o.Shell = func(_, _ []string) ([]string, error) {
		return nil, errors.New("login_shell_env is not used: zsh is gone")
	}
	p, err = MakePlan(c, o)
	require.NoError(t, err, "a backend starts without its shell, too")
	require.Contains(t, p.Warnings, "login_shell_env is not used: zsh is gone")
	require.Equal(t, "/inherited", Lookup(p.Spec.Env, "HF_HOME"))

	o.Shell = func(_, _ []string) ([]string, error) { t.Error("nobody asked for it"); return nil, nil }
	_, err = MakePlan(backendOf(m, nil), o)
	require.NoError(t, err)
}
