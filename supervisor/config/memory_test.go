package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

var memoryMistakes = []mistake{
	{"a share without its sign", "[memory]\nwarn = 85", 2, "memory.warn", "too small", `warn = "85%"`},
	{"a share beyond all", "[memory]\nwarn = '120%'", 2, "memory.warn", "out of range", "from 1% to 100%"},
	{"a share of nothing", "[memory]\nrestart = '0%'", 2, "memory.restart", "out of range", "from 1% to 100%"},
	{"a share without sense", "[memory]\nrestart = 'most%'", 2, "memory.restart", "is no share", `restart = "90%"`},
	{"a share that is no number", "[memory]\nrestart = 'NaN%'", 2, "memory.restart", "out of range", "from 1% to 100%"},
	{"a limit without sense", "[memory]\nrestart = 'lots'", 2, "memory.restart", "is no size and no share", `"12GB"`},
	{"a limit of everything", "[memory]\nrestart = '9999TiB'", 2, "memory.restart", "too large", `"12GB"`},
	{"a limit that is a switch", "[memory]\nwarn = false", 2, "memory.warn", "wants a share or a size", `"" switches it off`},
	{"a limit that is a list", "[memory]\nwarn = ['85%']", 2, "memory.warn", "wants a share or a size", `"" switches it off`},
	{"a restart before the warning", "[memory]\nwarn = '90%'\nrestart = '80%'", 3, "memory.restart", "less than warn", `warn = ""`},
	{"a restart before the warning, in bytes", "[memory]\nwarn = '9GB'\nrestart = '8GB'", 3, "memory.restart", "less than warn", `warn = ""`},
	{"a time without a unit", "[memory]\nfor = '30'", 2, "memory.for", "has no unit", `for = "30s"`},
	{"a time of days", "[memory]\nfor = '48h'", 2, "memory.for", "too long", "at most 1h"},
}

func TestALimitOfMemoryIsAShareASizeOrNone(t *testing.T) {
	for text, want := range map[string]guard.Limit{
		`"85%"`: {Percent: 85}, `"62.5 %"`: {Percent: 62.5}, `"100%"`: {Percent: 100}, `"12GB"`: {Bytes: 12_000_000_000}, `"12 GiB"`: {Bytes: 12 << 30}, `"1.5GiB"`: {Bytes: 3 << 29},
		`""`: {}, `" "`: {}, `2000000000`: {Bytes: 2_000_000_000}, `"512MB"`: {Bytes: 512_000_000},
	} {
		c, err := Load(testkit.BackendDir(t, "[memory]\nrestart = "+text+"\n"))
		require.NoError(t, err, text)
		require.Equal(t, want, c.Memory.Restart, text)
		require.Equal(t, guard.Limit{Percent: 85}, c.Memory.Warn, "the default stays")
	}
	c, err := Load(testkit.BackendDir(t, "[memory]\nwarn = \"\"\nrestart = \"50%\"\nfor = \"0s\"\n"))
	require.NoError(t, err)
	require.Equal(t, guard.Policy{Restart: guard.Limit{Percent: 50}}, c.Memory)
	_, err = Load(testkit.BackendDir(t, "[memory]\nwarn = \"8GB\"\nrestart = \"50%\"\n"))
	require.NoError(t, err, "a share and a size cannot be compared here")
}
