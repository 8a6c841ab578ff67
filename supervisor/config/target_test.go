package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhereABackendIsAskedForItsHealth(t *testing.T) {
	for name, c := range map[string]struct {
		text            string
		url, socket     string
		health          bool
		path, address   string
		port            int
		backend         string
		certificateless bool
	}{
		"by default":     {"", "http://127.0.0.1:8000/health", "", true, "/health", "127.0.0.1:8000", 8000, "http://127.0.0.1:8000", false},
		"a path":         {"port = 9000\n[health]\npath = \"/up?deep=1\"", "http://127.0.0.1:9000/up?deep=1", "", true, "/up?deep=1", "127.0.0.1:9000", 9000, "http://127.0.0.1:9000", false},
		"no path":        {"[health]\npath = \"\"", "http://127.0.0.1:8000", "", false, "/", "127.0.0.1:8000", 8000, "http://127.0.0.1:8000", false},
		"nothing at all": {"command = [\"x\"]\nport = 0\n[health]\npath = \"\"", "", "", false, "", "", 0, "", false},
		"https on the port": {"port = 8443\n[health]\nurl = \"https://127.0.0.1:8443/health\"", "https://127.0.0.1:8443/health", "", true, "/health", "127.0.0.1:8443", 8443,
			"https://127.0.0.1:8443", true},
		"http on another port": {"[health]\nurl = \"http://localhost:9090/live\"", "http://localhost:9090/live", "", true, "/live", "localhost:9090", 9090, "http://127.0.0.1:8000", false},
		"https without a port": {"[health]\nurl = \"https://[::1]/\"", "https://[::1]/", "", true, "/", "[::1]:443", 443, "http://127.0.0.1:8000", true},
		"a Unix socket": {"command = [\"x\"]\nport = 0\n[health]\nurl = \"unix:/run/my:app.sock:/health\"", "http://localhost/health", "/run/my:app.sock", true, "/health",
			"localhost:80", 0, "", false},
		"a Unix socket in the folder": {"command = [\"x\"]\nport = 0\n[health]\nurl = \"unix:run/app.sock:/\"", "http://localhost/", "/srv/backend/run/app.sock", true, "/", "localhost:80", 0, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseConfig(Defaults("/srv/backend"), []byte(c.text))
			require.NoError(t, err)
			target := got.Target()
			require.Equal(t, Target{URL: c.url, Socket: c.socket}, target)
			require.Equal(t, c.health, got.HasHealth())
			require.Equal(t, c.backend, got.URL())
			if c.url == "" {
				return
			}
			require.Equal(t, c.path, target.Path())
			require.Equal(t, c.address, target.Address())
			require.Equal(t, c.port, target.Port())
			require.Equal(t, c.certificateless, target.TLS())
		})
	}
	require.Equal(t, Target{URL: "http://127.0.0.1:1/healthz"}, Target{URL: "http://127.0.0.1:1/health?x=1"}.At("/healthz"))
}

func TestAHealthAddressThatCannotBeAskedIsRefused(t *testing.T) {
	for text, says := range map[string]string{
		"url = \"\"":                                                 "is no address",
		"url = \"127.0.0.1:8000/health\"":                            "is no address",
		"url = \"ftp://127.0.0.1/health\"":                           "is no address",
		"url = \"http:///health\"":                                   "is no address",
		"url = \"https://example.org/health\"":                       "is not this computer",
		"url = \"http://192.168.1.4:8000/health\"":                   "is not this computer",
		"url = \"http://127.0.0.1.example.org/health\"":              "is not this computer",
		"url = \"http://0.0.0.0:8000/\"":                             "is not this computer",
		"url = \"http://me:s3cret@127.0.0.1/health\"":                "a user or password",
		"url = \"http://127.0.0.1:99999/health\"":                    "is no port",
		"url = \"http://127.0.0.1/he alth\"":                         "a space",
		"url = \"http://127.0.0.1/health#top\"":                      "no server gets to see",
		"url = \"unix:/run/app.sock\"":                               "without a path to ask",
		"url = \"unix::/health\"":                                    "without a path to ask",
		"url = \"unix:/run/app.sock://health\"":                      "begins with two",
		"url = \"http://127.0.0.1:8000/health\"\npath = \"/health\"": "is there beside path",
		"url = 8443": "wants a text",
	} {
		_, err := parseConfig(Defaults("/srv/backend"), []byte("[health]\n"+text))
		var problem *Error
		require.ErrorAs(t, err, &problem, text)
		require.Contains(t, problem.Problem, says, text)
		require.NotEmpty(t, problem.Remedy, text)
		require.NotContains(t, err.Error(), "s3cret", text)
	}
}

func FuzzAHealthAddress(f *testing.F) {
	for _, s := range []string{"https://127.0.0.1:8443/health", "unix:/run/a.sock:/health", "http://[::1]:1/", "unix:a:/", "http://localhost"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if problem, _ := urlProblem(s); problem != "" {
			return
		}
		c := Config{Dir: "/b", Health: Health{URL: s}}
		require.NotEmpty(t, c.Target().URL)
		require.NotEmpty(t, c.Target().Path())
	})
}
