package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func fixedEnv(name string) (string, bool) {
	v, ok := map[string]string{"HOME": "/home/ann", "EMPTY": ""}[name]
	return v, ok
}

// envFiles are texts with the values that python-dotenv 1.x gives for them.
var envFiles = []struct {
	text string
	want map[string]string
}{
	{"", map[string]string{}},
	{"\n\n# only a comment\n  # another\n", map[string]string{}},
	{"A=1\nB=2", map[string]string{"A": "1", "B": "2"}},
	{"A=1\r\nB=2\r\n", map[string]string{"A": "1", "B": "2"}},
	{"  A = 1  \n", map[string]string{"A": "1"}},
	{"export A=1\nexport\tB=2\nexporter=3", map[string]string{"A": "1", "B": "2", "exporter": "3"}},
	{"A=", map[string]string{"A": ""}},
	{"A=\nB=x", map[string]string{"A": "", "B": "x"}},
	{"A=''\nB=\"\"", map[string]string{"A": "", "B": ""}},
	{"A=x # comment\nB=x#y\nC='x # y' # z", map[string]string{"A": "x", "B": "x#y", "C": "x # y"}},
	{"A=https://x.y/?a=b&c=d#e", map[string]string{"A": "https://x.y/?a=b&c=d#e"}},
	{"A=p$ss$WORD$(rm)`id`", map[string]string{"A": "p$ss$WORD$(rm)`id`"}},
	{"A=\"two\nlines\"\nB='three\n\nlines'", map[string]string{"A": "two\nlines", "B": "three\n\nlines"}},
	{`A="a\nb\tc\"d\"\\e\x"`, map[string]string{"A": "a\nb\tc\"d\"\\e\\x"}},
	{`A='a\nb\'c\\'`, map[string]string{"A": `a\nb'c\`}},
	{`A={"k": "v"}`, map[string]string{"A": `{"k": "v"}`}},
	{`A="{\"k\": \"v\"}"`, map[string]string{"A": `{"k": "v"}`}},
	{"A=x\nB=${A}y\nC=\"${A}z\"", map[string]string{"A": "x", "B": "xy", "C": "xz"}},
	{"A=${HOME}/x\nB=${NO:-dflt}\nC=${NO}\nD=${EMPTY:-x}", map[string]string{"A": "/home/ann/x", "B": "dflt", "C": "", "D": ""}},
	{"A=1\nA=2", map[string]string{"A": "2"}},
	{"'A'=1", map[string]string{"A": "1"}},
	{"A=ünï 翻訳", map[string]string{"A": "ünï 翻訳"}},
	{"A=b c d", map[string]string{"A": "b c d"}},
	{"A.B=1\nC-D=2", map[string]string{"A.B": "1", "C-D": "2"}},
	{"A=it's\nB=5\"", map[string]string{"A": "it's", "B": "5\""}},
	{"A= # c\nB=# c\nC= x #\nD= 'y'", map[string]string{"A": "", "B": "# c", "C": "x", "D": "y"}},
}

func TestAnEnvFileIsReadAsPythonDotenvReadsIt(t *testing.T) {
	for _, f := range envFiles {
		vars, err := parseEnvFile("/b/.env", f.text, fixedEnv)
		require.NoError(t, err, f.text)
		require.Equal(t, f.want, vars, f.text)
	}
}

func TestSingleQuotesExpandNothing(t *testing.T) { // here python-dotenv differs from every shell
	vars, err := parseEnvFile("/b/.env", `A='${HOME}'`+"\n"+`B="\${HOME}"`, fixedEnv)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "${HOME}", "B": "${HOME}"}, vars)
}

func TestAMistakeInAnEnvFileIsToldWithItsLineAndWithoutItsValue(t *testing.T) {
	for _, m := range []struct {
		text string
		line int
		key  string
		says string
	}{
		{"A=1\nhunter2", 2, "", `has no "="`},
		{"A=1\n\n# x\nhunter2 more", 4, "", `has no "="`},
		{"=hunter2", 1, "", "is not NAME=value"},
		{"A=1\n\"hunter2", 2, "", "is not NAME=value"},
		{"A=\"x\ny\nz\"\nB=\"hunter2\n", 4, "B", "are not closed"},
		{"A='hunter2", 1, "A", "are not closed"},
		{"A='x' hunter2", 1, "A", "goes on after the closing quotes"},
		{"A=\"x\ny\" hunter2", 2, "A", "goes on after the closing quotes"},
		{"A=1\nVIVARIUM_RUN=hunter2", 2, "VIVARIUM_RUN", "Vivarium's own"},
		{"A=1\nB=hunter2\x00", 2, "B", "NUL"},
		{"A=1\n'A B'=hunter2", 2, "A B", "no name of a variable"},
		{"A=1\nA B=hunter2", 2, "", `has no "="`},
	} {
		_, err := parseEnvFile("/b/.env", m.text, fixedEnv)
		var e *Error
		require.ErrorAs(t, err, &e, m.text)
		require.Equal(t, "/b/.env", e.File)
		require.Equal(t, m.line, e.Line, m.text)
		require.Equal(t, m.key, e.Key, m.text)
		require.Contains(t, e.Problem, m.says, m.text)
		require.NotEmpty(t, e.Remedy, m.text)
		require.NotContains(t, e.Error(), "hunter2", m.text)
	}
}

func TestWhatAnEnvFileExpandsToHasALimit(t *testing.T) {
	bomb := "A=xxxxxxxxxxxxxxxx\n"
	for c := 'A'; c < 'Z'; c++ {
		bomb += fmt.Sprintf("%c=${%c}${%c}\n", c+1, c, c)
	}
	quoted := "A=" + strings.Repeat("x", 1000) + "\nB=\"" + strings.Repeat(`\\n${A}`, 200) + "\"\n"
	half := "A=" + strings.Repeat("x", 60<<10) + "\n"
	for i := range 100 {
		half += fmt.Sprintf("V%d=${A}${A}\n", i)
	}
	for says, text := range map[string]string{"O: has a value that is longer than 128 KiB": bomb, "B: has a value that is longer": quoted, "longer than 2 MiB together": half} {
		_, err := parseEnvFile("/b/.env", text, fixedEnv)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.ErrorContains(t, err, says)
		require.NotEmpty(t, e.Remedy)
	}
	vars, err := parseEnvFile("/b/.env", "A="+strings.Repeat("x", 50<<10)+"\nB=${A}${A}${NO:-y}", fixedEnv)
	require.NoError(t, err)
	require.Len(t, vars["B"], 100<<10+1)
}

func TestAnEnvFileFromDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	_, err := ReadEnvFile(path)
	require.True(t, errors.Is(err, fs.ErrNotExist))
	var e *Error
	require.ErrorAs(t, err, &e)

	t.Setenv("VIVARIUM_TEST_INHERITED", "here")
	require.NoError(t, os.WriteFile(path, []byte("\ufeffA=${VIVARIUM_TEST_INHERITED}\n"), 0o600))
	vars, err := ReadEnvFile(path)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "here"}, vars)

	require.NoError(t, os.WriteFile(path, []byte("A=\xff\n"), 0o600))
	_, err = ReadEnvFile(path)
	require.ErrorContains(t, err, ".env:1: has a byte that is no UTF-8")
}

func FuzzEnvFile(f *testing.F) {
	for _, e := range envFiles {
		f.Add(e.text)
	}
	f.Add("A=\"\\")
	f.Add("export ")
	f.Fuzz(func(t *testing.T, text string) {
		vars, err := parseEnvFile("/b/.env", text, fixedEnv)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Positive(t, e.Line)
			require.LessOrEqual(t, e.Line, 1+strings.Count(text, "\n"))
			return
		}
		for name, value := range vars {
			problem, _ := variableProblem(name, value)
			require.Empty(t, problem)
		}
	})
}
