package config

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatTheServerSettlesIsTakenWhereTheConfigurationSaysNothing(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "8000 /health SIGINT",
		`command = ["uvicorn", "main:app"]`:  "8000 /health SIGINT",
		`command = ["gunicorn", "main:app"]`: "8000 /health SIGTERM",
		"command = [\"gunicorn\", \"main:app\"]\n[stop]\nsignal = \"SIGINT\"":                                     "8000 /health SIGINT",
		`command = ["{python}", "-m", "streamlit", "run", "app.py"]`:                                              "8501 /_stcore/health SIGINT",
		`command = ["{python}", "-m", "streamlit", "run", "app.py", "--server.port", "{port}"]`:                   "8000 /_stcore/health SIGINT",
		"port = 9000\ncommand = [\"streamlit\", \"run\", \"app.py\"]\n[health]\npath = \"/\"":                     "9000 / SIGINT",
		`command = ["celery", "-A", "tasks", "worker"]`:                                                           "0  SIGTERM",
		`command = ["{python}", "server.py"]`:                                                                     "8000 /health SIGINT",
		"command = [\"{python}\", \"-m\", \"gunicorn\", \"main:app\", \"-b\", \"127.0.0.1:{port}\"]\nport = 8100": "8100 /health SIGTERM",
	} {
		c, err := parseConfig(Defaults("/srv/backend"), []byte(text))
		require.NoError(t, err, text)
		name := map[syscall.Signal]string{syscall.SIGINT: "SIGINT", syscall.SIGTERM: "SIGTERM"}[c.Stop.Signal]
		require.Equal(t, want, fmt.Sprintf("%d %s %s", c.Port, c.Health.Path, name), text)
	}
}

func TestACommandThatTellsNoServerIsStoppedLikeAPersonWould(t *testing.T) {
	for _, words := range [][]string{nil, {"./run.sh"}, {"{python}", "main.py"}, {"{python}", "-m", "pkg"}} {
		signal, _, known := StopSignal(words)
		require.Equal(t, syscall.SIGINT, signal)
		require.False(t, known)
	}
	signal, server, known := StopSignal([]string{"gunicorn: master [main:app]"})
	require.True(t, known)
	require.Equal(t, "gunicorn", server)
	require.Equal(t, syscall.SIGTERM, signal)
}
