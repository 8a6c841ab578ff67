package project

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAVersionOfPythonIsHeldAgainstWhatTheProjectAsksFor(t *testing.T) {
	for _, c := range []struct {
		requires, version string
		fits              bool
	}{
		{">=3.11", "3.11.7", true}, {">=3.12", "3.11.7", false}, {">= 3.12", "3.11.7", false}, {">=3.9,<3.12", "3.12.1", false}, {">=3.9, <3.13", "3.12.1", true},
		{">=3.9 <3.12", "3.12.0", false}, {"^3.11", "3.13.0", true}, {"^3.12", "3.11.9", false}, {"^3.11", "4.0.0", false}, {"~3.11", "3.12.0", false}, {"~3.11.2", "3.11.9", true},
		{"~=3.11", "3.12.0", true}, {"~=3.11.2", "3.12.0", false}, {"==3.11.*", "3.11.9", true}, {"==3.11.*", "3.12.0", false}, {"==3.11", "3.11.9", true}, {"!=3.11.*", "3.11.9", false},
		{"!=3.11.1", "3.11.9", true}, {"=3.11", "3.11.9", true}, {"3.11", "3.12.0", false}, {"3.11.7", "3.11.9", false}, {"<3.12", "3.11.9", true}, {">3.11", "3.12.0", true}, {"<=3.11", "3.11.9", true},
		{"^3.9 || ^2.7", "3.11.0", true}, {">=3.12 || <3.9", "3.10.0", false}, {"*", "3.11.0", true}, {"", "3.11.0", true}, {"any", "3.11.0", true}, {">=3.12", "3.12", true}, {">=3.12.4", "3.12", true},
		{">=3.14", "3.14.0rc1", true}, {">=3.10", "3.9", false},
	} {
		require.Equal(t, c.fits, fits(c.requires, c.version), "%s with %s", c.requires, c.version)
	}
	e := Environment{Requires: ">=3.12", Pinned: "3.12"}
	require.Equal(t, "the project asks for Python >=3.12, and this one is 3.11.7", e.Unfit("3.11.7"))
	require.Empty(t, e.Unfit("3.12.4"))
	require.Empty(t, e.Unfit(""))
	require.Equal(t, ".python-version asks for Python 3.12, and this one is 3.13.0", e.Unfit("3.13.0"))
	require.Empty(t, Environment{Pinned: "pypy3.10"}.Unfit("3.11.0"))
	require.Empty(t, Environment{Pinned: "my-env"}.Unfit("3.11.0"))
}

func FuzzNoRequirementIsTooStrange(f *testing.F) {
	f.Add(">=3.11,<4", "3.11.7")
	f.Add("~= ", "3")
	f.Fuzz(func(t *testing.T, requires, version string) {
		fits(requires, version)
		Environment{Requires: requires, Pinned: version}.Unfit(version)
	})
}
