package keeper

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkRestart measures from kill -9 of the child until the next one has been executed, by way of a client that decides:
// Wait, Forget, Spawn. Beside it stands what the machine itself takes for it: kill, wait, fork and exec.
func BenchmarkRestart(b *testing.B) {
	dir := stateDir(b)
	c := launched(b, dir)
	s := Spec{Argv: []string{"/bin/sleep", "1000"}, Dir: dir, Log: filepath.Join(dir, "server.log"), Env: os.Environ()}
	run, err := c.Spawn(soon(b), s)
	require.NoError(b, err)
	var kept, bare []time.Duration
	for b.Loop() {
		start := time.Now()
		require.NoError(b, syscall.Kill(run.PID, syscall.SIGKILL))
		e, err := c.Wait(b.Context())
		require.NoError(b, err)
		require.NoError(b, c.Forget(e.Run.ID))
		run, err = c.Spawn(b.Context(), s)
		require.NoError(b, err)
		kept = append(kept, time.Since(start))
		bare = append(bare, bareRestart(b, s))
	}
	slices.Sort(kept)
	slices.Sort(bare)
	k, m := kept[len(kept)/2], bare[len(bare)/2]
	b.ReportMetric(k.Seconds()*1e3, "ms/restart")
	b.ReportMetric(m.Seconds()*1e3, "ms/bare")
	b.ReportMetric(float64(k)/float64(m), "ratio")
}

func bareRestart(b *testing.B, s Spec) time.Duration {
	attr := &syscall.ProcAttr{Env: s.Env, Dir: s.Dir}
	first, err := syscall.ForkExec(s.Argv[0], s.Argv, attr)
	require.NoError(b, err)
	time.Sleep(time.Millisecond)
	start := time.Now()
	require.NoError(b, syscall.Kill(first, syscall.SIGKILL))
	_, err = syscall.Wait4(first, nil, 0, nil)
	require.NoError(b, err)
	second, err := syscall.ForkExec(s.Argv[0], s.Argv, attr)
	took := time.Since(start)
	require.NoError(b, err)
	require.NoError(b, syscall.Kill(second, syscall.SIGKILL))
	_, err = syscall.Wait4(second, nil, 0, nil)
	require.NoError(b, err)
	return took
}

// BenchmarkLog measures 200 MB of output through the keeper into its rotated log, against `child | cat > file`.
func BenchmarkLog(b *testing.B) {
	const total = 200_000_000
	for _, size := range []int{64 << 10, 100} {
		b.Run(fmt.Sprintf("%d-byte-writes", size), func(b *testing.B) {
			dir := stateDir(b)
			c := launched(b, dir)
			var kept, cat []time.Duration
			for b.Loop() {
				s := spec(dir, "flood", strconv.Itoa(total), strconv.Itoa(size))
				s.LogSize, s.LogKeep = 50_000_000, 5
				start := time.Now()
				_, err := c.Spawn(b.Context(), s)
				require.NoError(b, err)
				e, err := c.Wait(b.Context())
				require.NoError(b, err)
				kept = append(kept, time.Since(start))
				require.Zero(b, e.Code)
				require.NoError(b, c.Forget(e.Run.ID))
				cat = append(cat, catRun(b, s, filepath.Join(dir, "cat.log")))
			}
			slices.Sort(kept)
			slices.Sort(cat)
			k, m := kept[len(kept)/2], cat[len(cat)/2]
			b.ReportMetric(k.Seconds(), "s/keeper")
			b.ReportMetric(m.Seconds(), "s/cat")
			b.ReportMetric(float64(k)/float64(m), "ratio")
		})
	}
}

func catRun(b *testing.B, s Spec, out string) time.Duration {
	cmd := exec.Command("/bin/sh", "-c", `"$0" "$@" | cat > "$OUT"`)
	cmd.Args = append(cmd.Args, s.Argv...)
	cmd.Env = append(slices.Clone(s.Env), "OUT="+out)
	start := time.Now()
	require.NoError(b, cmd.Run())
	took := time.Since(start)
	os.Remove(out)
	return took
}
