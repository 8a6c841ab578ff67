package crash

import (
	"cmp"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
	"github.com/vivarium-app/vivarium/supervisor/crash/report"
)

// The kinds of verdict. A kind is a promise to whoever reads the JSON: it keeps its name.
const (
	KindStopped       Kind = "stopped"             // asked for; never news
	KindHung          Kind = "hung"                // ended because it no longer answered
	KindWrongAnswer   Kind = "wrong-answer"        // ended because its health path answered with errors, after it had answered well
	KindKeeperLost    Kind = "keeper-lost"         // nobody saw the exit status
	KindWorkerDied    Kind = "worker-died"         // a worker, not the run
	KindEnvironment   Kind = "environment-missing" // it died of what the crash environment prevents, which did not reach it
	KindOpenMP        Kind = "openmp-duplicate"    // two OpenMP runtimes: OMP: Error #15, or a fault in one of them
	KindOpenMPShared  Kind = "openmp-shared-memory"
	KindForkSafety    Kind = "fork-safety"      // Apple's frameworks after a fork
	KindInserted      Kind = "inserted-library" // dyld could not load what DYLD_INSERT_LIBRARIES names
	KindLibrary       Kind = "library-not-loaded"
	KindSymbol        Kind = "symbol-not-found"
	KindArchitecture  Kind = "wrong-architecture"
	KindSignature     Kind = "code-signature"
	KindTooManyFiles  Kind = "too-many-files"
	KindImport        Kind = "import-error"   // a module is there, and cannot be imported
	KindStack         Kind = "stack-overflow" // recursion without an end, in Python or below
	KindAssertion     Kind = "assertion"      // a library gave up: an assertion, a C++ exception
	KindHeap          Kind = "heap-corruption"
	KindPortTaken     Kind = "port-taken"         // a foreign process has the port
	KindMissingModule Kind = "missing-module"     // ModuleNotFoundError
	KindAppNotFound   Kind = "app-not-found"      // uvicorn and its kin cannot load module:app
	KindStartupFailed Kind = "startup-failed"     // the application's own startup raised
	KindException     Kind = "uncaught-exception" // a traceback, then exit 1
	KindSegfault      Kind = "segfault"
	KindAbort         Kind = "abort"
	KindBusError      Kind = "bus-error"
	KindIllegal       Kind = "illegal-instruction"
	KindArithmetic    Kind = "floating-point"
	KindOutOfMemory   Kind = "out-of-memory"  // the system says that it ended it for want of memory
	KindKilled        Kind = "killed"         // SIGKILL: from outside, or memory
	KindEnded         Kind = "ended-by-other" // SIGTERM, SIGINT, SIGHUP that Vivarium did not send
	KindSignal        Kind = "signal"         // any other signal
	KindCleanExit     Kind = "clean-exit"     // exit 0 that nobody asked for
	KindExitCode      Kind = "exit-code"      // any other exit code, without a word
	KindUnknown       Kind = "unknown"
	KindRestarted     Kind = "computer-restarted" // the computer itself went down, and the server with it
	KindWorkerTimeout Kind = "worker-timeout"     // a worker did not answer in time, and its own server ended it
	KindDiskFull      Kind = "disk-full"
	KindPortDenied    Kind = "port-denied"   // the port is free, and not allowed
	KindBrokenPython  Kind = "broken-python" // no standard library, or a broken one
	KindPermission    Kind = "permission"    // macOS has not been told that it may: the local network, a folder

	// Not the end of a run, but why there is none.
	KindCannotStart Kind = "cannot-start"
	KindConfig      Kind = "config"
)

// rule recognises one cause. A rule that is not sure does not match: an honest "exit code 1" is better than a wrong cause.
type rule struct {
	kind  Kind
	match func(*scene) (Verdict, bool)
	// text: the output decides, with the exit status as a second witness. These rules also judge a worker, whose exit status
	// nobody saw.
	text bool
}

// rules, strongest first: what we know ourselves, what the output says for certain, then signals and exit codes in words. The
// last one matches all.
var rules = []rule{
	{kind: KindStopped, match: stopped},
	{kind: KindHung, match: hung},
	{kind: KindKeeperLost, match: keeperLost},
	{kind: KindBrokenPython, match: brokenPython, text: true},
	{kind: KindBrokenPython, match: notLaunched},
	{kind: KindSignature, match: codeSignature, text: true},
	{kind: KindInserted, match: insertedLibrary, text: true},
	{kind: KindOpenMP, match: openMPTwice, text: true},
	{kind: KindOpenMPShared, match: openMPShared, text: true},
	{kind: KindForkSafety, match: forkSafety, text: true},
	{kind: KindOpenMP, match: openMPConfused, text: true},
	{kind: KindOpenMP, match: openMPFault},
	{kind: KindOpenMP, match: openMPAllowed},
	{kind: KindEnded, match: interrupted},
	{kind: KindWorkerTimeout, match: workerTimeout, text: true},
	{kind: KindPortTaken, match: portTaken, text: true},
	{kind: KindPortDenied, match: portDenied, text: true},
	{kind: KindAppNotFound, match: appNotFound, text: true},
	{kind: KindMissingModule, match: missingModule, text: true},
	{kind: KindArchitecture, match: wrongArchitecture, text: true},
	{kind: KindLibrary, match: libraryNotLoaded, text: true},
	{kind: KindSymbol, match: symbolNotFound, text: true},
	{kind: KindOutOfMemory, match: outOfMemoryText, text: true},
	{kind: KindOutOfMemory, match: outOfMemoryNative, text: true},
	{kind: KindOutOfMemory, match: killedByKernel},
	{kind: KindAssertion, match: gpuFailed, text: true},
	{kind: KindAssertion, match: gpuNoted, text: true},
	{kind: KindTooManyFiles, match: tooManyFiles, text: true},
	{kind: KindDiskFull, match: diskFull, text: true},
	{kind: KindPermission, match: permission, text: true},
	{kind: KindWorkerDied, match: workerKilled},
	{kind: KindWorkerDied, match: workerGone},
	{kind: KindStack, match: stackOverflow, text: true},
	{kind: KindImport, match: importError, text: true},
	{kind: KindStartupFailed, match: startupFailed, text: true},
	{kind: KindException, match: uncaughtException, text: true},
	{kind: KindAssertion, match: computing, text: true},
	{kind: KindAssertion, match: assertion, text: true},
	{kind: KindOpenMP, match: openMPNoted},
	{kind: KindSegfault, match: signalled("SIGSEGV"), text: true},
	{kind: KindAbort, match: signalled("SIGABRT"), text: true},
	{kind: KindBusError, match: signalled("SIGBUS"), text: true},
	{kind: KindIllegal, match: signalled("SIGILL"), text: true},
	{kind: KindArithmetic, match: signalled("SIGFPE"), text: true},
	{kind: KindOutOfMemory, match: outOfMemory, text: true}, // also of a worker: not the output, but the system told
	{kind: KindKilled, match: killed},
	{kind: KindEnded, match: endedByOther},
	{kind: KindSignal, match: otherSignal},
	{kind: KindCleanExit, match: cleanExit},
	{kind: KindExitCode, match: exitCode},
	{kind: KindUnknown, match: unknown},
}

// dying are the rules for what a process itself says, at its very end, of what it dies of.
var dying = []rule{
	{kind: KindOpenMP, match: openMPTwice},
	{kind: KindOpenMPShared, match: openMPShared},
	{kind: KindForkSafety, match: forkSafety},
	{kind: KindOpenMP, match: openMPConfused},
	{kind: KindStack, match: stackOverflow},
	{kind: KindAssertion, match: gpuNoted},
	{kind: KindAssertion, match: assertion},
	{kind: KindSegfault, match: signalled("SIGSEGV")},
	{kind: KindAbort, match: signalled("SIGABRT")},
	{kind: KindBusError, match: signalled("SIGBUS")},
	{kind: KindIllegal, match: signalled("SIGILL")},
	{kind: KindArithmetic, match: signalled("SIGFPE")},
}

// Judge says why a run ended, or a worker of it. It is the one judge: what is known of a live run and what is read in a file anywhere come here as
// the same Evidence. It takes about a millisecond for 64 KiB of output.
func Judge(e Evidence) Verdict {
	r := read(e.output(), e.Foreign)
	v := judge(e, r)
	v.Line = r.asItStood(v.Line)
	return v.tidy()
}

func judge(e Evidence, r *reading) Verdict {
	if e.Worker {
		return judgeWorker(e, r)
	}
	e = e.withReport(r).settled(r)
	var before *reading
	if e.Foreign {
		if begin := r.lastRun(); begin > 0 {
			before, r = r.part(0, begin), r.from(begin)
		}
	}
	if !e.Known && e.Foreign {
		return judgeOutput(e, r, before)
	}
	s := newScene(e, r)
	s.before = before
	v, _ := s.first(rules, func(rule) bool { return true }) // the last one matches all
	if v.Kind == KindException || v.Kind == KindStartupFailed {
		v = s.behind(v)
	}
	if v.Line == "" && e.told && r.status.Line != "" {
		v.Line = r.status.Line
	}
	return v
}

// behind is the verdict on an exception that was raised from another one, or that is a group of others: one of them may be known.
func (s *scene) behind(v Verdict) Verdict {
	end := s.ending()
	pointed := s.pointedTo()
	for _, e := range append(end.others(), pointed...) {
		inner := *s
		inner.end = newThrown(e, end.logged)
		w, ok := inner.first(rules, func(r rule) bool { return r.text && r.kind != KindException && r.kind != KindStartupFailed })
		if ok {
			return w
		}
	}
	inner := *s
	switch {
	case len(end.leaves()) > 0:
		inner.end = newThrown(&end.leaves()[0], end.logged)
	case len(pointed) > 0:
		inner.end = newThrown(pointed[0], end.logged)
	default:
		return v
	}
	again := uncaughtException
	if v.Kind == KindStartupFailed {
		again = startupFailed
	}
	if w, ok := again(&inner); ok {
		w.Kind = v.Kind
		return w
	}
	return v
}

// withReport is the evidence with the crash report that stands in a text of elsewhere. What was found by PID and time comes before it.
func (e Evidence) withReport(r *reading) Evidence {
	if !e.Foreign || e.Report != nil {
		return e
	}
	for i := len(r.reports) - 1; i >= 0; i-- {
		read, err := report.Excerpt(r.reports[i])
		if read == nil || err != nil && read.Ended() == "" {
			continue
		}
		found := OfReport(read, 0)
		if found.Report == nil { // a JetsamEvent
			if !found.Known || e.Known {
				continue
			}
			e.OS, e.Known, e.Signal, e.Memory = found.OS, found.Known, found.Signal, found.Memory
			return e
		}
		e.Report, e.OS = found.Report, found.OS
		if !e.Known {
			e.Known, e.Signal, e.Code = found.Known, found.Signal, 0
		}
		return e
	}
	return e
}

// JudgeWorker says why a worker of a run died, from the output and the system's report: its exit status belongs to its parent, which keeps it.
func JudgeWorker(e Evidence) Verdict {
	e.Worker = true
	return Judge(e)
}

func judgeWorker(e Evidence, r *reading) Verdict {
	died := Verdict{
		Kind:    KindWorkerDied,
		Summary: "a worker process died, and the log does not say why",
		Remedy:  "The log's last lines show what it was doing. A worker that dies without a word was often killed, by somebody or because memory ran out.",
	}
	s := newScene(e, r)
	v, ok := s.first(rules, func(r rule) bool { return r.text })
	switch {
	case ok && v.Kind == KindWorkerTimeout:
		return v
	case ok:
		died.Summary, died.Remedy, died.Line, died.Confidence = "a worker process died: "+v.Summary, v.Remedy, v.Line, v.Confidence
		return died
	}
	if d := s.workerDeath(); d.line >= 0 && !s.wentOn(d.line) { // its parent saw of what
		died.Line, died.Summary = s.lines[d.line], d.who+" died"+d.how()
		if d.signal != "" {
			died.Remedy = s.workerRemedy(d)
		}
	}
	return died
}

// first is the verdict of the first of the rules that matches.
func (s *scene) first(rules []rule, asked func(rule) bool) (Verdict, bool) {
	for _, r := range rules {
		if !asked(r) {
			continue
		}
		if v, ok := r.match(s); ok {
			v.Kind = cmp.Or(v.Kind, r.kind)
			return v, true
		}
	}
	return Verdict{}, false
}

const (
	longestSummary = 200 // runes: a notice has no room for more
	longestLine    = 400
)

// tidy makes a verdict fit for a notice, a menu and a JSON line: valid UTF-8, printable, one line each, not too long.
func (v Verdict) tidy() Verdict {
	// There are words of the output or of a report in it: an exception may carry a key, and a notice is shown to whoever looks.
	v.Summary, v.Remedy, v.Line = mask.Line(v.Summary), mask.Line(v.Remedy), mask.Line(v.Line)
	v.Summary, v.Line = oneLine(strings.Join(strings.Fields(v.Summary), " "), longestSummary), oneLine(v.Line, longestLine)
	v.Remedy = oneLine(v.Remedy, longestLine)
	return v
}

func oneLine(s string, longest int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069: // controls, and what turns text around
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	s = strings.TrimSpace(s)
	if n := 0; len(s) > longest {
		for i := range s {
			if n++; n == longest {
				return strings.TrimSpace(s[:i]) + "…"
			}
		}
	}
	return s
}
