package stall

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// at is a stall at a frame of the person's.
func at(f Frame) Stall {
	return Stall{File: f.File, Line: f.Line, Function: bare(f.Function)}
}

// asleep: elapsed time that nobody lived through is no hang. What holds a server that is awake again is stronger.
func asleep(s *scene) (Stall, bool) {
	if s.Slept < leastSleep {
		return Stall{}, false
	}
	return Stall{Kind: KindAsleep, Summary: "the computer slept for " + span(s.Slept) + ", and the server with it",
		Remedy: "Nothing is wrong with the server. Requests from before the sleep may have failed; new ones are answered."}, true
}

const leastSleep = 5 * time.Second

// afterSleep says of a wait for another host that connections do not survive a sleep.
func (s *scene) afterSleep(st Stall) Stall {
	if s.Slept >= leastSleep && (st.Kind == KindNetwork || st.Kind == KindDownload) {
		st.Summary += "; the computer slept for " + span(s.Slept) + " just before"
		st.Remedy = "Connections do not survive a sleep. " + st.Remedy
	}
	return st
}

func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h", int(d.Hours()))
}

func (s *scene) always(state State) bool {
	return len(s.Samples) > 0 && !slices.ContainsFunc(s.Samples, func(one Sample) bool { return one.State != state })
}

func paused(s *scene) (Stall, bool) {
	switch {
	case s.always(Stopped):
		return Stall{Kind: KindPaused, Summary: "the process is stopped (SIGSTOP)",
			Remedy: "Somebody stopped it with SIGSTOP or Ctrl-Z. `kill -CONT` with its PID lets it go on; so does a restart."}, true
	case s.always(Traced):
		return Stall{Kind: KindPaused, Summary: "a debugger holds the process",
			Remedy: "Continue or detach in the debugger, which has halted every thread."}, true
	}
	return Stall{}, false
}

// debugged: a thread stands at the prompt of Python's debugger, or reads from the keyboard.
func debugged(s *scene) (Stall, bool) {
	for _, v := range s.views {
		if v.why.kind != KindPaused || !v.still || v != s.main && v.kind == plain {
			continue
		}
		f, ok := s.nearest(v)
		if !ok {
			continue
		}
		st := at(f)
		st.Kind, st.Summary = KindPaused, "it waits at a prompt ("+prompt(v)+"), "+s.where(f)
		st.Remedy = "Take the breakpoint() or input() out of the code: a server has no keyboard."
		return st, true
	}
	return Stall{}, false
}

func prompt(v *view) string {
	if v.why.by == "" || strings.HasPrefix(v.why.by, "bdb") || strings.HasPrefix(v.why.by, "pdb") {
		return "debugger"
	}
	return v.why.by
}

// mainEnded: Python waits for threads that are no daemons after the main thread came to its end.
func mainEnded(s *scene) (Stall, bool) {
	if s.main == nil || !slices.ContainsFunc(s.main.frames, func(f Frame) bool {
		return module(f.File) == "threading.py" && last(f.Function) == "_shutdown"
	}) {
		return Stall{}, false
	}
	st := Stall{Kind: KindMainEnded, Summary: "the main thread ended, and other threads keep the process alive",
		Remedy: "Make those threads daemons (`threading.Thread(…, daemon=True)`), or end them when the main thread ends."}
	if s.Exception != "" {
		st.Summary = "the main thread ended by " + s.Exception + ", and other threads keep the process alive"
		st.Remedy = "The log has the traceback of that exception. Make the other threads daemons, so that the process ends with its main thread and can be restarted."
	}
	for _, v := range s.views {
		if f, ok := s.nearest(v); ok && v != s.main {
			where := at(f)
			st.File, st.Line, st.Function = where.File, where.Line, where.Function
			st.Summary += ", " + s.where(f)
			break
		}
	}
	return st, true
}

// unanswered: the main thread runs no Python, and no stacks are known.
func unanswered(s *scene) (Stall, bool) {
	if !s.noStack || !s.silent || s.Phase == Asked { // the main thread of a server that answers may well wait
		return Stall{}, false
	}
	if s.always(Disk) {
		st := Stall{Kind: KindDisk, Summary: "it waits for a disk or a network volume, and cannot be interrupted",
			Remedy: "Look at the volume that holds the backend or its models: a network share or an external disk that no longer answers."}
		return st, true
	}
	if s.cpu >= 0.3 {
		return Stall{Kind: KindNative, Summary: "native code runs in the main thread and lets no Python run",
			Remedy: "A C extension computes in the main thread, or code that keeps the GIL: a regular expression that backtracks does. Call it in a worker thread or a process of its own; the log's last lines say what began."}, true
	}
	return Stall{Kind: KindNative, Summary: "native code waits in the main thread and lets no Python run",
		Remedy: "A C extension waits in the main thread or keeps the GIL. The log's last lines say what began; a restart ends it."}, true
}

// silentCall: the main thread runs no Python for a second, and the raw dump shows which call it made.
func silentCall(s *scene) (Stall, bool) {
	quiet := !s.silent && s.cpu < 0.05 && s.Phase == Unhealthy && !s.waitsForDisk() && s.main != nil && workerProcess(s.main) && s.main.still && s.main.mine > 0 && s.main.kind != loop && s.binary(s.main.work[:s.main.mine])
	if !s.silent && !quiet || s.main == nil || s.main.why.kind != KindUnknown || s.main.kind == loop && len(s.main.work) == 0 {
		return Stall{}, false
	}
	f, ok := s.nearest(s.main)
	if !ok {
		return Stall{}, false
	}
	st := at(f)
	st.Kind, st.Summary = KindNative, "native code does not come back from "+s.doing(s.main, f)
	st.Remedy = "A C extension waits there or keeps the GIL, and no Python runs meanwhile. Call it in a process of its own, with a time limit; a restart ends it."
	if workerProcess(s.main) {
		st.Remedy = "If this process was forked, it has none of the threads that the library had started. Start it with `spawn`, or use the library only after the fork (for tokenizers, TOKENIZERS_PARALLELISM=false helps)."
	}
	return st, true
}

// InNative adds where native code was all the time, as the system's own sampler saw it: "libomp's __kmp_suspend_64". What the stacks of Python
// explain better stays as it is.
func (st Stall) InNative(where string) Stall {
	switch {
	case where == "" || strings.Contains(st.Summary, where):
		return st
	case st.Kind == KindNative:
		st.Summary = strings.TrimSuffix(st.Summary, ".") + " (in " + where + ")"
	case st.Kind == KindUnknown || st.Kind == "":
		st.Kind, st.Summary = KindNative, "native code does not come back: it is in "+where
		st.Remedy = "A C extension waits there or keeps the GIL. Call it in a process of its own, with a time limit; a restart ends it."
	}
	return st.tidy()
}

// withMemory says that memory is short where that may be the whole reason: what a program reads, loads or runs becomes slow by it, and
// nothing that waits for another does.
func (s *scene) withMemory(st Stall) Stall {
	if s.Memory == "" {
		return st
	}
	switch st.Kind {
	case KindUnknown:
		if s.cpu >= 0.3 || s.noStack && !s.silent {
			return st
		}
		st.Kind = KindDisk
	case KindDisk, KindImporting:
	case KindNative:
		if s.cpu >= 0.7 {
			return st
		}
	default:
		return st
	}
	st.Summary = "memory is short, and the system swaps: " + st.Summary
	st.Remedy = "Close other programs, or use a smaller model: " + s.Memory + "."
	return st
}

func (s *scene) waitsForDisk() bool {
	return slices.ContainsFunc(s.Samples, func(one Sample) bool { return one.State == Disk })
}

// swapping: nothing better explains a process that waits for the disk, or does so most of the time while memory is short.
func swapping(s *scene) (Stall, bool) {
	waits := 0
	for _, one := range s.Samples {
		if one.State == Disk {
			waits++
		}
	}
	if waits == 0 || waits < len(s.Samples) && (s.Memory == "" || 2*waits < len(s.Samples)) {
		return Stall{}, false
	}
	st := Stall{Kind: KindDisk, Summary: "it waits for a disk", Remedy: "Look at the volume that holds the backend or its models."}
	if v, f := s.active(); v != nil {
		where := at(f)
		st.File, st.Line, st.Function = where.File, where.Line, where.Function
		st.Summary += ", " + s.where(f)
	}
	return st, true
}

// working: the thread that uses the CPU is doing something all the time.
func working(s *scene) (Stall, bool) {
	if s.cpu < 0.3 && s.Phase != Busy || s.noStack {
		return Stall{}, false
	}
	v, f := s.active()
	if v == nil {
		return Stall{}, false
	}
	st := at(f)
	what := s.doing(v, f)
	if v.why.inC {
		st.Kind, st.Summary = KindNative, "busy in "+what
		st.Remedy = "It computes: nothing hangs. Requests wait for it; call it in a worker thread, or allow it more time ([health] timeout)."
		if v.kind == pool { // it is in one already
			st.Remedy = "It computes: nothing hangs. If other requests wait for it, it keeps the GIL or every core: give it to a process of its own, or allow it more time ([health] timeout)."
		}
		return st, true
	}
	st.Kind, st.Summary = KindBusy, "busy in "+what
	st.Remedy = "Python runs one thread at a time: move long computations into a process (`ProcessPoolExecutor`), or shorten them."
	return st, true
}

// doing is "faiss.search, main.py line 31", or the function where nothing is called.
func (s *scene) doing(v *view, f Frame) string {
	by := v.why.by
	if by == "" || !v.why.inC && !v.why.sleeps && v.why.kind == KindUnknown && v.mine == 0 {
		by = bare(f.Function)
	}
	if by == "<module>" {
		return s.where(f)
	}
	return by + ", " + s.where(f)
}

// active is the thread that does the work: the one that used the most CPU, else the one that moves, that serves a request, the main one.
func (s *scene) active() (*view, Frame) {
	var best *view
	var frame Frame
	score := -1.0
	for _, v := range s.views {
		f, ok := v.ownFrame()
		if !ok || v.why.sleeps || v.why.kind == KindLock && v.cpu < 50*time.Millisecond {
			continue
		}
		n := v.cpu.Seconds() * 100
		if !v.still {
			n += 2
		}
		if v.kind == pool {
			n++
		}
		if v == s.main {
			n += 0.5
		}
		if n > score {
			best, frame, score = v, f, n
		}
	}
	return best, frame
}

// Wedged is the stall of a run whose work failed at once, by what it answered: there is nothing to see in its stacks.
func Wedged(problem string, at time.Time) Stall {
	st := wedged(Stall{Kind: KindIdle}, problem)
	st.Remedy, st.Taken = "The log's last lines say what went wrong in it. If they do not help, a restart may.", at
	return st.tidy()
}

// wedged: what the server does not do comes first, then why, as far as its stacks say that.
func wedged(st Stall, problem string) Stall {
	because := ""
	if st.Kind != KindUnknown && st.Kind != KindIdle && st.Kind != "" {
		because = ": " + st.Summary
	}
	remedy := st.Remedy
	if because == "" || remedy == "" {
		remedy = "Only the deep probe sees it. A restart helps for now; `vivarium stacks` shows what each thread does."
	}
	st.Kind, st.Summary, st.Remedy = KindWedged, problem+", while the health check is good"+because, remedy
	return st
}

func unknown(s *scene) (Stall, bool) {
	st := Stall{Kind: KindUnknown, Summary: "the samples do not say why it does not answer", Remedy: "`vivarium stacks` shows what each thread does."}
	if s.noStack {
		st.Summary = "what it does is not known: no stacks could be taken"
		st.Remedy = "The recorder did not reach the process, or the program uses its signal. The log's last lines are all there is."
		return st, true
	}
	if v, f := s.active(); v != nil {
		where := at(f)
		st.File, st.Line, st.Function = where.File, where.Line, where.Function
		st.Summary = "it is in " + s.doing(v, f)
	} else if s.main != nil && s.main.why.sleeps && s.main.mine >= 0 {
		f := s.main.work[s.main.mine]
		where := at(f)
		st.File, st.Line, st.Function = where.File, where.Line, where.Function
		st.Summary = "it is in " + s.doing(s.main, f)
	}
	if s.logs {
		st.Summary += "; its log grows"
	}
	return st, true
}
