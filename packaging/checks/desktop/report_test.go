//go:build e2e && cgo && linux

package desktop

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// record is the newest death on record in the one backend's state folder.
func (m *menubar) record(dir string) record.Kept {
	m.t.Helper()
	var newest record.Kept
	eventually(m.t, "a death on record, with its page", func() bool {
		all, err := record.All(keeper.BackendFolder(m.home, dir))
		require.NoError(m.t, err)
		if len(all) > 0 {
			newest = all[len(all)-1]
		}
		return newest.Page != ""
	})
	return newest
}

func TestFourDeathsAreEachToldByTheirCauseWithTheRemedyFirst(t *testing.T) {
	openMP, _ := filepath.Glob("/usr/lib/*/libomp.so.5")
	for _, c := range []struct{ name, button, cause string }{
		{"segfault", "segfault", `^chat: Python crashed with a segmentation fault`},
		{"exception", "exception", `^chat: .*KeyError: `},
		{"openmp", "two-openmp-unsafe", `^chat: two OpenMP runtimes in one process`},
		{"killed", "", `^chat: Python was killed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "openmp" && len(openMP) == 0 {
				t.Skip("LLVM's OpenMP runtime is not on this machine (Debian: libomp5-14)")
			}
			m := newMenubar(t)
			dir, url := m.backend("chat")
			n := listen(t)
			m.launch()
			m.status("chat: Healthy")
			if c.button == "" {
				require.NoError(t, syscall.Kill(server(url), syscall.SIGKILL))
			} else {
				press(t, url, c.button)
			}
			got := n.next("chat: ")
			require.Regexp(t, regexp.MustCompile(c.cause), got.Title)
			m.seesNotice()
			m.picture("notice-" + c.name)
			verdict := m.record(dir).Verdict
			require.Contains(t, got.Title, strings.TrimSuffix(verdict.Summary[:min(60, len(verdict.Summary))], "…"))
			remedy := strings.NewReplacer("<", "‹", ">", "›").Replace(verdict.Remedy[:min(100, len(verdict.Remedy))]) // a daemon reads markup
			require.True(t, strings.HasPrefix(got.Body, remedy), "%q does not begin with the remedy %q", got.Body, remedy)
		})
	}
}

func TestAClickOnTheLastCrashOpensItsReport(t *testing.T) {
	m := newMenubar(t)
	dir, url := m.backend("chat")
	m.launch()
	m.status("chat: Healthy")
	require.Nil(t, starting(m.menu(), "Last crash: "), "there was none yet")
	press(t, url, "segfault")
	last := func() *row { return starting(m.menu(), "Last crash: ") }
	eventually(t, "a last crash that can be clicked", func() bool { r := last(); return r != nil && r.Enabled })
	m.status("chat: Healthy")
	m.open()
	m.picture("app-last-crash")
	m.close()
	m.choose(last().Label)
	report := m.record(dir).Page
	m.hasOpened(report)
	st, err := os.Stat(report)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	text, err := os.ReadFile(report)
	require.NoError(t, err)
	require.Contains(t, string(text), "segmentation fault")
	require.Contains(t, string(text), "Fatal Python error")
}

func TestTheDoctorInTheMenuOpensItsPage(t *testing.T) {
	m := newMenubar(t)
	dir, _ := m.backend("chat")
	m.launch()
	m.status("chat: Healthy")
	m.open()
	m.picture("app-doctor")
	m.close()
	m.choose("More", "Doctor…")
	found := filepath.Join(keeper.BackendFolder(m.home, dir), "doctor.html")
	m.hasOpened(found)
	m.status("chat: Healthy")
	st, err := os.Stat(found)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	text, err := os.ReadFile(found)
	require.NoError(t, err)
	require.Contains(t, string(text), "VIV012")
	require.Contains(t, string(text), "the backend runs")
}

func TestWhatIsItDoingInTheMenuOpensTheStacksOfARunningServer(t *testing.T) {
	m := newMenubar(t)
	dir, url := m.backend("chat")
	m.launch()
	m.status("chat: Healthy")
	before := server(url)
	m.choose("More", "What Is It Doing?")
	found := filepath.Join(keeper.BackendFolder(m.home, dir), "stacks.html")
	m.hasOpened(found)
	st, err := os.Stat(found)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	text, err := os.ReadFile(found)
	require.NoError(t, err)
	require.Contains(t, string(text), "serve_forever")
	require.Equal(t, before, server(url), "the server went on")
}
