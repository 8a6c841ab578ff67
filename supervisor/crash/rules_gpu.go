package crash

import (
	"regexp"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/report"
)

// The rules that know what Apple's graphics say when they give up: Metal, and what is built on it.

// gpuWord is a form in which Metal says why it gave up.
type gpuWord struct {
	hint    string
	form    func() *regexp.Regexp // nil: the hint is enough
	summary string
	remedy  string
	sure    string
}

const (
	smallerSteps = "Give the GPU smaller steps: a shorter context, a smaller batch or prefill step (mlx_lm's --prefill-step-size), and one request at a time."
	oneThread    = `Let one thread at a time use the model, by a lock around its calls or by one worker, or let it run on the CPU (device "cpu"): embedding and reranking in threads do this, too.`
)

// gpuWords, the more exact ones first.
var gpuWords = []gpuWord{
	{"ImpactingInteractivity", nil, "macOS stopped work on the GPU that kept the screen waiting (ImpactingInteractivity)", smallerSteps, ""},
	{"Impacting Interactivity", nil, "macOS stopped work on the GPU that kept the screen waiting (ImpactingInteractivity)", smallerSteps, ""},
	{"InnocentVictim", nil, "the GPU was reset on account of another program's work (InnocentVictim)", "Nothing is known to be wrong with your server: start it again, and look for another program that uses the GPU heavily.", ""},
	{"Innocent Victim", nil, "the GPU was reset on account of another program's work (InnocentVictim)", "Nothing is known to be wrong with your server: start it again, and look for another program that uses the GPU heavily.", ""},
	{"kIOGPUCommandBufferCallbackErrorTimeout", nil, "work on the GPU took too long, and macOS stopped it (GPU timeout)", smallerSteps, ""},
	{"GPU Timeout", nil, "work on the GPU took too long, and macOS stopped it (GPU timeout)", smallerSteps, ""},
	{"GPU Hang", nil, "the GPU hung, and macOS reset it", smallerSteps, ""},
	{"kIOGPUCommandBufferCallbackErrorPageFault", nil, "the GPU touched memory that it may not (page fault)", upgradeIt + ": this is a fault in its code for Apple's graphics.", ""},
	{"kIOGPUCommandBufferCallbackErrorSubmissionsIgnored", nil, "macOS takes no more work for the GPU from Python, after errors before", "The first error of Metal in the log is the cause: look for it above.", ""},
	{"A command encoder is already encoding to this command buffer", nil, "Apple's graphics (MPS) were " + almostCertainly + " used from two threads at once", oneThread, almostCertainly},
	{"_status < MTLCommandBufferStatusCommitted", nil, "Apple's graphics (MPS) were " + almostCertainly + " used from two threads at once", oneThread, almostCertainly},
	{"uncommitted encoder", nil, "Apple's graphics (MPS) were " + probably + " used from two threads at once", oneThread, probably},
	{"commit an already committed command buffer", nil, "Apple's graphics (MPS) were " + probably + " used from two threads at once", oneThread, probably},
	{"handler provided after commit", nil, "Apple's graphics (MPS) were " + probably + " used from two threads at once", oneThread, probably},
	{"addScheduledHandler:", pattern(`failed assertion`), "Apple's graphics (MPS) were " + probably + " used from two threads at once", oneThread, probably},
	{"Command buffer execution failed", pattern(`(?i)command buffer execution failed: ([^(\n]+\([^)\n]*\)|[^\n]+)`), "work on the GPU failed: ", upgradeIt + " and macOS: this is a fault in the code for Apple's graphics, and says nothing of memory.", ""},
}

// gpuIn is the verdict on a text in which Metal gave up; want of memory is told first.
func gpuIn(text string) (Verdict, bool) {
	if !holdsOne(text, []string{"Metal", "METAL", "metal", "MTL", "GPU", "Command", "command buffer", "encoder", "Handler"}) {
		return Verdict{}, false
	}
	if v, ok := memoryIn(text); ok && v.Remedy != lessMemory {
		return v, true
	}
	for _, w := range gpuWords {
		if !strings.Contains(text, w.hint) {
			continue
		}
		v := Verdict{Kind: KindAssertion, Summary: w.summary, Remedy: w.remedy, Confidence: w.sure}
		if w.form != nil {
			m := w.form().FindStringSubmatch(text)
			if m == nil {
				continue
			}
			if len(m) > 1 {
				v.Summary += strings.TrimSpace(m[1])
			}
		}
		return v, true
	}
	return Verdict{}, false
}

// gpuFailed: an exception of Python has Metal's words.
func gpuFailed(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 {
		return Verdict{}, false
	}
	v, ok := gpuIn(text)
	if !ok {
		return Verdict{}, false
	}
	v.Line = s.lines[i]
	if p := s.place(i); p != "" {
		v.Remedy = "Your code was at " + p + ". " + v.Remedy
	}
	return v, true
}

// gpuError is the code that Metal gives for a buffer of commands that it did not finish, as engines write it on stderr.
var gpuError = pattern(`\([0-9a-fA-F]{8}:kIOGPUCommandBufferCallbackError\w+\)`)

// vague are exceptions that engines raise after they have written what happened.
var vague = pattern(`^(?:[\w.]+\.)?RuntimeError\b|^c10::Error\b|(?i)\b(?:llama|ggml|decode|metal|mps|command buffer)`)

// gpuNoted: code for Apple's graphics wrote why Metal gave up, and the process failed right after that by words that say less: an assertion of
// its own, an exception of another language, a return code. Metal refuses all further work after an error, so the first one is the cause.
func gpuNoted(s *scene) (Verdict, bool) {
	if !s.failed() && !s.ended("SIGABRT") && !s.ended("SIGSEGV") && !s.ended("SIGTRAP") {
		return Verdict{}, false
	}
	const near = 40
	raised, text := s.thrown()
	if raised >= 0 && !vague().MatchString(headline(text)) {
		return Verdict{}, false
	}
	for i := max(0, len(s.lines)-near); i < len(s.lines); i++ {
		l := s.lines[i]
		if !strings.Contains(l, "kIOGPU") || !gpuError().MatchString(l) || quotedSaying(l) || strings.Contains(l, "SubmissionsIgnored") || s.wentOn(i) || s.assumed && !s.atEnd(i) {
			continue
		}
		if v, ok := gpuIn(l); ok {
			v.Line = l
			if raised < 0 {
				return s.placed(v), true
			}
			if p := s.place(raised); p != "" {
				v.Remedy = "Your code was at " + p + ". " + v.Remedy
			}
			return v, true
		}
	}
	return Verdict{}, false
}

// mpsInThread: the fault was in PyTorch's code for Apple's graphics, in another thread than the main one. That code keeps its state without a
// lock, and servers call it from the threads of a pool (https://github.com/open-webui/open-webui/issues/29722).
func (s *scene) mpsInThread() bool {
	r := s.Report
	if r == nil || r.Thread == 0 {
		return false
	}
	return slices.ContainsFunc(r.Frames[:min(len(r.Frames), 30)], func(f report.Frame) bool {
		return strings.Contains(f.Symbol, "at::mps::") || strings.Contains(f.Symbol, "at::native::mps::") || strings.Contains(f.Symbol, "_ZN2at6native3mps") || strings.Contains(f.Symbol, "_ZN2at3mps")
	})
}
