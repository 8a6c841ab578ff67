//go:build e2e && cgo && linux

package desktop

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/assets"
)

// menubar is the real app on the desktop, with a state folder of its own.
type menubar struct {
	*screen
	home   string // VIVARIUM_HOME
	opened string // file to which the stand-in for xdg-open writes what it was to open
	cmd    *exec.Cmd
	said   *bytes.Buffer
	ended  chan struct{}
}

// newMenubar prepares a state folder; launch starts the app on it.
func newMenubar(t *testing.T) *menubar {
	t.Helper()
	s := newScreen(t)
	home, err := os.MkdirTemp("", "viv") // short: it holds sockets
	require.NoError(t, err)
	m := &menubar{screen: s, home: home, opened: filepath.Join(home, "opened")}
	bin := filepath.Join(home, "bin-of-test")
	require.NoError(t, os.Mkdir(bin, 0o755))
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$1\" >> '%s'\n", m.opened)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(script), 0o755))
	t.Cleanup(func() {
		if t.Failed() {
			s.picture("failed-" + strings.ReplaceAll(t.Name(), "/", "-"))
		}
		m.end()
		m.endLeftovers()
		eventually(t, "the icon to go", func() bool { owner, _ := s.item(); return owner == "" })
		_ = os.RemoveAll(home)
	})
	return m
}

// backend registers a demo backend under a name of its own, and returns its address.
func (m *menubar) backend(name string) (dir, url string) {
	m.t.Helper()
	dir = filepath.Join(m.home, "backends", name)
	require.NoError(m.t, assets.WriteDemo(dir))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(m.t, err)
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	config := filepath.Join(dir, "vivarium.toml")
	text, err := os.ReadFile(config)
	require.NoError(m.t, err)
	changed := strings.NewReplacer(`name = "demo"`, fmt.Sprintf("name = %q", name), "port = 8377", fmt.Sprintf("port = %d", port)).Replace(string(text))
	require.NoError(m.t, os.WriteFile(config, []byte(changed), 0o644))
	list, err := app.OpenBackends(m.home)
	require.NoError(m.t, err)
	require.NoError(m.t, list.Add(dir))
	return dir, fmt.Sprintf("http://127.0.0.1:%d", port)
}

func (m *menubar) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(os.Getenv("VIVARIUM_BIN"), "vivarium-menubar"), args...)
	cmd.Env = append(os.Environ(), "VIVARIUM_HOME="+m.home, "PATH="+filepath.Join(m.home, "bin-of-test")+":"+os.Getenv("PATH"))
	cmd.Dir = m.home
	return cmd
}

func (m *menubar) launch(args ...string) {
	m.t.Helper()
	m.cmd, m.said, m.ended = m.command(args...), &bytes.Buffer{}, make(chan struct{})
	m.cmd.Stderr = m.said
	require.NoError(m.t, m.cmd.Start())
	go func() {
		_ = m.cmd.Wait()
		close(m.ended)
	}()
}

// end asks the app to quit, in case the test did not.
func (m *menubar) end() {
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.ended:
	case <-time.After(patience):
		m.t.Errorf("the app does not quit; it said:\n%s", m.said)
		_ = m.cmd.Process.Kill()
		<-m.ended
	}
	if m.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(m.home, "vivarium.log"))
		m.t.Logf("the app said:\n%s\nits log:\n%s\nits menu:\n%s", m.said, log, sketch(m.menu()))
	}
}

// exit waits for the app's own end and returns its exit status.
func (m *menubar) exit() int {
	m.t.Helper()
	select {
	case <-m.ended:
	case <-time.After(patience):
		m.t.Fatal("the app does not quit")
	}
	return m.cmd.ProcessState.ExitCode()
}

// endLeftovers kills what a failed test left: processes whose environment or arguments name the state folder, whose name is
// unique to this test.
func (m *menubar) endLeftovers() {
	for _, pid := range m.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (m *menubar) processes() []int {
	var all []int
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, f := range folders {
		pid, _ := strconv.Atoi(filepath.Base(f))
		env, _ := os.ReadFile(f + "/environ")
		args, _ := os.ReadFile(f + "/cmdline")
		if pid != os.Getpid() && bytes.Contains(append(env, args...), []byte(m.home)) {
			all = append(all, pid)
		}
	}
	return all
}

// status waits for a status line that begins so.
func (m *menubar) status(prefix string) {
	m.t.Helper()
	eventually(m.t, "the menu line "+prefix, func() bool { return starting(m.menu(), prefix) != nil })
}

// server asks a backend who it is; 0 if it does not answer.
func server(url string) int {
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get(url + "/health")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	var health struct{ PID int }
	if json.NewDecoder(resp.Body).Decode(&health) != nil {
		return 0
	}
	return health.PID
}

func press(t *testing.T, url, button string) {
	t.Helper()
	client := http.Client{Timeout: patience}
	if resp, err := client.Post(url+"/do/"+button, "", nil); err == nil { // it may die before it answers
		resp.Body.Close()
	}
}

func (m *menubar) hasOpened(what string) {
	m.t.Helper()
	eventually(m.t, "that it opens "+what, func() bool {
		text, _ := os.ReadFile(m.opened)
		return strings.Contains(string(text), what+"\n")
	})
}

func TestTheAppBeginsEmptyAndTheDemoIsOneClickAway(t *testing.T) {
	m := newMenubar(t)
	m.launch()
	m.status("Add a backend to begin")
	m.open()
	m.picture("app-empty")
	m.close()
	m.choose("Try the Demo")
	m.status("demo: Healthy")
	require.NotZero(t, server("http://127.0.0.1:8377"))
	m.hasOpened("http://127.0.0.1:8377")
}

func TestStartStopRestartAndOpenLogByRealClicks(t *testing.T) {
	m := newMenubar(t)
	dir, url := m.backend("search_api")
	m.launch()
	m.status("search_api: Healthy")
	first := server(url)
	require.NotZero(t, first)

	m.choose("Open Log")
	m.hasOpened(filepath.Join(dir, "logs", "server.log"))

	m.choose("More", "Copy URL")
	eventually(t, "the address on the clipboard", func() bool {
		text, _ := exec.Command("xclip", "-selection", "clipboard", "-o").Output()
		return string(text) == url
	})

	m.choose("Restart")
	eventually(t, "another process that answers", func() bool { pid := server(url); return pid != 0 && pid != first })
	m.status("search_api: Healthy")

	m.choose("Stop")
	m.status("search_api: Stopped")
	require.Zero(t, server(url))
	m.open()
	m.picture("app-stopped")
	m.close()

	m.choose("Start")
	m.status("search_api: Healthy")
	require.NotZero(t, server(url))
}

func TestTheNoticeAfterAKillNamesTheCauseAndTheServerIsBack(t *testing.T) {
	m := newMenubar(t)
	_, url := m.backend("chat")
	n := listen(t)
	m.launch()
	m.status("chat: Healthy")
	pid := server(url)
	require.NotZero(t, pid)
	killed := time.Now()
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	got := n.next("chat: ")
	t.Logf("kill to notice: %d ms", got.At.Sub(killed).Milliseconds())
	require.Equal(t, "Vivarium", got.App)
	require.Regexp(t, regexp.MustCompile("(?i)kill"), got.Title)
	m.seesNotice()
	m.picture("app-notice-kill")
	eventually(t, "another process that answers", func() bool { now := server(url); return now != 0 && now != pid })
	m.status("chat: Healthy")
	eventually(t, "the last crash in the menu", func() bool { return starting(m.menu(), "Last crash: ") != nil })
}

func TestTheUsersCrashIsToldByItsName(t *testing.T) {
	if found, _ := filepath.Glob("/usr/lib/*/libomp.so.5"); len(found) == 0 {
		t.Skip("LLVM's OpenMP runtime is not on this machine (Debian: libomp5-14)")
	}
	m := newMenubar(t)
	_, url := m.backend("chat")
	n := listen(t)
	m.launch()
	m.status("chat: Healthy")
	pid := server(url)
	press(t, url, "two-openmp")
	require.Equal(t, pid, server(url), "in the crash environment it survives")

	press(t, url, "two-openmp-unsafe")
	got := n.next("OpenMP")
	require.Contains(t, got.Title, "chat: ")
	require.NotEmpty(t, got.Body)
	eventually(t, "another process that answers", func() bool { now := server(url); return now != 0 && now != pid })
	m.status("chat: Healthy")
	eventually(t, "figures in the menu", func() bool {
		r := starting(m.menu(), "Up ")
		return r != nil && strings.Contains(r.Label, "MB") && !strings.HasPrefix(r.Label, "Up 0 s")
	})
	m.open()
	m.seesNotice()
	m.picture("app-crash") // screenshot.png is this one, of RIG_SCALE=2
	m.close()
}

func TestTwoBackendsOfTheAppAreTwoSubmenusThatWork(t *testing.T) {
	m := newMenubar(t)
	_, search := m.backend("search")
	_, chat := m.backend("chat")
	m.launch()
	m.status("search: Healthy")
	m.status("chat: Healthy")
	label := starting(m.menu(), "chat: ").Label
	stays := server(search)
	m.choose(label, "Stop")
	m.status("chat: Stopped")
	require.Zero(t, server(chat))
	require.Equal(t, stays, server(search))
	w := m.open()
	m.click(m.spot(w, m.menu(), starting(m.menu(), "search: ").Label))
	eventually(t, "the submenu", func() bool { return len(m.menuWindows()) > 1 })
	m.picture("app-two-backends")
	m.close()
	m.choose(starting(m.menu(), "chat: ").Label, "Start")
	m.status("chat: Healthy")
}

func TestQuitStopsTheServersAndExitsZero(t *testing.T) {
	for _, how := range []string{"click", "SIGTERM"} {
		m := newMenubar(t)
		_, url := m.backend("chat")
		m.launch()
		m.status("chat: Healthy")
		if how == "click" {
			m.choose("Quit")
		} else {
			require.NoError(t, m.cmd.Process.Signal(syscall.SIGTERM))
		}
		require.Zero(t, m.exit(), how)
		eventually(t, "that the server is gone", func() bool { return server(url) == 0 })
		if how == "click" {
			eventually(t, "that nothing is left", func() bool { return len(m.processes()) == 0 })
		}
	}
}

func TestQuitAndLeaveRunningLeavesTheServerAndTheNextLaunchFindsIt(t *testing.T) {
	m := newMenubar(t)
	_, url := m.backend("chat")
	m.launch()
	m.status("chat: Healthy")
	pid := server(url)
	m.choose(starting(m.menu(), "Quit and Leave Running").Label)
	require.Zero(t, m.exit())
	require.Equal(t, pid, server(url))
	eventually(t, "the icon to go", func() bool { owner, _ := m.item(); return owner == "" })

	m.launch()
	m.status("chat: Healthy")
	require.Equal(t, pid, server(url))
}

func TestASecondInstanceLeavesAndTheFirstShowsTheDashboard(t *testing.T) {
	m := newMenubar(t)
	m.launch()
	m.status("Add a backend to begin")
	out, err := m.command().CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "already running")
	m.hasOpened(filepath.Join(m.home, "dashboard.html"))
	m.endDashboard()
}

func TestTheDashboardIsAClickAway(t *testing.T) {
	m := newMenubar(t)
	_, _ = m.backend("chat")
	m.launch()
	m.status("chat: Healthy")
	w := m.open()
	m.click(m.spot(w, m.menu(), "More"))
	eventually(t, "the submenu", func() bool { return len(m.menuWindows()) > 1 })
	m.picture("app-more")
	m.close()
	m.choose("Dashboard…")
	m.hasOpened(filepath.Join(m.home, "dashboard.html"))
	text, err := os.ReadFile(filepath.Join(m.home, "dashboard.html"))
	require.NoError(t, err)
	require.Regexp(t, `http://127\.0\.0\.1:\d+/b/[0-9a-f]{12}#`, string(text))
	m.endDashboard()
}

// endDashboard ends the dashboard of this test's state folder, which waits a minute for a page that never comes.
func (m *menubar) endDashboard() {
	m.t.Helper()
	for _, pid := range m.processes() {
		if args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); bytes.Contains(args, []byte("dashboard\x00--print")) {
			require.NoError(m.t, syscall.Kill(pid, syscall.SIGTERM))
		}
	}
	eventually(m.t, "the dashboard to end", func() bool {
		_, err := os.Stat(filepath.Join(m.home, "dashboard.html"))
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestABrokenConfigurationIsALineThatOpensTheFile(t *testing.T) {
	m := newMenubar(t)
	dir, _ := m.backend("chat")
	config := filepath.Join(dir, "vivarium.toml")
	require.NoError(t, os.WriteFile(config, []byte("prot = 8000\n"), 0o644))
	m.launch()
	problem := func() *row {
		for _, r := range m.menu() {
			if r.Visible && r.Enabled && strings.Contains(r.Label, "prot") {
				return &r
			}
		}
		return nil
	}
	eventually(t, "a line about the mistake", func() bool { return problem() != nil })
	m.choose(problem().Label)
	m.hasOpened(config)
	m.open()
	m.picture("app-config-problem")
	m.close()
}

func TestLaunchAtLoginWritesAnAutostartEntryAndTakesItBack(t *testing.T) {
	m := newMenubar(t)
	m.launch()
	m.status("Add a backend to begin")
	entries := func() int {
		all, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "autostart", "*.desktop"))
		return len(all)
	}
	require.Zero(t, entries())
	m.choose("Settings", "Launch at Login")
	eventually(t, "the check mark", func() bool { r := find(m.menu(), "Settings", "Launch at Login"); return r != nil && r.Checked })
	require.Equal(t, 1, entries())
	m.choose("Settings", "Launch at Login")
	eventually(t, "no check mark", func() bool { r := find(m.menu(), "Settings", "Launch at Login"); return r != nil && !r.Checked })
	require.Zero(t, entries())
}

func TestWithoutADisplayTheAppSaysWhatToDo(t *testing.T) {
	m := newMenubar(t)
	cmd := m.command()
	cmd.Env = append(cmd.Env, "DISPLAY=", "WAYLAND_DISPLAY=")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "vivarium run")
	require.Equal(t, 1, strings.Count(string(out), "\n"))
}

// button is where a button of the highest notice is: they stand in a row at its lower right corner, the last one outermost.
func (m *menubar) button(fromRight int) image.Point {
	m.t.Helper()
	all := m.noticeWindows()
	require.NotEmpty(m.t, all)
	w := slices.MaxFunc(all, func(a, b window) int { return cmp.Compare(a.area.Dy(), b.area.Dy()) })
	return image.Pt(w.area.Max.X-(57+92*fromRight)*m.scale, w.area.Max.Y-31*m.scale)
}

func TestTheButtonsOfANoticeAreClicksOnItsBackend(t *testing.T) {
	for fromRight, button := range []string{"Open Log", "Restart"} {
		m := newMenubar(t)
		dir, url := m.backend("chat")
		m.launch()
		m.status("chat: Healthy")
		killed := server(url)
		require.NotZero(t, killed)
		require.NoError(t, syscall.Kill(killed, syscall.SIGKILL))
		m.seesNotice()
		restarted := 0
		eventually(t, "another process that answers", func() bool { restarted = server(url); return restarted != 0 && restarted != killed })
		m.status("chat: Healthy")
		m.picture("app-notice-buttons")
		m.click(m.button(fromRight))
		if button == "Restart" {
			eventually(t, "another process that answers", func() bool { pid := server(url); return pid != 0 && pid != restarted })
		} else {
			m.hasOpened(filepath.Join(dir, "logs", "server.log"))
			require.Equal(t, restarted, server(url), "nothing else happened")
		}
		m.park()
		m.end()
		m.cmd = nil
		eventually(t, "the icon to go", func() bool { owner, _ := m.item(); return owner == "" })
	}
}

func TestSendTestNotificationShowsANoticeAndSaysHowItCame(t *testing.T) {
	m := newMenubar(t)
	n := listen(t)
	dialog := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$*\" >> '%s'\n", m.opened)
	require.NoError(t, os.WriteFile(filepath.Join(m.home, "bin-of-test", "zenity"), []byte(dialog), 0o755))
	m.launch()
	m.status("Add a backend to begin")
	m.choose("Settings", "Send Test Notification")
	got := n.next("This is how you are told")
	require.Equal(t, "Vivarium: a test", got.Title)
	m.seesNotice()
	eventually(t, "a dialog that says by what way", func() bool {
		text, _ := os.ReadFile(m.opened)
		return strings.Contains(string(text), "over D-Bus, with buttons, shown by Xfce Notify Daemon")
	})
}
