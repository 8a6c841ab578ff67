package crash

import (
	"cmp"
	"slices"
	"strings"
)

// How it ended, where nobody says it in so many words: an exit code that stands for a signal, a shell's words, a debugger's.

// impliedSignal is the signal that an exit code stands for: a shell's 128 + N, and the 256 − N of whoever passes Python's negative code on, as
// the reloaders of Flask and Django and `uv run` do. "" if it is an exit code like any other.
func impliedSignal(code int, system string) string {
	n := 0
	switch {
	case code < 0 && code > -32:
		n = -code
	case code > 128 && code <= 128+31:
		n = code - 128
	case code >= 256-15 && code <= 256-4:
		n = 256 - code
	default:
		return ""
	}
	name := signalByNumber(n, system)
	switch name {
	case "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGSEGV", "SIGSYS", "SIGTERM", "SIGPIPE":
		return name
	}
	return ""
}

// settled is the evidence with its status: behind a wrapper an exit code stands for a signal, and a script's last words may tell of one.
func (e Evidence) settled(r *reading) Evidence {
	if e.Worker || e.Asked || e.Hung {
		return e
	}
	if !e.Known && e.Foreign {
		e = e.fromWords(r)
	}
	if !e.Known || e.Signal != "" || e.Code == 0 {
		return e
	}
	signal := impliedSignal(e.Code, e.OS)
	if signal == "" && r.status.Known && !e.Foreign { // a script that goes on after its Python died has a code of its own
		signal = cmp.Or(signalByNumber(r.status.Signal, e.OS), impliedSignal(r.status.Code, e.OS))
	}
	if signal == "" || contradicted(r, signal) {
		return e
	}
	e.Code, e.Signal = 0, signal
	return e
}

// fromWords is the evidence with the status that the words around an output tell: a shell's, a container's, a debugger's.
func (e Evidence) fromWords(r *reading) Evidence {
	st := r.status
	if !st.Known {
		return e
	}
	e.Known, e.Code, e.told = true, st.Code, true
	if st.Signal != 0 {
		e.Code, e.Signal = 0, signalByNumber(st.Signal, e.OS)
	}
	if st.OOMKilled {
		e.Signal = cmp.Or(e.Signal, "SIGKILL")
	}
	if e.Signal == "" && e.Code == 0 && st.Signal != 0 { // a number that no system has
		e.Known = false
	}
	return e
}

// contradicted: the output tells of an end in good order, which no fault leaves behind.
func contradicted(r *reading, signal string) bool {
	if signal == "SIGTERM" || signal == "SIGINT" || signal == "SIGHUP" || signal == "SIGKILL" {
		return false
	}
	for _, l := range r.lines[max(0, len(r.lines)-5):] {
		if strings.Contains(l, "Finished server process") || strings.Contains(l, "Shutting down: Master") || strings.Contains(l, "Application shutdown complete") {
			return true
		}
	}
	return false
}

// statusLine is the line that told how it ended.
func (s *scene) statusLine() string { return s.status.Line }

// statuses are the ways in which servers end, with what Python's faulthandler says of them. An abort comes first if the output has a library's
// word for it, and last if it has only the handler's, which is the same for all faults but the name.
var statuses = []struct {
	code   int
	signal string
	fault  string
}{
	{code: 1}, {code: 3}, {signal: "SIGABRT"}, {signal: "SIGKILL"}, {signal: "SIGTRAP"},
	{signal: "SIGSEGV", fault: "Fatal Python error: Segmentation fault"}, {signal: "SIGBUS", fault: "Fatal Python error: Bus error"},
	{signal: "SIGILL", fault: "Fatal Python error: Illegal instruction"}, {signal: "SIGFPE", fault: "Fatal Python error: Floating"},
	{signal: "SIGABRT", fault: "Fatal Python error"},
}

// bare are the kinds that say no more than the signal itself, which here is an assumption.
var bare = []Kind{KindSegfault, KindBusError, KindIllegal, KindArithmetic, KindAbort, KindStack, KindKilled, KindExitCode, KindSignal}

// symptoms are the kinds that what ended a process shows itself by, where something above it says more.
var symptoms = []Kind{KindWorkerDied, KindException, KindStartupFailed, KindWorkerTimeout}

// judgeOutput judges by the output alone: of the ways in which servers end, the one that a line of the output bears out. Of several the lowest
// line counts, but a cause counts more than a symptom.
func judgeOutput(e Evidence, r *reading, before *reading) Verdict {
	best, at := Verdict{}, -1
	for _, st := range statuses {
		e.Known, e.Code, e.Signal = true, st.code, st.signal
		s := newScene(e, r)
		s.assumed, s.before = true, before
		v, _ := s.first(rules, func(rule) bool { return true })
		if v.Line == "" || v.Kind == KindExitCode || v.Kind == KindCleanExit {
			continue
		}
		if n := s.nativeStack(); slices.Contains(bare, v.Kind) && !(st.fault != "" && strings.Contains(v.Line, st.fault)) && !(n.line >= 0 && n.signal == st.signal && v.Line == r.lines[n.line]) {
			continue
		}
		i := r.index(v.Line)
		if i < 0 || !s.atWorkersEnd(i) && !slices.Contains(bare, v.Kind) {
			continue
		}
		symptom, known := slices.Contains(symptoms, v.Kind), slices.Contains(symptoms, best.Kind)
		switch {
		case at < 0, known && !symptom, symptom == known && i > at:
			best, at = v, i
		}
	}
	if at >= 0 {
		return best
	}
	if s := newScene(e, r); s.asked() >= 0 {
		return Verdict{Kind: KindEnded, Line: r.lines[s.asked()], Summary: "somebody ended the server, by Ctrl-C or a signal, and it left in good order", Remedy: "Nothing is known to be wrong with it."}
	}
	return Verdict{Kind: KindUnknown, Summary: "what is there does not say why it ended", Remedy: "Say how it ended with --exit or --signal."}
}

var askedWords = pattern(`^\^C|Handling signal: (?:int|term|quit|hup)\b|(?i)\b(?:received|got|caught) (?:signal )?SIG(?:INT|TERM|HUP|QUIT)\b|keyboard ?interrupt received`)

// asked is the line that says that somebody asked the server to end, with nothing but its leaving below; -1 if there is none.
func (s *scene) asked() int {
	for i := len(s.lines) - 1; i >= max(0, len(s.lines)-30); i-- {
		if askedWords().MatchString(s.lines[i]) && !quotedSaying(s.lines[i]) {
			if s.atEnd(i) {
				return i
			}
			return -1
		}
	}
	return -1
}

// index is the last line with this text, -1 if there is none.
func (r *reading) index(line string) int {
	for i := len(r.lines) - 1; i >= 0; i-- {
		if r.lines[i] == line {
			return i
		}
	}
	return -1
}
