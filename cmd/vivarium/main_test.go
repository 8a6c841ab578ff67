package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/supervisor/config"
)

// programs is where TestMain built the programs.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "viv")
	if err == nil {
		err = buildAll(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "building the programs:", err)
		os.Exit(1)
	}
	programs = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func buildAll(dir string) error {
	cmd := exec.Command("go", "build", "-o", dir+"/", ".", "../vivarium-keeper")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// patience is how long anything may take that should take much less: the machine may be slow and busy.
const patience = 60 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(t, "not within "+patience.String()+": "+what)
		}
	}
}

// shortDir is a temporary folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "viv")
	require.NoError(t, err)
	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// do runs a command inside this process, in a state folder of the test's own.
func do(t *testing.T, args ...string) (out, told string, code int) {
	t.Helper()
	return doWith(t, "", args...)
}

func doWith(t *testing.T, in string, args ...string) (out, told string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = execute(console{strings.NewReader(in), &o, &e}, args)
	return o.String(), e.String(), code
}

// atHome gives the test a state folder and a working directory, both empty.
func atHome(t *testing.T) (state, dir string) {
	t.Helper()
	top := shortDir(t)
	state, dir = filepath.Join(top, "h"), filepath.Join(top, "brain")
	require.NoError(t, os.Mkdir(dir, 0o755))
	t.Setenv("VIVARIUM_HOME", state)
	t.Chdir(dir)
	return state, dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func TestWrongUsageIsExitTwoAndOneLine(t *testing.T) {
	atHome(t)
	for _, args := range [][]string{
		{"nonsense"}, {"--nonsense"}, {"status", "a", "b"}, {"run", "--nonsense"}, {"run", "gone"}, {"run", ".", "--demo"}, {"login"}, {"login", "maybe"},
		{"explain"}, {"explain", "--log", "gone"}, {"explain", "x"},
		{"doctor", "--fix", "--undo", "."}, {"doctor", "--dry-run", "."}, {"doctor", "--undo", "--dry-run", "."}, {"doctor", "--yes", "."},
		{"logs", "--lines", "-1"}, {"logs", "-f", "--all"}, {"stop", "x", "--all"}, {"status", "x", "--all"}, {"init", "gone"}, {"init", "--port", "99999"},
		{"version", "x"}, {"status", "gone"}, {"status"}, {"dashboard", "gone"}, {"dashboard", "a", "b"}, {"dashboard", "--print", "gone"}, {"logs"}, {"env", "gone"},
	} {
		out, told, code := do(t, args...)
		require.Equal(t, codeUsage, code, "%q: %s", args, told)
		require.Empty(t, out, "%q", args)
		require.True(t, strings.HasPrefix(told, "vivarium: "), "%q: %q", args, told)
		require.LessOrEqual(t, strings.Count(told, "\n"), 2, "%q: %q", args, told)
	}
}

func TestHelpIsThereForEveryCommand(t *testing.T) {
	atHome(t)
	out, _, code := do(t, "--help")
	require.Zero(t, code)
	for _, name := range []string{"run", "init", "status", "dashboard", "start", "stop", "restart", "wait", "mcp", "logs", "env", "doctor", "explain", "crashes", "login", "completion", "version"} {
		require.Contains(t, out, "\n  "+name)
		help, _, code := do(t, name, "--help")
		require.Zero(t, code, name)
		require.Contains(t, help, "Usage:", name)
	}
	script, _, code := do(t, "completion", "bash")
	require.Zero(t, code)
	require.Contains(t, script, "vivarium")
}

func TestTheVersionIsPrinted(t *testing.T) {
	atHome(t)
	out, _, code := do(t, "version")
	require.Zero(t, code)
	require.Equal(t, "vivarium dev\n", out)
	out, _, _ = do(t, "version", "--json")
	require.JSONEq(t, `{"version":"dev"}`, out)
}

func TestWithoutATrayBareVivariumSaysSoAndRunsInTheTerminal(t *testing.T) {
	atHome(t)
	_, told, code := do(t)
	require.Equal(t, codeUsage, code)
	require.Contains(t, told, "so it runs in the terminal")
	require.Contains(t, told, "there is no backend here")
}

func TestABrokenConfigurationIsExitTwoWithFileAndLine(t *testing.T) {
	_, dir := atHome(t)
	write(t, filepath.Join(dir, "vivarium.toml"), "name = \"x\"\nprot = 8000\n")
	for _, args := range [][]string{{"run"}, {"env"}, {"logs"}} {
		_, told, code := do(t, args...)
		require.Equal(t, codeUsage, code, args)
		require.Contains(t, told, filepath.Join(dir, "vivarium.toml")+":2: prot", args)
	}
	out, _, code := do(t, "status")
	require.Equal(t, codeNotRunning, code, "its state is known all the same")
	require.Contains(t, out, "vivarium.toml:2")
	out, _, code = do(t, "doctor")
	require.Equal(t, codeFailed, code)
	require.Contains(t, out, "FAIL  VIV001")
}

func TestWhatDoesNotRunIsExitThree(t *testing.T) {
	_, dir := atHome(t)
	write(t, filepath.Join(dir, "vivarium.toml"), "")
	for _, word := range []string{"start", "restart"} {
		_, told, code := do(t, word)
		require.Equal(t, codeNotRunning, code, word)
		require.Contains(t, told, "vivarium run")
	}
	out, _, code := do(t, "status")
	require.Equal(t, codeNotRunning, code)
	require.Contains(t, out, "brain: Stopped")
	out, _, code = do(t, "status", "--json")
	require.Equal(t, codeNotRunning, code)
	require.Contains(t, out, `"state":"stopped"`)
	out, _, code = do(t, "stop")
	require.Zero(t, code, "it is stopped, as it was wanted")
	require.Contains(t, out, "is not running")
	_, _, code = do(t, "stop", "--all")
	require.Zero(t, code)
	out, _, code = do(t, "crashes")
	require.Zero(t, code)
	require.Contains(t, out, "no crash on record")
}

func TestABackendIsFoundByFolderByNameAndByTheWorkingDirectory(t *testing.T) {
	state, dir := atHome(t)
	other := filepath.Join(filepath.Dir(dir), "other")
	write(t, filepath.Join(dir, "vivarium.toml"), "name = \"mind\"\n")
	write(t, filepath.Join(other, "vivarium.toml"), "")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "deep", "inside"), 0o755))
	require.NoError(t, os.Symlink(dir, filepath.Join(filepath.Dir(dir), "link")))
	list, err := app.OpenBackends(state)
	require.NoError(t, err)
	h := home{state}
	resolve := func(arg string) string {
		t.Helper()
		got, err := h.resolve(t.Context(), arg)
		require.NoError(t, err)
		return got
	}
	require.Equal(t, dir, resolve(""), "the working directory has a configuration")
	require.Equal(t, other, resolve("../other"))
	require.Equal(t, dir, resolve("../link"), "links are resolved")
	t.Chdir(filepath.Join(dir, "deep", "inside"))
	require.Equal(t, dir, resolve(""), "above the working directory")
	t.Chdir(filepath.Dir(dir))
	_, err = h.resolve(t.Context(), "")
	require.ErrorContains(t, err, "no backend here")
	require.NoError(t, list.Add(dir))
	require.Equal(t, dir, resolve(""), "the only one")
	require.Equal(t, dir, resolve("mind"), "by its name")
	require.Equal(t, dir, resolve("brain"), "by its folder's name")
	require.NoError(t, list.Add(other))
	_, err = h.resolve(t.Context(), "")
	require.ErrorContains(t, err, "mind ("+dir+"), other ("+other+")")
	require.Equal(t, codeUsage, codeOf(err))
	_, err = h.resolve(t.Context(), "nobody")
	require.ErrorContains(t, err, "mind (")
	write(t, filepath.Join(other, "vivarium.toml"), "name = \"mind\"\n")
	_, err = h.resolve(t.Context(), "mind")
	require.ErrorContains(t, err, "several")
	require.NoError(t, os.RemoveAll(other))
	require.Equal(t, other, resolve(other), "its folder vanished, but it is on the list")
}

func TestEnvPrintsTheCrashEnvironmentAndNoSecret(t *testing.T) {
	_, dir := atHome(t)
	write(t, filepath.Join(dir, "vivarium.toml"), "command = [\"/bin/sleep\", \"1\"]\nport = 0\n[environment]\nAPI_KEY = \"sk-secret\"\nOMP_NUM_THREADS = \"2\"\n")
	out, told, code := do(t, "env")
	require.Zero(t, code, told)
	require.Contains(t, out, "export KMP_DUPLICATE_LIB_OK=TRUE\n")
	require.Contains(t, out, "export OMP_NUM_THREADS=2\n")
	require.Contains(t, out, "\n# Vivarium itself also puts its recorder in front of PYTHONPATH")
	require.NotContains(t, out, "export VIVARIUM_RECORDER")
	require.NotContains(t, out, "sk-secret")
	out, _, code = do(t, "env", dir, "--json")
	require.Zero(t, code)
	require.Contains(t, out, `"name":"KMP_DUPLICATE_LIB_OK"`)
	require.NotContains(t, out, "sk-secret")
}

func TestDoctorLooksAtWhatAStartNeeds(t *testing.T) {
	_, dir := atHome(t)
	write(t, filepath.Join(dir, "vivarium.toml"), "command = [\"/bin/sleep\", \"1\"]\nport = 0\n")
	out, _, code := do(t, "doctor")
	require.Equal(t, codeFailed, code, "beside the test's own program there is no keeper")
	for _, line := range []string{"pass  VIV001", "pass  VIV012", "pass  VIV014", "FAIL  VIV020"} {
		require.Contains(t, out, line)
	}
	write(t, filepath.Join(dir, "vivarium.toml"), "python = \"/gone/python\"\n")
	out, _, code = do(t, "doctor", "--json")
	require.Equal(t, codeFailed, code)
	require.Contains(t, out, `"code":"VIV003","name":"interpreter","state":"fail"`)
}

func TestInitWritesAndAsksAndNeverOverwrites(t *testing.T) {
	_, dir := atHome(t)
	_, told, code := do(t, "init")
	require.Equal(t, codeUsage, code)
	require.Contains(t, told, "--app")
	write(t, filepath.Join(dir, "main.py"), "from fastapi import FastAPI\napp = FastAPI()\n")
	write(t, filepath.Join(dir, "start"), "#!/bin/sh\nexport MODEL=large\nexport API_TOKEN=secret-value\nuvicorn main:app --port 8123\n")
	out, _, code := do(t, "init", "--dry-run")
	require.Zero(t, code)
	require.Contains(t, out, "main:app")
	require.NotContains(t, out, "secret-value")
	require.NoFileExists(t, filepath.Join(dir, "vivarium.toml"))
	_, told, code = do(t, "init")
	require.Equal(t, codeUsage, code, "without a terminal only --force is a Yes")
	require.Contains(t, told, "--force")
	out, told, code = do(t, "init", "--force")
	require.Zero(t, code, told)
	require.Contains(t, out, "start.before-vivarium")
	c, err := config.Load(dir)
	require.NoError(t, err)
	require.Equal(t, 8123, c.Port)
	require.Equal(t, "large", c.Environment["MODEL"])
	out, _, code = do(t, "init")
	require.Zero(t, code, "again changes nothing")
	require.Contains(t, out, "was kept")
}

func TestLoginIsSwitchedForTheProgramBesideThisOne(t *testing.T) {
	atHome(t)
	_, told, code := do(t, "login", "status")
	require.Equal(t, codeFailed, code)
	require.Contains(t, told, desktop.MenubarProgram)
}

func TestAnErrorKeepsItsCodeHoweverItIsWrapped(t *testing.T) {
	require.Equal(t, codeUsage, codeOf(fmt.Errorf("x: %w", usage("y"))))
	require.Equal(t, codeNotRunning, codeOf(fmt.Errorf("x: %w", control.ErrNotHeld)))
	require.Equal(t, codeUsage, codeOf(fmt.Errorf("x: %w", &config.Error{})))
	require.Equal(t, codeFailed, codeOf(errors.New("x")))
}

func TestStacksOfABackendThatNobodyKeepsIsNotRunning(t *testing.T) {
	_, dir := atHome(t)
	write(t, filepath.Join(dir, "vivarium.toml"), "command = [\"/bin/sleep\", \"1\"]\nport = 0\n")
	_, told, code := do(t, "stacks")
	require.Equal(t, codeNotRunning, code)
	require.Contains(t, told, "no Vivarium program keeps this backend")
}
