package recorder

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// interpreters are all that are installed, Python 2 too.
func interpreters(t *testing.T) []string {
	home, _ := os.UserHomeDir()
	found, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions/*/bin/python"))
	for _, path := range []string{"/usr/bin/python2", "/usr/bin/python3", "/opt/homebrew/bin/python3"} {
		if exec.Command(path, "-c", "").Run() == nil {
			found = append(found, path)
		}
	}
	if testing.Short() && len(found) > 2 {
		found = []string{found[0], found[len(found)-1]}
	}
	if len(found) == 0 {
		t.Skip("no Python is installed")
	}
	return found
}

// start runs a program with the recorder and gives what it prints, and its run's folder.
func start(t *testing.T, python, path string, args ...string) (string, string) {
	t.Helper()
	state := t.TempDir()
	t.Cleanup(func() { remove(filepath.Join(state, "recorder")) })
	folder, err := Place(state)
	require.NoError(t, err)
	runs := filepath.Join(state, "runs")
	require.NoError(t, Prepare(runs))
	cmd := exec.Command(python, args...)
	cmd.Env = append(Environ([]string{"PATH=" + os.Getenv("PATH"), "PYTHONPATH=" + path}, folder, runs), "VIVARIUM_RUN=r1")
	out, _ := cmd.CombinedOutput()
	return string(out), RunFolder(runs, "r1")
}

func TestEveryPythonStartsAsIfTheRecorderWereNotThere(t *testing.T) {
	for _, python := range interpreters(t) {
		t.Run(strings.ReplaceAll(python, "/", "_"), func(t *testing.T) {
			const look = "import sys; print('sitecustomize' in sys.modules, [p for p in sys.path if 'recorder' in p])"
			bare, err := exec.Command(python, "-c", look).CombinedOutput()
			require.NoError(t, err, string(bare))
			for _, flags := range [][]string{{}, {"-I"}, {"-E"}, {"-S"}, {"-W", "error"}} {
				if len(flags) > 0 && flags[0] == "-I" && strings.Contains(python, "2.7") {
					continue
				}
				out, folder := start(t, python, "", append(flags, "-c", look)...)
				if len(flags) > 0 && flags[0] == "-S" {
					require.Contains(t, out, "recorder", "without site nothing takes the folder away")
				} else {
					require.Equal(t, string(bare), out, "%v", flags)
				}
				if len(flags) > 0 && flags[0] != "-W" {
					require.NoDirExists(t, folder, "%v", flags)
				}
			}
		})
	}
}

func TestThePersonsOwnSitecustomizeRunsAsIfOursWereNotThere(t *testing.T) {
	mine := t.TempDir()
	file := filepath.Join(mine, "sitecustomize.py")
	for _, python := range interpreters(t) {
		t.Run(strings.ReplaceAll(python, "/", "_"), func(t *testing.T) {
			for name, text := range map[string]string{"good": "import sys\nHERE = 1\nprint('mine', __name__, sys.modules[__name__].HERE)\n", "raises": "raise ValueError('mine')\n", "lacks": "import not_there_at_all\n", "ends": "raise SystemExit(3)\n"} {
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
				program := "import sys; m = sys.modules.get('sitecustomize'); print(m and m.__file__.replace('.pyc', '.py'), sys.path.count(" + "'" + mine + "'" + "))"
				cmd := exec.Command(python, "-B", "-c", program)
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PYTHONPATH=" + mine}
				bare, _ := cmd.CombinedOutput()
				out, _ := start(t, python, mine, "-B", "-c", program)
				if name == "ends" {
					require.Equal(t, strings.Count(string(bare), "SystemExit"), strings.Count(out, "SystemExit"))
					continue
				}
				require.Equal(t, string(bare), out, name)
			}
		})
	}
}

func TestAnUncaughtExceptionIsRecordedAndPrintedAsBefore(t *testing.T) {
	for _, python := range interpreters(t) {
		version, _ := exec.Command(python, "-c", "import sys; print('%d.%02d' % sys.version_info[:2])").Output()
		if strings.TrimSpace(string(version)) < "3.08" || strings.HasPrefix(string(version), "2") {
			continue
		}
		t.Run(strings.TrimSpace(string(version)), func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "main.py")
			require.NoError(t, os.WriteFile(program, []byte("try:\n    {}['key']\nexcept KeyError as e:\n    raise ValueError('caf\\u00e9 \"x\"\\n\\ud800') from e\n"), 0o600))
			cmd := exec.Command(python, program)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
			bare, _ := cmd.CombinedOutput()
			out, folder := start(t, python, "", program)
			require.Equal(t, string(bare), out)
			files, err := filepath.Glob(filepath.Join(folder, "*.exceptions"))
			require.NoError(t, err)
			require.Len(t, files, 1)
			text, err := os.ReadFile(files[0])
			require.NoError(t, err)
			all := ParseExceptions(text)
			require.Len(t, all, 1, string(text))
			require.True(t, all[0].Main)
			require.Equal(t, "ValueError", all[0].Error.Name())
			require.Equal(t, "café \"x\"\n?", all[0].Error.Message)
			require.Equal(t, "KeyError", all[0].Error.Cause.Name())
			require.Equal(t, Frame{program, 4, "<module>"}, all[0].Error.Frames[0])
		})
	}
}
