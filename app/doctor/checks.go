package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/login"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// The doctor's checks of what is around Python.

func (e *examiner) running() bool { return e.row.PID != 0 }

func (e *examiner) arrived() {
	switch {
	case !e.running():
	case len(e.row.Missing) > 0:
		e.fail("VIV010", strings.Join(e.row.Missing, ", ")+" did not arrive in Python", `let command start Python itself: ["{python}", "-m", …]`)
	default:
		e.pass("VIV010", fmt.Sprintf("the server has it (PID %d)", e.row.PID))
	}
}

// port asks whose the port is: it may well be the backend itself that runs.
func (e *examiner) port(ctx context.Context) {
	c := e.config
	if c.Port == 0 {
		e.pass("VIV012", "it listens nowhere")
		return
	}
	if e.running() {
		text := fmt.Sprintf("port %d: the backend runs (PID %d)", c.Port, e.row.PID)
		if e.row.HeldBy != 0 {
			text += "; " + words.KeptPort(c.Port, e.row.Backend)
		}
		e.pass("VIV012", text)
		return
	}
	free, err := port.Free(c.Host(), c.Port)
	switch {
	case err != nil:
		e.fail("VIV012", fmt.Sprintf("port %d cannot be bound: %v", c.Port, err), "choose another port or host in vivarium.toml")
		return
	case free:
		e.pass("VIV012", fmt.Sprintf("port %d is free", c.Port))
		return
	}
	if row, ok := control.Keeping(ctx, e.state, c.Port); ok {
		e.fail("VIV012", fmt.Sprintf("port %d is kept by Vivarium for %s (PID %d)", c.Port, row.Backend, row.PID), "choose another port in vivarium.toml, or stop that backend")
		return
	}
	mine := port.Mine{Folder: keeper.BackendFolder(e.state, c.Dir)}
	if claim, err := port.Claim(ctx, c, mine); err == nil && (claim.Owner.Ours || claim.Owner.Copy && c.OnPortConflict == config.TakeOver) {
		e.warn("VIV012", claim.Owner.Why, "the next start ends it and takes its place: "+startWords)
		return
	} else if err == nil && claim.Owner.Copy {
		e.fail("VIV012", claim.Owner.Why, `end it, or let Vivarium do it: Take Over in the menu, or on_port_conflict = "take_over" in vivarium.toml`)
		return
	}
	text := fmt.Sprintf("port %d is taken", c.Port)
	if owners, err := port.Owners(ctx, c.Port); err == nil && len(owners) > 0 {
		text += " by a process of another user"
		if o := owners[0]; o.PID != 0 {
			text = fmt.Sprintf("port %d is taken by %s (PID %d)", c.Port, o.Name, o.PID)
		}
	}
	e.fail("VIV012", text, "end that program, or choose another port in vivarium.toml")
}

const startWords = "`vivarium start`, or ./start"

func (e *examiner) health() {
	switch h := e.row.Health; {
	case !e.running():
	case !e.config.HasHealth() && e.config.Port == 0:
		e.pass("VIV013", "it has no health path and no port: that it runs is all that is known")
	case h.Phase == record.PhaseOK && !e.config.HasHealth():
		e.pass("VIV013", fmt.Sprintf("it has no health path; its port %d was open", e.config.Port))
	case h.Phase == record.PhaseOK:
		text := fmt.Sprintf("%s answers in %.1f ms", e.config.Target().Path(), h.Latency)
		if e.config.Target().TLS() {
			text += "; its certificate is not checked, because the address is this computer's own"
		}
		e.pass("VIV013", text)
	case h.Phase == record.PhaseStarting:
		e.warn("VIV013", "the server is still starting", "")
	case h.Phase == record.PhaseMisconfigured:
		problem, remedy, _ := strings.Cut(h.Problem, ": ")
		e.fail("VIV013", problem, remedy)
	default:
		e.fail("VIV013", strings.TrimSuffix(fmt.Sprintf("%s: %s", h.Phase, h.Problem), ": "), "the log's last lines show what it does: vivarium logs")
	}
}

// log looks without writing: the nearest folder that exists has to be writable.
func (e *examiner) log() {
	file := e.config.Log.File
	for path := file; ; path = filepath.Dir(path) {
		_, err := os.Stat(path)
		switch {
		case err == nil && unix.Access(path, unix.W_OK) != nil:
			e.fail("VIV014", path+" cannot be written", "change its permissions, or name another file under [log]")
		case err == nil:
			e.pass("VIV014", file)
		case path != filepath.Dir(path):
			continue
		default:
			e.fail("VIV014", err.Error(), "")
		}
		return
	}
}

// disk asks for room where something is written.
func (e *examiner) disk() {
	const little = 1 << 30
	least, where := uint64(math.MaxUint64), ""
	for _, dir := range []string{e.config.Dir, e.state} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil {
			if free := uint64(st.Bavail) * uint64(st.Bsize); free < least {
				least, where = free, dir
			}
		}
	}
	switch {
	case where == "":
	case least < little:
		e.warn("VIV015", words.Size(least)+" are free at "+where, "make room: a full disk drops lines of the log, and many servers die of it")
	default:
		e.pass("VIV015", words.Size(least)+" are free")
	}
}

// files: the keeper raises the limit as far as the system allows.
func (e *examiner) files() {
	const few = 1024
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) != nil {
		return
	}
	most := min(uint64(lim.Max), keeper.MaxOpenFiles)
	text := fmt.Sprintf("a server may open %d files", most)
	if most < few {
		e.warn("VIV016", text, "raise the hard limit of open files for your user")
		return
	}
	e.pass("VIV016", text)
}

func (e *examiner) leftovers() {
	e.x.Leftovers = process.Leftovers()
	if n := len(e.x.Leftovers); n > 0 {
		e.warn("VIV017", words.Count(n, "mark", "marks")+" of dead processes in shared memory", "`vivarium doctor --clean` removes them")
		return
	}
	e.pass("VIV017", "nothing")
}

func (e *examiner) login() {
	exe, err := desktop.Program(desktop.MenubarProgram)
	if err != nil {
		return // the command line alone: nothing to start at login
	}
	item, err := login.New(exe, "")
	if err != nil {
		return
	}
	switch st, err := item.Status(); {
	case err != nil:
		e.warn("VIV018", err.Error(), "switch it off and on again: vivarium login off, vivarium login on")
		return
	case st.Gone:
		e.warn("VIV018", st.Other+" starts at login and is not there any more", "`vivarium login on` lets this one start")
		return
	case st.Other != "":
		e.warn("VIV018", "another program starts at login: "+st.Other, "`vivarium login on` lets this one start instead")
		return
	}
	setting := login.Setting{Item: item, Items: login.InApp(e.goos, exe), State: e.state, Build: keeper.Version}
	switch st, err := setting.Status(); {
	case err != nil:
		e.warn("VIV018", err.Error(), "")
	case st.On:
		e.pass("VIV018", "Vivarium starts at login")
	case st.Words != "":
		e.pass("VIV018", st.Words)
	default:
		e.pass("VIV018", "off")
	}
}

func (e *examiner) notices() {
	if err := desktop.NoDesktop(runtime.GOOS, os.Getenv, desktop.Exists); err != nil {
		e.warn("VIV019", err.Error(), "crashes are told in the terminal, in the log and by `vivarium status` all the same")
		return
	}
	if desktop.HiddenIcon(e.state) {
		e.warn("VIV019", desktop.IconHidden, "")
		return
	}
	e.pass("VIV019", "Send Test Notification in the menu shows whether they are seen")
}

func (e *examiner) keeper() {
	exe, err := desktop.Program(desktop.KeeperProgram)
	if err != nil {
		e.fail("VIV020", err.Error(), "build all programs with `make build`, or install Vivarium anew")
		return
	}
	e.pass("VIV020", exe)
}

// stopSignal compares the signal that stops the server with the one that the server stops well on. A command that does not tell its server, a
// script mostly, is looked through once it runs.
func (e *examiner) stopSignal() {
	fits, server, known := config.StopSignal(e.config.Command)
	if !known && e.running() {
		for _, pid := range process.Tree(e.row.PID) {
			args, err := proc.Args(pid)
			if err != nil {
				continue
			}
			if fits, server, known = config.StopSignal(args); known {
				break
			}
		}
	}
	if !known || fits == e.config.Stop.Signal || fits == syscall.SIGINT { // which is the default: whoever writes another one means it
		return
	}
	e.warn("VIV021", fmt.Sprintf("%s stops well on %s, and is stopped with %s", server, proc.SignalName(fits), proc.SignalName(e.config.Stop.Signal)),
		fmt.Sprintf("write signal = %q under [stop] in vivarium.toml", proc.SignalName(fits)))
}

// privacy: macOS asks a person before a program gets into some folders, once, and answers "operation not permitted" ever after a no. What this
// program may is not what the app may: so a guarded folder is worth a word even if it can be read.
func (e *examiner) privacy(home func() (string, error), list func(string) ([]os.DirEntry, error)) {
	if e.goos != "darwin" {
		return
	}
	h, err := home()
	if err != nil {
		return
	}
	dir := e.config.Dir
	name, pane, guarded := crash.Guarded(h, dir)
	_, err = list(dir)
	where := "switch Vivarium on in System Settings → Privacy & Security → " + pane
	switch {
	case errors.Is(err, unix.EPERM) && guarded:
		e.fail("VIV022", "macOS does not let this program into "+name+": "+dir, where+" (in a terminal: your terminal app), or move the folder out of "+name)
	case errors.Is(err, unix.EPERM):
		e.fail("VIV022", "macOS does not let this program into "+dir, "switch Vivarium on in System Settings → Privacy & Security → Full Disk Access, or move the folder to your home folder")
	case guarded:
		e.warn("VIV022", "the backend is in "+name+", which macOS guards: it asks once, and a No stays", where+" if the server says “Operation not permitted”, or move the folder out of "+name)
	default:
		e.pass("VIV022", "macOS does not guard "+dir)
	}
}
