package assets

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is what a loaded machine may take for anything here; nothing is asserted about time.
const patience = 60 * time.Second

// server is the demo backend as a real process.
type server struct {
	t     *testing.T
	url   string
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has been waited for

	mu  sync.Mutex
	log strings.Builder
}

// python is a real interpreter: a version manager's shim would be a shell between the test and the signal.
func python(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skip("there is no python3 on this machine:", err)
	}
	return strings.TrimSpace(string(out))
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// begin starts the demo, written by WriteDemo, and waits until it answers.
func begin(t *testing.T, env ...string) *server {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, WriteDemo(dir))
	port := freePort(t)
	s := &server{t: t, url: fmt.Sprintf("http://127.0.0.1:%d", port), ended: make(chan struct{})}
	s.cmd = exec.Command(python(t), "server.py", "--port", fmt.Sprint(port))
	s.cmd.Dir = dir
	s.cmd.Env = append(os.Environ(), append([]string{"PYTHONFAULTHANDLER=1", "PYTHONUNBUFFERED=1"}, env...)...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	s.cmd.Stderr = s.cmd.Stdout
	require.NoError(t, s.cmd.Start())
	go s.read(out)
	t.Cleanup(func() {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // a group of our own, whose leader may be gone
		<-s.ended
		_ = os.Remove(fmt.Sprintf("/dev/shm/__KMP_REGISTERED_LIB_%d_%d", s.cmd.Process.Pid, os.Getuid())) // an OpenMP abort leaves it
	})
	s.eventually("it does not answer", func() bool { return s.healthy() })
	return s
}

func (s *server) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		s.mu.Lock()
		s.log.WriteString(lines.Text() + "\n")
		s.mu.Unlock()
	}
	_ = s.cmd.Wait()
	close(s.ended)
}

func (s *server) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func (s *server) eventually(what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s; its log:\n%s", what, s.said())
		}
	}
}

// get asks for a path and returns the status, 0 if there was no answer within limit.
func (s *server) get(path string, limit time.Duration) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.do(ctx, http.MethodGet, path, nil)
}

func (s *server) post(path string) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	status, body := s.do(ctx, http.MethodPost, "/do/"+path, nil)
	var answer struct{ Detail string }
	_ = json.Unmarshal([]byte(body), &answer)
	return status, answer.Detail
}

func (s *server) do(ctx context.Context, method, path string, header http.Header) (int, string) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, nil)
	require.NoError(s.t, err)
	for k, v := range header {
		req.Header[k] = v
		if k == "Host" {
			req.Host = v[0]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func (s *server) healthy() bool {
	status, _ := s.get("/health", 2*time.Second)
	return status == http.StatusOK
}

// end waits for the process and returns how it ended.
func (s *server) end() syscall.WaitStatus {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatalf("it lives on; its log:\n%s", s.said())
	}
	return s.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

func openMP(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/llvm-*/lib/libomp.so.5", "/usr/lib/*/libomp.so.5", "/opt/homebrew/opt/libomp/lib/libomp.dylib", "/usr/local/opt/libomp/lib/libomp.dylib"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return
		}
	}
	t.Skip("LLVM's OpenMP runtime is not on this machine (Debian: libomp5-14)")
}

func TestTheDemoAnswersAndTellsWhoItIs(t *testing.T) {
	s := begin(t, "VIVARIUM_RUN=a-run")
	status, body := s.get("/health", patience)
	require.Equal(t, http.StatusOK, status)
	var health struct {
		Status string
		PID    int
		Under  bool `json:"under_vivarium"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &health))
	require.Equal(t, "ok", health.Status)
	require.Equal(t, s.cmd.Process.Pid, health.PID)
	require.True(t, health.Under)
	require.Contains(t, s.said(), "INFO:     Started server process")
	require.Contains(t, s.said(), `"GET /health HTTP/1.1" 200`)
}

func TestEveryButtonOfThePageLeadsToARoute(t *testing.T) {
	s := begin(t)
	status, page := s.get("/", patience)
	require.Equal(t, http.StatusOK, status)
	require.NotContains(t, page, "https://", "the page needs nothing from elsewhere")
	buttons := strings.Split(page, `data-do="`)[1:]
	require.GreaterOrEqual(t, len(buttons), 13)
	source, err := demo.ReadFile("demo/server.py")
	require.NoError(t, err)
	for _, b := range buttons {
		name, _, _ := strings.Cut(strings.SplitN(b, `"`, 2)[0], "?")
		require.Contains(t, string(source), fmt.Sprintf("    %q: do_", name))
	}
}

func TestEachWayToCrashEndsTheProcessAsItSays(t *testing.T) {
	for _, c := range []struct {
		route  string
		signal syscall.Signal
		code   int
		says   string
	}{
		{"segfault", syscall.SIGSEGV, 0, "Fatal Python error: Segmentation fault"},
		{"abort", syscall.SIGABRT, 0, "Fatal Python error: Aborted"},
		{"exception", 0, 1, "KeyError: 'layer.1'"},
		{"exit", 0, 3, `"POST /do/exit HTTP/1.1" 202`},
	} {
		t.Run(c.route, func(t *testing.T) {
			t.Parallel()
			s := begin(t)
			status, text := s.post(c.route)
			require.Equal(t, http.StatusAccepted, status, "the page hears what will happen")
			require.NotEmpty(t, text)
			checkEnd(t, s.end(), c.signal, c.code)
			require.Contains(t, s.said(), c.says)
		})
	}
}

func checkEnd(t *testing.T, end syscall.WaitStatus, signal syscall.Signal, code int) {
	t.Helper()
	if signal != 0 {
		require.True(t, end.Signaled(), "exit code %d instead of %v", end.ExitStatus(), signal)
		require.Equal(t, signal, end.Signal())
		return
	}
	require.True(t, end.Exited(), "%v instead of exit code %d", end.Signal(), code)
	require.Equal(t, code, end.ExitStatus())
}

func TestTwoOpenMPRuntimesAbortABareServer(t *testing.T) {
	openMP(t)
	s := begin(t, "KMP_DUPLICATE_LIB_OK=")
	status, _ := s.post("two-openmp")
	require.Zero(t, status, "it dies before it can answer")
	checkEnd(t, s.end(), syscall.SIGABRT, 0)
	require.Contains(t, s.said(), "OMP: Error #15: Initializing")
}

func TestTwoOpenMPRuntimesSurviveInTheCrashEnvironment(t *testing.T) {
	openMP(t)
	s := begin(t, "KMP_DUPLICATE_LIB_OK=TRUE")
	for range 2 { // and again
		status, text := s.post("two-openmp")
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, text, "KMP_DUPLICATE_LIB_OK=TRUE")
	}
	require.True(t, s.healthy())

	status, _ := s.post("two-openmp-unsafe")
	require.Zero(t, status, "without the variable it dies, also after it went well")
	checkEnd(t, s.end(), syscall.SIGABRT, 0)
	require.Contains(t, s.said(), "OMP: Error #15: Initializing")
}

func TestAHangIsSilentOrLogsOnAndCanBeStopped(t *testing.T) {
	for _, route := range []string{"hang", "hang-with-log"} {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			s := begin(t)
			status, _ := s.post(route)
			require.Equal(t, http.StatusAccepted, status)
			s.eventually("it does not hang", func() bool { return strings.Contains(s.said(), "hangs from now on") })
			status, _ = s.get("/health", time.Second)
			require.Zero(t, status)
			if route == "hang-with-log" {
				s.eventually("it does not log", func() bool { return strings.Count(s.said(), "still alive") >= 2 })
			}
			require.NoError(t, s.cmd.Process.Signal(syscall.SIGINT))
			checkEnd(t, s.end(), 0, 0)
		})
	}
}

func TestABusyServerComputesAnswersNothingAndIsWellAgain(t *testing.T) {
	s := begin(t)
	status, _ := s.post("busy?seconds=3")
	require.Equal(t, http.StatusAccepted, status)
	s.eventually("it is not well again", func() bool { return strings.Contains(s.said(), "computed for 3 s") })
	s.eventually("it does not answer", s.healthy)
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	checkEnd(t, s.end(), 0, 0)
	require.Greater(t, s.cmd.ProcessState.UserTime(), 500*time.Millisecond, "that was no computing")
}

func TestHealthIsAsSlowAsAsked(t *testing.T) {
	s := begin(t)
	status, _ := s.post("slow?seconds=600")
	require.Equal(t, http.StatusOK, status)
	status, _ = s.get("/health", time.Second)
	require.Zero(t, status)
	status, _ = s.get("/", patience)
	require.Equal(t, http.StatusOK, status, "the rest answers")
	status, _ = s.post("slow?seconds=0")
	require.Equal(t, http.StatusOK, status)
	require.True(t, s.healthy())
}

func TestLeakedSemaphoresStayInTheSystem(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skip("named semaphores cannot be seen on this system:", err)
	}
	named := func() map[string]bool {
		all, err := filepath.Glob("/dev/shm/sem.mp-*")
		require.NoError(t, err)
		set := map[string]bool{}
		for _, name := range all {
			set[name] = true
		}
		return set
	}
	s := begin(t)
	before := named()
	status, text := s.post("leak-semaphores")
	require.Equal(t, http.StatusAccepted, status)
	require.Contains(t, text, "10 named semaphores")
	checkEnd(t, s.end(), syscall.SIGKILL, 0)
	var left []string
	for name := range named() {
		if !before[name] {
			left = append(left, name)
		}
	}
	t.Cleanup(func() {
		for _, name := range left {
			_ = os.Remove(name)
		}
	})
	require.GreaterOrEqual(t, len(left), 10) // other tests on this machine may make some, too
}

func TestMemoryIsReallyTakenBoundedAndGivenBack(t *testing.T) {
	s := begin(t)
	_, text := s.post("memory?mb=64")
	require.Contains(t, text, "Holding 64 MB")
	_, body := s.get("/health", patience)
	require.Contains(t, body, `"memory_mb": 64`)
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid)); err == nil {
		_, rest, _ := strings.Cut(string(status), "VmRSS:")
		var kib int
		_, err := fmt.Sscan(rest, &kib)
		require.NoError(t, err)
		require.Greater(t, kib, 64<<10)
	}
	_, text = s.post("memory?mb=0")
	require.Contains(t, text, "Let go")
	source, _ := demo.ReadFile("demo/server.py")
	require.Contains(t, string(source), "MEMORY_LIMIT_MB = 2048")
}

func TestAServerThatIgnoresStopOnlyDiesByKill(t *testing.T) {
	s := begin(t)
	status, _ := s.post("ignore-stop")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGINT))
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.True(t, s.healthy())
	require.NoError(t, s.cmd.Process.Kill())
	checkEnd(t, s.end(), syscall.SIGKILL, 0)
}

func TestStopSignalsEndItWell(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		s := begin(t)
		require.NoError(t, s.cmd.Process.Signal(signal))
		checkEnd(t, s.end(), 0, 0)
		require.Contains(t, s.said(), "Finished server process")
	}
}

func TestAStrangersPageCannotPressTheButtons(t *testing.T) {
	s := begin(t)
	for _, header := range []http.Header{
		{"Origin": {"https://example.com"}},
		{"Host": {"rebound.example.com"}},
	} {
		status, _ := s.do(t.Context(), http.MethodPost, "/do/abort", header)
		require.Equal(t, http.StatusForbidden, status)
	}
	status, _ := s.do(t.Context(), http.MethodPost, "/do/slow?seconds=0", http.Header{"Origin": {s.url}})
	require.Equal(t, http.StatusOK, status)
	require.True(t, s.healthy())
}

func TestNonsenseIsRefused(t *testing.T) {
	s := begin(t)
	for path, want := range map[string]int{"busy?seconds=x": 400, "nothing": 404, "../health": 404} {
		status, _ := s.post(path)
		require.Equal(t, want, status, path)
	}
	status, _ := s.get("/server.py", patience)
	require.Equal(t, http.StatusNotFound, status)
}

func TestATakenPortIsToldAsUvicornTellsIt(t *testing.T) {
	s := begin(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.url, "http://"), ":")
	second := exec.Command(python(t), "server.py", "--port", port)
	second.Dir = s.cmd.Dir
	out, err := second.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 1, second.ProcessState.ExitCode())
	require.Regexp(t, `\[Errno (48|98)\] error while attempting to bind on address \('127\.0\.0\.1', \d+\): address already in use`, string(out))
}

func TestWritingTheDemoKeepsWhatIsThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "demo")
	require.NoError(t, WriteDemo(dir))
	config := filepath.Join(dir, "vivarium.toml")
	require.NoError(t, os.WriteFile(config, []byte("name = \"mine\"\n"), 0o600))
	require.NoError(t, os.Remove(filepath.Join(dir, "page.html")))

	require.NoError(t, WriteDemo(dir))
	mine, err := os.ReadFile(config)
	require.NoError(t, err)
	require.Equal(t, "name = \"mine\"\n", string(mine))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	require.Equal(t, []string{"page.html", "server.py", "vivarium.toml"}, names, "what is missing comes back, and nothing else is left")
}

func TestWritingTheDemoWhereOneMayNotSaysSo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorContains(t, WriteDemo(filepath.Join(file, "demo")), "making the demo's folder")
}
