//go:build e2e || bench

package stalls

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/recorder"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

// observe takes the samples of a process as the supervisor does, and gives the case for the judge.
func observe(p *process, target recorder.Target, phase stall.Phase, samples int, apart time.Duration) stall.Case {
	p.t.Helper()
	c := stall.Case{Phase: phase, Source: stall.ReadSource(p.start.Add(time.Second))}
	system := recorder.Real()
	before, _ := system.Threads(target.PID)
	at, silent := time.Now(), false
	var tids []int
	for i := range samples {
		if i > 0 {
			time.Sleep(apart)
		}
		sample := stall.Sample{At: time.Now(), Silent: silent}
		if !silent {
			answer, err := p.asker.Ask(p.t.Context(), target)
			require.NoError(p.t, err)
			sample.Silent, silent = answer.Silent, answer.Silent
			tids = tids[:0]
			for _, th := range answer.Stacks.Threads {
				if th.Main {
					th.TID = target.PID
				}
				tids = append(tids, th.TID)
			}
			sample.Threads, sample.Tasks, sample.Cut = threads(answer.Stacks), tasks(answer.Stacks), answer.Stacks.Cut
		}
		use, _ := system.Threads(target.PID)
		elapsed := time.Since(at)
		at = time.Now()
		var total time.Duration
		byTID := map[int]time.Duration{}
		for tid, u := range use {
			byTID[tid] = u.CPU - before[tid].CPU + u.Waited - before[tid].Waited
			total += byTID[tid]
		}
		for i := range sample.Threads {
			sample.Threads[i].CPU = byTID[tids[i]]
		}
		before = use
		sample.CPU = total.Seconds() / elapsed.Seconds()
		sample.State, _ = stall.StateOf(target.PID)
		c.Samples = append(c.Samples, sample)
	}
	c.Peers, _ = stall.Peers(target.PID)
	if all, _, err := recorder.Exceptions(p.asker.Folder, target.PID); err == nil && len(all) > 0 && all[len(all)-1].Main {
		e := all[len(all)-1].Error
		c.Exception = e.Name() + ": " + e.Message
	}
	return c
}

func threads(s recorder.Stacks) []stall.Thread {
	all := make([]stall.Thread, 0, len(s.Threads))
	for _, t := range s.Threads {
		all = append(all, stall.Thread{ID: t.ID, Name: t.Name, Main: t.Main, Frames: frames(t.Frames)})
	}
	return all
}

func tasks(s recorder.Stacks) [][]stall.Frame {
	var all [][]stall.Frame
	for _, t := range s.Tasks {
		all = append(all, frames(t))
	}
	return all
}

func frames(list []recorder.Frame) []stall.Frame {
	all := make([]stall.Frame, 0, len(list))
	for _, f := range list {
		all = append(all, stall.Frame(f))
	}
	return all
}

// fixture writes a case as a fixture of supervisor/stall, if VIVARIUM_STALL_FIXTURES names a folder. Paths become those of a backend in /b.
func fixture(t testing.TB, name, dir string, c stall.Case) {
	folder := os.Getenv("VIVARIUM_STALL_FIXTURES")
	if folder == "" {
		return
	}
	place, _ := venv()
	// The interpreter's own library lies elsewhere on each machine.
	clean := func(path string) string {
		path = strings.ReplaceAll(strings.ReplaceAll(path, dir, "/b"), place, "/b/.venv")
		if i := strings.Index(path, "/lib/python3"); i >= 0 && !strings.HasPrefix(path, "/b/") {
			path = "/usr" + path[i:]
		}
		return path
	}
	var b strings.Builder
	fmt.Fprintf(&b, "phase: %s\ndir: /b\nsilent: %v\ncpu: %.2f\nstate: %s\n", c.Phase, c.Samples[0].Silent, c.Samples[len(c.Samples)-1].CPU, c.Samples[0].State)
	if len(c.Peers) > 0 {
		fmt.Fprintf(&b, "peers: %s\n", strings.Join(c.Peers, " "))
	}
	if c.Exception != "" {
		fmt.Fprintf(&b, "exception: %s\n", c.Exception)
	}
	files, numbers := map[string]bool{}, map[uint64]int{}
	var order []string
	write := func(list []stall.Frame) {
		for _, f := range list {
			fmt.Fprintf(&b, "  File %q, line %d, in %s\n", clean(f.File), f.Line, f.Function)
			if strings.HasPrefix(f.File, dir+"/") && !files[f.File] {
				files[f.File] = true
				order = append(order, f.File)
			}
		}
	}
	for i, s := range c.Samples {
		if i > 0 && len(s.Threads) == 0 {
			continue
		}
		b.WriteString(map[bool]string{true: "\n-- stacks --\n", false: "-- stacks --\n"}[i == 0])
		for _, th := range s.Threads {
			if _, known := numbers[th.ID]; !known {
				numbers[th.ID] = len(numbers) + 1
			}
			role := map[bool]string{true: "main", false: "thread"}[th.Main]
			fmt.Fprintf(&b, "%s %d %s\n", role, numbers[th.ID], th.Name)
			write(th.Frames)
		}
		for _, task := range s.Tasks {
			b.WriteString("task\n")
			write(task)
		}
	}
	for _, file := range order {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		fmt.Fprintf(&b, "-- source %s --\n%s", clean(file), strings.TrimRight(string(text), "\n")+"\n")
	}
	b.WriteString("-- stall --\n")
	require.NoError(t, os.WriteFile(filepath.Join(folder, name+".txt"), []byte(b.String()), 0o644))
}
