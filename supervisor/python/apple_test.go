package python

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

const tools = "/Library/Developer/CommandLineTools"

// developerTools puts the shim and, as Apple does, the Python of the command line tools behind two links. It returns the real file.
func developerTools(m *testkit.Mac, developer string) string {
	m.T.Helper()
	real := m.Put(developer+"/Library/Frameworks/Python3.framework/Versions/3.9/bin/python3.9", testkit.Binary)
	m.Link("../../Library/Frameworks/Python3.framework/Versions/3.9/bin/python3.9", developer+"/usr/bin/python3")
	return real
}

func TestApplesShimWithoutTheToolsIsNeverRun(t *testing.T) {
	m := testkit.NewMac(t)
	shim := m.Put("/usr/bin/python3", testkit.Binary)
	for _, value := range []string{"auto", shim} {
		e := refuseIn(m, value)
		require.Equal(t, shim, e.Path)
		require.Contains(t, e.Problem, "the command line tools, which have the Python behind it, are not installed")
		require.Contains(t, e.Remedy, "brew install python")
	}
	m.Link("/Applications/Xcode.app/Contents/Developer", "/var/db/xcode_select_link") // Xcode was removed
	require.Contains(t, refuseIn(m, "auto").Problem, "placeholder")
	dir := m.Dir + "/.venv"
	m.Venv(dir, shim, "home = /usr/bin\nversion = 3.9.6\n")
	require.Contains(t, refuseIn(m, "auto").Problem, "placeholder", "nor through an environment that was made with it")
	m.Python("/opt/homebrew", "3.12")
	m.Interactive = false
	require.Equal(t, m.At("/opt/homebrew/bin/python3"), findIn(m, m.At("/opt/homebrew/bin/python3")).Path)
}

func TestApplesPythonIsTheRealFileBehindItsShim(t *testing.T) {
	m := testkit.NewMac(t)
	shim := m.Put("/usr/bin/python3", testkit.Binary)
	real := developerTools(m, tools)
	for _, value := range []string{"auto", shim} {
		in := findIn(m, value)
		require.Equal(t, m.At(tools+"/usr/bin/python3"), in.Path)
		require.Equal(t, real, in.Real)
		require.Equal(t, "3.9", in.Version)
		require.Contains(t, in.Warning, "DYLD_INSERT_LIBRARIES")
	}
	xcode := developerTools(m, "/Applications/Xcode.app/Contents/Developer")
	m.Link("/Applications/Xcode.app/Contents/Developer", "/var/db/xcode_select_link")
	in := findIn(m, "auto")
	require.Equal(t, xcode, in.Real, "what xcode-select chose comes first")
	require.Contains(t, in.Warning, "DYLD_INSERT_LIBRARIES")
}

func TestAnEnvironmentMadeFromApplesPythonIsWarnedOfAndKeepsItsPath(t *testing.T) {
	for _, from := range []string{tools + "/usr/bin/python3", "/usr/bin/python3"} {
		m := testkit.NewMac(t)
		m.Put("/usr/bin/python3", testkit.Binary)
		real := developerTools(m, tools)
		path := m.Venv(filepath.Join(m.Dir, ".venv"), m.At(from), "home = "+filepath.Dir(from)+"\nversion = 3.9.6\n")
		in := findIn(m, "auto")
		require.Equal(t, path, in.Path, "an environment is one by its own path")
		require.Equal(t, real, in.Real)
		require.True(t, in.Venv)
		require.Equal(t, "3.9.6", in.Version)
		require.Contains(t, in.Warning, "Apple's own Python")
		require.Contains(t, in.Warning, "may drop DYLD_INSERT_LIBRARIES", "what is not certain is not said as if it were")
	}
}

func TestOtherPythonsOfAMacAreNotApples(t *testing.T) {
	m := testkit.NewMac(t)
	m.Put("/usr/bin/python3", testkit.Binary)
	developerTools(m, tools)
	m.Python("/opt/homebrew", "3.12")
	require.Empty(t, findIn(m, "auto").Warning)
	m.GOOS = "linux"
	require.Empty(t, findIn(m, m.At("/usr/bin/python3")).Warning, "on Linux it is no shim")
}
