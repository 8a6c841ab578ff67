package doctor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

const copyServer = `import http.server, sys
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
`

func TestACopyThatAStartTakesOverIsNoFault(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	port := testkit.FreePort(t)
	toml := fmt.Sprintf("command = [\"{python}\", \"server.py\", \"{port}\"]\npython = \"python3\"\nport = %d\n", port)
	dir := patientOf(t, map[string]string{"server.py": copyServer, "vivarium.toml": toml})
	testkit.LaunchIn(t, dir, nil, "python3", "server.py", strconv.Itoa(port))
	testkit.AwaitAnswer(t, port)
	for choice, want := range map[string]CheckState{"take_over": Warn, "refuse": Fail} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "vivarium.toml"), []byte(toml+"on_port_conflict = \""+choice+"\"\n"), 0o600))
		x, err := Diagnose(t.Context(), t.TempDir(), dir, nil)
		require.NoError(t, err)
		state, check := stateOfCheck(x, "VIV012")
		require.Equal(t, want, state, check)
		require.NotEmpty(t, check.Remedy)
		require.NotContains(t, check.Remedy, "another port")
	}
}

func TestHealthIsSaidOfWhatWasAsked(t *testing.T) {
	asked := config.Health{Path: "/health"}
	for name, c := range map[string]struct {
		config config.Config
		health control.RowHealth
		state  CheckState
		text   string
	}{
		"well":           {config.Config{Port: 8000, Health: asked}, control.RowHealth{Phase: record.PhaseOK, Latency: 3.25}, Pass, "/health answers in 3.2 ms"},
		"no port":        {config.Config{Health: asked}, control.RowHealth{Phase: record.PhaseOK}, Pass, "no health path and no port"},
		"no path":        {config.Config{Port: 8000}, control.RowHealth{Phase: record.PhaseOK}, Pass, "its port 8000 was open"},
		"https":          {config.Config{Health: config.Health{URL: "https://127.0.0.1:1/h"}}, control.RowHealth{Phase: record.PhaseOK, Latency: 1}, Pass, "its certificate is not checked"},
		"misconfigured":  {config.Config{Port: 8000, Health: asked}, control.RowHealth{Phase: record.PhaseMisconfigured, Problem: "/health answers 404: name the right path"}, Fail, "/health answers 404"},
		"wrong answer":   {config.Config{Port: 8000, Health: asked}, control.RowHealth{Phase: record.PhaseWrongAnswer, Problem: "/health answers 500"}, Fail, "wrong-answer: /health answers 500"},
		"still starting": {config.Config{Port: 8000, Health: asked}, control.RowHealth{Phase: record.PhaseStarting}, Warn, "still starting"},
	} {
		e := &examiner{config: c.config, row: control.Row{PID: 1, Health: c.health}}
		e.health()
		state, check := stateOfCheck(e.x, "VIV013")
		require.Equal(t, c.state, state, name)
		require.Contains(t, check.Text, c.text, name)
		require.NotContains(t, check.Text, "0.0 ms", name)
	}
	e := &examiner{config: config.Config{Port: 8000, Health: asked}}
	e.health()
	require.Empty(t, e.x.Checks, "it does not run")
}

func TestASignalThatDoesNotFitTheServerIsSaid(t *testing.T) {
	gunicorn := []string{"{python}", "-m", "gunicorn", "main:app"}
	for name, c := range map[string]struct {
		command []string
		signal  syscall.Signal
		warns   bool
	}{
		"it fits":             {gunicorn, syscall.SIGTERM, false},
		"it does not":         {gunicorn, syscall.SIGINT, true},
		"uvicorn":             {[]string{"uvicorn", "main:app"}, syscall.SIGINT, false},
		"not known":           {[]string{"./run.sh"}, syscall.SIGINT, false},
		"uvicorn with a TERM": {[]string{"uvicorn", "main:app"}, syscall.SIGTERM, false},
	} {
		e := &examiner{config: config.Config{Command: c.command, Stop: config.Stop{Signal: c.signal}}}
		e.stopSignal()
		require.Equal(t, c.warns, len(e.x.Checks) == 1, name)
		if c.warns {
			require.Contains(t, e.x.Checks[0].Remedy, "under [stop]", name)
		}
	}
}
