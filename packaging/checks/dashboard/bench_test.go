//go:build bench

package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/dashboard"
	"github.com/vivarium-app/vivarium/app/page"
)

// serveFor is the environment variable that makes this program the dashboard of a backend in that folder: what a process weighs is not
// measured in the one that measures.
const serveFor = "VIVARIUM_BENCH_SERVE"

func init() {
	dir := os.Getenv(serveFor)
	if dir == "" {
		return
	}
	h := newHouse()
	h.dirs = []string{dir}
	h.backends[dir] = page.Backend{Name: "bench", Dir: dir, State: "healthy", Word: "Healthy", Log: filepath.Join(dir, "server.log"), PID: 1, Can: []string{"stop"}}
	h.history[dir] = page.History{Samples: samples(time.Now())}
	err := dashboard.Run(context.Background(), dir, h.sources(), func(s *dashboard.Server) { fmt.Println(s.URL(dir)) })
	fmt.Println(err)
	os.Exit(0)
}

// process is a dashboard in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	host   string
	secret string
	dir    string
}

func start(t *testing.T, dir string) *process {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), serveFor+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	u, err := url.Parse(strings.TrimSpace(line))
	require.NoError(t, err)
	return &process{t, cmd, strings.TrimSpace(line), u.Host, u.Fragment, dir}
}

func (p *process) get(path string) io.ReadCloser {
	p.t.Helper()
	r, err := http.NewRequest("GET", "http://"+p.host+"/api/b/"+dashboard.ID(p.dir)+path, nil)
	require.NoError(p.t, err)
	r.Header.Set("Authorization", "Bearer "+p.secret)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(p.t, err)
	require.Equal(p.t, http.StatusOK, answer.StatusCode)
	return answer.Body
}

// memory is what the process has in memory, at most so far and now, in MiB.
func (p *process) memory() (most, now float64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(p.t, err)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 1 && (f[0] == "VmHWM:" || f[0] == "VmRSS:") {
			n, _ := strconv.ParseFloat(f[1], 64)
			if f[0] == "VmHWM:" {
				most = n / 1024
			} else {
				now = n / 1024
			}
		}
	}
	return most, now
}

// cpu is the time that the process has used of all cores, to a hundredth of a second.
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	require.NoError(p.t, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	require.Greater(p.t, len(f), 12)
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// gigabyte writes a log of that size, as a server does.
func gigabyte(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	w := bufio.NewWriterSize(f, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for n := 0; n < 1e9; {
		at = at.Add(time.Duration(r.IntN(40)) * time.Millisecond)
		wrote, err := fmt.Fprintf(w, "%s INFO     uvicorn.access 127.0.0.1:%d - \"POST /v1/embeddings HTTP/1.1\" 200 OK %d ms id=%08x\n",
			at.Format("2006-01-02 15:04:05,000"), 40000+r.IntN(20000), r.IntN(400), r.Uint32())
		require.NoError(t, err)
		n += wrote
	}
	_, err = w.WriteString("2026-11-28 12:00:00,000 ERROR    main needle in a haystack: code=E1234 while reading shard 77\n")
	require.NoError(t, err)
	require.NoError(t, w.Flush())
	require.NoError(t, f.Close())
}

// fastest is the less of two.
func fastest(f func()) time.Duration {
	best := time.Hour
	for range 2 {
		began := time.Now()
		f()
		best = min(best, time.Since(began))
	}
	return best
}

func speed(bytes int64, d time.Duration) string {
	return fmt.Sprintf("%.0f MB/s", float64(bytes)/1e6/d.Seconds())
}

func TestALogOfAGigabyte(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "server.log")
	gigabyte(t, path)
	st, err := os.Stat(path)
	require.NoError(t, err)
	p := start(t, dir)
	r, err := http.NewRequest("GET", "http://"+p.host+"/api/stream", nil) // as long as a page is open it stays
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+p.secret)
	page, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer page.Body.Close()

	figure("its end, 300 rows", fastest(func() { _, _ = io.Copy(io.Discard, p.get("/log?n=300")) }).Round(time.Microsecond).String(), "at most 300 ms"+lnav(path))
	for _, s := range []struct{ what, pattern, peer string }{
		{"fixed text, rare", "needle in a haystack", "-F"},
		{"fixed text, in every line", "uvicorn.access", "-F"},
		{"fixed text, any case", "NEEDLE IN A HAYSTACK", "-iF"},
		{"with a required text", `code=E\d+ while`, "-P"},
		{"with a required text, some lines", `embeddings.* 200 OK 39\d ms`, "-P"},
		{"alternatives", "needle|Traceback|CRITICAL", "-E"},
		{"without a required text", `\b\d{9,}\b`, "-P"},
		{"words", `\w+\s\w+\s\w+\s\w+\s\w+\s\w+$`, "-P"},
	} {
		q := url.Values{"q": {s.pattern}}
		if strings.Contains(s.peer, "i") {
			q.Set("fold", "1")
		}
		var count int64
		before := p.cpu()
		ours := fastest(func() {
			text, err := io.ReadAll(p.get("/search?" + q.Encode()))
			require.NoError(t, err)
			blocks := strings.Split(strings.TrimSpace(string(text)), "\n\n")
			var last struct {
				Count int64
				End   bool
			}
			_, data, _ := strings.Cut(blocks[len(blocks)-1], "data: ")
			require.NoError(t, json.Unmarshal([]byte(data), &last))
			require.True(t, last.End)
			count = last.Count
		})
		used := (p.cpu() - before) / 2 // of the two searches
		figure("search: "+s.what, speed(st.Size(), ours)+", "+speed(st.Size(), used)+" of one core", peers(t, s.pattern, s.peer, path, count, st.Size()))
	}
	most, now := p.memory()
	figure("memory of the server", fmt.Sprintf("%.1f MiB, %.1f MiB at most", now, most), "at most 40 MiB")

	b := newTab(t, 1000, "light")
	began := time.Now()
	b.open(p.url)
	b.until("the card is there", `document.querySelector(".card .is")`)
	figure("the page, from nothing to its first card", time.Since(began).Round(time.Millisecond).String(), b.text(`Math.round(performance.getEntriesByName("first-contentful-paint")[0]?.startTime) + " ms to the first paint"`))
	began = time.Now()
	b.click(`a[href$="/log"]`)
	b.until("the end is shown", `[...document.querySelectorAll("#rows .entry")].at(-1)?.textContent.includes("needle")`)
	figure("the log in the page, from the click on", time.Since(began).Round(time.Millisecond).String(), "")
	b.eval(`new Promise((done) => { let n = 0; const up = () => { document.getElementById("log").scrollTop = 0; if (++n < 100) setTimeout(up, 30); else done(true); }; up(); })`, nil)
	most, now = p.memory()
	figure("memory of the server, after much scrolling", fmt.Sprintf("%.1f MiB, %.1f MiB at most", now, most), "")
	figure("rows in the page, and its heap", b.text(`document.querySelectorAll(".row").length + ", " + Math.round(performance.memory.usedJSHeapSize / 1e6) + " MB"`), "")
	flood(t, b, p, path)
}

// peers are how fast others count the lines that match, as far as they are here and count the same.
func peers(t *testing.T, pattern, how, path string, count, size int64) string {
	var all []string
	for _, c := range [][]string{{"rg", "-c", "--no-mmap", strings.NewReplacer("P", "", "E", "").Replace(how)}, {"grep", "-c", how}} {
		exe, err := exec.LookPath(c[0])
		if err != nil {
			continue
		}
		args := append(c[1:], "-e", pattern, path)
		if len(c) > 2 && c[len(c)-1] == "-" {
			args = append(append([]string{}, c[1:len(c)-1]...), "-e", pattern, path)
		}
		var out []byte
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		cmd := exec.CommandContext(ctx, exe, args...)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		began := time.Now()
		out, _ = cmd.Output()
		took, late := time.Since(began), ctx.Err() != nil
		cancel()
		if late {
			continue
		}
		used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		if said := strings.TrimSpace(string(out)); said != strconv.FormatInt(count, 10) && (said != "" || count > 0) { // ripgrep does not say 0
			t.Logf("%s counts %s, not %d, for %s", c[0], strings.TrimSpace(string(out)), count, pattern)
			continue
		}
		all = append(all, c[0]+" "+speed(size, took)+", "+speed(size, used)+" of one core")
	}
	return strings.Join(all, ", ")
}

// lnav is how long the viewer of that name needs to the end of the file, if it is here.
func lnav(path string) string {
	exe, err := exec.LookPath("lnav")
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "-n", "-q", "-c", ":goto 100%", path)
	began := time.Now()
	if cmd.Run() != nil {
		return ""
	}
	took, used := time.Since(began), cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	return fmt.Sprintf("; lnav %.1f s, %.1f s of CPU, %d MiB", took.Seconds(), used.Seconds(), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss/1024)
}

func flood(t *testing.T, b *tab, p *process, path string) {
	b.key("G")
	b.eval(`document.getElementById("follow").getAttribute("aria-pressed") === "true" || document.getElementById("follow").click()`, nil)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		began, n := time.Now(), 0
		for {
			select {
			case <-stop:
				stopped <- n
				return
			case <-time.After(5 * time.Millisecond):
			}
			for want := int(time.Since(began).Seconds() * 50_000); n < want; n += 250 {
				_, _ = f.WriteString(strings.Repeat(fmt.Sprintf("2026-11-28 12:00:00,000 INFO     uvicorn.access flood %d\n", n), 250))
			}
		}
	}()
	b.eval(`new Promise((done) => {
		let last = performance.now(), count = 0, longest = 0;
		const begin = last;
		const frame = (now) => {
			longest = Math.max(longest, now - last); last = now; count++;
			if (now - begin > 5000) { window.frames5 = count + " frames in 5 s, the longest " + Math.round(longest) + " ms"; done(true); } else requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
	})`, nil)
	close(stop)
	n := <-stopped
	most, _ := p.memory()
	figure(fmt.Sprintf("a flood of %d lines a second", n/5), b.text("window.frames5"), fmt.Sprintf("server %.1f MiB at most", most))
}
