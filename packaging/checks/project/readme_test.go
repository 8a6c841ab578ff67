package project

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/doctor"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

var update = flag.Bool("update", false, "write the README's tables anew")

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top(t), "README.md"))
	require.NoError(t, err)
	return string(text)
}

// between is what a page has between two marks.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	require.True(t, ok, "there is no %q", from)
	inside, _, ok := strings.Cut(rest, to)
	require.True(t, ok, "there is no %q after %q", to, from)
	return inside
}

func TestTheReadmeSaysOfEachVariableWhatTheCodeSays(t *testing.T) {
	var b strings.Builder
	b.WriteString("\n| variable | set to | on | what it does, and what it does not |\n|---|---|---|---|\n")
	for _, v := range environment.Table() {
		on := map[string]string{"": "Mac, Linux", "darwin": "Mac", "linux": "Linux"}[v.Only]
		b.WriteString("| `" + v.Name + "` | `" + v.Value + "` | " + on + " | " + strings.ReplaceAll(v.Why, "|", `\|`) + " |\n")
	}
	written(t, "README.md", "<!-- variables: written by `go test ./packaging/checks/project -update` -->", "<!-- end of variables -->", b.String())
}

func TestTheReadmeNamesEveryKindOfStall(t *testing.T) {
	var b strings.Builder
	b.WriteString("\n| kind | what it means |\n|---|---|\n")
	for _, m := range stall.Kinds() {
		b.WriteString("| `" + string(m.Kind) + "` | " + m.Means + " |\n")
	}
	written(t, "README.md", "<!-- stalls: written by `go test ./packaging/checks/project -update` -->", "<!-- end of stalls -->", b.String())
}

func TestThePageOfTheDoctorNamesEveryCheck(t *testing.T) {
	var b strings.Builder
	b.WriteString("\n| code | name | what it looks at |\n|---|---|---|\n")
	for _, c := range doctor.CheckCodes() {
		b.WriteString("| `" + c[0] + "` | " + c[1] + " | " + c[2] + " |\n")
	}
	written(t, "packaging/docs/doctor.md", "<!-- checks: written by `go test ./packaging/checks/project -update` -->", "<!-- end of checks -->", b.String())
}

// written asserts that a page has the table between its marks, or writes it.
func written(t *testing.T, page, from, to, table string) {
	t.Helper()
	path := filepath.Join(top(t), page)
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	text := string(raw)
	inside := between(t, text, from, to)
	if *update {
		text = strings.Replace(text, from+inside+to, from+table+to, 1)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	require.Equal(t, table, inside, "run go test ./packaging/checks/project -update")
}

var fence = regexp.MustCompile("(?s)```toml\n(.*?)```")

func TestEveryConfigurationInTheReadmeIsRead(t *testing.T) {
	blocks := fence.FindAllStringSubmatch(readme(t), -1)
	require.NotEmpty(t, blocks)
	for _, b := range blocks {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, ".env"), nil, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "vivarium.toml"), []byte(b[1]), 0o644))
		_, err := config.Load(dir)
		require.NoError(t, err, b[1])
	}
}

// The configuration that shows every key shows the defaults: an empty file means the same.
func TestTheReadmesWholeConfigurationIsTheDefault(t *testing.T) {
	whole := ""
	for _, b := range fence.FindAllStringSubmatch(readme(t), -1) {
		if len(b[1]) > len(whole) {
			whole = b[1]
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "vivarium.toml")
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".env"), nil, 0o644))
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	want, err := config.Load(dir)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(whole), 0o644))
	got, err := config.Load(dir)
	require.NoError(t, err)

	require.Equal(t, "backend", got.Name)
	got.Name, got.Environment, got.EnvFileNamed, got.IntervalNamed = want.Name, want.Environment, want.EnvFileNamed, want.IntervalNamed
	a, err := json.Marshal(want) // what it remembers of the files themselves is not exported
	require.NoError(t, err)
	b, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, string(a), string(b))
}

func TestTheReadmeGivesAReasonForEachModule(t *testing.T) {
	section := between(t, readme(t), "## Dependencies\n", "\n## ")
	var named []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| \\S.* \\|$").FindAllStringSubmatch(section, -1) {
		named = append(named, m[1])
	}
	slices.Sort(named)
	require.Equal(t, direct(t), named)
}

func TestWhatTheReadmeAndItsPagesLinkToExists(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(top(t), "packaging/docs/*.md"))
	require.NoError(t, err)
	linked := readme(t)
	for _, page := range append(pages, filepath.Join(top(t), "README.md")) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(page), m[1]))
			require.NoError(t, err, page)
		}
		if filepath.Base(page) != "README.md" {
			require.Contains(t, linked, "packaging/docs/"+filepath.Base(page), "nobody finds a page that nothing links to")
		}
	}
	reading := between(t, readme(t)+"\n## ", "## How it is built\n", "\n## ")
	require.Contains(t, reading, "supervisor/machine.go")
	begin, err := os.ReadFile(filepath.Join(top(t), "packaging/docs/architecture.md"))
	require.NoError(t, err)
	for _, m := range regexp.MustCompile("`([a-z/_]+\\.go)`").FindAllStringSubmatch(reading+string(begin), -1) {
		_, err := os.Stat(filepath.Join(top(t), m[1]))
		require.NoError(t, err)
	}
}

// The README is what a person reads before he tries it: what is longer than that is on a page of its own.
func TestTheReadmeStaysReadable(t *testing.T) {
	require.LessOrEqual(t, strings.Count(readme(t), "\n"), 380)
}

func TestTheReadmesCommandsAreThoseOfTheProgram(t *testing.T) {
	program := filepath.Join(t.TempDir(), "vivarium")
	build := exec.Command("go", "build", "-o", program, module+"/cmd/vivarium")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	section := between(t, readme(t), "## Command line\n", "\n## ")
	for _, m := range regexp.MustCompile("`vivarium ([a-z]+)[^`]*`").FindAllStringSubmatch(section, -1) {
		out, err := exec.Command(program, m[1], "--help").CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "vivarium "+m[1], "the program does not know %q", m[1])
	}
}

func TestTheMakefileHasEveryTargetOfTheReadme(t *testing.T) {
	var text []byte
	for _, file := range []string{"Makefile", "packaging/mac/app.mk"} {
		one, err := os.ReadFile(filepath.Join(top(t), file))
		require.NoError(t, err)
		text = append(text, one...)
	}
	for _, m := range regexp.MustCompile("(?:`|\n)make ([a-z0-9]+)").FindAllStringSubmatch(readme(t), -1) {
		require.Regexp(t, "(?m)^"+m[1]+"( [a-z]+)*:", string(text))
	}
}
