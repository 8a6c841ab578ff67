package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const probedRun = "4d9193a356ae6e0b"

// kept is what of text gets into the log, which comes in pieces of n bytes.
func keptOf(text string, n int, ports ...int) string {
	q := newProbeLines(probedRun, "/health")
	for _, p := range ports {
		q.expect(p)
	}
	var b strings.Builder
	for len(text) > 0 {
		n := min(n, len(text))
		q.leaveOut([]byte(text[:n]), func(p []byte) { b.Write(p) })
		text = text[n:]
	}
	return b.String()
}

func TestLinesOfProbesAreToldFromAllOthers(t *testing.T) {
	const mark = `"Vivarium-Health-Probe ` + probedRun + `"`
	for line, left := range map[string]bool{
		`INFO:     127.0.0.1:50123 - "GET /health HTTP/1.1" 200 OK`:                                    true,
		`INFO:     127.0.0.1:50124 - "GET /health HTTP/1.1" 204 No Content`:                            true,
		`127.0.0.1:50123 - - [28/Nov/2026:14:02:00] "GET /health" 200 2`:                               true,
		`INFO:     ::1:50123 - "GET /health HTTP/1.1" 200 OK`:                                          true,
		`[::1]:50123 - "GET /health HTTP/1.1" 200`:                                                     true,
		`127.0.0.1 - - [28/Nov/2026:14:02:00 +0000] "GET /health HTTP/1.1" 200 15 "-" ` + mark:         true,
		`[2026-11-28 14:02:00 +0000] [12] [INFO] 127.0.0.1:1 - - "GET /health 1.1" 200 15 "-" ` + mark: false, // no such request line
		`INFO:     127.0.0.1:50125 - "GET /health HTTP/1.1" 200 OK`:                                    false, // another client
		`INFO:     127.0.0.1:5012 - "GET /health HTTP/1.1" 200 OK`:                                     false,
		`INFO:     127.0.0.1:501234 - "GET /health HTTP/1.1" 200 OK`:                                   false,
		`INFO:     10.127.0.0.1:50123 - "GET /health HTTP/1.1" 200 OK`:                                 false,
		`INFO:     192.168.1.4:50123 - "GET /health HTTP/1.1" 200 OK`:                                  false,
		`INFO:     127.0.0.1:50123 - "GET /health HTTP/1.1" 500 Internal Server Error`:                 false, // worth reading
		`INFO:     127.0.0.1:50123 - "GET /health HTTP/1.1" 2000`:                                      false,
		`INFO:     127.0.0.1:50123 - "GET /health HTTP/1.1"`:                                           false,
		`INFO:     127.0.0.1:50123 - "GET /healthy HTTP/1.1" 200 OK`:                                   false,
		`INFO:     127.0.0.1:50123 - "GET /health?deep=1 HTTP/1.1" 200 OK`:                             false,
		`INFO:     127.0.0.1:50123 - "POST /health HTTP/1.1" 200 OK`:                                   false,
		`127.0.0.1 - - [28/Nov/2026 14:02:00] "GET /health HTTP/1.1" 200 -`:                            false, // whose it is cannot be told
		`127.0.0.1 - - [x] "GET /health HTTP/1.1" 200 15 "-" "Vivarium-Health-Probe 0000000000000000"`: false, // another run's
		`127.0.0.1 - - [x] "GET /health HTTP/1.1" 200 15 "-" "curl/8.0" to 127.0.0.1:50123`:            false,
		`a line that speaks of ` + mark:                                                                false,
		strings.Repeat("x", 2000) + `127.0.0.1:50123 - "GET /health HTTP/1.1" 200 OK`:                  false,
		``: false,
	} {
		want := "before\n" + line + "\nafter\n"
		if left {
			want = "before\nafter\n"
		}
		require.Equal(t, want, keptOf("before\n"+line+"\nafter\n", 1<<20, 50123, 50124), line)
	}
}

func TestOnlyTheLatestPortsAreProbes(t *testing.T) {
	line := func(port int) string {
		return fmt.Sprintf("INFO:     127.0.0.1:%d - \"GET /health HTTP/1.1\" 200 OK\n", port)
	}
	var ports []int
	for p := 50000; p < 50000+recentProbes+1; p++ {
		ports = append(ports, p)
	}
	require.Equal(t, line(50000), keptOf(line(50000)+line(50001), 1<<20, ports...))
	require.Equal(t, line(0), keptOf(line(0), 1<<20, 0, -1, 70000), "no such port")
}

func TestWhateverPiecesOutputComesInNoOtherLineIsLostOrAltered(t *testing.T) {
	probe := "INFO:     127.0.0.1:50123 - \"GET /health HTTP/1.1\" 200 OK\n"
	var all, others strings.Builder
	for i := range 200 {
		other := fmt.Sprintf("line %d é \"GET /health\n", i)
		if i%3 == 0 {
			other = "\n"
		}
		all.WriteString(other + probe)
		others.WriteString(other)
	}
	all.WriteString("and an end without a line's end")
	others.WriteString("and an end without a line's end")
	for _, n := range []int{1, 2, 7, 61, 64, 100, 1000, 4096, 1 << 20} {
		got := keptOf(all.String(), n, 50123)
		require.Equal(t, others.String(), strings.ReplaceAll(got, probe, ""), n)
		if n >= 4096 {
			require.LessOrEqual(t, strings.Count(got, probe), 1+all.Len()/n, "only a line that was cut by a read may stay")
		}
	}
}

func FuzzLinesOfProbes(f *testing.F) {
	f.Add("INFO:     127.0.0.1:50123 - \"GET /health HTTP/1.1\" 200 OK\n", 10)
	f.Add("x \"GET /health", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		got := keptOf(text, max(1, n%200), 50123)
		q := newProbeLines(probedRun, "/health")
		q.expect(50123)
		want := 0
		for line := range strings.Lines(text) {
			i := strings.Index(line, `"GET /health`)
			if i >= 0 && q.isProbe([]byte(strings.TrimSuffix(line, "\n")), i) {
				continue
			}
			want += len(line)
		}
		require.GreaterOrEqual(t, len(got), want-0, "a line that is no probe's was lost")
		require.LessOrEqual(t, len(got), len(text))
	})
}

func TestARealServersProbesAreLeftOutOfItsLog(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	log := filepath.Join(t.TempDir(), "server.log")
	script := `echo ready; read _ < go.fifo; echo 'INFO:     127.0.0.1:50123 - "GET /health HTTP/1.1" 200 OK'; echo 'INFO:     127.0.0.1:50999 - "GET /health HTTP/1.1" 200 OK'; echo end`
	work := t.TempDir()
	fifo := filepath.Join(work, "go.fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	run, err := c.Spawn(soon(t), Spec{Argv: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: work, Log: log, Probed: "/health"})
	require.NoError(t, err)
	c.Probing("another run", 50999)
	c.Probing(run.ID, 50123)
	require.ErrorIs(t, c.Stop("none", Ladder{}), ErrUnknownRun, "an answer: what came before it was heard")
	require.NoError(t, os.WriteFile(fifo, []byte("go\n"), 0o600))
	exit, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.Len(t, exit.Tail, 4, "the tail has them: it is not the log")
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Equal(t, "ready\nINFO:     127.0.0.1:50999 - \"GET /health HTTP/1.1\" 200 OK\nend\n", string(text))
}
