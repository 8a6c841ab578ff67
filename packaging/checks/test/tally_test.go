package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// module writes a module with the one test file and makes it the working directory.
func module(t *testing.T, code string) {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{"go.mod": "module example.com/m\n\ngo 1.26\n", "m_test.go": "package m\n" + code} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644))
	}
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "-count=1")
	t.Setenv("GOWORK", "off")
}

func TestCountsWhatGoTestReports(t *testing.T) {
	for _, c := range []struct {
		name, code, want string
		says             []string
	}{
		{"passes", `import "testing"; func TestA(t *testing.T) {}`, "1 passed, 0 failed, 0 skipped", []string{"ok    example.com/m"}},
		{"subtests are counted, their parent is not", `import "testing"
			func TestA(t *testing.T) { t.Run("x", func(*testing.T) {}); t.Run("y", func(t *testing.T) { t.Skip("no y here") }) }`,
			"1 passed, 0 failed, 1 skipped", []string{"skipped: example.com/m.TestA/y: no y here"}},
		{"a failure is counted once and its output shown", `import "testing"
			func TestA(t *testing.T) { t.Run("x", func(t *testing.T) { t.Run("z", func(t *testing.T) { t.Fatal("because of z") }) }) }`,
			"0 passed, 1 failed, 0 skipped", []string{"because of z", "FAIL  example.com/m"}},
		{"a parent that fails alone", `import "testing"
			func TestA(t *testing.T) { t.Run("x", func(*testing.T) {}); t.Error("alone") }`,
			"1 passed, 1 failed, 0 skipped", []string{"alone"}},
		{"a panic", `import "testing"; func TestA(t *testing.T) { panic("dear me") }`, "0 passed, 1 failed, 0 skipped", []string{"dear me"}},
		{"an exit before any test", `import ("os"; "testing"); func TestMain(*testing.M) { println("went early"); os.Exit(3) }`,
			"0 passed, 1 failed, 0 skipped", []string{"went early"}},
		{"what does not build", `import "testing"; func TestA(t *testing.T) { nothing() }`, "0 passed, 1 failed, 0 skipped", []string{"undefined: nothing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			module(t, c.code)
			var out bytes.Buffer
			total := filepath.Join(t.TempDir(), "total")
			got, err := run(options{total: total}, []string{"./..."}, &out)
			require.NoError(t, err)
			require.Equal(t, c.want, got.sum(), out.String())
			for _, s := range c.says {
				require.Contains(t, out.String(), s)
			}
			require.Regexp(t, regexp.QuoteMeta(c.want)+"\n$", out.String(), "the sum is the last line")
			text, err := os.ReadFile(total)
			require.NoError(t, err)
			require.Equal(t, c.want+"\n", string(text))
		})
	}
}

func TestASkipWhereNoneMayBeIsAFailure(t *testing.T) {
	module(t, `import "testing"
		func TestA(t *testing.T) { t.Skip("no display") }
		func TestB(t *testing.T) { t.Skip("no Mac") }
		func TestAC(t *testing.T) { t.Skip("the race detector multiplies memory") }`)
	var out bytes.Buffer
	got, err := run(options{mustRun: regexp.MustCompile(`example.com/m\.TestA`)}, []string{"./..."}, &out)
	require.NoError(t, err)
	require.Equal(t, "0 passed, 1 failed, 2 skipped", got.sum())
	require.Contains(t, out.String(), "FAIL  example.com/m.TestA was skipped, and here it may not be: no display")
	require.Contains(t, out.String(), "skipped: example.com/m.TestB: no Mac")
}

func TestAnArgumentThatGoRefusesIsAFailure(t *testing.T) {
	module(t, "")
	var out bytes.Buffer
	got, err := run(options{}, []string{"-no-such-flag"}, &out)
	require.NoError(t, err)
	require.Equal(t, 1, got.failed)
}

func TestOwnFlagsEndWhereThoseOfGoTestBegin(t *testing.T) {
	o, rest, err := parse([]string{"-stream", "-must-run", "a|b", "-total", "f", "-race", "./..."})
	require.NoError(t, err)
	require.True(t, o.stream)
	require.Equal(t, "a|b", o.mustRun.String())
	require.Equal(t, "f", o.total)
	require.Equal(t, []string{"-race", "./..."}, rest)

	o, rest, err = parse([]string{"-must-run", "", "-race"})
	require.NoError(t, err)
	require.Nil(t, o.mustRun, "an empty expression forbids nothing")
	require.Equal(t, []string{"-race"}, rest)

	for _, bad := range [][]string{{"-total"}, {"-must-run", "("}} {
		_, _, err := parse(bad)
		require.Error(t, err)
	}
}
