package plan

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

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// backendOf is a configuration in the made-up computer's backend folder.
func backendOf(m *testkit.Mac, change func(*config.Config)) config.Config {
	c := config.Defaults(m.Dir)
	if change != nil {
		change(&c)
	}
	return c
}

func planOptionsOf(m *testkit.Mac) Options {
	var parent []string
	for name, value := range m.Env {
		parent = append(parent, name+"="+value)
	}
	slices.Sort(parent)
	return Options{GOOS: m.GOOS, GOARCH: "arm64", Parent: parent, Interactive: m.Interactive, Home: m.Home, Root: m.Root}
}

func planOf(m *testkit.Mac, change func(*config.Config)) Plan {
	m.T.Helper()
	p, err := Make(backendOf(m, change), planOptionsOf(m))
	require.NoError(m.T, err)
	return p
}

// ready is a computer whose backend has a venv with uvicorn in it.
func ready(t *testing.T) *testkit.Mac {
	m := testkit.NewMac(t)
	m.Venv(m.Dir+"/.venv", m.Python("/opt/homebrew", "3.11"), testkit.VenvConfig)
	m.Put(siteOf(m)+"/uvicorn/__init__.py", "")
	return m
}

func siteOf(m *testkit.Mac) string { return m.Dir + "/.venv/lib/python3.11/site-packages" }

// putDylib puts a Mach-O library of the processor (0x0100000c is arm64, 0x01000007 x86_64).
func putDylib(m *testkit.Mac, path string, cpu uint32) string {
	b := make([]byte, 32)
	for i, v := range []uint32{0xfeedfacf, cpu, 0, 6, 0, 0} {
		binary.LittleEndian.PutUint32(b[4*i:], v)
	}
	return m.Put(path, string(b))
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
	p := planOf(m, func(c *config.Config) { c.Port = 8123; c.Log.Keep = 2 })
	require.Equal(t, []string{m.Dir + "/.venv/bin/python", "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "8123"}, p.Spec.Argv)
	require.Equal(t, m.Dir, p.Spec.Dir)
	require.Equal(t, m.Dir+"/logs/server.log", p.Spec.Log)
	require.Equal(t, backendOf(m, nil).Log.MaxSize, p.Spec.LogSize)
	require.Equal(t, 2, p.Spec.LogKeep)
	require.Equal(t, "3.11.9", p.Python.Version)
	require.Len(t, p.Applied, 9)
	require.Empty(t, p.Warnings)
	require.True(t, slices.IsSorted(p.Spec.Env))
	for _, name := range []string{"PORT", "CONDA_PREFIX", "VIVARIUM_RUN"} {
		_, ok := envOf(p, name)
		require.False(t, ok, "nothing is added but the crash environment and the environment that is active")
	}
	p = planOf(m, func(c *config.Config) { c.Command = []string{"{python}", "main.py", "--bind=0.0.0.0:{port}"} })
	require.Equal(t, "--bind=0.0.0.0:8000", p.Spec.Argv[2])
}

func TestThePlanReadsTheEnvironmentFromEverywhere(t *testing.T) {
	m := ready(t)
	m.GOOS = "linux"
	m.Env["OMP_NUM_THREADS"], m.Env["FROM_SHELL"] = "32", "1"
	m.Put(m.Dir+"/.env", "TOKEN=secret\nOMP_NUM_THREADS=2\nKMP_AFFINITY=none\n")
	p := planOf(m, func(c *config.Config) {
		c.Environment = map[string]string{"OMP_NUM_THREADS": "1", "MKL_THREADING_LAYER": "", "OWN": "x"}
	})
	for name, want := range map[string]string{"TOKEN": "secret", "OMP_NUM_THREADS": "1", "KMP_AFFINITY": "none", "OWN": "x", "FROM_SHELL": "1", "KMP_DUPLICATE_LIB_OK": "TRUE"} {
		got, _ := envOf(p, name)
		require.Equal(t, want, got, name)
	}
	_, ok := envOf(p, "MKL_THREADING_LAYER")
	require.False(t, ok)
	p = planOf(m, func(c *config.Config) { c.EnvFile = "" })
	_, ok = envOf(p, "TOKEN")
	require.False(t, ok)
}

func TestAMissingEnvFileIsAnErrorOnlyIfItIsNamed(t *testing.T) {
	m := ready(t)
	planOf(m, nil)
	_, err := Make(backendOf(m, func(c *config.Config) { c.EnvFileNamed = true }), planOptionsOf(m))
	var e *config.Error
	require.ErrorAs(t, err, &e)
	require.Contains(t, err.Error(), ".env")
	require.NotEmpty(t, e.Remedy)
	m.Put(m.Dir+"/.env", "no equals sign in \"this\n")
	_, err = Make(backendOf(m, nil), planOptionsOf(m))
	require.ErrorAs(t, err, &e, "a broken one is an error, also where it is the default")
	require.Equal(t, m.Dir+"/.env", e.File)
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
	m.GOOS = "linux"
	_, ok := envOf(planOf(m, nil), name)
	require.False(t, ok)
	m.GOOS = "darwin"
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
	m.Env["DYLD_INSERT_LIBRARIES"] = m.At("/gone.dylib") + ":" + good
	m.Env["DYLD_LIBRARY_PATH"] = "/opt/homebrew/lib"
	p := planOf(m, nil)
	value, _ := envOf(p, "DYLD_INSERT_LIBRARIES")
	require.Equal(t, torch+":"+good, value)
	value, _ = envOf(p, "DYLD_LIBRARY_PATH")
	require.Equal(t, "/opt/homebrew/lib", value)
	require.Len(t, p.Warnings, 1)
	require.Contains(t, p.Warnings[0], "/gone.dylib is not there")
	p = planOf(m, func(c *config.Config) {
		c.Environment = map[string]string{"DYLD_INSERT_LIBRARIES": m.At("/gone.dylib")}
	})
	value, _ = envOf(p, "DYLD_INSERT_LIBRARIES")
	require.True(t, strings.HasPrefix(value, m.At("/gone.dylib")+":"), "what the configuration says is done")
	require.Contains(t, strings.Join(p.Warnings, "\n"), "will not start with what [environment] inserts")
}

func TestACommandWithoutPythonNeedsNone(t *testing.T) {
	m := testkit.NewMac(t)
	m.GOOS = "linux"
	server := m.Put(m.Dir+"/server", testkit.Binary)
	p := planOf(m, func(c *config.Config) { c.Command = []string{"./server", "{port}"} })
	require.Equal(t, []string{server, "8000"}, p.Spec.Argv)
	require.Zero(t, p.Python)
	require.Empty(t, p.Warnings)
	require.Len(t, p.Applied, 7)
	_, err := Make(backendOf(m, nil), planOptionsOf(m))
	require.ErrorIs(t, err, fs.ErrNotExist, "with {python} one is needed")
	m.Venv(m.Dir+"/.venv", m.At("/gone/python3.11"), testkit.VenvConfig)
	p = planOf(m, func(c *config.Config) { c.Command = []string{"./server"} })
	require.Len(t, p.Warnings, 1)
	require.Contains(t, p.Warnings[0], "which is gone")
}

func TestAProgramIsFoundInTheBackendsFolderAndOnThePlannedPath(t *testing.T) {
	m := testkit.NewMac(t)
	m.GOOS = "linux"
	m.Env["PATH"] = m.At("/first") + "::" + m.At("/second")
	second := m.Put("/second/server", testkit.Binary)
	argv := func(word string) string {
		return planOf(m, func(c *config.Config) { c.Command = []string{word} }).Spec.Argv[0]
	}
	require.Equal(t, second, argv("server"))
	first := m.Put("/first/server", testkit.Binary)
	require.Equal(t, first, argv("server"))
	m.Put(m.Dir+"/tools/server", testkit.Binary)
	m.Put(m.Dir+"/.env", "PATH=tools:/nowhere\n")
	require.Equal(t, m.Dir+"/tools/server", argv("server"), "the PATH that the run itself has")
	require.NoError(t, os.Mkdir(m.Dir+"/server", 0o755))
	require.Equal(t, m.Dir+"/tools/server", argv("server"), "a folder of that name is no program")
	require.NoError(t, os.Remove(m.Dir+"/server"))
	own := m.Put(m.Dir+"/server", testkit.Binary)
	require.Equal(t, own, argv("server"))
	require.Equal(t, first, argv(first))
}

func TestAProgramThatCannotBeStartedIsAMistakeInTheConfiguration(t *testing.T) {
	m := testkit.NewMac(t)
	m.GOOS = "linux"
	require.NoError(t, os.WriteFile(m.Dir+"/plain", nil, 0o644))
	for word, want := range map[string]string{
		"nothing": `"nothing" is not found`, "./nothing": m.Dir + "/nothing is not there", "/nothing/at/all": "is not there",
		"./plain": "is not executable", "python": `write "{python}"`,
	} {
		_, err := Make(backendOf(m, func(c *config.Config) { c.Command = []string{word} }), planOptionsOf(m))
		var e *config.Error
		require.ErrorAs(t, err, &e, word)
		require.Equal(t, "command", e.Key)
		require.Contains(t, err.Error(), want)
		require.Equal(t, filepath.Join(m.Dir, config.FileName), e.File)
	}
	_, err := Make(backendOf(m, func(c *config.Config) { c.Command = nil }), planOptionsOf(m))
	require.ErrorContains(t, err, "is empty")
}

func TestThePlanWarnsOfWhatWillNotWorkWell(t *testing.T) {
	m := ready(t)
	warnings := func(change func(*config.Config)) string { return strings.Join(planOf(m, change).Warnings, "\n") }
	with := func(words ...string) func(*config.Config) { return func(c *config.Config) { c.Command = words } }
	require.Contains(t, warnings(with("{python}", "-m", "uvicorn", "main:app", "--reload")), "--reload keeps the port open")
	require.Contains(t, warnings(with("{python}", "-m", "gunicorn", "main:app")), "gunicorn seems not to be installed")
	require.Contains(t, warnings(with("{python}", "-m", "gunicorn", "main:app")), m.Dir+"/.venv/bin/python -m pip install gunicorn")
	require.Empty(t, warnings(with("{python}", "-m", "http.server")))
	require.Empty(t, warnings(with("{python}", "-m", "my_own")))
	m.Put(m.Dir+"/vendor/gunicorn/__init__.py", "")
	require.Empty(t, warnings(func(c *config.Config) {
		c.Command = []string{"{python}", "-m", "gunicorn"}
		c.Environment = map[string]string{"PYTHONPATH": "vendor"}
	}))
	m.Put(m.Dir+"/start.sh", "#!/bin/sh\nexec uvicorn\n")
	require.Contains(t, warnings(with("./start.sh")), "drops DYLD_INSERT_LIBRARIES on the way through /bin/sh")
	m.Put(m.Dir+"/bin/python3", testkit.Shim)
	require.Contains(t, warnings(with("bin/python3", "main.py")), `write "{python}"`)
	m.GOOS = "linux"
	require.Empty(t, warnings(with("./start.sh")))
}

func TestApplesPythonIsUsedAloud(t *testing.T) {
	m := testkit.NewMac(t)
	m.Put("/usr/bin/python3", testkit.Binary)
	m.Put("/Library/Developer/CommandLineTools/usr/bin/python3", testkit.Binary)
	p := planOf(m, func(c *config.Config) { c.Command = []string{"{python}", "main.py"} })
	require.Len(t, p.Warnings, 1)
	require.Contains(t, p.Warnings[0], "Apple's own")
}

func TestThePlanNeverShowsAValueOfTheEnvironmentInWarnings(t *testing.T) {
	m := ready(t)
	m.Put(m.Dir+"/.env", "TOKEN=hunter2\n")
	m.Env["SECRET"] = "hunter3"
	p := planOf(m, func(c *config.Config) { c.Command = append(c.Command, "--reload") })
	require.NotContains(t, fmt.Sprint(p.Warnings, p.Applied), "hunter")
}

func TestAPlanIsMadeAnewFromWhatIsThere(t *testing.T) {
	m := ready(t)
	first := planOf(m, nil)
	require.Equal(t, first, planOf(m, nil), "the same disk gives the same plan")
	require.NoError(t, os.Remove(m.At("/opt/homebrew/bin/python3.11")))
	_, err := Make(backendOf(m, nil), planOptionsOf(m))
	var e *python.Error
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
		filepath.Join(venv, "bin", "python3.11"): testkit.Binary, filepath.Join(venv, python.VenvFile): testkit.VenvConfig,
		filepath.Join(dir, ".env"): "TOKEN=x\nOTHER='y z'\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	_ = os.Symlink("python3.11", filepath.Join(venv, "bin", "python3"))
	_ = os.Symlink("python3", filepath.Join(venv, "bin", "python"))
	c := config.Defaults(dir)
	for _, goos := range []string{"linux", "darwin"} {
		b.Run(goos, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Make(c, Options{GOOS: goos, GOARCH: "arm64", Parent: os.Environ(), Home: "/home/ada"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestExportsOfAPlanAreReadyForAShell(t *testing.T) {
	m := ready(t)
	text := environment.Exports(planOf(m, nil).Applied)
	require.Contains(t, text, "export KMP_DUPLICATE_LIB_OK=TRUE")
	require.Contains(t, text, "unset DYLD_INSERT_LIBRARIES")
	require.Contains(t, strings.ReplaceAll(text, "\n# ", " "), "torch is not installed in this environment")
}

func TestWhatTheShellGivesIsInheritedAndCountsLess(t *testing.T) {
	m := ready(t)
	m.Env["HF_HOME"] = "/inherited"
	var asked []string
	o := planOptionsOf(m)
	o.Shell = func(_, names []string) ([]string, error) {
		asked = names
		return []string{"HF_HOME=/from/the/shell", "OMP_NUM_THREADS=64", "MODEL=shell"}, nil
	}
	c := backendOf(m, func(c *config.Config) {
		c.LoginShellEnv, c.Environment = []string{"HF_HOME", "OMP_NUM_THREADS", "MODEL"}, map[string]string{"MODEL": "own"}
	})
	p, err := Make(c, o)
	require.NoError(t, err)
	require.Equal(t, c.LoginShellEnv, asked)
	require.Equal(t, "/from/the/shell", python.Lookup(p.Spec.Env, "HF_HOME"))
	require.Equal(t, "4", python.Lookup(p.Spec.Env, "OMP_NUM_THREADS"), "the crash environment goes before it")
	require.Equal(t, "own", python.Lookup(p.Spec.Env, "MODEL"))

	o.Shell = func(_, _ []string) ([]string, error) {
		return nil, errors.New("login_shell_env is not used: zsh is gone")
	}
	p, err = Make(c, o)
	require.NoError(t, err, "a backend starts without its shell, too")
	require.Contains(t, p.Warnings, "login_shell_env is not used: zsh is gone")
	require.Equal(t, "/inherited", python.Lookup(p.Spec.Env, "HF_HOME"))

	o.Shell = func(_, _ []string) ([]string, error) { t.Error("nobody asked for it"); return nil, nil }
	_, err = Make(backendOf(m, nil), o)
	require.NoError(t, err)
}
