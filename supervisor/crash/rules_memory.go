package crash

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The rules that know how a process says itself that it got no memory.

const (
	lessMemory = "Give it less to hold: a smaller or quantised model, a smaller batch, or fewer workers."
	lessMetal  = "Use a smaller or quantised model, a shorter context or a smaller batch."
	oneBuffer  = "Use a shorter context or prompt, a smaller batch, or a smaller or quantised model: no setting raises Metal's limit for one buffer."
)

// memoryWord is a form of "there is no memory", in an exception's text or as a library's last words.
type memoryWord struct {
	hint    string
	form    func() *regexp.Regexp
	summary func(m []string) string
	remedy  string
}

func words(text string) func([]string) string { return func([]string) string { return text } }

// memoryWords, the more exact ones first.
var memoryWords = []memoryWord{
	{"maximum allowed buffer size", pattern(`allocate (\d+) bytes.* maximum allowed buffer size of (\d+)`), func(m []string) string {
		return "one buffer for Apple's graphics (Metal) was to have " + bytesOf(m[1]) + ", and " + bytesOf(m[2]) + " is the most"
	}, oneBuffer},
	{"Invalid buffer size", pattern(`Invalid buffer size: ([\d.]+ \wi?B)`), func(m []string) string {
		return "one buffer for Apple's graphics (MPS) was to have " + m[1] + ", which is more than Metal allows"
	}, oneBuffer},
	{"NDArray", pattern(`(?:total bytes of NDArray|product of dimension sizes) > 2\*\*3\d`), words("one array for Apple's graphics (MPS) was larger than Metal allows"), oneBuffer},
	{"Resource limit", pattern(`\[metal::malloc\] Resource limit \((\d+)\) exceeded`), func(m []string) string {
		return "Apple's graphics (Metal) had no room for one more buffer: " + m[1] + " is the most"
	}, "Evaluate more often (mx.eval), keep fewer arrays, or use a shorter context."},
	{"kIOGPUCommandBufferCallbackErrorOutOfMemory", nil, words("the memory for Apple's graphics (Metal) ran out"), lessMetal},
	{"Insufficient Memory", pattern(`(?i)metal|command buffer|kIOGPU|GPU`), words("the memory for Apple's graphics (Metal) ran out"), lessMetal},
	{"Unable to allocate", pattern(`\[(?:metal::malloc|malloc_or_wait)\] Unable to allocate (\d+) bytes`), func(m []string) string {
		return "the memory for Apple's graphics (Metal) ran out: " + bytesOf(m[1]) + " could not be had"
	}, lessMetal},
	{"MPS backend out of memory", nil, words("the memory for Apple's graphics (MPS) ran out"), `Use a smaller batch or model, or let it run on the CPU (device "cpu").`},
	{"llocate", pattern(`(?i)failed to allocate (?:metal )?buffer[^\d]*?(\d+(?:\.\d+)?) ?(MiB|GiB|bytes)?`), func(m []string) string {
		if n, _ := strconv.ParseFloat(m[1], 64); n == 0 {
			return ""
		}
		return "a buffer for the graphics could not be had: " + strings.TrimSpace(m[1]+" "+m[2])
	}, lessMetal},
	{"out of memory", pattern(`(?:CUDA|HIP|cuda\w*|torch\.OutOfMemoryError|XPU|ROCm)\b.*out of memory`), words("the graphics card's memory (CUDA) ran out"), endOthers},
	{"ALLOC_FAILED", pattern(`CU\w+_STATUS_ALLOC_FAILED`), words("the graphics card's memory (CUDA) ran out"), endOthers},
	{"CUDA_ERROR_OUT_OF_MEMORY", nil, words("the graphics card's memory (CUDA) ran out"), endOthers},
	{"No available memory for the cache blocks", nil, words("the graphics card had no memory left for the model's cache"), "Use a smaller model or a shorter context (max_model_len), or raise gpu_memory_utilization."},
	{"memory allocation of", pattern(`memory allocation of (\d+) bytes failed`), func(m []string) string {
		return "memory ran out: " + bytesOf(m[1]) + " could not be had (Rust)"
	}, lessMemory},
	{"RESOURCE_EXHAUSTED", nil, words("memory ran out (RESOURCE_EXHAUSTED)"), lessMemory},
	{"OOM when allocating tensor", nil, words("memory ran out while a tensor was made"), lessMemory},
	{"llocate", pattern(`DefaultCPUAllocator: .*?allocate memory(?:.*you tried to allocate (\d+) bytes)?`), func(m []string) string {
		if m[1] != "" {
			return "memory ran out: " + m[1] + " bytes could not be had"
		}
		return "memory ran out"
	}, lessMemory},
	{"[Errno 12]", pattern(`^OSError: \[Errno 12\]`), words("memory ran out"), lessMemory},
	{"Failed to allocate memory for requested buffer", pattern(`buffer of size (\d+)`), func(m []string) string {
		return "memory ran out: " + bytesOf(m[1]) + " could not be had"
	}, lessMemory},
	{"running low on memory", pattern(`(?:Task|Actor|worker)s?\b.*killed due to the node running low on memory|running low on memory.*killed`), words("memory ran out, and Ray ended a worker for it"), lessMemory},
	{"bad_alloc", pattern(`(?:std::)?bad_alloc|St9bad_alloc`), words("memory ran out in native code (std::bad_alloc)"), lessMemory},
	{"ArrowMemoryError", nil, words("memory ran out (pyarrow)"), lessMemory},
}

const endOthers = "Use a smaller batch or model, and end other programs that use the card: nvidia-smi lists them."

// memoryIn is the verdict on a text that says that there was no memory.
func memoryIn(text string) (Verdict, bool) {
	for _, w := range memoryWords {
		if !strings.Contains(text, w.hint) {
			continue
		}
		var m []string
		if w.form != nil {
			if m = w.form().FindStringSubmatch(text); m == nil {
				continue
			}
		}
		if said := w.summary(m); said != "" {
			return Verdict{Kind: KindOutOfMemory, Summary: said, Remedy: w.remedy}, true
		}
	}
	return Verdict{}, false
}

// bytesOf is a number of bytes for a person.
func bytesOf(digits string) string {
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return digits + " bytes"
	}
	return bytesText(n)
}

// outOfMemoryText: Python or a library says itself that it got no memory.
func outOfMemoryText(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 {
		return Verdict{}, false
	}
	name, said, _ := strings.Cut(headline(text), ": ")
	v, ok := memoryIn(text)
	switch {
	case name == "MemoryError" || strings.HasSuffix(name, "._ArrayMemoryError") || strings.HasSuffix(name, ".ArrayMemoryError"):
		v = Verdict{Summary: "memory ran out: MemoryError", Remedy: lessMemory}
		if said != "" {
			v.Summary = "memory ran out: " + said
		}
	case !ok:
		return Verdict{}, false
	}
	v.Line = s.lines[i]
	switch ratio := "PYTORCH_MPS_HIGH_WATERMARK_RATIO"; {
	case strings.Contains(text, "MPS") && s.alreadySet(ratio):
		v.Remedy += " " + ratio + " is set already: with 0.0 the whole Mac can come to a halt."
	case strings.Contains(text, ratio):
		v.Remedy += " " + ratio + "=0.0 lifts the limit, and can bring the whole Mac to a halt."
	}
	if p := s.place(i); p != "" {
		v.Remedy = "Your code was at " + p + ". " + v.Remedy
	}
	return v, true
}

// engines are the words with which the lines of engines begin that tell of their memory and live on to fail by it.
var engines = pattern(`^(?:ggml|llama|llm|whisper|clip|cuda|metal|alloc|\[metal|E llama)\w*|^.{0,40}cudaMalloc failed`)

// outOfMemoryNative: an engine in native code said that it got no memory, and failed right after that: by an exception that says less, or by a fault.
func outOfMemoryNative(s *scene) (Verdict, bool) {
	if !s.failed() && !s.ended("SIGABRT") && !s.ended("SIGSEGV") && !s.ended("SIGTRAP") {
		return Verdict{}, false
	}
	const near = 80
	for i := len(s.lines) - 1; i >= max(0, len(s.lines)-near); i-- {
		if !strings.Contains(s.lines[i], "alloc") && !strings.Contains(s.lines[i], "memory") || !engines().MatchString(s.lines[i]) {
			continue
		}
		v, ok := memoryIn(s.lines[i])
		if !ok || s.wentOn(i) || s.assumed && !s.atEnd(i) {
			continue
		}
		v.Line = s.lines[i]
		return v, true
	}
	return Verdict{}, false
}

// kernelKill are the kernel's lines about a process that it ended for want of memory: Linux's, and a Mac's.
var kernelKill = pattern(`(?:Out of memory: Killed process|Memory cgroup out of memory: Kill(?:ed)? process|oom-kill:constraint=|oom_reaper: reaped process|killing_specific_process pid|memorystatus: killing (?:largest|top|idle)|low swap: killing)`)

// killedByKernel: the kernel's own line stands in the output, and the process was ended by SIGKILL.
func killedByKernel(s *scene) (Verdict, bool) {
	if !s.ended("SIGKILL") || s.Worker {
		return Verdict{}, false
	}
	for _, hint := range []string{"ut of memory", "oom-kill", "memorystatus", "low swap"} {
		i := s.said(hint)
		if i < 0 || s.wentOn(i) || !kernelKill().MatchString(s.lines[i]) {
			continue
		}
		return Verdict{Line: s.lines[i], Summary: "memory ran out, and the system ended Python (SIGKILL)", Remedy: lessMemory}, true
	}
	if s.status.OOMKilled {
		return Verdict{Line: s.statusLine(), Summary: "memory ran out, and the system ended Python (SIGKILL)", Remedy: lessMemory + " Or raise the limit of its container or service."}, true
	}
	return Verdict{}, false
}

// outOfMemory: the system says itself that it ended a process of this run for want of memory. The count of a cgroup is of all its
// processes, which is almost certain of one that was killed just then; a log or a report that names the process is certain.
func outOfMemory(s *scene) (Verdict, bool) {
	m := s.Memory
	if !m.OOM || !s.ended("SIGKILL") {
		return Verdict{}, false
	}
	ran, limit := "memory ran out", ""
	if m.Source == "cgroup" {
		ran = "memory " + almostCertainly + " ran out"
	}
	v := Verdict{Remedy: lessMemory}
	if m.Limit > 0 {
		limit = " at the limit of " + bytesText(m.Limit)
		v.Remedy += " Or raise the limit of its container or service."
	}
	if m.Source == "cgroup" {
		v.Confidence = almostCertainly
	}
	v.Summary = ran + limit + ", and the system ended Python (SIGKILL)"
	if m.Limit == 0 && m.Last > 0 {
		v.Summary = ran + ": Python used " + bytesText(m.Last) + ", and the system ended it (SIGKILL)"
	}
	return v, true
}

// bytesText counts in decimal units, as the rest of the app does.
func bytesText(n uint64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}
