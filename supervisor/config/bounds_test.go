package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// list is so many different texts, as TOML.
func list(n int, form string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%q", fmt.Sprintf(form, i))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func TestWhatIsBoundedIsTakenUpToItsBoundAndToldBeyondIt(t *testing.T) {
	deep := "[health.deep]\npath = \"/v1/models\"\n"
	for name, c := range map[string]struct {
		most, more string
		line       int
		key        string
		problem    string
	}{
		"backends to wait for": {"after = " + list(maxAfter, "b%d"), "after = " + list(maxAfter+1, "b%d"), 1, "after", "has 17 names"},
		"names for a shell":    {"login_shell_env = " + list(maxShellNames, "V%d"), "login_shell_env = " + list(maxShellNames+1, "V%d"), 1, "login_shell_env", "has 101 names"},
		"words for an event":   {"[on_event]\ncommand = " + list(maxWords, "w%d"), "[on_event]\ncommand = " + list(maxWords+1, "w%d"), 2, "on_event.command", "has 65 words"},
		"headers":              {deep + headers(maxHeaders), deep + headers(maxHeaders+1), 3, "health.deep.headers", fmt.Sprintf("has %d of them", maxHeaders+1)},
		"a limit of memory":    {"[memory]\nwarn = \"1024TiB\"", "[memory]\nwarn = \"1025TiB\"", 2, "memory.warn", "is too large"},
		"a share of memory":    {"[memory]\nwarn = \"100%\"", "[memory]\nwarn = \"100.1%\"", 2, "memory.warn", "is out of range"},
		"no number of memory":  {"[memory]\nwarn = \"1%\"", "[memory]\nwarn = \"NaN%\"", 2, "memory.warn", "is out of range"},
		"the least of memory":  {"[memory]\nrestart = 1048576", "[memory]\nrestart = 1048575", 2, "memory.restart", "is too small"},
		"a log's size":         {"[log]\nmax_size = \"1TiB\"", "[log]\nmax_size = \"1.1TiB\"", 2, "log.max_size", "is too large"},
		"a log's least size":   {"[log]\nmax_size = 1024", "[log]\nmax_size = 1023", 2, "log.max_size", "is too small"},
		"kept logs":            {"[log]\nkeep = 1000", "[log]\nkeep = 1001", 2, "log.keep", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := testkit.BackendDir(t, c.most)
			_, err := Load(dir)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte(c.more), 0o600))
			_, err = Load(dir)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.key, e.Key)
			require.Equal(t, c.line, e.Line, "%v", e)
			require.Contains(t, e.Problem, c.problem)
			require.NotEmpty(t, e.Remedy)
		})
	}
}

func headers(n int) string {
	var b strings.Builder
	b.WriteString("headers = {")
	for i := range n {
		fmt.Fprintf(&b, " \"X-H%d\" = \"v\",", i)
	}
	return strings.TrimSuffix(b.String(), ",") + " }"
}

// What cannot be seen in an editor must not become part of a path, a command or a name.
func TestControlCharactersAreToldWithTheirKey(t *testing.T) {
	for key, text := range map[string]string{
		"env_file":         `env_file = "a\nb"`,
		"log.file":         "[log]\nfile = \"a\\u0007b\"",
		"on_event.command": "[on_event]\ncommand = [\"./tell.sh\", \"a\\u0000b\"]",
		"after":            `after = ["a\u202eb"]`,
		"login_shell_env":  `login_shell_env = ["A\nB"]`,
		"health.url":       "[health]\nurl = \"http://127.0.0.1:8000/a\\nb\"",
	} {
		_, err := Load(testkit.BackendDir(t, text))
		var e *Error
		require.ErrorAs(t, err, &e, key)
		require.Equal(t, key, e.Key)
		require.NotContains(t, e.Error(), "\n", key)
		require.NotContains(t, e.Error(), "\x00", key)
		require.NotContains(t, e.Error(), "\u202e", key)
	}
}

func TestAHealthAddressIsOfThisComputerAndHidesNothing(t *testing.T) {
	for url, says := range map[string]string{
		"http://kim:hunter2abc@127.0.0.1/health": "has a user or password in it",
		"http://hunter2abc@[::1":                 "has a user or password in it",
		"http://127.0.0.1.example.org/health":    "is not this computer",
		"http://localhost.example.org/health":    "is not this computer",
		"http://[::ffff:10.0.0.1]/health":        "is not this computer",
		"http://0.0.0.0:8000/health":             "is not this computer",
		"http://2130706433/health":               "is not this computer",
		"http://127.0.0.1:65536/health":          "is no port",
		"http://127.0.0.1:0/health":              "is no port",
		"http://127.0.0.1/health#top":            `has a "#" in it`,
		"ftp://127.0.0.1/health":                 "is no address",
		"http:///health":                         "is no address",
		"//127.0.0.1/health":                     "is no address",
		"unix:/run/a.sock":                       "without a path to ask",
		"unix::/health":                          "without a path to ask",
	} {
		_, err := Load(testkit.BackendDir(t, fmt.Sprintf("[health]\nurl = %q", url)))
		require.ErrorContains(t, err, says, url)
		require.NotContains(t, err.Error(), "hunter2abc", url)
	}
	for url, want := range map[string]Target{
		"http://127.0.0.1/health":          {URL: "http://127.0.0.1/health"},
		"https://LOCALHOST:8443/":          {URL: "https://LOCALHOST:8443/"},
		"http://[::ffff:127.0.0.1]:1/h":    {URL: "http://[::ffff:127.0.0.1]:1/h"},
		"http://127.9.9.9:8000/h?x=1":      {URL: "http://127.9.9.9:8000/h?x=1"},
		"unix:/run/with:/colon.sock:/h?x":  {URL: "http://localhost/h?x", Socket: "/run/with:/colon.sock"},
		"unix:/run/with:colon.sock:/a/b:c": {URL: "http://localhost/a/b:c", Socket: "/run/with:colon.sock"},
	} {
		c, err := Load(testkit.BackendDir(t, fmt.Sprintf("[health]\nurl = %q", url)))
		require.NoError(t, err, url)
		require.Equal(t, want, c.Target(), url)
	}
}

// A target is also what an older app has written down: nothing may depend on its address being one.
func TestATargetThatIsNoAddressLeadsNowhere(t *testing.T) {
	for _, url := range []string{"http://[::1", "%zz", "http://127.0.0.1:x/"} {
		target := Target{URL: url}
		require.Zero(t, target.Port(), url)
		require.Equal(t, target.URL, target.At("/x").URL, "%q is kept as it is", url)
	}
	require.Equal(t, "http://127.0.0.1:8000/x?y=1", Target{URL: "http://127.0.0.1:8000/health?deep=1"}.At("/x?y=1").URL)
	require.Equal(t, 443, Target{URL: "https://127.0.0.1/"}.Port())
	require.Zero(t, Target{URL: "http://localhost/health", Socket: "/run/a.sock"}.Port())
}

func TestTwoTextsThatDifferHaveDifferentSums(t *testing.T) {
	dir := testkit.BackendDir(t, "port = 8001")
	load := func(text, env string) string {
		require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte(text), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, ".env"), []byte(env), 0o600))
		c, err := Load(dir)
		require.NoError(t, err)
		return c.Sum()
	}
	first := load("port = 8001", "A=1")
	require.NotEmpty(t, first)
	require.Equal(t, first, load("port = 8001", "A=1"))
	require.NotEqual(t, first, load("port = 8002", "A=1"))
	require.NotEqual(t, first, load("port = 8001", "A=2"))
}

func TestAFileThatMayNotBeReadIsToldWithWhatHelps(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("the administrator may read everything")
	}
	dir := testkit.BackendDir(t, "port = 8001")
	require.NoError(t, os.Chmod(filepath.Join(dir, FileName), 0))
	_, err := Load(dir)
	require.ErrorIs(t, err, os.ErrPermission)
	require.ErrorContains(t, err, "chmod u+r")
	var e *Error
	require.True(t, errors.As(err, &e))
}
