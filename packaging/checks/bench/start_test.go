//go:build bench && linux

package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"
)

// TestStart measures from the fork of the menu-bar program to the moment at which a panel can show its menu, on a desktop of its own
// and with an empty state folder. The files are in the system's cache, as they are on a computer that is used.
func TestStart(t *testing.T) {
	program, err := filepath.Abs("../../../bin/vivarium-menubar")
	require.NoError(t, err)
	if _, err := os.Stat(program); err != nil {
		t.Skip("bin/vivarium-menubar is not built: make build")
	}
	env := screen(t)
	bus := busOf(t, env)
	var all []time.Duration
	for range 11 {
		all = append(all, startOnce(t, program, env, bus))
	}
	row("start: vivarium-menubar to a ready menu", milliseconds(median(all)), "median of "+strconv.Itoa(len(all)))
}

// screen is the environment of programs on a virtual desktop that lives as long as the test.
func screen(t *testing.T) []string {
	t.Helper()
	rig := exec.Command("../desktop/rig.sh", "sh", "-c", "env; echo ready; exec cat >/dev/null")
	in, err := rig.StdinPipe()
	require.NoError(t, err)
	out, err := rig.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, rig.Start())
	t.Cleanup(func() { _ = in.Close(); _ = rig.Wait() })
	var env []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "ready" {
			return env
		}
		env = append(env, lines.Text())
	}
	t.Skip("there is no desktop here: packaging/checks/desktop/rig.sh true says what to install")
	return nil
}

func busOf(t *testing.T, env []string) *dbus.Conn {
	t.Helper()
	for _, v := range env {
		if address, ok := strings.CutPrefix(v, "DBUS_SESSION_BUS_ADDRESS="); ok {
			bus, err := dbus.Connect(address)
			require.NoError(t, err)
			t.Cleanup(func() { _ = bus.Close() })
			return bus
		}
	}
	require.FailNow(t, "the desktop has no bus")
	return nil
}

func startOnce(t *testing.T, program string, env []string, bus *dbus.Conn) time.Duration {
	t.Helper()
	state, err := os.MkdirTemp("", "vb")
	require.NoError(t, err)
	defer os.RemoveAll(state)
	cmd := exec.Command(program)
	cmd.Env = append(env[:len(env):len(env)], "VIVARIUM_HOME="+state)
	began := time.Now()
	require.NoError(t, cmd.Start())
	until(t, "the menu", func() (struct{}, bool) { return struct{}{}, strings.Contains(menuOn(bus), "Add a backend to begin") })
	took := time.Since(began)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	until(t, "the icon to go", func() (struct{}, bool) { return struct{}{}, menuOn(bus) == "" })
	return took
}

// menuOn is the menu of the only icon as it stands on the bus, in no particular shape; "" if there is none.
func menuOn(bus *dbus.Conn) string {
	const watcher, item, menu = "org.kde.StatusNotifierWatcher", "org.kde.StatusNotifierItem", "com.canonical.dbusmenu"
	v, err := bus.Object(watcher, "/StatusNotifierWatcher").GetProperty(watcher + ".RegisteredStatusNotifierItems")
	if err != nil {
		return ""
	}
	items, _ := v.Value().([]string)
	if len(items) != 1 {
		return ""
	}
	owner, rest, _ := strings.Cut(items[0], "/")
	v, err = bus.Object(owner, dbus.ObjectPath("/"+rest)).GetProperty(item + ".Menu")
	if err != nil {
		return ""
	}
	path, _ := v.Value().(dbus.ObjectPath)
	call := bus.Object(owner, path).Call(menu+".GetLayout", 0, int32(0), int32(-1), []string{"label", "visible"})
	if call.Err != nil {
		return ""
	}
	return fmt.Sprint(call.Body...)
}
