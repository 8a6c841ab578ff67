package crash

import (
	"regexp"
	"strings"
)

// The rules that know what libraries for computing say before they end the process, or before they let it run into a fault.

// lastWords is a form in which such a library says why it cannot go on.
type lastWords struct {
	hint    string
	form    func() *regexp.Regexp // nil: the hint is enough
	verdict func(s *scene, m []string) Verdict
}

var lastWordsOf = []lastWords{
	{"libgomp: Thread creation failed", nil, func(s *scene, _ []string) Verdict {
		return s.noThreads("OpenMP (libgomp)", "OMP_NUM_THREADS")
	}},
	{"OpenBLAS blas_thread_init: pthread_create failed", nil, func(s *scene, _ []string) Verdict {
		return s.noThreads("OpenBLAS", "OPENBLAS_NUM_THREADS")
	}},
	{"thread: Resource temporarily unavailable", nil, func(s *scene, _ []string) Verdict {
		return s.noThreads("a native library", "OMP_NUM_THREADS")
	}},
	{"BLAS : Program is Terminated. Because you tried to allocate too many memory regions", nil, func(s *scene, _ []string) Verdict {
		return Verdict{Summary: "OpenBLAS was called by more threads than it was built for", Remedy: s.set("OPENBLAS_NUM_THREADS", "1") + ", or install a newer NumPy, whose OpenBLAS has room for more."}
	}},
	{"MKL FATAL ERROR: ", pattern(`MKL FATAL ERROR: (.+)$`), func(s *scene, m []string) Verdict {
		return Verdict{Summary: "Intel's MKL gave up: " + strings.TrimRight(m[1], "."),
			Remedy: "Its parts do not fit together, or some are missing: install NumPy and MKL anew from one source, all with pip or all with conda."}
	}},
	{"Memory access fault by GPU node", nil, func(*scene, []string) Verdict {
		return Verdict{Summary: "the GPU touched memory that it may not (page fault)", Remedy: "Upgrade ROCm and torch together: this is a fault in the code for AMD's graphics, or this card is none that they support."}
	}},
	{"instructions, but these aren't available on your machine", pattern(`The (\S+) library was compiled to use (.+) instructions, but`), func(_ *scene, m []string) Verdict {
		return Verdict{Kind: KindIllegal, Summary: m[1] + " was built for instructions that this computer lacks (" + m[2] + ")",
			Remedy: "Install a build without them; under Rosetta make the environment anew with a Python for Apple silicon."}
	}},
}

// computing: the process ended right after such words, and Python itself raised nothing.
func computing(s *scene) (Verdict, bool) {
	if !s.failed() && !s.ended("SIGABRT") && !s.ended("SIGSEGV") && !s.ended("SIGBUS") {
		return Verdict{}, false
	}
	const near = 60
	for i := len(s.lines) - 1; i >= 0 && len(s.lines)-i <= near; i-- {
		l := s.lines[i]
		for _, w := range lastWordsOf {
			if !strings.Contains(l, w.hint) || quotedSaying(l) || s.wentOn(i) || s.assumed && !s.atEnd(i) {
				continue
			}
			var m []string
			if w.form != nil {
				if m = w.form().FindStringSubmatch(l); m == nil {
					continue
				}
			}
			v := w.verdict(s, m)
			v.Line = l
			return s.placed(v), true
		}
	}
	return Verdict{}, false
}

func (s *scene) noThreads(who, variable string) Verdict {
	return Verdict{Summary: who + " could not start its threads: no more of them are allowed",
		Remedy: s.set(variable, "1") + ", or raise the limit (`ulimit -u`; of a container, --pids-limit)."}
}

// openMPNoted: threadpoolctl warned that LLVM's and Intel's OpenMP are both in the process, and it died of a fault of which nothing else is known.
func openMPNoted(s *scene) (Verdict, bool) {
	i := s.last("Found Intel OpenMP ('libiomp') and LLVM OpenMP ('libomp') loaded at")
	if i < 0 || !s.ended("SIGSEGV") && !s.ended("SIGBUS") && !s.ended("SIGABRT") || s.wentOn(i) || s.faultIn() != "" {
		return Verdict{}, false
	}
	return s.conflict(probably, s.lines[i]), true
}

// emulated: the processor was QEMU's, as in a container for another one.
func (s *scene) emulated() bool { return s.last("qemu: uncaught target signal") >= 0 }
