package power

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPowerIsReadFromTheKernelsSupplies(t *testing.T) {
	type supply map[string]string
	for name, c := range map[string]struct {
		supplies map[string]supply
		profile  string
		want     State
	}{
		"a computer without a battery": {nil, "balanced", State{}},
		"a laptop on its battery": {map[string]supply{
			"AC": {"type": "Mains", "online": "0"}, "BAT0": {"type": "Battery", "status": "Discharging"},
		}, "balanced", State{Battery: true}},
		"saving, on its battery": {map[string]supply{"BAT1": {"type": "Battery", "status": "Discharging"}}, "low-power", State{Battery: true, Saving: true}},
		"plugged in": {map[string]supply{
			"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery", "status": "Charging"},
		}, "low-power", State{}},
		"plugged in by USB, and too weak": {map[string]supply{
			"ucsi-source-psy-1": {"type": "USB", "online": "1"}, "BAT0": {"type": "Battery", "status": "Discharging"},
		}, "", State{}},
		"one of two batteries is full": {map[string]supply{
			"BAT0": {"type": "Battery", "status": "Full"}, "BAT1": {"type": "Battery", "status": "Discharging"},
		}, "", State{Battery: true}},
		"the mouse's battery":    {map[string]supply{"hidpp_battery_0": {"type": "Battery", "scope": "Device", "status": "Discharging"}}, "", State{}},
		"files that say nothing": {map[string]supply{"BAT0": {"type": "\x00\xff"}, "X": {}}, "", State{}},
	} {
		dir := t.TempDir()
		for s, files := range c.supplies {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "supplies", s), 0o755))
			for file, text := range files {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "supplies", s, file), []byte(text+"\n"), 0o600))
			}
		}
		profile := filepath.Join(dir, "profile")
		require.NoError(t, os.WriteFile(profile, []byte(c.profile+"\n"), 0o600))
		require.Equal(t, c.want, stateIn(filepath.Join(dir, "supplies"), profile), name)
	}
	require.Equal(t, State{}, stateIn("/nowhere", "/nowhere/profile"))
}
