package doctor

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// patientOf makes a backend's folder with these files.
func patientOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func stateOfCheck(x Examination, code string) (CheckState, Check) {
	for _, c := range x.Checks {
		if c.Code == code {
			return c.State, c
		}
	}
	return "", Check{}
}

func TestTheDoctorSaysOfEachThingWhetherItIsWell(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	silent := "command = [\"/bin/sleep\", \"1\"]\nport = 0\n"
	for name, c := range map[string]struct {
		files map[string]string
		code  string
		state CheckState
		text  string
	}{
		"no configuration":        {nil, "VIV001", Warn, "there is no vivarium.toml"},
		"one that can be read":    {map[string]string{"vivarium.toml": silent}, "VIV001", Pass, "vivarium.toml"},
		"one that is broken":      {map[string]string{"vivarium.toml": "prot = 1\n"}, "VIV001", Fail, "prot"},
		"a Python that is gone":   {map[string]string{"vivarium.toml": "python = \"/gone/python\"\n"}, "VIV003", Fail, "/gone/python"},
		"a command without one":   {map[string]string{"vivarium.toml": silent}, "VIV003", Pass, "needs no Python"},
		"a port that is taken":    {map[string]string{"vivarium.toml": "command = [\"/bin/sleep\", \"1\"]\nport = " + port + "\n"}, "VIV012", Fail, "port " + port + " is taken by"},
		"no port":                 {map[string]string{"vivarium.toml": silent}, "VIV012", Pass, "listens nowhere"},
		"a log that can be made":  {map[string]string{"vivarium.toml": silent}, "VIV014", Pass, "logs/server.log"},
		"room on the disk":        {map[string]string{"vivarium.toml": silent}, "VIV015", "", ""},
		"the limit of open files": {map[string]string{"vivarium.toml": silent}, "VIV016", "", "a server may open"},
		"no keeper beside a test": {map[string]string{"vivarium.toml": silent}, "VIV020", Fail, "vivarium-keeper was not found"},
		"a reloader":              {map[string]string{"vivarium.toml": "command = [\"/bin/sleep\", \"--reload\"]\nport = 0\n"}, "VIV025", Warn, "it keeps the port open"},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := Diagnose(t.Context(), t.TempDir(), patientOf(t, c.files), nil)
			require.NoError(t, err)
			state, check := stateOfCheck(x, c.code)
			require.NotEmpty(t, state, x.Checks)
			if c.state != "" {
				require.Equal(t, c.state, state, check)
			}
			require.Contains(t, check.Text, c.text)
			require.Equal(t, c.state == Fail || x.Failed(), x.Failed())
			for i, k := range x.Checks {
				require.Equal(t, control.RowVersion, k.V)
				require.NotEmpty(t, k.Name)
				require.NotContains(t, k.Text+k.Remedy, "\n")
				if i > 0 {
					require.LessOrEqual(t, x.Checks[i-1].Code, k.Code, "in the order of their codes")
				}
			}
		})
	}
}

func TestCodesOfChecksAreInOrderAndEachStandsOnce(t *testing.T) {
	seen := map[string]bool{}
	for i, c := range CheckCodes() {
		require.Equal(t, "VIV"+strings.Repeat("0", 3-len(strconv.Itoa(i+1)))+strconv.Itoa(i+1), c[0])
		require.False(t, seen[c[1]], c[1])
		seen[c[1]] = true
	}
}

// venvOf is an environment with packages whose extension modules are files of that content.
func venvOf(packages map[string]string) map[string]string {
	files := map[string]string{"main.py": "import faiss\nimport torch\n", ".venv/pyvenv.cfg": "home = /usr/bin\nversion = 3.11.7\n"}
	for name, text := range packages {
		site := ".venv/lib/python3.11/site-packages/"
		files[site+name+"-1.0.dist-info/METADATA"] = "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n\n"
		files[site+name+"-1.0.dist-info/RECORD"] = name + "/__init__.py,,\n" + name + "/libomp.so,,\n"
		files[site+name+"/__init__.py"] = ""
		files[site+name+"/libomp.so"] = text
	}
	return files
}

func TestTheDoctorPredictsWhatMeets(t *testing.T) {
	found, err := filepath.Glob("/usr/lib/llvm-*/lib/libomp.so.5")
	require.NoError(t, err)
	if len(found) == 0 || runtime.GOOS != "linux" {
		t.Skip("LLVM's libomp is not installed here (Debian: libomp5-14)")
	}
	lib, err := os.ReadFile(found[0])
	require.NoError(t, err)
	files := venvOf(map[string]string{"faiss": string(lib), "torch": string(lib), "unused": string(lib)})
	dir := patientOf(t, files)
	bin := filepath.Join(dir, ".venv", "bin")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	require.NoError(t, os.Symlink("/proc/self/exe", filepath.Join(bin, "python")))
	x, err := Diagnose(t.Context(), t.TempDir(), dir, nil)
	require.NoError(t, err)
	state, copies := stateOfCheck(x, "VIV006")
	require.Equal(t, Pass, state, x.Checks)
	require.Contains(t, copies.Text, "3 runtimes: faiss's LLVM, torch's LLVM, unused's LLVM")
	state, prediction := stateOfCheck(x, "VIV007")
	require.Equal(t, Warn, state)
	require.Contains(t, prediction.Text, "(faiss, torch)", "what is not imported does not meet")
	require.Contains(t, prediction.Remedy, "doctor --fix")
	require.Equal(t, openmp.Aborts, x.Prediction.Outcome)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "vivarium.toml"), []byte("command = [\"{python}\", \"-c\", \"pass\"]\nport = 0\n"), 0o600))
	x, err = Diagnose(t.Context(), t.TempDir(), dir, nil)
	require.NoError(t, err)
	state, prediction = stateOfCheck(x, "VIV007")
	require.Equal(t, Warn, state, "code that cannot be read is not harmless")
	require.Contains(t, prediction.Text, "if the server imports every package")
	require.Contains(t, prediction.Text, "(faiss, torch, unused)")
}
