package crash

import (
	"path"
	"slices"
	"strings"
)

// The rules that know how native code gives up: by a fork that it cannot bear, by an assertion, by its stack's end.

var objcFork = pattern(`\+\[(\S+) initialize\] may have been in progress in another thread when fork\(\) was called`)

// forkLines may follow what a forked process says before it dies; with more, its parent lived on.
const forkLines = 250

const forkSafetyOff = "OBJC_DISABLE_INITIALIZE_FORK_SAFETY"

func forkSafety(s *scene) (Verdict, bool) {
	v := Verdict{
		Summary: "a process that was forked used Apple's frameworks, which macOS does not allow",
		Remedy:  `Start processes anew instead of forking: multiprocessing.set_start_method("spawn") at the top of your main module` + s.preload() + ".",
	}
	for _, text := range []string{"when fork() was called", "The process has forked and you cannot use this CoreFoundation functionality safely"} {
		i := s.last(text)
		if i < 0 || s.wentOn(i) || len(s.lines)-i > forkLines || !s.ended("SIGABRT") && !s.ended("SIGTRAP") && !s.ended("SIGILL") && !s.ended("SIGSEGV") {
			continue
		}
		v.Line = s.lines[i]
		if m := objcFork().FindStringSubmatch(v.Line); m != nil {
			v.Summary = "a process was forked while Apple's " + m[1] + " was starting, and macOS ended it"
			if slices.Contains(s.Missing, forkSafetyOff) {
				return s.notArrived(v, forkSafetyOff), true
			}
		}
		return v, true
	}
	r := s.Report
	if r == nil {
		return Verdict{}, false
	}
	if l := r.says("initialize] may have been in progress"); l != "" || r.Namespace == "OBJC" {
		return v, true
	}
	if r.says("crashed on child side of fork pre-exec") != "" || r.says("multi-threaded process forked") != "" {
		v.Confidence = almostCertainly
		v.Summary = "a forked process crashed, almost certainly because threads ran when it was forked"
		return v, true
	}
	return Verdict{}, false
}

func (s *scene) preload() string {
	if s.last("gunicorn") >= 0 {
		return ", and no --preload for gunicorn"
	}
	return ""
}

var (
	thrownCpp  = pattern(`libc\+\+abi(?:\.dylib)?: terminating (?:due to|with) uncaught (?:foreign )?exception(?: of type ([^:]+(?:::[^:\s]+)*))?(?:: (.*))?$`)
	thrownGNU  = pattern(`terminate called after throwing an instance of '(.+)'`)
	assertMac  = pattern(`Assertion failed: \((.+)\), function (\S+), file (\S+?),? line (\d+)`)
	assertGNU  = pattern("^\\S+: (\\S+:\\d+): .*Assertion [`'](.+)' failed\\.?$")
	assertGGML = pattern(`(\S+):(\d+): GGML_ASSERT\((.+)\) failed`)
	openMPSays = pattern(`OMP: Error #\d+: (.+)`)
	thrownObjC = pattern(`Terminating app due to uncaught exception '(\w+)', reason: '(.*?)'?$`)
	assertAny  = pattern(`(\S+):(\d+): failed assertion .(.+)`)
	checkFails = pattern(`([\w./-]+\.(?:cc|cpp|cu|h|mm)):(\d+)\]? (Check failed: .+)$`)
)

// heapWords are what C's allocators say when they find their own data broken.
var heapWords = []string{
	"malloc: *** error for object", "double free or corruption", "free(): invalid", "free(): double free", "malloc(): ", "corrupted size vs. prev_size",
	"munmap_chunk(): invalid", "realloc(): invalid", "malloc_consolidate(): ", "malloc: Incorrect checksum for freed object",
	"*** stack smashing detected ***", "*** buffer overflow detected ***",
}

// assertion: a library found something that cannot be, and said so.
func assertion(s *scene) (Verdict, bool) {
	if !s.ended("SIGABRT") && !s.ended("SIGTRAP") && !s.ended("SIGILL") {
		return Verdict{}, false
	}
	for i := len(s.lines) - 1; i >= 0 && len(s.lines)-i <= 200; i-- {
		if v, ok := s.assertionIn(s.lines[i]); ok && !s.wentOn(i) {
			v.Line = s.lines[i]
			if n := s.last("Terminating app due to uncaught exception"); strings.HasSuffix(v.Summary, ": NSException") && n >= 0 && n < i {
				v, _ = s.assertionIn(s.lines[n])
				v.Line = s.lines[n]
			}
			if v.Kind == "" && thrownGNU().MatchString(v.Line) && i+1 < len(s.lines) {
				if what, ok := strings.CutPrefix(strings.TrimSpace(s.lines[i+1]), "what():"); ok {
					v.Summary += ": " + strings.TrimSpace(what)
				}
			}
			return s.placed(v), true
		}
	}
	if s.Report != nil {
		for _, l := range s.Report.Said {
			if v, ok := s.assertionIn(l); ok {
				return s.placed(v), true
			}
		}
	}
	return Verdict{}, false
}

func (s *scene) assertionIn(l string) (Verdict, bool) {
	for _, w := range heapWords {
		if strings.Contains(l, w) {
			return Verdict{
				Kind: KindHeap, Summary: "a native library damaged Python's memory: " + strings.TrimSpace(l[strings.Index(l, w):]),
				Remedy: "The damage was done earlier than it was found. Upgrade the native packages; PYTHONMALLOC=debug under [environment] may find it sooner.",
			}, true
		}
	}
	if !slices.ContainsFunc([]string{"ssert", "GGML_ASSERT", "erminat", "Check failed", "OMP: Error #"}, func(w string) bool { return strings.Contains(l, w) }) {
		return Verdict{}, false
	}
	if m := thrownCpp().FindStringSubmatch(l); m != nil {
		return cppVerdict(m[1], m[2]), true
	}
	if m := thrownGNU().FindStringSubmatch(l); m != nil {
		return cppVerdict(m[1], ""), true
	}
	if m := thrownObjC().FindStringSubmatch(l); m != nil {
		return cppVerdict(m[1], m[2]), true
	}
	v := Verdict{Remedy: upgradeIt + "; its own issues may know that line."}
	switch {
	case strings.Contains(l, "terminate called without an active exception"):
		v.Summary = "a native library gave up: terminate called without an active exception"
		return v, true
	case openMPSays().MatchString(l):
		v.Summary = "OpenMP gave up: " + strings.TrimRight(openMPSays().FindStringSubmatch(l)[1], ": .")
		v.Remedy = `Set OMP_NUM_THREADS = "1" under [environment] in vivarium.toml.`
		return v, true
	case assertGGML().MatchString(l):
		m := assertGGML().FindStringSubmatch(l)
		v.Summary = "a native library gave up: assertion " + m[3] + " (" + path.Base(m[1]) + ":" + m[2] + ")"
		return v, true
	case strings.Contains(l, "failed assertion") && (strings.Contains(l, "Metal") || strings.Contains(l, "MPS") || strings.Contains(l, "MTL")):
		v.Summary = "Apple's Metal gave up: " + strings.TrimSpace(l[strings.Index(l, "failed assertion"):])
		v.Remedy = `Let the model run on the CPU (device "cpu"), or upgrade torch and macOS: this is a fault in the code for Apple's graphics.`
		return v, true
	case assertAny().MatchString(l):
		m := assertAny().FindStringSubmatch(l)
		v.Summary = "a native library gave up: failed assertion " + strings.Trim(m[3], "`'\"") + " (" + path.Base(m[1]) + ":" + m[2] + ")"
		return v, true
	case checkFails().MatchString(l):
		m := checkFails().FindStringSubmatch(l)
		v.Summary = "a native library gave up: " + m[3] + " (" + path.Base(m[1]) + ":" + m[2] + ")"
		return v, true
	case assertMac().MatchString(l):
		m := assertMac().FindStringSubmatch(l)
		v.Summary = "a native library gave up: assertion " + m[1] + " in " + m[2] + " (" + path.Base(m[3]) + ":" + m[4] + ")"
		return v, true
	case assertGNU().MatchString(l):
		m := assertGNU().FindStringSubmatch(l)
		v.Summary = "a native library gave up: assertion " + m[2] + " (" + path.Base(m[1]) + ")"
		return v, true
	}
	return Verdict{}, false
}

func cppVerdict(kind, what string) Verdict {
	kind = strings.TrimSpace(kind)
	if strings.HasSuffix(kind, "bad_alloc") {
		return Verdict{Kind: KindOutOfMemory, Summary: "memory ran out in native code (" + kind + ")", Remedy: lessMemory}
	}
	if strings.Contains(what, "kIOGPUCommandBufferCallbackErrorOutOfMemory") || strings.Contains(what, "Insufficient Memory") {
		return Verdict{Kind: KindOutOfMemory, Summary: "the memory for Apple's graphics (Metal) ran out", Remedy: "Use a smaller or quantised model, a shorter context or a smaller batch."}
	}
	v := Verdict{Summary: "a native library threw an exception that nobody caught", Remedy: upgradeIt + "; its own issues may know that line."}
	if kind != "" {
		v.Summary += ": " + kind
	}
	if what = strings.TrimSpace(what); what != "" {
		v.Summary += ": " + what
	}
	return v
}

const upgradeIt = "Upgrade the package whose library this is"

// placed adds the package and the person's own frame, if faulthandler told them.
func (s *scene) placed(v Verdict) Verdict {
	if i := s.last(fatalError); i >= 0 && !s.wentOn(i) {
		if rest, ok := strings.CutPrefix(v.Remedy, upgradeIt); ok && s.suspect(i) != "" {
			v.Remedy = "Upgrade " + s.suspect(i) + ", whose native code was running, " + s.pip("--upgrade "+s.suspect(i)) + rest
		}
		if where := s.ownPlace(i); where != "" {
			v.Remedy = "Your code was at " + where + ". " + v.Remedy
		}
	}
	return v
}

// stackOverflow: calls that go ever deeper, in Python or below it.
func stackOverflow(s *scene) (Verdict, bool) {
	if i, text := s.thrown(); i >= 0 && strings.HasPrefix(text, "RecursionError: ") {
		v := Verdict{Line: s.lines[i], Summary: "Python stopped with " + s.lines[i], Remedy: "A function calls itself without an end."}
		if p := s.place(i); p != "" {
			v.Remedy = "A function calls itself without an end: your code was at " + p + "."
		}
		return v, true
	}
	if i := s.last(fatalError); i >= 0 && strings.Contains(s.lines[i], "stack overflow") && s.ended("SIGABRT") && !s.wentOn(i) {
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
	i := s.last(fatalError)
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
	for _, l := range s.lines[i+1:] {
		if currentFrame.MatchString(l) {
			if current {
				n++
				count[l]++
			}
			continue
		}
		if current && n > 0 {
			break
		}
		current = strings.HasPrefix(l, "Current thread ")
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
	current, outside := false, ""
	for _, l := range s.lines[i+1:] {
		m := currentFrame.FindStringSubmatch(l)
		switch {
		case m == nil && current:
			return outside
		case m == nil:
			current = strings.HasPrefix(l, "Current thread ")
		case !current || foreign(m[1]):
		case s.Dir == "" || Own(s.Dir, m[1]):
			return s.where(m[1], m[2], m[3])
		case outside == "":
			outside = s.where(m[1], m[2], m[3])
		}
	}
	return outside
}
