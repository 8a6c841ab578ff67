package environment

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExportsHaveAReasonAboveEachVariable(t *testing.T) {
	_, applied := Of(nil, Options{GOOS: "darwin", NoLibomp: "torch is not installed in this environment",
		Own: map[string]string{"OMP_NUM_THREADS": "1", "KMP_AFFINITY": ""}})
	golden(t, "testdata/exports.sh", Exports(applied))
}

// The values that a real shell prints are the ones that were exported, whatever is in them.
func TestARealShellReadsBackEveryValue(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skipf("there is no sh here: %v", err)
	}
	values := []string{"4", "", "a b", "it's", `"double"`, "$HOME", "`id`", "$(id)", `back\slash`, "new\nline", "tab\t", "*?[a]", "~",
		"ümläut", "a;b|c&d>e<f", "#no comment", "!history", "{a,b}", "'", "''", `\'`, "trailing ", "-n", "=", "\x01\x7f\xff"}
	var vars []Var
	var print strings.Builder
	for i, v := range values {
		name := "V" + strings.Repeat("x", i)
		vars = append(vars, Var{Name: name, Value: v, Why: "a reason with a line break\nrm -rf nothing; `id` $(id) 'quote", From: FromVivarium})
		print.WriteString(`printf '%s\0' "$` + name + "\"\n")
	}
	vars = append(vars, Var{Name: "GONE", Unset: true, Why: "it is off", From: FromEnvironment})
	print.WriteString(`printf '%s\0' "${GONE-unset}"` + "\n")
	cmd := exec.Command(sh, "-eu")
	cmd.Stdin = strings.NewReader(Exports(vars) + print.String())
	cmd.Env = []string{"GONE=still here", "HOME=/nowhere"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	require.Empty(t, stderr.String())
	require.Equal(t, append(values, "unset", ""), strings.Split(string(out), "\x00"))
}

func TestWhatNeedsNoQuotesGetsNone(t *testing.T) {
	require.Equal(t, "/b/.venv/bin/python", Quote("/b/.venv/bin/python"))
	require.Equal(t, "''", Quote(""))
	require.Equal(t, `'it'\''s'`, Quote("it's"))
}

func TestCommentsAreNarrowAndStayComments(t *testing.T) {
	for _, l := range strings.Split(Exports(Table()), "\n") {
		if strings.HasPrefix(l, "#") {
			require.LessOrEqual(t, len(l), exportWidth+40, "one long word at most")
		} else if l != "" {
			require.True(t, strings.HasPrefix(l, "export "), l)
		}
	}
	require.Empty(t, Exports(nil))
}

func TestTheTableForTheReadmeHasARowForEachVariable(t *testing.T) {
	rows := strings.Split(strings.TrimSuffix(Markdown(), "\n"), "\n")
	require.Len(t, rows, 2+len(names))
	for i, name := range names {
		row := rows[2+i]
		require.True(t, strings.HasPrefix(row, "| `"+name+"`"), row)
		require.Equal(t, 4, strings.Count(row, "|"), row)
		require.Equal(t, strings.HasPrefix(name, "DYLD_") || strings.HasPrefix(name, "OBJC_"), strings.Contains(row, "(macOS only)"))
	}
}
