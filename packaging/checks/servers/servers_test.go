//go:build servers

// Package servers tries the table of servers on real ones: each from PyPI in an environment of its own, found by what its folder says, started by
// the command that the table gives, asked for its health, and ended by its stop signal. With -short only the small ones.
// The environments are kept in the user's cache folder. Begin with testdata/servers.txt, then TestRealServers.
package servers

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/project"
	table "github.com/vivarium-app/vivarium/supervisor/servers"
)

const (
	patience = 90 * time.Second // for a server to come up, the heavy ones import for long
	grace    = 2 * time.Second  // for a server to go once it is asked to
)

// backend is one case: a folder, what is installed, and the row that it must be.
type backend struct {
	row      string // of what the application is made with
	packages []string
	small    bool
	files    map[string]string
}

// readBackends reads "=== row", "packages: …", "small", and "-- name --" with a file's text.
func readBackends(t *testing.T) []backend {
	t.Helper()
	text, err := os.ReadFile("testdata/servers.txt")
	require.NoError(t, err)
	var all []backend
	name := ""
	for line := range strings.Lines(string(text)) {
		if row, ok := strings.CutPrefix(line, "=== "); ok {
			all = append(all, backend{row: strings.TrimSpace(row), files: map[string]string{}})
			name = ""
			continue
		}
		b := &all[len(all)-1]
		switch {
		case strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --\n"):
			name = line[3 : len(line)-4]
		case name != "":
			b.files[name] += line
		case strings.HasPrefix(line, "packages:"):
			b.packages = strings.Fields(strings.TrimPrefix(line, "packages:"))
		case line == "small\n":
			b.small = true
		}
	}
	return all
}

// cache is where environments are kept between runs.
func cache(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	require.NoError(t, err)
	dir = filepath.Join(dir, "vivarium", "servers")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	return dir
}

func command(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v: %s", program, args, out)
	return string(out)
}

// uv is uv, which makes environments in seconds.
func uv(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(cache(t), "uv-tool")
	program := filepath.Join(dir, "bin", "uv")
	if _, err := os.Stat(program); err != nil {
		command(t, cache(t), "python3", "-m", "venv", dir)
		command(t, cache(t), filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "uv")
	}
	return program
}

// environment is an environment with the packages in it.
func environment(t *testing.T, name string, packages []string) string {
	t.Helper()
	dir := filepath.Join(cache(t), name)
	mark := filepath.Join(dir, ".ready")
	want := strings.Join(packages, "\n")
	if have, err := os.ReadFile(mark); err == nil && string(have) == want {
		return dir
	}
	command(t, cache(t), uv(t), "venv", "--quiet", "--clear", dir)
	if len(packages) > 0 {
		command(t, cache(t), uv(t), append([]string{"pip", "install", "--quiet", "--compile-bytecode", "--python", filepath.Join(dir, "bin", "python")}, packages...)...)
	}
	require.NoError(t, os.WriteFile(mark, []byte(want), 0o644))
	return dir
}

// installed tells what is in an environment, as the metadata folders say it.
func installed(t *testing.T, env string) func(string) bool {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(env, "lib", "python3*", "site-packages", "*.dist-info"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, f := range found {
		name, _, _ := strings.Cut(filepath.Base(f), "-")
		names[strings.ToLower(strings.ReplaceAll(name, "_", "-"))] = true
	}
	return func(name string) bool { return names[name] }
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// outcome is a row of the printed table.
type outcome struct {
	row, server, command string
	up, stop             time.Duration
	health, signal       string
}

func TestRealServers(t *testing.T) {
	var told []outcome
	all := readBackends(t)
	rows := map[string]bool{}
	for _, b := range all {
		rows[b.row] = true
		if testing.Short() && !b.small {
			continue
		}
		t.Run(b.row, func(t *testing.T) { told = append(told, try(t, b)) })
	}
	require.GreaterOrEqual(t, len(rows), 20)
	fmt.Printf("%-12s %-16s %7s %-22s %8s %7s  %s\n", "row", "server", "up", "health", "signal", "stop", "command")
	for _, o := range told {
		fmt.Printf("%-12s %-16s %6.1fs %-22s %8s %6.2fs  %s\n", o.row, o.server, o.up.Seconds(), o.health, o.signal, o.stop.Seconds(), o.command)
	}
}

// try finds, starts, asks and ends one server.
func try(t *testing.T, b backend) outcome {
	env := environment(t, b.row, b.packages)
	dir := folder(t, b.files)
	fsys, err := project.Open(dir)
	require.NoError(t, err)
	defer fsys.Close()
	p, ok := project.Read(fsys).Propose(installed(t, env))
	require.True(t, ok, "nothing was found in the folder")
	require.Equal(t, b.row, p.Of.Name)
	require.Empty(t, p.Needs, "its packages are there")
	port := p.Port
	if slices.ContainsFunc(p.Command, func(w string) bool { return strings.Contains(w, table.Port) }) {
		port = freePort(t)
	}
	argv := make([]string, len(p.Command))
	for i, w := range p.Command {
		argv[i] = strings.NewReplacer(table.Python, filepath.Join(env, "bin", "python"), table.Port, strconv.Itoa(port)).Replace(w)
	}
	row, m := table.ByCommand(argv)
	require.NotEmpty(t, row.Name)
	require.NotEmpty(t, row.Identity(m), "a hand-started copy could not be told")
	require.False(t, table.IsReloader(argv))

	s := start(t, dir, env, argv, p.Environment)
	out := outcome{row: b.row, server: p.Server.Title, command: strings.Join(p.Command, " "), signal: sigName(p.Server.StopSignal())}
	out.up, out.health = s.up(t, p, port)
	asked := time.Now()
	require.NoError(t, s.cmd.Process.Signal(p.Server.StopSignal()))
	select {
	case <-s.ended:
	case <-time.After(5 * grace):
		t.Errorf("it does not end on %s\n%s", out.signal, s.text())
	}
	out.stop = time.Since(asked)
	require.LessOrEqual(t, out.stop, limit(t, env), "it ends too late on %s\n%s", out.signal, s.text())
	require.Eventually(t, func() bool { return syscall.Kill(-s.cmd.Process.Pid, 0) == syscall.ESRCH }, grace, 20*time.Millisecond, "something of it is left")
	return out
}

// limit is the grace on this computer as it is now: on a busy one even an empty Python takes its time.
func limit(t *testing.T, env string) time.Duration {
	t.Helper()
	const usual = 100 * time.Millisecond // for an empty Python, on an idle computer it is less
	began := time.Now()
	command(t, t.TempDir(), filepath.Join(env, "bin", "python"), "-c", "pass")
	return max(grace, grace*time.Since(began)/usual)
}

func sigName(s syscall.Signal) string {
	if s == syscall.SIGTERM {
		return "SIGTERM"
	}
	return "SIGINT"
}

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

// server is a process group that was started here.
type server struct {
	cmd   *exec.Cmd
	ended chan struct{}
	log   string
}

func start(t *testing.T, dir, env string, argv []string, variables map[string]string) *server {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer log.Close()
	s := &server{cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{}), log: log.Name()}
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Env = append(os.Environ(), "PATH="+filepath.Join(env, "bin")+":"+os.Getenv("PATH"), "VIRTUAL_ENV="+env, "HOME="+t.TempDir(), "PYTHONUNBUFFERED=1")
	for name, value := range variables {
		s.cmd.Env = append(s.cmd.Env, name+"="+value)
	}
	require.NoError(t, s.cmd.Start())
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	t.Cleanup(func() {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.ended
	})
	return s
}

func (s *server) text() string {
	text, _ := os.ReadFile(s.log)
	return string(text[max(0, len(text)-4000):])
}

// up waits until the health path answers well, or, of a worker without a port, until it says that it is ready.
func (s *server) up(t *testing.T, p project.Proposal, port int) (time.Duration, string) {
	t.Helper()
	began := time.Now()
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}} // some servers wait for open connections
	health := p.Health
	if health == "" {
		health = "/"
	}
	for time.Since(began) < patience {
		select {
		case <-s.ended:
			t.Fatalf("it ended by itself\n%s", s.text())
		case <-time.After(50 * time.Millisecond):
		}
		if port == 0 {
			if text := s.text(); strings.Contains(text, "ready") || strings.Contains(text, "booting up") || strings.Contains(text, "is ready for action") {
				return time.Since(began), "(no port)"
			}
			continue
		}
		r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, health))
		if err != nil {
			continue
		}
		r.Body.Close()
		if r.StatusCode < 400 {
			s.listens(t, p.Server, port)
			return time.Since(began), fmt.Sprintf("%s %d", health, r.StatusCode)
		}
	}
	t.Fatalf("%s on port %d does not answer\n%s", health, port, s.text())
	return 0, ""
}

// listens: what it says of where it listens is understood, if it says it.
func (s *server) listens(t *testing.T, row table.Server, port int) {
	t.Helper()
	if len(row.Listens) == 0 {
		return
	}
	deadline := time.Now().Add(grace)
	for time.Now().Before(deadline) {
		for line := range bytes.Lines([]byte(s.text())) {
			if at := row.ListensAt(strings.TrimSpace(string(line))); strings.Contains(at, strconv.Itoa(port)) {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%s does not say where it listens in words that the table knows:\n%s", row.Name, s.text())
}
