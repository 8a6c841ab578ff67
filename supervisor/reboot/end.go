package reboot

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	askTime    = 3 * time.Second // for a program of the system's
	mostOutput = 64 << 10
	mostFiles  = 20 // reports that are read, the newest first
)

// panicReports reads the reports of kernel panics in the folders, the newest ones, of the time since.
func panicReports(folders []string, since time.Time) []Panic {
	type file struct {
		path string
		at   time.Time
	}
	var files []file
	for _, folder := range folders {
		for _, shape := range []string{"panic-*.ips", "panic-*.panic", "Kernel*.panic", "Kernel-*.ips"} {
			paths, _ := filepath.Glob(filepath.Join(folder, shape))
			for _, p := range paths {
				if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() && !st.ModTime().Before(since) {
					files = append(files, file{p, st.ModTime()})
				}
			}
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].at.After(files[j].at) })
	var all []Panic
	for _, f := range files[:min(len(files), mostFiles)] {
		p, ok := ReadPanic(head(f.path))
		if !ok {
			continue
		}
		if p.At.IsZero() {
			p.At = f.at
		}
		all = append(all, p)
	}
	return all
}

func head(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, MaxReport))
	return b
}

// said is what a program of the system's prints, "" if it cannot be asked.
func said(name string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return string(out[max(0, len(out)-mostOutput):])
}

var (
	farewells = regexp.MustCompile(`systemd-shutdown\[|Reached target .*(Reboot|Power.?Off|Shutdown|Halt)|System is (rebooting|powering down|halted)|Journal stopped|Shutting down\.`)
	lowPower  = regexp.MustCompile(`(?i)batter(y|ies)[^\n]{0,40}\b(critical|empty|exhausted)|critical(ly)?[ -](low )?battery|critical action`)
	tooHot    = regexp.MustCompile(`(?i)critical temperature reached|thermal[^\n]{0,60}shutting down`)
)

// journalEnd reads the last lines of a boot in journalctl's short-unix form.
func journalEnd(text string) (end End, last time.Time) {
	lines := 0
	for line := range strings.Lines(text) {
		stamp, _, ok := strings.Cut(line, " ") // it is empty where a message goes on: such lines are indented
		seconds, err := strconv.ParseFloat(stamp, 64)
		if !ok || err != nil || !(seconds > 0 && seconds < 1<<33) { // NaN, which is a number to Go; and what nanoseconds can hold
			continue
		}
		lines++
		last = time.Unix(0, int64(seconds*1e9))
	}
	switch {
	case lines == 0:
		return Unknown, time.Time{}
	case tooHot.MatchString(text):
		return Hot, last
	case lowPower.MatchString(text):
		return LowPower, last
	case farewells.MatchString(text):
		return Orderly, last
	}
	return Forced, last
}

// lastEnd reads what last(1) prints of the pseudo-users reboot and shutdown, newest first: a boot that no shutdown precedes had no clean end.
func lastEnd(text string) End {
	booted := false
	for line := range strings.Lines(text) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case word == "reboot" && booted:
			return Forced
		case word == "reboot":
			booted = true
		case word == "shutdown" && booted:
			return Orderly
		}
	}
	return Unknown
}
