//go:build e2e && cgo && linux

package desktop

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"
)

// patience is what a loaded machine may take for anything here; nothing is asserted about time.
const patience = 60 * time.Second

// screen is the desktop that rig.sh made.
type screen struct {
	t   *testing.T
	bus *dbus.Conn
	// scale is how many pixels a unit of the toolkit has.
	scale int
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	if missing != "" {
		t.Skip(missing)
	}
	bus, err := dbus.ConnectSessionBus()
	require.NoError(t, err)
	s := &screen{t: t, bus: bus, scale: 1}
	t.Cleanup(func() { bus.Close() })
	if n, err := strconv.Atoi(os.Getenv("GDK_SCALE")); err == nil {
		s.scale = n
	}
	s.park()
	s.clear()
	return s
}

// clear takes away the notices of the test before.
func (s *screen) clear() {
	s.t.Helper()
	daemon := s.bus.Object("org.freedesktop.Notifications", "/org/freedesktop/Notifications")
	var last uint32 // the daemon counts up
	require.NoError(s.t, daemon.Call("org.freedesktop.Notifications.Notify", 0, "test", uint32(0), "", "clear", "", []string{}, map[string]any{}, int32(1)).Store(&last))
	for id := range last + 1 {
		_ = daemon.Call("org.freedesktop.Notifications.CloseNotification", 0, id) // most are closed already
	}
	eventually(s.t, "the notices to go", func() bool { return len(s.noticeWindows()) == 0 })
}

func (s *screen) noticeWindows() []window {
	var all []window
	for _, w := range s.windows("xfce4-notifyd") {
		if w.area.Dy() > 30*s.scale {
			all = append(all, w)
		}
	}
	return all
}

// seesNotice waits until a notice is on the screen.
func (s *screen) seesNotice() {
	s.t.Helper()
	eventually(s.t, "a notice on the screen", func() bool {
		all := s.noticeWindows()
		return len(all) > 0 && painted(s.picture(""), all[0].area)
	})
}

// eventually polls until done says so; it reports what it waited for.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

// run starts one of the desktop's tools and returns what it printed.
func (s *screen) run(name string, args ...string) string {
	s.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(s.t, err, "%s %s: %s", name, strings.Join(args, " "), out)
	return string(out)
}

// park moves the mouse away, where it hovers over nothing.
func (s *screen) park() {
	s.run("xdotool", "mousemove", strconv.Itoa(30*s.scale), strconv.Itoa(600*s.scale))
}

func (s *screen) click(at image.Point) {
	s.t.Helper()
	s.run("xdotool", "mousemove", strconv.Itoa(at.X), strconv.Itoa(at.Y))
	s.run("xdotool", "click", "1")
}

// picture photographs the whole screen, and keeps it if somebody wants pictures.
func (s *screen) picture(name string) image.Image {
	s.t.Helper()
	data, err := exec.Command("import", "-window", "root", "png:-").Output()
	require.NoError(s.t, err)
	if dir := os.Getenv("VIVARIUM_PICTURES"); dir != "" && name != "" {
		require.NoError(s.t, os.MkdirAll(dir, 0o755))
		require.NoError(s.t, os.WriteFile(filepath.Join(dir, name+".png"), data, 0o644))
	}
	img, err := png.Decode(bytes.NewReader(data))
	require.NoError(s.t, err)
	return img
}

// window is one that can be seen.
type window struct {
	id   int
	area image.Rectangle
}

// windows lists the visible windows of a class.
func (s *screen) windows(class string) []window {
	out, _ := exec.Command("xdotool", "search", "--onlyvisible", "--class", class).Output() // exit 1: none
	var all []window
	for _, id := range strings.Fields(string(out)) {
		geometry, err := exec.Command("xdotool", "getwindowgeometry", "--shell", id).Output()
		if err != nil {
			continue // it closed meanwhile
		}
		v := map[string]int{}
		for _, line := range strings.Fields(string(geometry)) {
			key, value, _ := strings.Cut(line, "=")
			v[key], _ = strconv.Atoi(value)
		}
		all = append(all, window{v["WINDOW"], image.Rect(v["X"], v["Y"], v["X"]+v["WIDTH"], v["Y"]+v["HEIGHT"])})
	}
	return all
}

// panelIcons is the strip of the panel where tray icons are. The panel shows them in a process of its own, whose menus are
// windows of the same class.
const panelClass = "wrapper-2.0"

func (s *screen) panelIcons() (image.Rectangle, bool) {
	for _, w := range s.windows(panelClass) {
		if w.area.Min.Y == 0 && w.area.Dy() <= 40*s.scale && w.area.Dx() >= 16*s.scale {
			return w.area, true
		}
	}
	return image.Rectangle{}, false
}

// icon waits for the icon in the panel and returns where it is.
func (s *screen) icon() image.Rectangle {
	s.t.Helper()
	var area image.Rectangle
	eventually(s.t, "an icon in the panel", func() bool {
		found, ok := s.panelIcons()
		rests := found == area // the panel moves its parts about while it sets them up
		area = found
		return ok && rests && painted(s.picture(""), found)
	})
	return area
}

// painted tells a picture from an even ground.
func painted(img image.Image, area image.Rectangle) bool {
	colours := map[string]bool{}
	for y := area.Min.Y + 2; y < area.Max.Y-2; y++ {
		for x := area.Min.X + 1; x < area.Max.X-1; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[fmt.Sprint(r>>12, g>>12, b>>12)] = true
		}
	}
	return len(colours) > 3
}

// crop is the part of a picture in an area, as pixels to compare.
func crop(img image.Image, area image.Rectangle) string {
	var b strings.Builder
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			r, g, bl, _ := img.At(x, y).RGBA()
			b.Write([]byte{byte(r >> 8), byte(g >> 8), byte(bl >> 8)})
		}
	}
	return b.String()
}
