package crash

import (
	"path"
	"regexp"
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
	{"terminating", pattern(`libc\+\+abi(?:\.dylib)?: terminating (?:due to|with) uncaught (?:foreign )?exception(?: of type ([^:]+(?:::[^:\s]+)*))?(?:: (.*))?$`), thrownNative},
	{"terminate called", pattern(`terminate called after throwing an instance of '(.+)'()`), thrownNative},
	{"Terminating app", pattern(`Terminating app due to uncaught exception '(\w+)', reason: '(.*?)'?$`), thrownNative},
	{"terminate called", pattern(`(terminate called without an active exception)`), func(m []string) Verdict { return gaveUp(m[1], "") }},
	{"OMP: Error #", pattern(`OMP: Error #\d+: (.+)`), func(m []string) Verdict {
		return Verdict{Summary: "OpenMP gave up: " + strings.TrimRight(m[1], ": ."), Remedy: `Set OMP_NUM_THREADS = "1" under [environment] in vivarium.toml.`}
	}},
	{"GGML_ASSERT", pattern(`(\S+):(\d+): GGML_ASSERT\((.+)\) failed`), func(m []string) Verdict { return gaveUp("assertion "+m[3], m[1]+":"+m[2]) }},
	{"failed assertion", pattern(`^.*(?:Metal|MPS|MTL).*?(failed assertion .+)|(failed assertion .*(?:Metal|MPS|MTL).*)`), func(m []string) Verdict {
		return Verdict{Summary: "Apple's Metal gave up: " + strings.TrimSpace(m[1]+m[2]),
			Remedy: `Let the model run on the CPU (device "cpu"), or upgrade torch and macOS: this is a fault in the code for Apple's graphics.`}
	}},
	{"failed assertion", pattern(`(\S+):(\d+): failed assertion .(.+)`), func(m []string) Verdict {
		return gaveUp("failed assertion "+strings.Trim(m[3], "`'\""), m[1]+":"+m[2])
	}},
	{"Check failed", pattern(`([\w./-]+\.(?:cc|cpp|cu|h|mm)):(\d+)\]? (Check failed: .+)$`), func(m []string) Verdict { return gaveUp(m[3], m[1]+":"+m[2]) }},
	{"Assertion failed", pattern(`Assertion failed: \((.+)\), function (\S+), file (\S+?),? line (\d+)`), func(m []string) Verdict {
		return gaveUp("assertion "+m[1]+" in "+m[2], m[3]+":"+m[4])
	}},
	{"Assertion", pattern("^\\S+: (\\S+:\\d+): .*Assertion [`'](.+)' failed\\.?$"), func(m []string) Verdict { return gaveUp("assertion "+m[2], m[1]) }},
}

// gaveUp is the verdict on a library that gave up for a reason, at a place in its source.
func gaveUp(reason, where string) Verdict {
	v := Verdict{Summary: "a native library gave up: " + reason, Remedy: upgradeIt + "; its own issues may know that line."}
	if where != "" {
		v.Summary += " (" + path.Base(where) + ")"
	}
	return v
}

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
		if v, ok := assertionIn(s.lines[i]); ok && !s.wentOn(i) {
			v.Line = s.lines[i]
			if n := s.last("Terminating app due to uncaught exception"); strings.HasSuffix(v.Summary, ": NSException") && n >= 0 && n < i {
				if why, ok := assertionIn(s.lines[n]); ok {
					v = why
					v.Line = s.lines[n]
				}
			}
			if v.Kind == "" && strings.Contains(v.Line, "terminate called after throwing") && i+1 < len(s.lines) {
				if what, ok := strings.CutPrefix(strings.TrimSpace(s.lines[i+1]), "what():"); ok {
					v.Summary += ": " + strings.TrimSpace(what)
				}
			}
			return s.placed(v), true
		}
	}
	if s.Report != nil {
		for _, l := range s.Report.Said {
			if v, ok := assertionIn(l); ok {
				return s.placed(v), true
			}
		}
	}
	return Verdict{}, false
}

func assertionIn(l string) (Verdict, bool) {
	for _, w := range heapWords {
		if i := strings.Index(l, w); i >= 0 {
			return Verdict{
				Kind: KindHeap, Summary: "a native library damaged Python's memory: " + strings.TrimSpace(l[i:]),
				Remedy: "The damage was done earlier than it was found. Upgrade the native packages; PYTHONMALLOC=debug under [environment] may find it sooner.",
			}, true
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

// thrownNative is the verdict on an exception of C++ or Objective-C: its type, and what it says.
func thrownNative(m []string) Verdict {
	kind, what := strings.TrimSpace(m[1]), strings.TrimSpace(m[2])
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
	if what != "" {
		v.Summary += ": " + what
	}
	return v
}

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
