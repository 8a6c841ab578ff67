package memory

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// Program is what all processes of one program hold together.
type Program struct {
	Name      string `json:"name"`
	Bytes     uint64 `json:"bytes"`
	Processes int    `json:"processes"`
}

const (
	mostPrograms = 5
	leastProgram = 100 << 20 // bytes; what holds less is no reason that memory ran out
	longestName  = 60
)

// Largest are the programs that hold the most memory at this moment, the largest first: names and sizes, and no more than a few. skip
// leaves processes out; it is asked only about large ones. Of other users' processes macOS tells nothing.
func Largest(skip func(pid int) bool) []Program {
	s := realSystem()
	all, err := proc.Processes()
	if err != nil {
		return nil
	}
	var found []holder
	for _, p := range all {
		if p.Zombie {
			continue
		}
		if f, ok := s.Of(p.PID); ok && f.Held > 0 {
			found = append(found, holder{p, f.Held})
		}
	}
	return programs(found, executable, skip)
}

type holder struct {
	proc.Process
	held uint64
}

// programs puts the processes of each program together. Only what a person could tell apart is told: the many helpers of a browser are
// the browser.
func programs(all []holder, path func(pid int) string, skip func(pid int) bool) []Program {
	slices.SortStableFunc(all, func(a, b holder) int { return compare(b.held, a.held) })
	byName := map[string]*Program{}
	for i, h := range all {
		name := programName(path(h.PID), h.Name)
		if name == "" || i < 10*mostPrograms && h.held >= leastProgram && skip != nil && skip(h.PID) {
			continue
		}
		p := byName[name]
		if p == nil {
			p = &Program{Name: name}
			byName[name] = p
		}
		p.Bytes += h.held
		p.Processes++
	}
	var found []Program
	for _, p := range byName {
		if p.Bytes >= leastProgram {
			found = append(found, *p)
		}
	}
	slices.SortFunc(found, func(a, b Program) int {
		if a.Bytes != b.Bytes {
			return compare(b.Bytes, a.Bytes)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return found[:min(len(found), mostPrograms)]
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// programName is the name of the app that the path lies in, the outermost one, or else that of the program. kernel is the kernel's short name,
// for what has no path.
func programName(path, kernel string) string {
	name := kernel
	if path != "" && path != "." {
		name = filepath.Base(path)
		for part := range strings.SplitSeq(path, "/") {
			if app, ok := strings.CutSuffix(part, ".app"); ok && app != "" {
				name = app
				break
			}
		}
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	if r := []rune(name); len(r) > longestName {
		name = string(r[:longestName])
	}
	return strings.TrimSpace(name)
}
