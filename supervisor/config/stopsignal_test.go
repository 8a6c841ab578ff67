package config

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheStopSignalFitsTheServer(t *testing.T) {
	for command, want := range map[string]string{
		"{python} -m gunicorn main:app -k uvicorn.workers.UvicornWorker": "SIGTERM gunicorn true",
		"gunicorn main:app":                           "SIGTERM gunicorn true",
		".venv/bin/gunicorn -w 4 main:app":            "SIGTERM gunicorn true",
		"{python} .venv/bin/gunicorn main:app":        "SIGTERM gunicorn true",
		"/usr/bin/python3 -X dev -m gunicorn app:app": "SIGTERM gunicorn true",
		"gunicorn: master [main:app]":                 "SIGTERM gunicorn true",
		"{python} -m celery -A tasks worker":          "SIGTERM celery true",
		"celery -A tasks worker":                      "SIGTERM celery true",
		"{python} -m uvicorn main:app":                "SIGINT uvicorn true",
		"hypercorn main:app":                          "SIGTERM hypercorn true",
		"{python} main.py gunicorn":                   "SIGINT  false",
		"./run.sh":                                    "SIGINT  false",
		"./start --with gunicorn":                     "SIGINT  false",
	} {
		words := strings.Fields(command)
		if strings.HasPrefix(command, "gunicorn: ") {
			words = []string{command}
		}
		signal, server, known := StopSignal(words)
		name := map[syscall.Signal]string{syscall.SIGINT: "SIGINT", syscall.SIGTERM: "SIGTERM"}[signal]
		require.Equal(t, want, fmt.Sprintf("%s %s %v", name, server, known), command)
	}
}

func TestTheSignalThatAPersonNamesStands(t *testing.T) {
	for text, want := range map[string]syscall.Signal{
		`command = ["gunicorn", "main:app"]`:                                  syscall.SIGTERM,
		"command = [\"gunicorn\", \"main:app\"]\n[stop]\nsignal = \"SIGINT\"": syscall.SIGINT,
		`command = ["uvicorn", "main:app"]`:                                   syscall.SIGINT,
		"":                                                                    syscall.SIGINT,
	} {
		c, err := parseConfig(Defaults("/srv/backend"), []byte(text))
		require.NoError(t, err)
		require.Equal(t, want, c.Stop.Signal, text)
	}
}
