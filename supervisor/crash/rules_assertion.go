package crash

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// The rules that know what a native library says when it gives up.

const upgradeIt = "Upgrade the package whose library this is"

// saying is a form in which libraries give up, with the verdict on it.
type saying struct {
	hint    string // is in every such line: most lines of a log are none
	form    func() *regexp.Regexp
	verdict func(m []string) Verdict
}

// sayings, the more exact ones first.
var sayings = []saying{
	{"terminating", pattern(`(?:libc\+\+abi(?:\.dylib)?: |^)terminating (?:due to|with) uncaught (?:foreign )?exception(?: of type ([^:]+(?:::[^:\s]+)*))?(?:: (.*))?$`), thrownNative},
	{"terminate called", pattern(`terminate called after throwing an instance of '(.+)'()`), thrownNative},
	{"Terminating app", pattern(`Terminating app due to uncaught exception '(\w+)', reason: '(.*?)'?$`), thrownNative},
	{"terminate called", pattern(`(terminate called without an active exception)`), func(m []string) Verdict { return gaveUp(m[1], "") }},
	{"OMP: Error #", pattern(`OMP: Error #\d+: (.+)`), func(m []string) Verdict {
		return Verdict{Summary: "OpenMP gave up: " + strings.TrimRight(m[1], ": ."), Remedy: fewerThreads}
	}},
	{"GGML_ASSERT(", pattern(`(\S+):(\d+): GGML_ASSERT\((.+)\) failed`), func(m []string) Verdict { return gaveUp("assertion "+m[3], m[1]+":"+m[2]) }},
	{"GGML_ASSERT: ", pattern(`GGML_ASSERT: (\S+?):(\d+): (.+)$`), func(m []string) Verdict { return gaveUp("assertion "+m[3], m[1]+":"+m[2]) }},
	{"ggml", pattern(`([^\s:]*ggml[^\s:]*\.\w+):(\d+): (fatal error|[A-Za-z][^/]*(?:failed|error|assert)[^/]*)$`), func(m []string) Verdict { return gaveUp(m[3], m[1]+":"+m[2]) }},
	{"failed assertion", pattern(`^.*(?:Metal|MPS|MTL|AGX).*?(failed assertion .+)|(failed assertion .*(?:Metal|MPS|MTL).*)`), func(m []string) Verdict {
		return Verdict{Summary: "Apple's Metal gave up: " + strings.TrimSpace(m[1]+m[2]),
			Remedy: `Let the model run on the CPU (device "cpu"), or upgrade torch and macOS: this is a fault in the code for Apple's graphics.`}
	}},
	{"failed assertion", pattern(`(\S+):(\d+): failed assertion .(.+)`), func(m []string) Verdict {
		return gaveUp("failed assertion "+strings.Trim(m[3], "`'\""), m[1]+":"+m[2])
	}},
	{"Check failed", pattern(`([\w./-]+\.(?:cc|cpp|cu|h|mm)):(\d+)\]? (Check failed: .+)$`), func(m []string) Verdict { return gaveUp(m[3], m[1]+":"+m[2]) }},
	{"Non-OK-status: ", pattern(`([\w./-]+\.(?:cc|cpp|cu|h|mm)):(\d+)\]? (Non-OK-status: .+)$`), func(m []string) Verdict { return gaveUp(m[3], m[1]+":"+m[2]) }},
	{"RAW: Check", pattern(`\[([\w./-]+\.(?:cc|cpp|h)) ?: ?(\d+)\] RAW: (Check .+)$`), func(m []string) Verdict { return gaveUp(m[3], m[1]+":"+m[2]) }},
	{"Assertion failed", pattern(`Assertion failed: \((.+)\), function (\S+), file (\S+?),? line (\d+)`), func(m []string) Verdict {
		return gaveUp("assertion "+m[1]+" in "+m[2], m[3]+":"+m[4])
	}},
	{"Assertion", pattern("^\\S+: (\\S+:\\d+): .*Assertion [`'](.+)' failed\\.?$"), func(m []string) Verdict { return gaveUp("assertion "+m[2], m[1]) }},
	{"Assertion", pattern("^(\\S+:\\d+): .*Assertion [`'](.+)[`'] failed\\.?$"), func(m []string) Verdict { return gaveUp("assertion "+m[2], m[1]) }},
	{"BUG IN ", pattern(`(BUG IN (?:CLIENT OF )?LIB\w+: .+)`), func(m []string) Verdict { return gaveUp(m[1], "") }},
	{"CUDA error", pattern(`(CUDA error:? .+)$`), cudaGaveUp},
	{"NCCL", pattern(`(NCCL (?:error|WARN) .*|.*Watchdog caught collective operation timeout.*)$`), func(m []string) Verdict {
		return Verdict{Summary: "the graphics cards lost each other: " + m[1], Remedy: "Another process of the same job ended or hung first: its log has the cause. NCCL_DEBUG=INFO tells more."}
	}},
	{"Watchdog caught collective operation timeout", pattern(`(Watchdog caught collective operation timeout.*)$`), func(m []string) Verdict {
		return Verdict{Summary: "the graphics cards waited for each other in vain: " + m[1], Remedy: "Another process of the same job ended or hung first: its log has the cause. NCCL_DEBUG=INFO tells more."}
	}},
	{"Fatal error: ", pattern(`(?:\w+/\w+\.swift:\d+: )?(Fatal error: .+)$`), func(m []string) Verdict { return gaveUp(m[1], "") }},
	{"Invalid dylib load", pattern(`(Invalid dylib load\. .+)$`), func(m []string) Verdict {
		return Verdict{Summary: "macOS ended a program that loaded one of its own libraries without a version: " + m[1],
			Remedy: "Install the library of Homebrew (`brew install openssl@3` for libcrypto and libssl), and upgrade the package that loads it."}
	}},
}

// fewerThreads is filled in for where the evidence comes from.
const fewerThreads = "\x00OMP_NUM_THREADS"

func cudaGaveUp(m []string) Verdict {
	return Verdict{Summary: "the graphics card gave up: " + m[1], Remedy: cudaRemedy(m[1])}
}

func cudaRemedy(said string) string {
	if strings.Contains(said, "device-side assert") {
		return "Mostly an index is out of range (a token, a label): run it once on the CPU, which names the line."
	}
	return "CUDA_LAUNCH_BLOCKING=1 in the server's environment makes the stack show the call that did it."
}

// gaveUp is the verdict on a library that gave up for a reason, at a place in its source.
func gaveUp(reason, where string) Verdict {
	v := Verdict{Summary: "a native library gave up: " + strings.TrimSpace(reason), Remedy: upgradeIt + "; its own issues may know that line."}
	if where != "" {
		v.Summary += " (" + path.Base(where) + ")"
	}
	return v
}

// heapWords are what C's allocators say when they find their own data broken.
var heapWords = []string{
	"*** error for object", "double free or corruption", "free(): invalid", "free(): double free", "malloc(): ", "corrupted size vs. prev_size",
	"munmap_chunk(): invalid", "realloc(): invalid", "malloc_consolidate(): ", "malloc: Incorrect checksum for freed object", "malloc: Heap corruption detected", "bad leading pad byte", "bad trailing pad byte",
	"_PyMem_DebugRawFree: bad ID",
	"*** stack smashing detected ***", "*** buffer overflow detected ***",
}

// assertion: a library found something that cannot be, and said so.
func assertion(s *scene) (Verdict, bool) {
	if !s.ended("SIGABRT") && !s.ended("SIGTRAP") && !s.ended("SIGILL") {
		return Verdict{}, false
	}
	if v, ok := s.panicked(); ok {
		return s.placed(v), true
	}
	for i := len(s.lines) - 1; i >= 0 && len(s.lines)-i <= 200; i-- {
		v, ok := s.assertionAt(i)
		if !ok || s.wentOn(i) || s.assumed && !s.atEnd(i) {
			continue
		}
		return s.placed(v), true
	}
	if s.Report != nil {
		return s.assertionOfReport()
	}
	return Verdict{}, false
}

// assertionAt is the verdict on line i, with what stands around it.
func (s *scene) assertionAt(i int) (Verdict, bool) {
	l := s.lines[i]
	if strings.HasPrefix(strings.TrimSpace(l), "what():") || pythonError().MatchString(l) { // of the line above; Python's, which the process may have survived
		return Verdict{}, false
	}
	known, asked := s.heard[l]
	if !asked {
		known.verdict, known.ok = assertionIn(l)
		if s.heard == nil {
			s.heard = map[string]heard{}
		}
		s.heard[l] = known
	}
	v, ok := known.verdict, known.ok
	if !ok {
		v, ok = s.bareTermination(i)
	}
	if !ok || quotedSaying(l) {
		return v, false
	}
	v.Line = l
	if n := s.last("Terminating app due to uncaught exception"); strings.HasSuffix(v.Summary, ": NSException") && n >= 0 && n < i {
		if why, ok := assertionIn(s.lines[n]); ok {
			v = why
			v.Line = s.lines[n]
		}
	}
	if i+1 < len(s.lines) && strings.Contains(v.Line, "terminate called after throwing") || strings.HasSuffix(strings.TrimSpace(v.Line), ":") && i+1 < len(s.lines) && !strings.Contains(v.Line, "OMP: ") {
		below := strings.TrimSpace(s.lines[i+1])
		if what, ok := strings.CutPrefix(below, "what():"); ok {
			below = strings.TrimSpace(what)
		} else if strings.Contains(v.Line, "terminate called") {
			below = ""
		}
		more, ok := gpuIn(below)
		if !ok && strings.Contains(below, "Watchdog caught") {
			more, ok = assertionIn(below)
		}
		if ok {
			more.Line = v.Line
			return more, true
		}
		if below != "" && v.Kind == "" {
			v.Summary = strings.TrimRight(v.Summary, ":") + ": " + below
		}
	}
	return v, true
}

var pythonError = pattern(`^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception): `)

// quotedSaying: the line is advice or a chat, and not a library's word.
func quotedSaying(l string) bool { return roleLine.MatchString(l) || urging.MatchString(l) }

// bareTermination: C++ ended the process without a word of its own, and the line above that has an error says what it was about.
func (s *scene) bareTermination(i int) (Verdict, bool) {
	if t := strings.TrimSpace(s.lines[i]); t != "libc++abi: terminating" && t != "terminate called recursively" && t != "libc++abi: terminating with uncaught exception" {
		return Verdict{}, false
	}
	for n := i - 1; n >= 0 && n > i-12; n-- {
		m := lastError().FindStringSubmatch(s.lines[n])
		if m == nil || strings.HasPrefix(s.lines[n], "{") {
			continue
		}
		v := Verdict{Summary: "a native library gave up: " + strings.TrimSpace(m[1]), Remedy: upgradeIt + "; its own issues may know that line."}
		if strings.Contains(m[1], "load") && strings.Contains(m[1], "model") {
			v.Summary = "the model could not be loaded: " + strings.TrimSpace(m[1])
			v.Remedy = "Look whether the model's file is whole: its size against that of the original, and download it again if they differ; or the program is too old for that model."
		}
		return v, true
	}
	return Verdict{Summary: "a native library gave up, and did not say why", Remedy: "The log's last lines show what it was doing."}, true
}

var lastError = pattern(`(?i)^(?:\S+: )?((?:error|failed|fatal|unable)\b.*|.*: (?:error|failed to|fatal|unable to)\b.*)$`)

// panicked: Rust's panic that could not unwind, by its first words.
func (s *scene) panicked() (Verdict, bool) {
	last := s.last("panicked at ")
	if last < 0 || s.wentOn(last) || len(s.lines)-last > 400 || s.assumed && !strings.Contains(s.text, "aborting") {
		return Verdict{}, false
	}
	first := last
	for n := last; n >= 0 && n > last-40; n-- {
		if strings.Contains(s.lines[n], "panicked at ") && strings.HasPrefix(strings.TrimSpace(s.lines[n]), "thread ") {
			first = n
		}
	}
	m := panicForm().FindStringSubmatch(s.lines[first])
	if m == nil {
		return Verdict{}, false
	}
	where, what := m[2], strings.Trim(m[1], "'")
	if what == "" && first+1 < len(s.lines) { // since Rust 1.73 the message stands on the next line
		what = strings.TrimSpace(s.lines[first+1])
	}
	v := gaveUp("it panicked (Rust): "+what, where)
	v.Line = s.lines[first]
	return v, true
}

var panicForm = pattern(`panicked at (?:(.*), )?([^,]+?:\d+(?::\d+)?):?$`)

func assertionIn(l string) (Verdict, bool) {
	for _, w := range heapWords {
		if i := strings.Index(l, w); i >= 0 && !quotedBefore(l[:i]) {
			return Verdict{
				Kind: KindHeap, Summary: "a native library damaged Python's memory: " + strings.TrimSpace(l[i:]), Remedy: damagedEarlier,
			}, true
		}
	}
	if !strings.Contains(l, "MPS backend out of memory") && (strings.Contains(l, "memory allocation of ") || strings.Contains(l, "failed assertion") || strings.Contains(l, "llocate") || strings.Contains(l, "Command buffer execution failed") || strings.Contains(l, "cudaMalloc")) {
		if v, ok := memoryIn(l); ok {
			return v, true
		}
		if v, ok := gpuIn(l); ok {
			return v, true
		}
	}
	for _, form := range sayings {
		if !strings.Contains(l, form.hint) {
			continue
		}
		if m := form.form().FindStringSubmatch(l); m != nil {
			return form.verdict(m), true
		}
	}
	return Verdict{}, false
}

const damagedEarlier = "\x00PYTHONMALLOC"

// assertionOfReport: the report has the library's own words, or its stack says how it gave up.
func (s *scene) assertionOfReport() (Verdict, bool) {
	r := s.Report
	if v, ok := s.heapByStack(); ok {
		return v, true
	}
	for _, l := range append(slices.Clone(r.Said), r.Message) {
		if v, ok := assertionIn(l); ok {
			return s.placed(v), true
		}
	}
	if v, ok := s.thrownByStack(); ok {
		return s.placed(v), true
	}
	for _, l := range r.Said { // what no rule knows is still the reason that was given
		if len(l) > 25 && strings.Contains(strings.TrimSpace(l), " ") && !strings.Contains(l, "abort() called") && !strings.Contains(l, "crashed on child side") &&
			!strings.Contains(l, "multi-threaded process forked") && !strings.HasPrefix(l, "/") && (s.ended("SIGABRT") || s.ended("SIGTRAP")) && r.Namespace != "DYLD" {
			return s.placed(gaveUp(l, "")), true
		}
	}
	return Verdict{}, false
}

// thrownByStack: the stack shows that an exception of C++ or Objective-C was thrown, and that nobody caught it.
func (s *scene) thrownByStack() (Verdict, bool) {
	for i, f := range s.Report.Frames {
		switch {
		case strings.HasPrefix(f.Symbol, "__cxa_throw"), strings.HasPrefix(f.Symbol, "__cxa_rethrow"), strings.HasPrefix(f.Symbol, "objc_exception_throw"),
			strings.Contains(f.Symbol, "swift_unexpectedError"), strings.Contains(f.Symbol, "__rust_start_panic"), strings.Contains(f.Symbol, "rust_panic"):
		default:
			continue
		}
		v := Verdict{Summary: "a native library threw an exception that nobody caught", Remedy: upgradeIt + "; its own issues may know that place."}
		below := *s.Report
		below.Frames = s.Report.Frames[i+1:]
		if c, ok := below.Culprit(); ok {
			v.Summary += ", in " + c.Text()
		}
		return v, true
	}
	return Verdict{}, false
}

// heapByStack: the stack shows that the allocator found its own data broken.
func (s *scene) heapByStack() (Verdict, bool) {
	for _, f := range s.Report.Frames[:min(len(s.Report.Frames), 12)] {
		broken := f.Image == "libsystem_malloc.dylib" && (s.ended("SIGABRT") || s.ended("SIGTRAP")) || strings.Contains(f.Symbol, "BUG_IN_CLIENT_OF_LIBMALLOC") ||
			f.Symbol == "malloc_printerr" || strings.HasSuffix(f.Symbol, "_botch")
		if !broken {
			continue
		}
		v := Verdict{Kind: KindHeap, Summary: "a native library damaged Python's memory, as the system's allocator found", Remedy: damagedEarlier}
		if c, ok := s.Report.Culprit(); ok {
			v.Summary += " when " + c.Text() + " used it"
		}
		return s.placed(v), true
	}
	return Verdict{}, false
}

// thrownNative is the verdict on an exception of C++ or Objective-C: its type, and what it says.
func thrownNative(m []string) Verdict {
	kind, what := strings.TrimSpace(m[1]), strings.TrimSpace(m[2])
	if strings.HasSuffix(kind, "bad_alloc") {
		return Verdict{Kind: KindOutOfMemory, Summary: "memory ran out in native code (" + kind + ")", Remedy: lessMemory}
	}
	if v, ok := gpuIn(what); ok {
		return v
	}
	if v, ok := memoryIn(what); ok {
		return v
	}
	v := Verdict{Summary: "a native library threw an exception that nobody caught", Remedy: upgradeIt + "; its own issues may know that line."}
	if kind != "" {
		v.Summary += ": " + kind
	}
	if what != "" {
		v.Summary += ": " + what
	}
	return v
}

// placed adds the package and the person's own frame, if faulthandler told them, and words the remedy for where the evidence comes from.
func (s *scene) placed(v Verdict) Verdict {
	switch v.Remedy {
	case fewerThreads:
		v.Remedy = s.set("OMP_NUM_THREADS", "1") + "."
	case damagedEarlier:
		v.Remedy = "The damage was done earlier than it was found. Upgrade the native packages; PYTHONMALLOC=debug under [environment] may find it sooner."
		if s.Foreign {
			v.Remedy = "The damage was done earlier than it was found. Upgrade the native packages; PYTHONMALLOC=debug in the server's environment may find it sooner."
		}
	}
	if i := s.said(fatalError); i >= 0 && !s.wentOn(i) {
		if rest, ok := strings.CutPrefix(v.Remedy, upgradeIt); ok && s.suspect(i) != "" {
			v.Remedy = "Upgrade " + s.suspect(i) + ", whose native code was running, " + s.pip("--upgrade "+s.suspect(i)) + rest
		}
		if where := s.ownPlace(i); where != "" {
			v.Remedy = "Your code was at " + where + ". " + v.Remedy
		}
	}
	return v
}
