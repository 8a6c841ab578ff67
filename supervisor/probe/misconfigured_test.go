package probe

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

func TestTheSocketOfACommandIsFoundAndNothingElseIsTakenForOne(t *testing.T) {
	for name, c := range map[string]struct {
		command []string
		socket  string
	}{
		"Uvicorn":                            {[]string{"uvicorn", "main:app", "--uds", "/run/a.sock"}, "/run/a.sock"},
		"Uvicorn, joined":                    {[]string{"uvicorn", "main:app", "--uds=/run/a.sock"}, "/run/a.sock"},
		"a module":                           {[]string{"{python}", "-m", "uvicorn", "main:app", "--uds", "/run/a.sock"}, "/run/a.sock"},
		"Daphne":                             {[]string{"daphne", "-u", "/run/a.sock", "main:app"}, "/run/a.sock"},
		"Daphne, as a module of python -u":   {[]string{"python3", "-u", "-m", "daphne", "-u", "/run/a.sock", "main:app"}, "/run/a.sock"},
		"Gunicorn":                           {[]string{"gunicorn", "-b", "unix:/run/a.sock", "main:app"}, "/run/a.sock"},
		"Gunicorn, with two slashes":         {[]string{"gunicorn", "--bind", "unix:///run/a.sock", "main:app"}, "/run/a.sock"},
		"Hypercorn behind a launcher":        {[]string{"uv", "run", "hypercorn", "--bind", "unix:a.sock", "main:app"}, "a.sock"},
		"a script of its own":                {[]string{"{python}", "main.py", "--uds", "/run/a.sock"}, "/run/a.sock"},
		"an unknown program":                 {[]string{"/opt/serve", "--bind=unix:/run/a.sock"}, "/run/a.sock"},
		"Python without buffers":             {[]string{"{python}", "-u", "/srv/app/main.py"}, ""},
		"Python without buffers, by name":    {[]string{"python3", "-u", "/srv/app/main.py", "--port", "8000"}, ""},
		"Gunicorn's user":                    {[]string{"gunicorn", "-u", "/nobody", "main:app"}, ""},
		"an unknown program's -u":            {[]string{"/opt/serve", "-u", "/var/lib/users.db"}, ""},
		"a descriptor":                       {[]string{"gunicorn", "--bind", "fd://3", "main:app"}, ""},
		"an address":                         {[]string{"gunicorn", "--bind", "127.0.0.1:8000", "main:app"}, ""},
		"an option whose value is not there": {[]string{"/opt/serve", "--uds"}, ""},
		"nothing":                            {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := Elsewhere(config.Config{Command: c.command, Port: 8000}, nil)
			if c.socket == "" {
				require.Empty(t, got)
				return
			}
			require.Contains(t, got, "it listens on the Unix socket "+c.socket+", not on 8000")
		})
	}
}

// What a person is told to write must be right when it is written.
func TestTheAddressThatIsAdvisedIsOneThatAConfigurationTakes(t *testing.T) {
	for _, socket := range []string{"/run/a.sock", "a.sock", "./run/a.sock", "/run/with:colon.sock", "/run/ünï.sock"} {
		for _, path := range []string{"", "/healthz", "/api/health?deep=1"} {
			dir := t.TempDir()
			c := config.Config{Dir: dir, Command: []string{"uvicorn", "main:app", "--uds", socket}, Port: 8000, Health: config.Health{Path: path}}
			m := regexp.MustCompile(`write (url = ".*") under \[health\]`).FindStringSubmatch(Elsewhere(c, nil))
			require.NotNil(t, m, "%s %s", socket, path)
			parsed, err := config.Parse(dir, "command = [\"uvicorn\", \"main:app\"]\n[health]\n"+m[1]+"\n")
			require.NoError(t, err)
			if path == "" {
				path = "/health"
			}
			require.Equal(t, path, parsed.Target().Path())
			require.Contains(t, parsed.Target().Socket, "/")
		}
	}
}

func TestEveryAnswerThatIsNoSuccessHasAnAdvice(t *testing.T) {
	for name, c := range map[string]struct {
		answer AnswerError
		found  string
		says   string
	}{
		"a redirect is followed by a person": {AnswerError{Status: 301, Location: "https://127.0.0.1:8000/health"}, "/healthz", "redirects to https://127.0.0.1:8000/health: name the final path"},
		"another path answers":               {AnswerError{Status: 401}, "/healthz", "(found: /healthz)"},
		"there is no such path":              {AnswerError{Status: 404}, "", `path = ""`},
		"GET is not for it":                  {AnswerError{Status: 405}, "", `path = ""`},
		"it needs a login":                   {AnswerError{Status: 403}, "", "needs no login"},
		"it needs a login of a proxy's":      {AnswerError{Status: 407}, "", "needs no login"},
		"it is not ready":                    {AnswerError{Status: 503}, "", "startup is over"},
		"a redirect that leads nowhere":      {AnswerError{Status: 304}, "", "/h answers 304"},
		"a fault":                            {AnswerError{Status: 599}, "", "read the log"},
	} {
		require.Contains(t, WrongPath("/h", &c.answer, c.found), c.says, name)
	}
}
