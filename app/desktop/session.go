package desktop

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

// NoDesktop: without a session bus, and without a display to find one by, the D-Bus library would start a bus of its own with
// dbus-launch, which nobody listens to and nobody ends.
func NoDesktop(goos string, getenv func(string) string, exists func(string) bool) error {
	if goos == "darwin" || getenv("DBUS_SESSION_BUS_ADDRESS") != "" || getenv("DISPLAY") != "" {
		return nil
	}
	for _, dir := range []string{getenv("XDG_RUNTIME_DIR"), "/run/user/" + strconv.Itoa(os.Getuid())} {
		if dir != "" && exists(filepath.Join(dir, "bus")) {
			return nil
		}
	}
	return errors.New("there is no desktop session to show notices in")
}

func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
