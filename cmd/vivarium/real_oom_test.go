//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor"
)

// glutton is a server that takes all the memory there is when it is asked to. It is the one that the kernel shall end for it, and no other process
// of the cage.
const glutton = `import http.server, sys
with open("/proc/self/oom_score_adj", "w") as f: f.write("1000")
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        if self.path == "/eat":
            kept = []
            while True: kept.append(b"x" * (1 << 24))
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
`

// cage makes a memory cgroup of that many bytes, and gives the file to which a process is written that shall live in it. It skips the test,
// aloud, where this user may make none.
func cage(t *testing.T, limit int) string {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	require.NoError(t, err)
	var why []string
	for line := range strings.Lines(string(own)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		places, limits := []string{}, []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"}
		switch {
		case f[1] == "memory":
			places = []string{filepath.Join("/sys/fs/cgroup/memory", f[2])}
		case f[0] == "0" && f[1] == "": // version 2 lets no group have both processes and groups with limits
			places = []string{filepath.Join("/sys/fs/cgroup", f[2]), filepath.Join("/sys/fs/cgroup", filepath.Dir(f[2]))}
			limits = []string{"memory.max", "memory.swap.max"}
		}
		for _, place := range places {
			dir := filepath.Join(place, fmt.Sprintf("vivarium-test-%d", os.Getpid()))
			if err := os.Mkdir(dir, 0o755); err != nil {
				why = append(why, err.Error())
				continue
			}
			t.Cleanup(func() {
				eventually(t, "the cgroup is empty", func() bool { return os.Remove(dir) == nil }) // the keeper leaves in a moment
			})
			if err := os.WriteFile(filepath.Join(dir, limits[0]), fmt.Append(nil, limit), 0o644); err != nil {
				why = append(why, err.Error())
				continue
			}
			swap := 0
			if strings.Contains(limits[1], "memsw") {
				swap = limit // of version 1: memory and swap together
			}
			_ = os.WriteFile(filepath.Join(dir, limits[1]), fmt.Append(nil, swap), 0o644) // a kernel without swap has no such file
			return filepath.Join(dir, "cgroup.procs")
		}
	}
	t.Skip("this user may not make a memory cgroup: " + strings.Join(why, "; "))
	return ""
}

func TestARealWantOfMemoryIsFoundOutAfterTheFirstWord(t *testing.T) {
	procs := cage(t, 192<<20)
	r := newRig(t)
	write(t, filepath.Join(r.dir, "server.py"), glutton)
	// A victim that is slow to die on a loaded machine does not free its memory at once, and the kernel takes the next one: that must not be vivarium.
	f := r.runBy(r.prepare(exec.Command("/bin/sh", "-c", `echo -1000 > /proc/self/oom_score_adj; echo $$ > "$0" && exec "$@"`, procs, filepath.Join(programs, "vivarium"), "run", "--json")))
	f.row(supervisor.EventHealthy, 1)
	go r.get("/eat")
	crashed := f.row(supervisor.EventCrashed, 1)
	require.Equal(t, "SIGKILL", crashed.Signal)
	require.EqualValues(t, "killed", crashed.Verdict.Kind, "the first word is honest about what is not known yet")
	amended := f.row(supervisor.EventAmended, 1)
	require.EqualValues(t, "out-of-memory", amended.Verdict.Kind)
	require.Contains(t, amended.Verdict.Summary, "201 MB")
	require.Equal(t, crashed.Run, amended.Run)
	require.Equal(t, crashed.PID, amended.PID)
	f.row(supervisor.EventHealthy, 2)
	out, _ := r.do("crashes", "--json")
	require.Contains(t, out, `"kind":"out-of-memory"`)
	require.Contains(t, out, `"first":"killed"`)
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
}
