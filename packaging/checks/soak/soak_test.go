//go:build soak

// Package soak lets faults happen at random to real backends, for minutes, and looks after each of them whether what Vivarium promises still
// holds. Begin with TestSoak and the list of faults. It knows the programs, and of the packages only the keeper's, to find processes.
package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
)

// kinds are the backends: how their server behaves, see testdata/server.py.
var kinds = []string{"plain", "deaf", "slow", "loud"}

// book is what happened, for the table.
type book struct {
	mu         sync.Mutex
	recovered  map[string][]time.Duration // by fault
	violations []string
	runs       int
	lines      int
	answers    int // of commands
}

func (b *book) violation(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	b.violations = append(b.violations, text)
	fmt.Println("VIOLATION", time.Now().Format("15:04:05.000"), text)
}

func (b *book) fault(name string, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recovered[name] = append(b.recovered[name], took)
}

func number(t *testing.T, variable string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err, variable)
	return n
}

func TestSoak(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("skipped: python3 is not installed")
	}
	minutes := number(t, "SOAK_MINUTES", 3)
	seed := number(t, "SOAK_SEED", time.Now().UnixNano()%1_000_000)
	fmt.Printf("soak: %d minutes, seed %d (SOAK_SEED=%d repeats its choices)\n", minutes, seed, seed)
	programs := build(t)
	top, err := os.MkdirTemp("", "vs") // short: a socket's path may not be long
	require.NoError(t, err)
	b := &book{recovered: map[string][]time.Duration{}}
	until := time.Now().Add(time.Duration(minutes) * time.Minute)
	var work sync.WaitGroup
	var all []*backend
	for i, kind := range kinds {
		one := newBackend(t, b, programs, top, kind, rand.New(rand.NewPCG(uint64(seed), uint64(i))))
		all = append(all, one)
		work.Go(func() { one.suffer(until) })
	}
	work.Wait()
	for _, one := range all {
		one.end()
	}
	time.Sleep(7 * time.Second) // what the resource trackers may take, see the keeper's ladder
	for _, one := range all {
		one.checkLog()
		one.checkSemaphores()
	}
	b.print(seed)
	if len(b.violations) == 0 {
		require.NoError(t, os.RemoveAll(top))
	}
	require.Empty(t, b.violations, "seed %d; everything is kept in %s", seed, top)
}

// build builds the programs as they are shipped.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range []string{"vivarium", "vivarium-keeper"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, p), "github.com/vivarium-app/vivarium/cmd/"+p)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	return dir
}

func (b *book) print(seed int64) {
	var names []string
	total := 0
	for name, all := range b.recovered {
		names = append(names, name)
		total += len(all)
	}
	slices.Sort(names)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nfault\ttimes\tmedian until well\tlongest\t")
	for _, name := range names {
		all := b.recovered[name]
		slices.Sort(all)
		fmt.Fprintf(w, "%s\t%d\t%d ms\t%d ms\t\n", name, len(all), all[len(all)/2].Milliseconds(), all[len(all)-1].Milliseconds())
	}
	_ = w.Flush()
	fmt.Printf("%d faults, %d runs, %d commands answered, %d numbered lines checked, %d violations, seed %d\n",
		total, b.runs, b.answers, b.lines, len(b.violations), seed)
}
