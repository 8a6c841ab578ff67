package crash

import (
	"slices"
	"strings"
)

// The rules that know how native code gives up: by a fork that it cannot bear, by its stack's end.

var objcFork = pattern(`\+\[(\S+) initialize\] may have been in progress in another thread when fork\(\) was called`)

// forkLines may follow what a forked process says before it dies; with more, its parent lived on.
const forkLines = 250

// forkWords are what a forked process prints that used Apple's frameworks.
var forkWords = []string{
	"when fork() was called", "The process has forked and you cannot use this CoreFoundation functionality safely", "Compiler encountered XPC_ERROR_CONNECTION_INVALID",
	"Compiler encountered XPC_ERROR_CONNECTION_INTERRUPTED", "THE_PROCESS_HAS_FORKED_AND_YOU_CANNOT_USE_THIS_COREFOUNDATION_FUNCTIONALITY",
}

const forkSafetyOff = "OBJC_DISABLE_INITIALIZE_FORK_SAFETY"

func forkSafety(s *scene) (Verdict, bool) {
	v := Verdict{
		Summary: "a process that was forked used Apple's frameworks, which macOS does not allow",
		Remedy:  `Start processes anew instead of forking: multiprocessing.set_start_method("spawn") at the top of your main module.`,
	}
	for _, text := range forkWords {
		i := s.said(text)
		if i < 0 || s.wentOn(i) || len(s.lines)-i > forkLines || !s.ended("SIGABRT") && !s.ended("SIGTRAP") && !s.ended("SIGILL") && !s.ended("SIGSEGV") {
			continue
		}
		v.Line, v.Remedy = s.lines[i], s.noFork(v.Remedy)
		if m := objcFork().FindStringSubmatch(v.Line); m != nil {
			v.Summary = "a process was forked while Apple's " + m[1] + " was starting, and macOS ended it"
			if slices.Contains(s.Missing, forkSafetyOff) {
				return s.notArrived(v, forkSafetyOff), true
			}
		}
		if strings.Contains(v.Line, "XPC_ERROR") {
			v.Confidence = almostCertainly
			v.Summary = "a process " + almostCertainly + " was forked after it had used Apple's graphics: Metal's compiler is out of its reach"
		}
		return v, true
	}
	if i := s.said(fatalError); i >= 0 && !s.wentOn(i) && (s.ended("SIGSEGV") || s.ended("SIGBUS") || s.ended("SIGABRT") || s.ended("SIGTRAP")) && holdsOne(s.innermost(i), proxyCalls) {
		v.Line, v.Confidence = s.lines[i], almostCertainly
		v.Summary = "a process " + almostCertainly + " was forked, and asked macOS for its proxies, which a forked process may not"
		v.Remedy = s.set("NO_PROXY", "*") + `: then Python asks nobody. Or start processes anew instead of forking: multiprocessing.set_start_method("spawn").`
		return v, true
	}
	r := s.Report
	if r == nil {
		return Verdict{}, false
	}
	v.Remedy = s.noFork(v.Remedy)
	if l := r.Says("initialize] may have been in progress"); l != "" || r.Namespace == "OBJC" {
		return v, true
	}
	if r.Says("crashed on child side of fork pre-exec") != "" || r.Says("multi-threaded process forked") != "" {
		v.Confidence = almostCertainly
		v.Summary = "a forked process crashed, almost certainly because threads ran when it was forked"
		return v, true
	}
	return Verdict{}, false
}

// proxyCalls are urllib's, which ask the system's configuration: it does not survive a fork (https://github.com/python/cpython/issues/74570).
var proxyCalls = []string{"proxy_bypass_macosx_sysconf", "getproxies_macosx_sysconf"}

// innermost is the function in which the current thread was, by the stack below line i; "" if it is not there.
func (s *scene) innermost(i int) string {
	current, only := false, s.onlyStack(i)
	for _, l := range s.lines[i+1:] {
		if m := frameAt(l); m != nil && current {
			return m[3]
		}
		current = current || isStackHead(l, only)
	}
	return ""
}

// stackOverflow: calls that go ever deeper, in Python or below it.
func stackOverflow(s *scene) (Verdict, bool) {
	if i, text := s.thrown(); i >= 0 && strings.HasPrefix(text, "RecursionError: ") {
		v := Verdict{Line: s.lines[i], Summary: "Python stopped with " + headline(text), Remedy: "A function calls itself without an end."}
		if p := s.place(i); p != "" {
			v.Remedy = "A function calls itself without an end: your code was at " + p + "."
		}
		return v, true
	}
	if i := s.said(fatalError); i >= 0 && strings.Contains(s.lines[i], "stack overflow") && s.ended("SIGABRT") && !s.wentOn(i) {
		v := Verdict{Line: s.lines[i], Summary: "Python's calls went too deep (stack overflow)", Remedy: "A function calls itself without an end, and catches the error of it."}
		if where := s.ownPlace(i); where != "" {
			v.Summary += " at " + where
		}
		return v, true
	}
	if !s.ended("SIGSEGV") && !s.ended("SIGBUS") && !s.ended("SIGILL") {
		return Verdict{}, false
	}
	v := Verdict{Confidence: almostCertainly, Summary: "Python's stack almost certainly overflowed: calls went too deep", Remedy: "A function calls itself without an end: the Python stack in the log shows which. A higher recursion limit makes this worse."}
	if r := s.Report; r != nil && (r.StackGuard || strings.Contains(r.Message, "stack size exceeded")) {
		v.Confidence, v.Summary = "", "Python's stack overflowed: calls went too deep"
		return v, true
	}
	i := s.said(fatalError)
	if i < 0 || s.wentOn(i) || s.Worker && !strings.Contains(s.lines[i], "Segmentation") {
		return Verdict{}, false
	}
	v.Line = s.lines[i]
	if where := s.ownPlace(i); where != "" {
		v.Remedy = "A function calls itself without an end: your code was at " + where + ". A higher recursion limit makes this worse."
	}
	return v, s.deep(i)
}

// deepFrames is how much of a stack must be the same few calls. faulthandler prints a hundred frames.
const deepFrames = 80

// deep: the current thread's stack below line i is a function that calls itself, over and over.
func (s *scene) deep(i int) bool {
	current, n, count := false, 0, map[string]int{}
	only := s.onlyStack(i)
	for _, l := range s.lines[i+1:] {
		if frameAt(l) != nil {
			if current {
				n++
				count[l]++
			}
			continue
		}
		if current && n > 0 {
			break
		}
		current = isStackHead(l, only)
	}
	most := 0
	for _, c := range count {
		most = max(most, c)
	}
	return n >= deepFrames && most*4 >= n // at most a ring of four
}

// ownPlace is the innermost frame of the current thread that is the person's own code.
func (s *scene) ownPlace(i int) string {
	if i < 0 {
		return ""
	}
	current, outside, only := false, "", s.onlyStack(i)
	for _, l := range s.lines[i+1:] {
		m := frameAt(l)
		switch {
		case m == nil && current:
			return outside
		case m == nil:
			current = isStackHead(l, only)
		case !current || s.notTheirs(m[1]):
		case s.Dir == "" || Own(s.Dir, m[1]):
			return s.where(m[1], m[2], m[3])
		case outside == "":
			outside = s.where(m[1], m[2], m[3])
		}
	}
	return outside
}
