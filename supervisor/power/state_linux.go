package power

import (
	"os"
	"path/filepath"
	"strings"
)

// Now is what the computer lives on. A computer without a battery, or of which nothing is known, is plugged in.
func Now() State { return stateIn("/sys/class/power_supply", "/sys/firmware/acpi/platform_profile") }

// stateIn reads the kernel's power supplies: it is on its battery if one discharges and no mains is connected. Batteries of mice and
// keyboards have the scope Device.
func stateIn(supplies, profile string) State {
	var s State
	mains, discharges := false, false
	folders, _ := filepath.Glob(filepath.Join(supplies, "*"))
	for _, f := range folders[:min(len(folders), 64)] {
		if word(f, "scope") == "Device" {
			continue
		}
		switch word(f, "type") {
		case "Mains", "USB":
			mains = mains || word(f, "online") == "1"
		case "Battery":
			discharges = discharges || word(f, "status") == "Discharging"
		}
	}
	s.Battery = discharges && !mains
	s.Saving = s.Battery && word(filepath.Dir(profile), filepath.Base(profile)) == "low-power"
	return s
}

// word is the content of a small file of the kernel, "" if there is none.
func word(folder, name string) string {
	f, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, 64)
	n, _ := f.Read(b)
	return strings.TrimSpace(string(b[:n]))
}
