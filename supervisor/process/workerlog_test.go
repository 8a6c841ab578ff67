package process

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheDeathOfAWorkerIsReadFromItsParentsLog(t *testing.T) {
	for line, pid := range map[string]int{
		"INFO:     Child process [4711] died":                                                                                4711,
		"[2026-11-26 14:02:00 +0000] [12] [ERROR] Worker (pid:4711) was sent SIGSEGV!":                                       4711,
		"[2026-11-26 14:02:00 +0000] [12] [ERROR] Worker (pid:4711) was sent SIGKILL! Perhaps out of memory?":                4711,
		"[2026-11-26 14:02:00 +0000] [12] [ERROR] Worker (pid:4711) exited with code 3":                                      4711,
		"[2026-11-26 14:02:00 +0000] [12] [ERROR] Worker (pid:4711) exited with code 3.":                                     4711,
		"[2026-11-26 14:02:00 +0000] [12] [WARNING] Worker with pid 4711 was terminated by signal 11":                        4711,
		"[2026-11-26 14:02:00,000: ERROR/MainProcess] Process 'ForkPoolWorker-1' pid:4711 exited with 'signal 11 (SIGSEGV)'": 4711,
		"worker process 4711 exited unexpectedly":                                                                            4711,
		"worker process 4711 crashed":                                            4711,
		"[INFO] Worker exiting (pid: 4711)":                                      0,
		"[ERROR] Worker (pid:4711) exited with code 0":                           0,
		"[INFO] Booting worker with pid: 4711":                                   0,
		"INFO:     Started server process [4711]":                                0,
		"INFO:     Finished server process [4711]":                               0,
		"INFO:     Waiting for child process [4711]":                             0,
		"INFO:     127.0.0.1:50123 - \"GET /process/4711/died HTTP/1.1\" 200 OK": 0,
		"the process took 4711 ms":                                               0,
		"worker 1 of 4711 exited":                                                0,
		"":                                                                       0,
	} {
		var want []int
		if pid != 0 {
			want = []int{pid}
		}
		require.Equal(t, want, DeadWorkers([]string{line}), line)
	}
	require.Equal(t, []int{4711, 4712}, DeadWorkers([]string{"Child process [4711] died", "Child process [4712] died", "Worker (pid:4711) exited with code 1"}))
}

func TestAWorkerThatWasToldToGoIsNoDeath(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		left  bool
	}{
		"gunicorn's max_requests":      {[]string{"Autorestarting worker after current request.", "[INFO] Worker exiting (pid: 4711)"}, true},
		"uvicorn's own":                {[]string{"INFO:     Terminated child process [4711]"}, true},
		"another one":                  {[]string{"[INFO] Worker exiting (pid: 4712)"}, false},
		"it failed to boot":            {[]string{"[INFO] Worker exiting (pid: 4711)", "[ERROR] Worker (pid:4711) exited with code 3"}, false},
		"nothing is said":              {nil, false},
		"a number that only begins so": {[]string{"[INFO] Worker exiting (pid: 47110)"}, false},
	} {
		require.Equal(t, c.left, LeftInOrder(c.lines, 4711), name)
	}
}

func FuzzDeadWorkers(f *testing.F) {
	f.Add("Worker (pid:4711) was sent SIGSEGV!")
	f.Add("Process 'ForkPoolWorker-1' pid:4711 exited with 'exitcode 1'")
	f.Fuzz(func(t *testing.T, line string) {
		for _, pid := range DeadWorkers([]string{line}) {
			require.Greater(t, pid, 1)
		}
		LeftInOrder([]string{line}, 4711)
	})
}
