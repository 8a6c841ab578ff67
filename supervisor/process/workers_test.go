package process

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAVanishedWorkerIsOneThatIsNoLongerThere(t *testing.T) {
	a := Child{PID: 1, Stamp: "a", Interpreter: true}
	b := Child{PID: 2, Stamp: "b", Interpreter: true}
	tracker := Child{PID: 3, Stamp: "c"}
	reused := Child{PID: 1, Stamp: "other", Interpreter: true}
	unsure := Child{PID: 1, Stamp: "a"}
	for _, c := range []struct {
		name                string
		before, after, want []Child
	}{
		{"nothing before", nil, []Child{a, b}, nil},
		{"all there", []Child{a, b, tracker}, []Child{b, a, tracker}, nil},
		{"one gone", []Child{a, b}, []Child{b}, []Child{a}},
		{"all gone", []Child{a, b, tracker}, nil, []Child{a, b}},
		{"a helper gone", []Child{a, tracker}, []Child{a}, nil},
		{"a PID that was used again", []Child{a}, []Child{reused}, []Child{a}},
		{"a worker whose program cannot be seen this time", []Child{a}, []Child{unsure}, nil},
		{"one replaced", []Child{a}, []Child{b}, []Child{a}},
	} {
		require.Equal(t, c.want, Vanished(c.before, c.after), c.name)
	}
}

func TestAWorkerIsKnownByHowItWasStarted(t *testing.T) {
	leader := []string{"python", "server.py"}
	old, young := func() bool { return true }, func() bool { return false }
	for _, c := range []struct {
		args string
		old  func() bool
		want bool
	}{
		{"python -c from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7) --multiprocessing-fork", young, true},
		{"python -Wignore::UserWarning:multiprocessing.resource_tracker --multiprocessing-fork", young, true}, // the crash environment's own doing
		{"python --multiprocessing-fork", young, true},
		{"python server.py", old, true},
		{"python server.py", young, false}, // perhaps between fork and exec
		{"gunicorn: worker [main:app]", young, true},
		{"python job.py", old, false},
		{"python -c from multiprocessing.resource_tracker import main;main(5)", old, false},
		{"python -c from multiprocessing.semaphore_tracker import main;main(5)", old, false},
		{"python -c from multiprocessing.forkserver import main; main(3, 4, ['__main__'])", old, false},
		{"", old, false},
	} {
		args := strings.Fields(c.args)
		if before, code, ok := strings.Cut(c.args, " -c "); ok {
			args = []string{before, "-c", code}
		}
		if strings.HasPrefix(c.args, "gunicorn:") { // setproctitle writes one string over all arguments
			args = []string{c.args}
		}
		require.Equal(t, c.want, isWorker(args, leader, c.old), c.args)
	}
	require.False(t, isWorker(nil, nil, old), "a command line that cannot be read tells nothing")
	for _, c := range []struct {
		leader, args string
		old          func() bool
		want         bool
	}{
		{"python -m flask --app main run --debug", "/v/bin/python /v/bin/flask --app main run --debug", young, true},
		{"python -m flask --app main run --debug", "python -m flask --app main run --debug", young, false},
		{"python -m flask --app main run --debug", "python -m flask --app main run --debug", old, true},
		{"python -m flask --app main run", "python -m flask db upgrade", old, false},
		{"python -m gunicorn main:app", "python -m gunicorn main:app", young, false},
		{"python -m celery -A tasks worker", "python -m celery -A tasks worker", old, true},
	} {
		require.Equal(t, c.want, isWorker(strings.Fields(c.args), strings.Fields(c.leader), c.old), c.args)
	}
}

func TestAReloaderIsKnownByItsCommand(t *testing.T) {
	for command, want := range map[string]bool{
		"{python} -m uvicorn main:app":              false,
		"{python} -m uvicorn main:app --reload":     true,
		"{python} -m uvicorn --reload main:app":     true,
		"{python} -m uvicorn main:app --reload-dir": false,
		"granian --reload=true main:app":            true,
		"fastapi dev main.py":                       true,
		"{python} -m fastapi dev":                   true,
		"fastapi dev main.py --no-reload":           false,
		"fastapi run main.py":                       false,
		"{python} dev":                              false,
		"dev":                                       false,
		"":                                          false,
	} {
		require.Equal(t, want, HasReload(strings.Fields(command)), command)
	}
}

func TestASilentEndWithWorkersIsExplainedForServersThatEndSo(t *testing.T) {
	worker, helper := []Child{{PID: 1, Interpreter: true}}, []Child{{PID: 1}}
	hypercorn := strings.Fields("{python} -m hypercorn main:app --workers 2")
	require.Equal(t, "Hypercorn does so when one of its workers dies", EndsWithWorker(hypercorn, worker))
	require.Empty(t, EndsWithWorker(hypercorn, helper))
	require.Empty(t, EndsWithWorker(hypercorn, nil))
	require.Empty(t, EndsWithWorker(strings.Fields("{python} -m uvicorn main:app --workers 2"), worker))
	require.Empty(t, EndsWithWorker(nil, worker))
}
