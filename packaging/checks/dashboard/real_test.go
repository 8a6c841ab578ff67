//go:build e2e

package dashboard

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server is a backend of Python's standard library, which dies of a real segmentation fault when it is asked to.
const server = `import faulthandler, http.server, os, signal, sys, time
stand_still = 0
class Server(http.server.ThreadingHTTPServer):
    def service_actions(self):
        global stand_still
        seconds, stand_still = stand_still, 0
        if seconds: time.sleep(seconds)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok"); self.wfile.flush()
        if self.path == "/segv": os.kill(os.getpid(), signal.SIGSEGV)
        if self.path == "/hang":
            global stand_still
            stand_still = 9
    def log_message(self, form, *args): print("INFO:     asked for", self.path, flush=True)
print("INFO:     serving; HF_TOKEN is", os.environ.get("HF_TOKEN"), flush=True)
Server(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
`

// programs are those of VIVARIUM_BIN, else built here once.
var programs = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("VIVARIUM_BIN"); dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "vivarium-dashboard-")
	if err != nil {
		return "", err
	}
	endings = append(endings, func() { _ = os.RemoveAll(dir) })
	for _, name := range []string{"vivarium", "vivarium-keeper"} {
		cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, name), "../../../cmd/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	}
	return dir, nil
})

// real is a backend with the real programs, a state folder and a port of its own.
type real struct {
	t         *testing.T
	exe       string
	home, dir string
	port      int
}

func newReal(t *testing.T) *real {
	t.Helper()
	_, err := exec.LookPath("python3")
	needs(t, err == nil, "python3 is not installed")
	bin, err := programs()
	require.NoError(t, err)
	top, err := os.MkdirTemp("", "viv")
	require.NoError(t, err)
	top, err = filepath.EvalSymlinks(top)
	require.NoError(t, err)
	r := &real{t: t, exe: filepath.Join(bin, "vivarium"), home: filepath.Join(top, "h"), dir: filepath.Join(top, "search-api")}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	r.port = ln.Addr().(*net.TCPAddr).Port
	require.NoError(t, ln.Close())
	require.NoError(t, os.Mkdir(r.dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(server), 0o644))
	config := fmt.Sprintf("name = \"search-api\"\nport = %d\ncommand = [\"{python}\", \"main.py\", \"{port}\"]\n[health]\ninterval = \"1s\"\ntimeout = \"500ms\"\nfailures = 2\n[environment]\nHF_TOKEN = \"hf_abcdefghijklmnopqrstuvwxyz\"\n", r.port)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "vivarium.toml"), []byte(config), 0o644))
	t.Cleanup(func() {
		stop := r.command("stop", r.dir)
		_ = stop.Run()
		_ = os.RemoveAll(top)
	})
	return r
}

func (r *real) command(args ...string) *exec.Cmd {
	cmd := exec.Command(r.exe, args...)
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), "VIVARIUM_HOME="+r.home)
	return cmd
}

// begin starts a program that is ended with the test at the latest; the function that it returns ends it now.
func (r *real) begin(args ...string) (first func() string, end func(syscall.Signal) error) {
	r.t.Helper()
	cmd := r.command(args...)
	out, err := cmd.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, cmd.Start())
	lines := bufio.NewReader(out)
	var once sync.Once
	var ended error
	end = func(signal syscall.Signal) error {
		once.Do(func() {
			_ = cmd.Process.Signal(signal)
			ended = cmd.Wait()
		})
		return ended
	}
	r.t.Cleanup(func() { _ = end(syscall.SIGKILL) })
	first = func() string {
		r.t.Helper()
		line, err := lines.ReadString('\n')
		require.NoError(r.t, err)
		go func() { // it is not to wait for us
			for err == nil {
				_, err = lines.ReadString('\n')
			}
		}()
		return strings.TrimSpace(line)
	}
	return first, end
}

func (r *real) get(path string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", r.port, path), nil)
	require.NoError(r.t, err)
	if answer, err := http.DefaultClient.Do(q); err == nil {
		_ = answer.Body.Close()
	}
}

// TestTheWholeProgram shows a real backend in a real browser: it runs, it crashes while somebody looks, its holder is killed, and comes back.
func TestTheWholeProgram(t *testing.T) {
	r := newReal(t)
	told, kill := r.begin("run", "--json", r.dir)
	require.Contains(t, told(), `"event"`)

	printed, stop := r.begin("dashboard", "--print", r.dir)
	address := printed()
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/b/[0-9a-f]{12}#[A-Za-z0-9_-]{43}$`, address)
	again, err := r.command("dashboard", "--print", "search-api").Output()
	require.NoError(t, err)
	require.Equal(t, address, strings.TrimSpace(string(again)), "a second one tells the same address, and ends")

	b := newTab(t, 1000, "light")
	b.open(address)
	b.shows("search-api")
	b.until("it is healthy", `document.querySelector(".is.healthy")`)
	b.until("something was measured", `document.querySelector(".spark .line, .spark .dot")`)
	b.until("its start is marked", `document.querySelector(".events .start")`)
	b.shot("real-1-healthy")
	axe(t, b)

	r.get("/hang") // it stands still for some seconds, and goes on
	b.shows("Why it does not answer")
	b.until("its own line is named", `document.querySelector(".trouble.stall .why").textContent.includes("main.py")`)
	b.shot("real-1-stalled")
	axe(t, b)
	b.until("it answers again", `document.querySelector(".is.healthy")`)
	b.until("the stall is marked, with its end", `document.querySelector(".events .stall")?.textContent.includes(" for ")`)
	b.click(`.views a[href$="/deaths"]`)
	b.shows("then it answered again")
	b.shot("real-1-stall-listed")
	axe(t, b)
	b.click(`a[href*="-stall"]`)
	b.shows("What it did then")
	b.until("the own line is marked", `document.querySelector(".stack .own")?.textContent.includes("service_actions")`)
	b.shot("real-1-stall-report")
	axe(t, b)
	b.click(`.views a`)
	b.until("the overview is shown", `document.querySelector(".is.healthy")`)

	r.get("/segv") // a real crash, while the page is open
	b.shows("segmentation fault")
	b.until("it runs again", `document.querySelector(".is.healthy")`)
	b.until("the crash is marked", `document.querySelector(".events .death")`)
	b.until("it leads to the report", `document.querySelector(".trouble .links a")`)
	b.shot("real-2-crashed")
	axe(t, b)

	b.click(".trouble .links a")
	b.shows("What to do")
	b.shot("real-3-report")
	b.eval("history.back()", nil)
	b.until("back at the overview", `document.querySelector(".card")`)

	b.click(`.views a[href$="/log"]`)
	b.until("the log is there", `document.querySelector("#rows").innerText.includes("Fatal Python error")`)
	r.get("/hello-from-the-test")
	b.shows("/hello-from-the-test")
	require.NotContains(t, b.text("document.body.innerText"), "hf_abcdefghij", "no secret is shown")
	b.shot("real-4-log")

	b.click(`.views a[href$="/environment"]`)
	b.shows("KMP_DUPLICATE_LIB_OK")
	b.shows("HF_TOKEN")
	require.NotContains(t, b.text("document.body.innerText"), "hf_abcdefghij")
	b.click(`.views a[href$="/configuration"]`)
	b.shows("main.py")
	require.NotContains(t, b.text("document.body.innerText"), "hf_abcdefghij")
	b.click(`.views a:not([href$="s"]):not([href$="n"]):not([href$="g"]):not([href$="r"]):not([href$="t"])`)
	b.until("the overview is shown again", `document.querySelector(".is.healthy")`)

	require.Error(t, kill(syscall.SIGKILL)) // the holder; the server and its keeper live on
	b.shows("No Vivarium program keeps it")
	require.Contains(t, b.text("document.body.innerText"), "Healthy")
	b.shot("real-5-holder-killed")
	told, leave := r.begin("run", "--json", r.dir)
	require.Contains(t, told(), `"attached"`)
	b.until("the holder is back", `!document.body.innerText.includes("No Vivarium program keeps it") && document.querySelector(".is.healthy")`)
	require.Contains(t, b.text("document.body.innerText"), "segmentation fault", "what was, is still known")
	b.until("the crash is still marked", `document.querySelector(".events .death")`)
	b.shot("real-6-holder-back")
	axe(t, b)

	b.click(`[data-act="stop"]`)
	b.until("it is stopped", `document.querySelector(".is.stopped")`)
	b.shot("real-7-stopped")
	b.cleanAt(address)

	require.NoError(t, stop(syscall.SIGTERM))
	require.NoFileExists(t, filepath.Join(r.home, "dashboard.html"))
	_ = leave(syscall.SIGTERM)
}

// TestOpeningStartsTheDashboardOnceAndLeavesItRunning is the way of the app and of a person without --print.
func TestOpeningStartsTheDashboardOnceAndLeavesItRunning(t *testing.T) {
	r := newReal(t)
	path, err := r.command("page", "--dashboard", r.dir).Output()
	require.NoError(t, err)
	file := strings.TrimSpace(string(path))
	st, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm(), "the secret in it is for its owner alone")
	began := time.Now()
	second, err := r.command("page", "--dashboard", r.dir).Output()
	require.NoError(t, err)
	require.Equal(t, string(path), string(second))
	t.Log("a second call took", time.Since(began))

	b := newTab(t, 1000, "dark")
	b.open("file://" + file)
	b.until("the page led to the dashboard", `location.protocol === "http:" && document.querySelector(".card")`)
	b.shows("No Vivarium program keeps it")
	require.NotContains(t, b.text("location.href"), "#")
	b.shot("real-8-not-kept")
	axe(t, b)

	out, err := r.command("dashboard", "--print").Output()
	require.NoError(t, err)
	pid := listener(t, strings.TrimSpace(string(out)))
	session, err := sessionOf(pid)
	require.NoError(t, err)
	require.Equal(t, pid, session, "a session of its own: it outlives the terminal")
	require.NoError(t, syscall.Kill(pid, syscall.SIGTERM))
}

// TestThePageComesBackAfterItsDashboardStoodStill: a computer that sleeps stops everything, and not everything wakes at the same moment.
func TestThePageComesBackAfterItsDashboardStoodStill(t *testing.T) {
	r := newReal(t)
	printed, stop := r.begin("dashboard", "--print", r.dir)
	address := printed()
	pid := listener(t, address)
	b := newTab(t, 1000, "light")
	b.open(address)
	b.shows("No Vivarium program keeps it")
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	told := false
	for range 4 { // it waits for 40 s before it gives the stream up
		b.eval(`new Promise((done) => { let n = 0; const look = () => !document.getElementById("link").hidden || ++n > 75 ? done(true) : setTimeout(look, 200); look(); })`, nil)
		if told = b.text(`document.getElementById("link").hidden`) == "false"; told {
			break
		}
	}
	require.True(t, told, "the page says that what it shows is how it was")
	b.shows("The dashboard does not answer")
	b.shot("real-9-stood-still")
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	b.until("it is back by itself", `document.getElementById("link").hidden`)
	told2, leave := r.begin("run", "--json", r.dir)
	require.Contains(t, told2(), `"event"`)
	b.until("and shows what happens", `document.querySelector(".is.healthy")`)
	require.NoError(t, stop(syscall.SIGTERM))
	_ = leave(syscall.SIGTERM)
}

// listener is the process that serves an address: ours, since it answered with the secret of our state folder.
func listener(t *testing.T, address string) int {
	t.Helper()
	at, err := url.Parse(address)
	require.NoError(t, err)
	port := at.Port()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	inode := ""
	text, err := os.ReadFile("/proc/net/tcp")
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 9 && f[1] == fmt.Sprintf("0100007F:%04X", n) && f[3] == "0A" {
			inode = "socket:[" + f[9] + "]"
		}
	}
	require.NotEmpty(t, inode)
	for _, one := range found {
		open, _ := filepath.Glob(filepath.Join(filepath.Dir(one), "fd", "*"))
		for _, fd := range open {
			if to, _ := os.Readlink(fd); to == inode {
				pid, err := strconv.Atoi(filepath.Base(filepath.Dir(one)))
				require.NoError(t, err)
				return pid
			}
		}
	}
	t.Fatal("nobody listens at " + address)
	return 0
}

func sessionOf(pid int) (int, error) {
	session, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(session), nil
}
