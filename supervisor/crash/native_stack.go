package crash

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/report"
)

// The stacks that others than Python print of a fault: debuggers, and the handlers that libraries bring: TensorFlow's, glog's and Abseil's, Ray's,
// Paddle's, Java's, Go's. And the kernel's line about it.

// nativeStack is one that was found in an output.
type nativeStack struct {
	line   int    // the one that names the signal; -1: there is none
	signal string // "SIGSEGV"
	frames []report.Frame
}

// heads are the lines with which such a stack begins. The first group that is not empty names the signal.
var heads = []struct {
	hint string
	form func() *regexp.Regexp
}{
	{"Received signal", pattern(`^\W*Received signal (\d+)\b`)},
	{" received at time=", pattern(`\*+ (SIG[A-Z]+) received at time=`)},
	{" (@0x", pattern(`\*+ (SIG[A-Z]+) \(@0x[0-9a-f]+\)`)},
	{"stop reason = ", pattern(`stop reason = (?:signal )?(EXC_\w+|SIG[A-Z]+)`)},
	{"received signal SIG", pattern(`(?:^Program|^Thread .*) received signal (SIG[A-Z]+)[,.]`)},
	{"terminated with signal", pattern(`^Program terminated with signal (SIG[A-Z]+|\d+)[,.]`)},
	{" at pc=", pattern(`^#\s+(SIG[A-Z]+) \(0x[0-9a-f]+\) at pc=`)},
	{"segmentation violation", pattern(`^\[?(?:signal )?(SIG[A-Z]+): segmentation violation`)},
	{"is detected by the operating system", pattern("^FatalError: .(Segmentation fault|Process abort signal|Bus error|Illegal instruction|Erroneous arithmetic operation|Access to an undefined portion of a memory object). is detected by the operating system")},
	{"Caught signal", pattern(`Caught signal (\d+) \(`)},
	{"segfault at", pattern(`\[\d+\]: (segfault) at [0-9a-f]+ ip [0-9a-f]+ .* in (\S+?)[\[,]`)},
	{"traps: ", pattern(`traps: \S+\[\d+\] (trap invalid opcode|trap divide error|trap int3|general protection fault)\b.* in (\S+?)[\[,]`)},
}

// signalWords are signals in other words than their names.
var signalWords = map[string]string{
	"EXC_BAD_ACCESS": "SIGSEGV", "EXC_BAD_INSTRUCTION": "SIGILL", "EXC_ARITHMETIC": "SIGFPE", "EXC_BREAKPOINT": "SIGTRAP", "EXC_CRASH": "SIGABRT",
	"Segmentation fault": "SIGSEGV", "Process abort signal": "SIGABRT", "Bus error": "SIGBUS", "Illegal instruction": "SIGILL", "Erroneous arithmetic operation": "SIGFPE",
	"Access to an undefined portion of a memory object": "SIGBUS", "segfault": "SIGSEGV", "general protection fault": "SIGSEGV",
	"trap invalid opcode": "SIGILL", "trap divide error": "SIGFPE", "trap int3": "SIGTRAP",
}

var frameForms = []struct {
	form          func() *regexp.Regexp
	image, symbol int // the groups
}{
	{pattern("frame #\\d+: 0x[0-9a-f]+ ([^`\\s]+)`(.+?)(?: \\+ \\d+)?(?: at \\S+)?$"), 1, 2},
	{pattern(`^\s*\d+\s+(\S+)\s+0x[0-9a-fA-F]+ (.+?) \+ \d+$`), 1, 2},
	{pattern(`(?:^|logging\.cc:\d+: )\s*(?:PC: )?@\s+0x[0-9a-fA-F]+\s+(?:(?:\d+|\(unknown\))\s+)?(\S.*)$`), 0, 1},
	{pattern(`^\s*(?:\d+\s+)?(/\S+?\.so[\d.]*)\(([^)+]*)(?:\+0x[0-9a-f]+)?\)\s?\[0x[0-9a-f]+\]`), 1, 2},
	{pattern(`^#\d+\s+(?:0x[0-9a-f]+ in )?(.+?) \(.*\) from (\S+)$`), 2, 1},
	{pattern(`^#\d+\s+(?:0x[0-9a-f]+ in )?(\S.*?) \(`), 0, 1},
	{pattern(`^# [CVJ]\s+\[(\S+?)\+0x[0-9a-f]+\]\s*(\S*)`), 1, 2},
}

const (
	mostNative = 200 // frames of such a stack
	nativeGap  = 12  // lines between two frames that are none
)

// nativeStack is the last one in the output.
func (s *scene) nativeStack() *nativeStack {
	if s.stack != nil {
		return s.stack
	}
	found := &nativeStack{line: -1}
	s.stack = found
	for _, h := range heads {
		i := s.last(h.hint)
		if i < found.line || i < 0 || quotedSaying(s.lines[i]) {
			continue
		}
		m := h.form().FindStringSubmatch(s.lines[i])
		if m == nil {
			continue
		}
		n := nativeStack{line: i, signal: signalOf(m[1])}
		if len(m) > 2 && m[2] != "" {
			n.frames = []report.Frame{{Image: path.Base(m[2])}}
		}
		*found = n
	}
	if found.line >= 0 && len(found.frames) == 0 {
		found.frames = s.nativeFrames(found.line)
	}
	return found
}

// nativeFrames are those below line i, the handler's own left out.
func (s *scene) nativeFrames(i int) []report.Frame {
	var frames []report.Frame
	gap := 0
	for _, l := range s.lines[i:] {
		f, ok := nativeFrame(l)
		if !ok {
			if gap++; gap > nativeGap {
				break
			}
			continue
		}
		gap = 0
		if isHandler(f.Symbol) || strings.Contains(l, "<signal handler called>") { // what is above it is the handler's
			frames = nil
			continue
		}
		if frames = append(frames, f); len(frames) == mostNative {
			break
		}
	}
	return frames
}

func nativeFrame(l string) (report.Frame, bool) {
	if !strings.Contains(l, "0x") && !strings.HasPrefix(l, "#") {
		return report.Frame{}, false
	}
	for _, form := range frameForms {
		m := form.form().FindStringSubmatch(l)
		if m == nil {
			continue
		}
		f := report.Frame{Symbol: strings.TrimSpace(m[form.symbol])}
		if form.image > 0 {
			f.Image = path.Base(m[form.image])
		}
		if f.Symbol == "(unknown)" || f.Symbol == "??" {
			f.Symbol = ""
		}
		return f, f.Symbol+f.Image != ""
	}
	return report.Frame{}, false
}

// isHandler: the frame belongs to the way in which a signal comes to its handler.
func isHandler(symbol string) bool {
	for _, part := range []string{"_sigtramp", "__restore_rt", "StacktraceHandler", "FailureSignalHandler", "<signal handler called>"} {
		if strings.Contains(symbol, part) {
			return true
		}
	}
	return false
}

// culprit is the innermost frame that is neither of the system nor of the interpreter.
func (n *nativeStack) culprit() (report.Frame, bool) {
	for _, f := range n.frames {
		if f.Image != "" && !report.OfTheSystem(f.Image) && !strings.HasPrefix(f.Image, "libc.so") && !strings.HasPrefix(f.Image, "libpthread") {
			return f, true
		}
		if f.Image == "" && f.Symbol != "" && !ofTheInterpreter(f.Symbol) {
			return f, true
		}
	}
	return report.Frame{}, false
}

// ofTheInterpreter: the function is C's or Python's own.
func ofTheInterpreter(symbol string) bool {
	switch symbol {
	case "raise", "abort", "gsignal", "start_thread", "clone", "clone3", "main", "__libc_start_main":
		return true
	}
	for _, prefix := range []string{"Py", "_Py", "__pthread", "__GI_", "__libc_", "pthread_", "builtin_", "method_", "cfunction_", "slot_", "type_call", "gomp_"} {
		if strings.HasPrefix(symbol, prefix) {
			return true
		}
	}
	return false
}

// signalOf is a signal's name by its name, its number or other words; "" if it is none.
func signalOf(text string) string {
	if name := signalWords[text]; name != "" {
		return name
	}
	if n, err := strconv.Atoi(text); err == nil {
		return signalByNumber(n, "")
	}
	if strings.HasPrefix(text, "SIG") {
		return text
	}
	return ""
}

// signalByNumber is a signal's name. The numbers of four differ between Linux and a Mac.
func signalByNumber(n int, system string) string {
	switch {
	case n == 10 && system == "linux":
		return "SIGUSR1"
	case n == 7 && system == "darwin":
		return "SIGEMT"
	case n == 12 && system == "darwin":
		return "SIGSYS"
	}
	return map[int]string{
		1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 10: "SIGBUS",
		11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
	}[n]
}
