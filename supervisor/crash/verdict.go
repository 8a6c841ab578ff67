package crash

import (
	"cmp"
	"strings"
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
	{kind: KindSignature, match: codeSignature, text: true},
	{kind: KindInserted, match: insertedLibrary, text: true},
	{kind: KindOpenMP, match: openMPTwice, text: true},
	{kind: KindOpenMPShared, match: openMPShared, text: true},
	{kind: KindForkSafety, match: forkSafety, text: true},
	{kind: KindOpenMP, match: openMPConfused, text: true},
	{kind: KindOpenMP, match: openMPFault},
	{kind: KindPortTaken, match: portTaken, text: true},
	{kind: KindAppNotFound, match: appNotFound, text: true},
	{kind: KindMissingModule, match: missingModule, text: true},
	{kind: KindArchitecture, match: wrongArchitecture, text: true},
	{kind: KindLibrary, match: libraryNotLoaded, text: true},
	{kind: KindSymbol, match: symbolNotFound, text: true},
	{kind: KindOutOfMemory, match: outOfMemoryText, text: true},
	{kind: KindTooManyFiles, match: tooManyFiles, text: true},
	{kind: KindWorkerDied, match: workerKilled},
	{kind: KindStack, match: stackOverflow, text: true},
	{kind: KindImport, match: importError, text: true},
	{kind: KindStartupFailed, match: startupFailed, text: true},
	{kind: KindException, match: uncaughtException, text: true},
	{kind: KindAssertion, match: assertion, text: true},
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
	{kind: KindAssertion, match: assertion},
	{kind: KindSegfault, match: signalled("SIGSEGV")},
	{kind: KindAbort, match: signalled("SIGABRT")},
	{kind: KindBusError, match: signalled("SIGBUS")},
	{kind: KindIllegal, match: signalled("SIGILL")},
	{kind: KindArithmetic, match: signalled("SIGFPE")},
}

// Judge says why a run ended. It takes well under a millisecond for 64 KiB of output.
func Judge(e Evidence) Verdict {
	if e.Worker {
		return judgeWorker(e)
	}
	v, _ := newScene(e).first(rules, func(rule) bool { return true }) // the last one matches all
	return v.tidy()
}

// JudgeWorker says why a worker of a run died, from the output and the system's report: its exit status belongs to its parent, which keeps it.
func JudgeWorker(e Evidence) Verdict {
	e.Worker = true
	return judgeWorker(e)
}

func judgeWorker(e Evidence) Verdict {
	died := Verdict{
		Kind:    KindWorkerDied,
		Summary: "a worker process died, and the log does not say why",
		Remedy:  "The log's last lines show what it was doing. A worker that dies without a word was often killed, by somebody or because memory ran out.",
	}
	if v, ok := fromText(e); ok {
		died.Summary, died.Remedy, died.Line, died.Confidence = "a worker process died: "+v.Summary, v.Remedy, v.Line, v.Confidence
	}
	return died.tidy()
}

// fromText asks the rules that the output alone can satisfy.
func fromText(e Evidence) (Verdict, bool) {
	return newScene(e).first(rules, func(r rule) bool { return r.text })
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
	v.Summary, v.Remedy, v.Line = Mask(v.Summary), Mask(v.Remedy), Mask(v.Line)
	v.Summary, v.Line = oneLine(v.Summary, longestSummary), oneLine(v.Line, longestLine)
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
