package port

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// Finding is whose a backend's port is, and what would have to end for the backend to have it.
type Finding struct {
	Free  bool
	Owner Owner // for a person; of several the one that decides
	// End is what may be ended, the topmost processes first. Empty if anybody is among the owners who may not be touched.
	End []proc.Process
}

// Mine tells what belongs to this backend. The zero value knows of nothing.
type Mine struct {
	Folder string                  // where its keeper lives, see BackendFolder
	Run    func(runID string) bool // a run of it
	// Name is the name of the backend that another keeper of ours, in that folder, keeps; "" if it is not known. It may be nil.
	Name func(folder string) string
}

// Claim looks who has the port of c. Ours is told by the Run ID that a process carries. A copy of the backend that was
// started by hand is told by three things together: our user, a working directory in the backend's folder, and a command line that names
// the backend's app. Whether a copy is then ended is for the caller to decide (on_port_conflict).
func Claim(ctx context.Context, c config.Config, mine Mine) (Finding, error) {
	if c.Port == 0 {
		return Finding{Free: true}, nil
	}
	hosts, err := addresses(c.ListenHost())
	if err != nil {
		return Finding{}, err
	}
	for try := 0; ; try++ {
		free, err := Free(c.ListenHost(), c.Port)
		if err != nil || free {
			return Finding{Free: free}, err
		}
		ls, err := listeners(ctx, c.Port)
		if err != nil {
			return Finding{}, fmt.Errorf("looking for who listens on port %d: %w", c.Port, err)
		}
		ls = slices.DeleteFunc(ls, func(l listener) bool { return !l.concerns(hosts) })
		if err := findHolders(ctx, ls); err != nil {
			return Finding{}, fmt.Errorf("looking for who listens on port %d: %w", c.Port, err)
		}
		owners := ownersOf(ls)
		if len(owners) > 0 {
			return newOwnership(c, mine).claim(owners)
		}
		if try == 2 { // it may just have been closing
			return Finding{Owner: Owner{Why: unseenText}}, nil
		}
		select {
		case <-ctx.Done():
			return Finding{}, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ownership judges the owners of a port.
type ownership struct {
	config config.Config
	mine   Mine
	all    table
	own    map[int]bool // this program and those it descends from: never among those to end
	err    error
}

func newOwnership(c config.Config, mine Mine) ownership {
	ps, err := proc.Processes()
	k := ownership{config: c, mine: mine, all: tableOf(ps), own: map[int]bool{os.Getpid(): true}, err: err}
	for _, p := range k.all.line(os.Getpid()) {
		k.own[p.PID] = true
	}
	return k
}

func (k ownership) claim(owners []Owner) (Finding, error) {
	if k.err != nil {
		return Finding{}, k.err
	}
	var c Finding
	for _, o := range owners {
		top, judged := k.judge(o)
		if !judged.Ours && !judged.Copy {
			return Finding{Owner: judged}, nil
		}
		if !slices.Contains(c.End, top) {
			c.End = append(c.End, top)
		}
		if c.Owner.PID == 0 || judged.Copy && !c.Owner.Copy { // a copy among ours needs the leave to end it
			c.Owner = judged
		}
	}
	slices.SortStableFunc(c.End, func(a, b proc.Process) int { return len(k.all.line(a.PID)) - len(k.all.line(b.PID)) })
	return c, nil
}

// judge says what one owner is. For ours and a copy it gives the topmost process of that kind, which is also the one to name: of
// uvicorn with workers people know the PID that they started.
func (k ownership) judge(o Owner) (proc.Process, Owner) {
	if o.PID == 0 {
		return proc.Process{}, o
	}
	line := k.all.line(o.PID)
	if len(line) == 0 || line[0].Stamp != o.Stamp {
		o.Why = fmt.Sprintf("%s (PID %d) came or went just now.", o.Name, o.PID)
		return proc.Process{}, o
	}
	if top, ok := k.topmost(line, func(p proc.Process) bool { return k.isOurs(p) }); ok && k.isOurs(line[0]) {
		return top, Owner{PID: top.PID, Stamp: top.Stamp, Name: top.Name, Ours: true, Why: fmt.Sprintf("%s (PID %d) is a server of this backend that outlived its keeper.", top.Name, top.PID)}
	}
	if top, ok := k.belowOwnKeeper(line); ok {
		return top, Owner{PID: top.PID, Stamp: top.Stamp, Name: top.Name, Ours: true, Why: fmt.Sprintf("%s (PID %d) is what the last run of this backend left behind.", top.Name, top.PID)}
	}
	if why := k.keptBy(line); why != "" {
		o.Why = why
		return proc.Process{}, o
	}
	if line[0].UID != os.Getuid() {
		o.Why = fmt.Sprintf("%s (PID %d) belongs to %s.", o.Name, o.PID, userName(line[0].UID))
		return proc.Process{}, o
	}
	if top, ok := k.topmost(line, k.isCopy); ok {
		return top, Owner{PID: top.PID, Stamp: top.Stamp, Name: top.Name, Copy: true, Why: k.copyText(top)}
	}
	o.Why = k.strangerText(line[0])
	return proc.Process{}, o
}

func (k ownership) topmost(line []proc.Process, is func(proc.Process) bool) (top proc.Process, ok bool) {
	for _, p := range line {
		if !k.own[p.PID] && !p.Zombie && is(p) {
			top, ok = p, true
		}
	}
	return top, ok
}

func (k ownership) isOurs(p proc.Process) bool {
	id := proc.RunOf(p.PID)
	return id != "" && k.mine.Run != nil && k.mine.Run(id)
}

func (k ownership) isCopy(p proc.Process) bool {
	if p.UID != os.Getuid() {
		return false
	}
	cwd, err := workingDir(p.PID)
	if err != nil || !within(k.config.Dir, cwd) {
		return false
	}
	args, err := proc.Args(p.PID)
	return err == nil && k.config.Runs(args, cwd)
}

// belowOwnKeeper finds what the last run left below the keeper of this backend, also where the environment of a process tells
// nothing any more (setproctitle writes over it).
func (k ownership) belowOwnKeeper(line []proc.Process) (proc.Process, bool) {
	if k.mine.Folder == "" {
		return proc.Process{}, false
	}
	for i, p := range line[1:] {
		args, _ := proc.Args(p.PID)
		if p.UID == os.Getuid() && len(args) == 2 && strings.HasPrefix(filepath.Base(args[0]), "vivarium-keeper") && args[1] == k.mine.Folder {
			return line[i], true
		}
	}
	return proc.Process{}, false
}

// keptBy tells of a keeper above the process: what another Vivarium keeps is not a copy that a person forgot.
func (k ownership) keptBy(line []proc.Process) string {
	for _, p := range line[1:] {
		args, _ := proc.Args(p.PID)
		if len(args) == 0 {
			args = []string{p.Name}
		}
		if !strings.HasPrefix(filepath.Base(args[0]), "vivarium-keeper") && p.Name != "vivarium-keeper" {
			continue
		}
		where := ""
		if len(args) > 1 && k.mine.Folder != "" && filepath.Dir(args[1]) == filepath.Dir(k.mine.Folder) {
			name := ""
			if k.mine.Name != nil {
				name = config.Plain(k.mine.Name(args[1]))
			}
			if name == "" {
				name = "another backend"
			}
			return fmt.Sprintf("%s (PID %d) is kept by Vivarium for %s.", line[0].Name, line[0].PID, name)
		}
		if len(args) > 1 {
			where = ", whose state folder is " + filepath.Dir(filepath.Dir(args[1]))
		}
		return fmt.Sprintf("%s (PID %d) is kept by another Vivarium%s (keeper PID %d).", line[0].Name, line[0].PID, where, p.PID)
	}
	return ""
}

// copyText names the parent: if the copy comes back, that is who starts it.
func (k ownership) copyText(p proc.Process) string {
	text := fmt.Sprintf("%s (PID %d) runs this backend without the crash environment", p.Name, p.PID)
	if parent, ok := k.all[p.PPID]; ok {
		text += fmt.Sprintf(", started by %s (PID %d)", parent.Name, parent.PID)
	}
	return text
}

func (k ownership) strangerText(p proc.Process) string {
	who := fmt.Sprintf("%s (PID %d)", p.Name, p.PID)
	app := strings.Join(k.config.App(), " ")
	cwd, err := workingDir(p.PID)
	switch {
	case k.own[p.PID]:
		return who + " is this program itself."
	case err != nil:
		return who + " does not tell in which folder it works, so it may be anything."
	case !within(k.config.Dir, cwd):
		return fmt.Sprintf("%s works in %s, not in this backend's folder.", who, config.Plain(cwd))
	case app == "":
		return who + " works in this backend's folder, but the command in vivarium.toml names no app to know it by."
	}
	return fmt.Sprintf("%s works in this backend's folder, but its command line does not name %s.", who, config.Plain(app))
}

// workingDir is where a process works, links resolved.
func workingDir(pid int) (string, error) {
	cwd, err := (&process.Process{Pid: int32(pid)}).Cwd()
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(cwd); err == nil {
		cwd = real
	}
	return cwd, nil
}

// within: path is dir, or below it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}
