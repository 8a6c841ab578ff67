//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// process is a line of ps, which knows nothing of Vivarium.
type process struct {
	pid, parent, group int
	state, command     string
}

func (r *rig) all() []process {
	r.t.Helper()
	out, err := exec.Command("ps", "-axww", "-o", "pid=,ppid=,pgid=,stat=,command=").Output()
	require.NoError(r.t, err)
	var all []process
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		p := process{state: f[3], command: strings.Join(f[4:], " ")}
		p.pid, _ = strconv.Atoi(f[0])
		p.parent, _ = strconv.Atoi(f[1])
		p.group, _ = strconv.Atoi(f[2])
		if p.state[0] != 'Z' { // a zombie has ended
			all = append(all, p)
		}
	}
	return all
}

// processes are the rig's own: they name one of its folders, or work in it, or descend from one that does.
func (r *rig) processes() []process {
	top := filepath.Dir(r.dir)
	ours := map[int]bool{}
	var found []process
	all := r.all()
	for more := true; more; {
		more = false
		for _, p := range all {
			if ours[p.pid] || p.pid == os.Getpid() || !(ours[p.parent] || strings.Contains(p.command, top) || strings.HasPrefix(cwd(p.pid), top)) {
				continue
			}
			ours[p.pid], more = true, true
			found = append(found, p)
		}
	}
	return found
}

// servers are the rig's own without Vivarium's programs.
func (r *rig) servers() []process {
	return slices.DeleteFunc(r.processes(), func(p process) bool {
		return strings.Contains(p.command, "vivarium-keeper") || strings.HasPrefix(p.command, vivarium)
	})
}

// keeper is the PID of the rig's keeper.
func (r *rig) keeper() int {
	r.t.Helper()
	for _, p := range r.all() {
		if strings.Contains(p.command, "vivarium-keeper") && strings.Contains(p.command, r.home) {
			return p.pid
		}
	}
	require.FailNow(r.t, "no keeper runs")
	return 0
}

// cwd is a process's working directory where the system tells it without more ado.
func cwd(pid int) string {
	if runtime.GOOS != "linux" {
		return ""
	}
	dir, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
	return dir
}
