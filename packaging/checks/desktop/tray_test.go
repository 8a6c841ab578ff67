//go:build e2e && cgo && linux

package desktop

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/assets"
)

// shower is the tray alone, in a process of its own: it shows the menus it is given.
type shower struct {
	*screen
	in    io.WriteCloser
	lines chan string // what it printed: clicks, and the exit
	ended chan error
}

func showMenus(t *testing.T) *shower {
	t.Helper()
	s := &shower{screen: newScreen(t), lines: make(chan string, 64), ended: make(chan error, 1)}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fixture+"=1", "TMPDIR="+t.TempDir())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	s.in = in
	go func() {
		defer close(s.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.lines <- lines.Text()
		}
		s.ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		in.Close()
		select {
		case <-s.ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
		}
		eventually(t, "the icon to go", func() bool { owner, _ := s.item(); return owner == "" })
	})
	return s
}

func (s *shower) show(m app.Menu) {
	s.t.Helper()
	line, err := json.Marshal(m)
	require.NoError(s.t, err)
	_, err = s.in.Write(append(line, '\n'))
	require.NoError(s.t, err)
}

// says waits until the visible menu is as drawn.
func (s *shower) says(want string) {
	s.t.Helper()
	got := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		if got = sketch(s.menu()); got == want {
			return
		}
	}
	v, err := s.bus.Object(watcher, watcherPath).GetProperty(watcher + ".RegisteredStatusNotifierItems")
	require.Equal(s.t, want, got, "the panel's icons: %v %v", v, err)
}

func (s *shower) clicked() app.Action {
	s.t.Helper()
	select {
	case line := <-s.lines:
		var a app.Action
		require.NoError(s.t, json.Unmarshal([]byte(line), &a), line)
		return a
	case <-time.After(patience):
		s.t.Fatal("no click came through")
		return app.Action{}
	}
}

func enabled(title string) app.Item { return app.Item{Title: title, Shown: true, Enabled: true} }
func grey(title string) app.Item    { return app.Item{Title: title, Shown: true} }

func tail(m *app.Menu) {
	m.Tooltip = "Vivarium"
	m.Tail[app.TailAdd] = enabled("Add Backend…")
	m.Tail[app.TailSettings] = enabled("Settings")
	m.Tail[app.TailLogin] = app.Item{Title: "Launch at Login", Shown: true, Enabled: true, Checked: true}
	m.Tail[app.TailAbout] = enabled("About Vivarium")
	m.Tail[app.TailTest] = enabled("Send Test Notification")
	m.Tail[app.TailHelp] = enabled("Help")
	m.Tail[app.TailManual] = enabled("Vivarium Help")
	m.Tail[app.TailDiagnostics] = enabled("Copy Diagnostics")
	m.Tail[app.TailQuit] = enabled("Quit")
	m.Tail[app.TailLeave] = enabled("Quit and Leave Running")
}

func fill(s *app.Section, name string) {
	s.Items[app.ItemStatus] = grey(name + ": Healthy · 12 ms")
	s.Items[app.ItemDetail] = grey("Up 3 h 12 min · 1.2 GB · 4 % CPU")
	s.Items[app.ItemLast] = grey("Last crash: two OpenMP runtimes · 14:02")
	s.Items[app.ItemStop] = enabled("Stop")
	s.Items[app.ItemRestart] = enabled("Restart")
	s.Items[app.ItemDashboard] = enabled("Dashboard…")
	s.Items[app.ItemOpenLog] = enabled("Open Log")
	s.Items[app.ItemOpenBrowser] = enabled("Open in Browser")
	s.Items[app.ItemMore] = enabled("More")
	s.Items[app.ItemDoctor] = enabled("Doctor…")
	s.Items[app.ItemReveal] = enabled("Reveal Folder")
	s.Items[app.ItemRemove] = enabled("Remove Backend")
}

func oneBackend() app.Menu {
	m := app.Menu{Icon: assets.Healthy}
	tail(&m)
	fill(&m.Sections[0], "backend_one")
	return m
}

const oneBackendSketch = `(backend_one: Healthy · 12 ms)
(Up 3 h 12 min · 1.2 GB · 4 % CPU)
(Last crash: two OpenMP runtimes · 14:02)
────
Stop
Restart
Dashboard…
Open Log
Open in Browser
More
  Doctor…
  Reveal Folder
  Remove Backend
────
Add Backend…
Settings
  ✓ Launch at Login
  Send Test Notification
Help
  Vivarium Help
  Copy Diagnostics
  About Vivarium
────
Quit
Quit and Leave Running
`

func TestTheTrayShowsItsIconAndOpensItsMenuByAClick(t *testing.T) {
	s := showMenus(t)
	s.show(oneBackend())
	s.says(oneBackendSketch)
	owner, path := s.item()
	title, err := s.bus.Object(owner, path).GetProperty(itemFace + ".Title")
	require.NoError(t, err)
	require.Equal(t, "Vivarium", title.Value(), "the name that a panel shows")
	s.open()
	s.picture("tray-one-backend")
	s.close()
}

func TestEveryStateHasItsIconInThePanel(t *testing.T) {
	s := showMenus(t)
	seen := map[string]assets.State{}
	for icon := range assets.NumStates {
		m := oneBackend()
		m.Icon = icon
		s.show(m)
		area := s.icon()
		eventually(t, "an icon unlike the others", func() bool {
			area = s.icon()
			pixels := crop(s.picture(""), area)
			before, known := seen[pixels]
			if !known {
				seen[pixels] = icon
			}
			return !known || before == icon
		})
		s.picture("tray-icon-" + []string{"stopped", "healthy", "starting", "unhealthy", "crashed"}[icon])
	}
}

func TestAClickOnEachLineIsItsAction(t *testing.T) {
	s := showMenus(t)
	s.show(oneBackend())
	s.says(oneBackendSketch)
	for path, want := range map[string]app.Action{
		"Stop":                            {Item: app.ItemStop},
		"Dashboard…":                      {Item: app.ItemDashboard},
		"Open Log":                        {Item: app.ItemOpenLog},
		"More/Reveal Folder":              {Item: app.ItemReveal},
		"More/Remove Backend":             {Item: app.ItemRemove},
		"Settings/Send Test Notification": {Item: app.TailTest, Tail: true},
		"Help/About Vivarium":             {Item: app.TailAbout, Tail: true},
		"Quit and Leave Running":          {Item: app.TailLeave, Tail: true},
	} {
		s.choose(strings.Split(path, "/")...)
		require.Equal(t, want, s.clicked(), path)
	}
}

func TestAClickOnAGreyLineIsNothing(t *testing.T) {
	s := showMenus(t)
	s.show(oneBackend())
	s.says(oneBackendSketch)
	s.choose("backend_one: Healthy · 12 ms")
	s.close()
	s.choose("Help", "Vivarium Help")
	require.Equal(t, app.Action{Item: app.TailManual, Tail: true}, s.clicked(), "nothing came before it")
}

func TestTheCheckMarkFollowsTheMenuAndNotTheClick(t *testing.T) {
	s := showMenus(t)
	m := oneBackend()
	s.show(m)
	s.says(oneBackendSketch)
	s.choose("Settings", "Launch at Login")
	require.Equal(t, app.Action{Item: app.TailLogin, Tail: true}, s.clicked())
	s.says(oneBackendSketch) // nothing was done, so it is still on

	m.Tail[app.TailLogin].Checked = false
	s.show(m)
	s.says(strings.Replace(oneBackendSketch, "✓ ", "", 1))
	require.True(t, find(s.menu(), "Settings", "Launch at Login").Check, "the box stays")
	s.open()
	s.picture("tray-unchecked")
	s.close()
}

func TestTwoBackendsAreTwoSubmenus(t *testing.T) {
	s := showMenus(t)
	m := app.Menu{Icon: assets.Crashed}
	tail(&m)
	m.Sections[0].Items[app.ItemStatus] = grey("2 backends: 1 healthy, 1 crashed")
	for i, name := range []string{"search", "chat"} {
		m.Sections[1+i].Title = name
		fill(&m.Sections[1+i], name)
	}
	s.show(m)
	eventually(t, "two submenus", func() bool { return find(s.menu(), "chat", "Stop") != nil && find(s.menu(), "search", "Stop") != nil })

	s.choose("chat", "Restart")
	require.Equal(t, app.Action{Section: 2, Item: app.ItemRestart}, s.clicked())
	s.choose("search", "More", "Remove Backend")
	require.Equal(t, app.Action{Section: 1, Item: app.ItemRemove}, s.clicked())

	w := s.open()
	s.click(s.spot(w, s.menu(), "chat"))
	eventually(t, "the submenu", func() bool { return len(s.menuWindows()) > 1 })
	s.picture("tray-two-backends")
	s.close()
}

func TestTheEmptyStateInvites(t *testing.T) {
	s := showMenus(t)
	m := app.Menu{}
	tail(&m)
	m.Sections[0].Items[app.ItemStatus] = grey("Add a backend to begin")
	m.Tail[app.TailDemo] = enabled("Try the Demo")
	s.show(m)
	s.says(`(Add a backend to begin)
────
Add Backend…
Try the Demo
────
Settings
  ✓ Launch at Login
  Send Test Notification
Help
  Vivarium Help
  Copy Diagnostics
  About Vivarium
────
Quit
Quit and Leave Running
`)
	s.choose("Try the Demo")
	require.Equal(t, app.Action{Item: app.TailDemo, Tail: true}, s.clicked())
	s.open()
	s.picture("tray-empty")
	s.close()
}

func TestHiddenLinesStayHiddenOverUpdates(t *testing.T) {
	s := showMenus(t)
	m := oneBackend()
	s.show(m)
	s.says(oneBackendSketch)
	m.Sections[0].Items[app.ItemRestart].Shown = false
	s.show(m)
	want := strings.Replace(oneBackendSketch, "Restart\n", "", 1)
	s.says(want)
	m.Sections[0].Items[app.ItemRestart].Title = "Restart Now"
	m.Sections[0].Items[app.ItemRestart].Enabled = false
	m.Sections[3].Items[app.ItemStop] = enabled("of a backend that is not there")
	m.Tail[app.TailHelp].Title = "Help!" // the sign that it was painted
	s.show(m)
	s.says(strings.Replace(want, "\nHelp\n", "\nHelp!\n", 1))
}

func TestAThousandUpdatesEndInTheLast(t *testing.T) {
	s := showMenus(t)
	m := oneBackend()
	for i := range 1000 {
		m.Icon = assets.State(i % int(assets.NumStates))
		m.Sections[0].Items[app.ItemStart].Shown = i%2 == 0
		m.Sections[0].Items[app.ItemStart].Title = "Start"
		s.show(m)
	}
	s.show(oneBackend())
	s.says(oneBackendSketch)
}

func TestTheEndOfTheTrayIsAnExitWithoutTraces(t *testing.T) {
	s := showMenus(t)
	s.show(oneBackend())
	s.says(oneBackendSketch)
	require.NoError(t, s.in.Close())
	select {
	case err := <-s.ended:
		require.NoError(t, err)
		s.ended <- nil
	case <-time.After(patience):
		t.Fatal("it does not quit")
	}
	require.Equal(t, `"exit"`, <-s.lines, "onExit was called")
	eventually(t, "the icon to go", func() bool { owner, _ := s.item(); return owner == "" })
}

func TestANoticeIsReadFromTheBus(t *testing.T) {
	s := newScreen(t)
	n := listen(t)
	require.NoError(t, s.bus.Object("org.freedesktop.Notifications", "/org/freedesktop/Notifications").Call("org.freedesktop.Notifications.Notify", 0,
		"test", uint32(0), "", "Title", "The body of it", []string{}, map[string]any{}, int32(1)).Err)
	got := n.next("body of")
	require.Equal(t, "Title", got.Title)
}
