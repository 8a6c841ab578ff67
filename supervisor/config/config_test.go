package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func TestAFolderWithoutConfigurationHasTheDefaults(t *testing.T) {
	dir := testkit.BackendDir(t, "")
	c, err := Load(dir)
	require.NoError(t, err)
	c.marks = nil
	require.Equal(t, Config{
		Dir: dir, File: filepath.Join(dir, "vivarium.toml"), Name: filepath.Base(dir),
		Command: []string{"{python}", "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "{port}"},
		Python:  "auto", Port: 8000, Autostart: true, EnvFile: filepath.Join(dir, ".env"), OnPortConflict: "take_over", KeepAwake: "never",
		Health: Health{
			Path: "/health", Interval: 5 * time.Second, Timeout: 3 * time.Second, Startup: 3 * time.Minute, Failures: 3, BusyLimit: 10 * time.Minute,
			QuietStart: 30 * time.Second,
		},
		Restart:     Restart{Policy: "on-crash", Stable: time.Minute, GiveUpAfter: 5},
		Stop:        Stop{Signal: syscall.SIGINT, Grace: 10 * time.Second},
		Log:         Log{File: filepath.Join(dir, "logs/server.log"), MaxSize: 50_000_000, Keep: 5},
		Recorder:    Recorder{Enabled: true},
		OnEvent:     OnEvent{Events: []string{"crashed", "ended", "gave-up", "port-taken", "stalled", "unhealthy", "worker-loop"}, Timeout: 10 * time.Second},
		Memory:      guard.Policy{Warn: guard.Limit{Percent: 85}, For: 30 * time.Second},
		Environment: map[string]string{},
	}, c)
	require.Equal(t, "http://127.0.0.1:8000", c.URL())
}

const fullConfig = `name      = "backend"
command   = ["{python}", "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "{port}"]
python    = "auto"
port      = 8000
autostart = true
env_file  = ".env"
on_port_conflict = "take_over"
keep_awake = "never"
login_shell_env = []
after = []
[health]
path = "/health"
interval = "5s"
timeout = "3s"
startup = "3m"
failures = 3
busy_limit = "10m"
quiet_start = "30s"
restart_hung = false
[restart]
policy = "on-crash"
stable = "1m"
give_up_after = 5
[stop]
signal = "SIGINT"
grace = "10s"
[log]
file = "logs/server.log"
max_size = "50MB"
keep = 5
[recorder]
enabled = true
[on_event]
events = ["crashed", "ended", "gave-up", "port-taken", "stalled", "unhealthy", "worker-loop"]
timeout = "10s"
command = ["./tell.sh"]
[memory]
warn = "85%"
restart = ""
for = "30s"
[environment]
OMP_NUM_THREADS = "4"
`

func TestTheDocumentedConfigurationSaysTheDefaults(t *testing.T) {
	dir := testkit.BackendDir(t, fullConfig)
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".env"), nil, 0o600))
	c, err := Load(dir)
	require.NoError(t, err)
	want := Defaults(dir)
	want.Name, want.EnvFileNamed, want.IntervalNamed, want.Environment = "backend", true, true, map[string]string{"OMP_NUM_THREADS": "4"}
	want.OnEvent.Command = []string{"./tell.sh"} // by default there is none
	c.marks, c.afterLine = nil, 0
	require.Equal(t, want, c)
}

func TestEveryKeyIsRead(t *testing.T) {
	dir := testkit.BackendDir(t, "\ufeff"+`
name = "Übersetzer 翻訳"
command = ["{python}", "server.py"]
python = "~/py/bin/python"
port = 0
autostart = false
env_file = ""
on_port_conflict = "refuse"
keep_awake = "busy"
login_shell_env = ["PATH", "_x1"]
log = {file = "/var/log/x.log", max_size = 1048576, keep = 0}
health.path = ""
health.interval = "1m30s"
health.timeout = "100ms"
health.startup = "2h"
health.failures = 1
health.busy_limit = "1h"
health.quiet_start = "10s"
recorder.enabled = false
health.restart_hung = true
restart.policy = "never"
restart.stable = "0s"
restart.give_up_after = 0
stop.signal = "term"
stop.grace = "0s"
after = ["database", " models "]
on_event.command = ["~/bin/tell", "--to", "me"]
on_event.events = ["healthy", "crashed", "healthy"]
on_event.timeout = "1m"
memory.warn = 12000000000
memory.restart = " 92.5 % "
memory.for = "2m"
[environment]
A = ""
"B.C" = "1=2"
`)
	t.Setenv("HOME", "/home/ann")
	c, err := Load(dir)
	require.NoError(t, err)
	c.marks = nil
	require.Equal(t, Error{File: c.File, Line: 26, Key: "after", Problem: "x", Remedy: "y"}, *c.AfterError("x", "y"))
	c.afterLine = 0
	require.Equal(t, Config{
		Dir: dir, File: filepath.Join(dir, "vivarium.toml"), Name: "Übersetzer 翻訳", Command: []string{"{python}", "server.py"},
		Python: "/home/ann/py/bin/python", OnPortConflict: "refuse", KeepAwake: "busy", IntervalNamed: true, LoginShellEnv: []string{"PATH", "_x1"},
		Health: Health{
			Interval: 90 * time.Second, Timeout: 100 * time.Millisecond, Startup: 2 * time.Hour, Failures: 1, BusyLimit: time.Hour,
			QuietStart: 10 * time.Second, RestartHung: true,
		},
		Restart:     Restart{Policy: "never"},
		Stop:        Stop{Signal: syscall.SIGTERM},
		Log:         Log{File: "/var/log/x.log", MaxSize: 1 << 20},
		After:       []string{"database", "models"},
		OnEvent:     OnEvent{Command: []string{"/home/ann/bin/tell", "--to", "me"}, Events: []string{"healthy", "crashed"}, Timeout: time.Minute},
		Memory:      guard.Policy{Warn: guard.Limit{Bytes: 12_000_000_000}, Restart: guard.Limit{Percent: 92.5}, For: 2 * time.Minute},
		Environment: map[string]string{"A": "", "B.C": "1=2"},
	}, c)
	require.Empty(t, c.URL())
}

// mistake is what people get wrong, with the line, the key and the remedy that they are shown.
type mistake struct {
	name, text  string
	line        int
	key         string
	says, mends string
}

var mistakes = []mistake{
	{"a typo in a key", "port = 8000\nprot = 8000", 2, "prot", "is not a key", "did you mean port?"},
	{"a typo in a section", "\n[helth]\npath = '/'", 2, "helth", "is not a key", "did you mean [health]?"},
	{"a typo in a section's key", "[health]\nintervall = '5s'", 2, "health.intervall", "is not a key", "did you mean interval in [health]?"},
	{"a hyphen for an underscore", "[restart]\ngive-up-after = 3", 2, "restart.give-up-after", "is not a key", "did you mean give_up_after in [restart]?"},
	{"a key outside its section", "grace = '5s'", 1, "grace", "is not a key", "did you mean grace in [stop]?"},
	{"a key in capitals", "Port = 8000", 1, "Port", "is not a key", "did you mean port?"},
	{"a section's key in capitals", "health = {Path = '/'}", 1, "health.Path", "is not a key", "did you mean path in [health]?"},
	{"a key of somebody else", "workers_per_core = 4", 1, "workers_per_core", "is not a key", "remove it"},
	{"a port in quotes", "name = 'x'\nport = \"8000\"", 2, "port", "wants a whole number, not a string", "port = 8000"},
	{"a port with a fraction", "port = 80.5", 1, "port", "wants a whole number, not a float", "port = 8000"},
	{"a port that is none", "port = 65536", 1, "port", "65536 is no port", "from 1 to 65535"},
	{"a negative port", "port = -1", 1, "port", "-1 is no port", "from 1 to 65535"},
	{"a port beyond all numbers", "port = 99999999999999999999", 1, "port", "too large", "port = 8000"},
	{"a name that is a number", "name = 7", 1, "name", "wants a text, not an integer", `name = "backend"`},
	{"an empty name", "name = ' '", 1, "name", "is empty", "the folder's name"},
	{"a name that is too long", "name = '" + strings.Repeat("ü", 65) + "'", 1, "name", "has 65 characters", "at most 64"},
	{"a name with a line break", `name = "a\nb"`, 1, "name", "line break", `name = "backend"`},
	{"a command in one text", "command = 'uvicorn main:app'", 1, "command", "wants a list of words, not a string", `["{python}"`},
	{"a command of one word", "\ncommand = ['uvicorn main:app --port 8000']", 2, "command", "no shell splits it", "a text of its own"},
	{"a command with a number", "command = ['x', 8000]", 1, "command", "wants a list of words, not an integer", `["{python}"`},
	{"an empty command", "command = []", 1, "command", "is empty", `["{python}"`},
	{"an empty first word", "command = ['']", 1, "command", "is empty", `["{python}"`},
	{"an unknown placeholder", "command = ['{pyhton}', 'x.py']", 1, "command", "{pyhton} is not a placeholder", "{python} and {port}"},
	{"a NUL in the command", `command = ["x", "\u0000"]`, 1, "command", "NUL", "remove it"},
	{"two ports", "command = ['x', '--port', '9000']", 1, "command", "says port 9000, but the port is 8000", "port = 9000"},
	{"two ports, joined", "port = 1\ncommand = ['x', '--port=9000']", 2, "command", "says port 9000, but the port is 1", "--port {port}"},
	{"{port} without a port", "port = 0", 1, "port", "listens nowhere", "set a port"},
	{"{port} without a port, both set", "port = 0\ncommand = ['x', '{port}']", 2, "command", "listens nowhere", "set a port"},
	{"an empty interpreter", "python = ''", 1, "python", "is empty", `"auto"`},
	{"an interpreter with a line break", `python = "a\nb"`, 1, "python", "line break", `"auto"`},
	{"a switch in words", "autostart = 'yes'", 1, "autostart", "wants true or false, not a string", "autostart = true"},
	{"a switch as a number", "[health]\nrestart_hung = 1", 2, "health.restart_hung", "wants true or false, not an integer", "restart_hung = false"},
	{"a choice with a hyphen", "on_port_conflict = 'take-over'", 1, "on_port_conflict", `"take-over" is not known`, `did you mean "take_over"?`},
	{"a choice that is none", "keep_awake = 'always'", 1, "keep_awake", `"always" is not known`, "never, busy, running"},
	{"keep_awake as a switch", "keep_awake = true", 1, "keep_awake", "wants a text, not true or false", `keep_awake = "busy"`},
	{"a choice of our own", "on_port_conflict = 'kill'", 1, "on_port_conflict", `"kill" is not known`, "take_over, refuse"},
	{"a policy with an underscore", "[restart]\npolicy = 'on_crash'", 2, "restart.policy", "is not known", `did you mean "on-crash"?`},
	{"Docker's policy", "[restart]\npolicy = 'unless-stopped'", 2, "restart.policy", "is not known", "on-crash, always, never"},
	{"a path without a slash", "[health]\npath = 'health'", 2, "health.path", `does not begin with "/"`, `path = "/health"`},
	{"a whole address", "[health]\npath = 'http://127.0.0.1:8000/health'", 2, "health.path", "is a whole address", "the path alone"},
	{"two slashes", "[health]\npath = '//x'", 2, "health.path", `two "/"`, "the path alone"},
	{"a path with a space", "[health]\npath = '/he alth'", 2, "health.path", "a space", "the path alone"},
	{"a path with a line break", "[health]\npath = \"/h\\r\\nX: y\"", 2, "health.path", "a control character", "the path alone"},
	{"a path with a fragment", "[health]\npath = '/#x'", 2, "health.path", `a "#"`, "the path alone"},
	{"a path with a broken escape", "[health]\npath = '/%zz'", 2, "health.path", "no path", "the path alone"},
	{"a duration without unit", "[health]\ninterval = '5'", 2, "health.interval", "has no unit", `interval = "5s"`},
	{"a duration as a number", "[health]\ninterval = 5", 2, "health.interval", "wants a duration in quotes, not an integer", `interval = "5s"`},
	{"a duration without quotes", "[health]\ninterval = 5s", 2, "", "is not TOML", "quotes"},
	{"a duration in words", "[health]\ntimeout = '5 seconds'", 2, "health.timeout", "is no duration", `timeout = "3s"`},
	{"an empty duration", "[health]\ntimeout = ''", 2, "health.timeout", "is no duration", `timeout = "3s"`},
	{"no duration", "[health]\ninterval = '0s'", 2, "health.interval", "too short", "at least 50ms"},
	{"a negative duration", "[health]\nstartup = '-3m'", 2, "health.startup", "too short", "at least 10ms"},
	{"a duration of days", "[health]\nbusy_limit = '48h'", 2, "health.busy_limit", "too long", "at most 24h"},
	{"a negative grace", "[stop]\ngrace = '-1s'", 2, "stop.grace", "too short", "at least 0s"},
	{"a negative stable", "[restart]\nstable = '-1s'", 2, "restart.stable", "too short", "at least 0s"},
	{"no failures", "[health]\nfailures = 0", 2, "health.failures", "out of range", "from 1 to 1000"},
	{"a negative count", "[restart]\ngive_up_after = -1", 2, "restart.give_up_after", "out of range", "from 0 to 1000"},
	{"a signal to kill with", "[stop]\nsignal = 'SIGKILL'", 2, "stop.signal", "no chance to clean up", `"SIGINT"`},
	{"a signal that is none", "[stop]\nsignal = 'SIGNIT'", 2, "stop.signal", "is not a signal to stop with", "SIGTERM"},
	{"a signal by number", "[stop]\nsignal = 15", 2, "stop.signal", "wants a text, not an integer", `signal = "SIGINT"`},
	{"a size without sense", "[log]\nmax_size = 'big'", 2, "log.max_size", "is no size", `max_size = "50MB"`},
	{"a size that is a switch", "[log]\nmax_size = true", 2, "log.max_size", "wants a size", `max_size = "50MB"`},
	{"a size of nothing", "[log]\nmax_size = '0'", 2, "log.max_size", "too small", `max_size = "50MB"`},
	{"a size of everything", "[log]\nmax_size = '2TiB'", 2, "log.max_size", "too large", `max_size = "50MB"`},
	{"too many old logs", "[log]\nkeep = 100000", 2, "log.keep", "out of range", "from 0 to 1000"},
	{"no log file", "[log]\nfile = ''", 2, "log.file", "is empty", `file = "logs/server.log"`},
	{"a log that is a folder by name", "[log]\nfile = 'logs/'", 2, "log.file", "is a folder", `file = "logs/server.log"`},
	{"a log that is a folder", "[log]\nfile = '.'", 2, "log.file", "is a folder", "name a file in it"},
	{"a log that is a device", "[log]\nfile = '/dev/null'", 2, "log.file", "not a regular file", "an ordinary file"},
	{"a log below a file", "[log]\nfile = 'vivarium.toml/x'", 2, "log.file", "is a file, not a folder", "another folder"},
	{"a log over the configuration", "[log]\nfile = './vivarium.toml'", 2, "log.file", "would write into vivarium.toml", "another file"},
	{"a log over the env_file", "[log]\nfile = '.env'", 2, "log.file", "would write into .env", "another file"},
	{"a name with its value", "\nlogin_shell_env = ['HF_TOKEN=hf_secret']", 2, "login_shell_env", "wants names alone", "[environment]"},
	{"a name for a shell to stumble on", "login_shell_env = ['PATH; rm -rf ~']", 1, "login_shell_env", "is no name of a variable", `["PATH", "HF_TOKEN"]`},
	{"a name that begins with a digit", "login_shell_env = ['1A']", 1, "login_shell_env", "is no name of a variable", `["PATH", "HF_TOKEN"]`},
	{"a name that is empty", "login_shell_env = ['']", 1, "login_shell_env", "is no name of a variable", `["PATH", "HF_TOKEN"]`},
	{"a name twice", "login_shell_env = ['A', 'B', 'A']", 1, "login_shell_env", "A is there twice", "keep one"},
	{"the shell as a switch", "login_shell_env = true", 1, "login_shell_env", "wants a list of names, not true or false", `["PATH", "HF_TOKEN"]`},
	{"our own mark from a shell", "login_shell_env = ['VIVARIUM_RUN']", 1, "login_shell_env", "own mark", "remove it"},
	{"an env_file that is not there", "port = 1\nenv_file = 'prod.env'", 2, "env_file", "is not there", "make it"},
	{"an env_file that is a folder", "env_file = '.'", 1, "env_file", "is a folder", "name a file"},
	{"a variable that is a number", "[environment]\n\nOMP_NUM_THREADS = 4", 3, "environment.OMP_NUM_THREADS", "wants a text in quotes, not an integer", `OMP_NUM_THREADS = "4"`},
	{"a variable that is a switch", "[environment]\nA = true", 2, "environment.A", "wants a text in quotes, not true or false", `OMP_NUM_THREADS = "4"`},
	{"a variable that is a section", "[environment.A]\nB = '1'", 1, "environment.A", "wants a text in quotes, not a section", `OMP_NUM_THREADS = "4"`},
	{"a variable with a NUL", "[environment]\nA = \"x\\u0000\"", 2, "environment.A", "NUL", "remove it"},
	{"the recorder's variable", "[environment]\nVIVARIUM_RECORDER = 'x'", 2, "environment.VIVARIUM_RECORDER", "Vivarium's own", "remove it"},
	{"the recorder's variable from a shell", "login_shell_env = ['VIVARIUM_RECORDER']", 1, "login_shell_env", "own mark", "remove it"},
	{"a recorder that is a word", "[recorder]\nenabled = 'no'", 2, "recorder.enabled", "wants true or false", "enabled = true"},
	{"a quiet start that is none", "[health]\nquiet_start = '0s'", 2, "health.quiet_start", "", ""},
	{"a variable that is ours", "[environment]\nVIVARIUM_RUN = 'x'", 2, "environment.VIVARIUM_RUN", "Vivarium's own", "remove it"},
	{"a variable with an equals sign", "[environment]\n'A=B' = 'x'", 2, "environment.A=B", "is no name of a variable", "letters"},
	{"a variable without a name", "[environment]\n'' = 'x'", 2, "environment.", "has no name", "NAME ="},
	{"the environment as a text", "environment = 'A=1'", 1, "environment", "wants a section, not a string", "[environment]"},
	{"a section as a list", "[[health]]\npath = '/'", 1, "health", "wants a section, not a list of sections", "[health]"},
	{"a key that is there twice", "port = 1\nport = 2", 2, "port", "is there twice", "keep one"},
	{"a section that is there twice", "[log]\n[stop]\n[log]", 3, "log", "is there twice", "keep one"},
	{"open quotes", "name = 'x'\npython = \"auto\nport = 1", 2, "", "is not TOML, at column", "quotes"},
	{"an open bracket", "command = ['x',\nport = 1", 2, "", "is not TOML, at column", "brackets"},
	{"a key without a value", "port =\n", 1, "", "is not TOML, at column", "check"},
	{"a line of prose", "name = 'x'\nHello there", 2, "", "is not TOML, at column", "check"},
	{"a shell's assignment", "[environment]\nexport A=1", 2, "", "is not TOML, at column", "check"},
	{"bytes that are no text", "port = 1\nname = '\xff'", 2, "", "no UTF-8", "save it as UTF-8"},
	{"UTF-16", "\xff\xfep\x00", 1, "", "UTF-16", "save it as UTF-8"},
}

func TestEveryMistakeIsToldWithFileLineAndRemedy(t *testing.T) {
	for _, m := range slices.Concat(mistakes, orderMistakes, memoryMistakes) {
		t.Run(m.name, func(t *testing.T) {
			dir := testkit.BackendDir(t, m.text)
			c, err := Load(dir)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, filepath.Join(dir, FileName), e.File)
			require.Equal(t, m.line, e.Line, e.Error())
			require.Equal(t, m.key, e.Key, e.Error())
			require.Contains(t, e.Problem, m.says)
			require.Contains(t, e.Remedy, m.mends)
			require.NotContains(t, e.Error(), "\n")
			require.Regexp(t, regexp.MustCompile(`^/.*vivarium\.toml:\d+: .+; .+`), e.Error())
			want := Defaults(dir)
			require.Equal(t, want, c, "the default comes with the error")
		})
	}
}

func TestTheErrorIsOneLineWithFileLineKeyProblemAndRemedy(t *testing.T) {
	e := &Error{File: "/b/vivarium.toml", Line: 3, Key: "port", Problem: "70000\nis no port\x1b[31m", Remedy: "write another"}
	require.Equal(t, "/b/vivarium.toml:3: port: 70000 is no port?[31m; write another", e.Error())
	require.Equal(t, "/b: there is no such folder", (&Error{File: "/b", Problem: "there is no such folder"}).Error())
}

func TestEveryKeyHasAnExampleThatIsRight(t *testing.T) {
	for key, rule := range keyRules {
		text := rule.example
		if dot := strings.LastIndexByte(key, '.'); dot >= 0 && rule.wants != "a section" || key == "health.deep.headers" {
			text = "[" + key[:dot] + "]\n" + text
		}
		if strings.HasPrefix(key, "health.deep") && key != "health.deep.path" { // without a path there is no deep probe
			text += "\npath = '/x'"
		}
		_, err := parseConfig(Defaults("/b"), []byte(text))
		require.NoError(t, err, key)
	}
	_, err := parseConfig(Defaults("/b"), []byte("[environment]\n"+variableRule.example))
	require.NoError(t, err)
}

func TestFilesThatCannotBeRead(t *testing.T) {
	load := func(t *testing.T, dir string) *Error {
		_, err := Load(dir)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.NotEmpty(t, e.Problem)
		return e
	}
	t.Run("a folder of that name", func(t *testing.T) {
		dir := testkit.BackendDir(t, "")
		require.NoError(t, os.Mkdir(filepath.Join(dir, FileName), 0o700))
		require.Contains(t, load(t, dir).Error(), "is a folder, not a file; remove or rename")
	})
	t.Run("a named pipe does not make us wait", func(t *testing.T) {
		dir := testkit.BackendDir(t, "")
		require.NoError(t, syscall.Mkfifo(filepath.Join(dir, FileName), 0o600))
		require.Contains(t, load(t, dir).Error(), "is a named pipe, not a regular file; put an ordinary text file in its place")
	})
	t.Run("a file that is too large", func(t *testing.T) {
		dir := testkit.BackendDir(t, "# "+strings.Repeat("x", maxConfig))
		require.Contains(t, load(t, dir).Error(), "is larger than 1 MiB")
	})
	t.Run("the largest file", func(t *testing.T) {
		_, err := Load(testkit.BackendDir(t, "# "+strings.Repeat("x", maxConfig-2)))
		require.NoError(t, err)
	})
	t.Run("a link to nothing", func(t *testing.T) {
		dir := testkit.BackendDir(t, "")
		require.NoError(t, os.Symlink("nothing", filepath.Join(dir, FileName)))
		require.Contains(t, load(t, dir).Error(), "is a link to a file that is not there")
	})
	t.Run("no folder", func(t *testing.T) {
		e := load(t, filepath.Join(t.TempDir(), "gone"))
		require.Contains(t, e.Error(), "there is no such folder")
		require.True(t, errors.Is(e, os.ErrNotExist))
	})
	t.Run("a file for a folder", func(t *testing.T) {
		dir := testkit.BackendDir(t, "port = 1")
		require.Contains(t, load(t, filepath.Join(dir, FileName)).Error(), "is a file, not a folder")
	})
}

func TestTheFolderIsTheOneBehindTheLinks(t *testing.T) {
	dir := testkit.BackendDir(t, "")
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	c, err := Load(link)
	require.NoError(t, err)
	require.Equal(t, dir, c.Dir)
	t.Chdir(dir)
	c, err = Load(".")
	require.NoError(t, err)
	require.Equal(t, dir, c.Dir)
}

func TestAFolderNameOfAnyBytesMakesANameForPeople(t *testing.T) {
	require.Equal(t, "a_b_c", folderName("/x/a\nb\xffc"))
	require.Equal(t, strings.Repeat("ü", 64), folderName("/x/"+strings.Repeat("ü", 100)))
	require.Equal(t, "/", folderName("/"))
	require.Equal(t, "backend", folderName("/x/ "))
}

func TestAChangeIsSeen(t *testing.T) {
	load := func(t *testing.T, text string) (Config, func(name, text string)) {
		dir := testkit.BackendDir(t, text)
		old := time.Now().Add(-time.Hour)
		if text != "" {
			require.NoError(t, os.Chtimes(filepath.Join(dir, FileName), old, old))
		}
		c, err := Load(dir)
		require.NoError(t, err)
		require.False(t, c.Changed())
		return c, func(name, text string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
	}
	t.Run("in vivarium.toml", func(t *testing.T) {
		c, write := load(t, "port = 1")
		write(FileName, "port = 2")
		require.True(t, c.Changed())
		write(FileName, "port = 1")
		require.False(t, c.Changed(), "saved with the same text, or changed back")
		require.NoError(t, os.Remove(c.File))
		require.True(t, c.Changed())
	})
	t.Run("of the env_file", func(t *testing.T) {
		c, write := load(t, "port = 1")
		write(".env", "A=1")
		require.True(t, c.Changed())
	})
	t.Run("a new vivarium.toml", func(t *testing.T) {
		c, write := load(t, "")
		write(FileName, "port = 2")
		require.True(t, c.Changed())
	})
	t.Run("within the clock's grain", func(t *testing.T) {
		dir := testkit.BackendDir(t, "port = 1")
		c, err := Load(dir)
		require.NoError(t, err)
		st, err := os.Stat(c.File)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(c.File, []byte("port = 2"), 0o600))
		require.NoError(t, os.Chtimes(c.File, st.ModTime(), st.ModTime()))
		require.True(t, c.Changed())
	})
	t.Run("a byte-order mark is no change", func(t *testing.T) {
		c, write := load(t, "\ufeffport = 1")
		write(FileName, "port = 1")
		require.False(t, c.Changed())
	})
	require.False(t, Config{}.Changed())
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(fullConfig))
	for _, m := range mistakes {
		f.Add([]byte(m.text))
	}
	for _, s := range []string{"a.b.c.d = 1", "[a.'b\nc'.d]", "x = {a = {b = {c = 1}}}", "[environment]\n\"\" = ''", "command = [[[[]]]]", "health = []", "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		base := Defaults("/nowhere/b")
		text, err := asUTF8(base.File, text)
		if err == nil {
			var r *reading
			if r, err = parseConfig(base, text); err == nil {
				soundConfig(t, r.Config)
				return
			}
		}
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, base.File, e.File)
		require.NotEmpty(t, e.Problem)
		require.NotEmpty(t, e.Remedy)
		require.NotContains(t, e.Error(), "\n")
		require.GreaterOrEqual(t, e.Line, 0)
	})
}

// soundConfig is what the rest of Vivarium may rely on.
func soundConfig(t *testing.T, c Config) {
	require.NotEmpty(t, c.Name)
	require.NotEmpty(t, c.Command)
	require.NotEmpty(t, c.Command[0])
	require.True(t, c.Port >= 0 && c.Port <= 65535)
	require.Positive(t, c.Health.Interval)
	require.Positive(t, c.Health.Timeout)
	require.Positive(t, c.Health.Startup)
	require.Positive(t, c.Health.Failures)
	require.Positive(t, c.Health.BusyLimit)
	require.GreaterOrEqual(t, c.Restart.GiveUpAfter, 0)
	require.Contains(t, []string{RestartAlways, RestartOnCrash, RestartNever}, c.Restart.Policy)
	require.Contains(t, []string{TakeOver, Refuse}, c.OnPortConflict)
	require.NotZero(t, c.Stop.Signal)
	require.True(t, filepath.IsAbs(c.Log.File))
	require.Positive(t, c.Log.MaxSize)
	require.NotContains(t, c.Health.Path, "\n")
	for name, value := range c.Environment {
		require.NotContains(t, name+value, "\x00")
		require.NotContains(t, name, "=")
	}
	_, _, _ = c.App(), c.Host(), c.URL()
}
