package crash

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/crash/report"
)

// The rules that know an end by what Vivarium did, and those that put signals and exit codes into words.

func stopped(s *scene) (Verdict, bool) {
	return Verdict{Summary: "stopped on request"}, s.Asked
}

func hung(s *scene) (Verdict, bool) {
	return Verdict{
		Summary: "the server stopped answering and was ended",
		Remedy:  "The log's last lines show what it was doing; restart_hung = false in vivarium.toml leaves it alone.",
	}, s.Hung
}

func keeperLost(s *scene) (Verdict, bool) {
	return Verdict{
		Summary: "the keeper was lost, so nobody saw how the server ended",
		Remedy:  "Nothing is known to be wrong with your server. Was the keeper killed, or memory short?",
	}, !s.Known && !s.Foreign
}

// fault is a signal that a processor or a library raises, as faulthandler calls it and in words.
type fault struct {
	handler, words, remedy string
	blames                 bool // the package whose native code ran is the suspect
}

const askStack = "The Python stack in the log shows the call; the library below it is the suspect."

var faults = map[string]fault{
	"SIGSEGV": {"Segmentation fault", "Python crashed with a segmentation fault", "A native library touched memory that was not its own.", true},
	"SIGABRT": {"Aborted", "Python was aborted by a library in it", "If the library said why, it is in the log's last lines.", true},
	"SIGBUS":  {"Bus error", "Python crashed with a bus error", "Often a file that was mapped into memory became shorter, or the disk is full.", false},
	"SIGILL":  {"Illegal instruction", "Python crashed with an illegal instruction", "Often a package was built for another processor: install one that fits this computer.", false},
	"SIGFPE":  {"Floating-point exception", "Python crashed with an arithmetic error in native code", "Often a whole number was divided by zero.", true},
}

var (
	currentFrame = regexp.MustCompile(`^\s*File "([^"]+)", line (\d+) in (.+)$`)
	fatalError   = "Fatal Python error: "
)

// signalled: the run died of the signal. faulthandler's stack says where, and of a worker it says everything.
func signalled(signal string) func(*scene) (Verdict, bool) {
	f := faults[signal]
	return func(s *scene) (Verdict, bool) {
		if !s.ended(signal) {
			return Verdict{}, false
		}
		i := s.said(fatalError)
		if i >= 0 && (s.begunAnew(i) || !s.Worker && signal != "SIGABRT" && !strings.Contains(s.lines[i], f.handler)) {
			i = -1
		}
		if s.Worker && (i < 0 || !strings.Contains(s.lines[i], f.handler)) {
			return Verdict{}, false
		}
		if s.Report != nil && s.Report.Sender() != "" {
			return Verdict{Kind: KindEnded, Summary: "Python was ended by " + signal + " from " + s.Report.Sender(),
				Remedy: "Nothing is known to be wrong with your server: that process sent the signal."}, true
		}
		v := Verdict{Summary: f.words + " (" + signal + ")"}
		if where := s.faultIn(); where != "" {
			v.Summary += " in " + where
		}
		v.Remedy = s.faultRemedy(f, i)
		if s.Report != nil && s.Report.Translated && signal == "SIGILL" {
			v.Remedy = "This Python runs under Rosetta, which lacks some of Intel's instructions: make the environment anew with a Python for Apple silicon."
		}
		if s.emulated() {
			v.Summary += " under emulation (QEMU)"
			v.Remedy = "The image is for another processor: build or pull it for this one (`docker build --platform linux/arm64` on Apple silicon)."
		}
		if s.mpsInThread() {
			v.Summary += ": Apple's graphics (MPS) were " + probably + " used from two threads at once"
			v.Confidence, v.Remedy = probably, oneThread
		}
		if n := s.nativeStack(); i < 0 && n.line >= 0 && n.signal == signal {
			v.Line = s.lines[n.line]
		}
		if i < 0 {
			return v, true
		}
		v.Line = s.lines[i]
		if _, said, _ := strings.Cut(v.Line, fatalError); signal == "SIGABRT" && said != f.handler { // the interpreter itself
			v.Summary = "Python gave up (SIGABRT): " + strings.TrimRight(said, ".")
			v.Remedy = "The Python stack in the log shows where."
		}
		if where := s.currentPlace(i); where != "" {
			v.Summary += " at " + where
		}
		return v, true
	}
}

// begunAnew reports whether another run began after line i. What a server's other processes still print below a stack does not count: who died
// of that signal printed it.
func (s *scene) begunAnew(i int) bool {
	for _, l := range s.lines[i+1:] {
		if holdsOne(l, startSigns) || strings.Contains(l, "Started server process") || strings.Contains(l, "Uvicorn running on") {
			return true
		}
	}
	return false
}

// faultRemedy is what to do about a fault whose stack is below line i; -1: the log has none.
func (s *scene) faultRemedy(f fault, i int) string {
	var parts []string
	if own := s.ownPlace(i); own != "" && own != s.currentPlace(i) { // the summary has that already
		parts = append(parts, "Your code was at "+own+".")
	}
	suspect := s.suspect(i)
	switch {
	case f.blames && suspect != "":
		parts = append(parts, "Upgrade "+suspect+", whose native code was running: "+s.pip("--upgrade "+suspect)+".")
	case f.blames && s.faultIn() != "":
		parts = append(parts, "Upgrade what brings this library, or report it there with the stack.")
	case i >= 0:
		parts = append(parts, f.remedy, askStack)
	case s.Foreign && s.Report == nil && !s.alreadySet("PYTHONFAULTHANDLER"):
		parts = append(parts, f.remedy, "PYTHONFAULTHANDLER=1 in the server's environment makes the log show the Python stack of the next one.")
	default:
		parts = append(parts, f.remedy, "The log has no Python stack of it.")
	}
	return strings.Join(parts, " ") + s.hintOpenMP() + s.hintMissing()
}

// faultIn is the native library that faulted: by the system's report, or by the C stack that Python 3.14 prints.
func (s *scene) faultIn() string {
	if s.Report != nil {
		if f, ok := s.Report.Culprit(); ok {
			return f.Text()
		}
	}
	file, symbol := s.cStack()
	if file == "" {
		if f, ok := s.nativeStack().culprit(); ok {
			return f.Text()
		}
		return ""
	}
	where := report.Frame{Image: path.Base(file), Symbol: symbol}.Text()
	if owner := packageOf(file); owner != "" && !strings.HasPrefix(where, owner) {
		where = owner + "'s " + where
	}
	return where
}

// suspect is the package whose native code ran: by the library that faulted, or by the innermost Python frame of a package of which
// faulthandler lists an extension module. "" if nothing tells.
func (s *scene) suspect(i int) string {
	if s.Report != nil { // its paths are redacted: it may name the library and not the package
		f, _ := s.Report.Culprit()
		if owner := packageOf(s.Report.ImageOf(f).Path); owner != "" {
			return distribution(owner)
		}
	}
	if file, _ := s.cStack(); file != "" {
		return distribution(packageOf(file))
	}
	if i < 0 {
		return ""
	}
	file, _, _ := s.current(i)
	module := packageOf(file)
	modules := s.said("Extension modules: ")
	if module == "" || modules < i || !strings.Contains(strings.Replace(s.lines[modules], ": ", ", ", 1), ", "+module+".") {
		return ""
	}
	return distribution(module)
}

// currentPlace is the innermost frame of the current thread in faulthandler's report below line i.
func (s *scene) currentPlace(i int) string {
	file, line, function := s.current(i)
	if file == "" {
		return ""
	}
	return s.where(file, line, function)
}

func (s *scene) current(i int) (file, line, function string) {
	current, only := false, s.onlyStack(i)
	for _, l := range s.lines[i+1:] {
		if m := frameAt(l); current && m != nil {
			return m[1], m[2], m[3]
		}
		if current {
			return "", "", "" // "<no Python frame>"
		}
		current = isStackHead(l, only)
	}
	return "", "", ""
}

func frameAt(l string) []string {
	if !strings.Contains(l, `File "`) {
		return nil
	}
	return currentFrame.FindStringSubmatch(l)
}

// isStackHead: the line is above the stack that counts. only: there is one, and it needs not be the current thread's.
func isStackHead(l string, only bool) bool {
	return strings.HasPrefix(l, "Current thread ") || only && strings.HasPrefix(l, "Thread 0x") || only && strings.HasPrefix(l, "Stack (most recent call first):")
}

// onlyStack: below line i is the stack of one thread alone, and it is not called the current one, because native code ran without Python's lock.
func (s *scene) onlyStack(i int) bool {
	n := 0
	for _, l := range s.lines[i+1:] {
		if strings.HasPrefix(l, "Current thread ") {
			return false
		}
		if isStackHead(l, true) {
			n++
		}
	}
	return n == 1
}

func killed(s *scene) (Verdict, bool) {
	return Verdict{
		Summary: "Python was killed (SIGKILL), from outside or because memory ran out",
		Remedy:  "Nothing tells which of the two. If nobody did it, the server needs less memory: a smaller model, or fewer workers.",
	}, s.ended("SIGKILL")
}

func endedByOther(s *scene) (Verdict, bool) {
	switch s.Signal {
	case "SIGTERM", "SIGINT", "SIGHUP":
		return Verdict{
			Summary: "Python was ended by somebody else (" + s.Signal + ")",
			Remedy:  s.notOurs(),
		}, true
	}
	return Verdict{}, false
}

// notOurs says who did not send a signal.
func (s *scene) notOurs() string {
	if s.Foreign {
		return "A person, a script or the system sent that signal."
	}
	return "Vivarium did not send that signal: a person, a script or the system did."
}

func otherSignal(s *scene) (Verdict, bool) {
	v := Verdict{Summary: "Python died of the signal " + s.Signal, Remedy: "The log's last lines show what it was doing."}
	if s.Signal == "SIGTRAP" {
		v.Summary = "a library stopped Python at a check of its own (SIGTRAP)"
		if where := s.faultIn(); where != "" {
			v.Summary += " in " + where
		}
	}
	return v, s.Signal != ""
}

func cleanExit(s *scene) (Verdict, bool) {
	if s.Signal != "" || s.Code != 0 {
		return Verdict{}, false
	}
	v := Verdict{
		Summary: "the server ended by itself, without an error",
		Remedy:  `If it is to run again whenever it ends, set policy = "always" under [restart] in vivarium.toml.`,
	}
	if i := s.last("Shutting down"); i >= 0 && !s.wentOn(i) {
		v.Summary = "the server shut down in good order, and Vivarium did not ask for it"
		v.Remedy = "Somebody probably sent it SIGTERM or SIGINT. " + v.Remedy
		v.Line = s.lines[i]
	}
	if s.Foreign {
		v.Summary, v.Remedy = strings.ReplaceAll(v.Summary, ", and Vivarium did not ask for it", ""), "Nothing is known to be wrong with it."
	}
	return v, true
}

func exitCode(s *scene) (Verdict, bool) {
	v := Verdict{Summary: fmt.Sprintf("Python exited with code %d", s.Code), Remedy: "The log's last lines are all that is known."}
	if i := s.lastWords(); i >= 0 {
		v.Summary += ": " + strings.TrimSpace(s.lines[i])
		v.Line = s.lines[i]
		if s.Code == 2 {
			v.Remedy = "Check " + s.theCommand() + "."
		}
		return v, s.Signal == ""
	}
	switch {
	case s.Code == 1:
		v.Summary += ", and the log does not say for certain why"
	case s.Code == 3:
		v.Summary += ", which uvicorn uses when the application fails to start"
	case s.Code == 2:
		v.Summary += ", which often means a wrong option in the command"
		v.Remedy = "Check " + s.theCommand() + "; the log's last lines are all that is known."
	case s.Code > 128 && s.Code <= 128+31:
		v.Summary += fmt.Sprintf(", by which a shell means signal %d", s.Code-128)
	}
	return v, s.Signal == ""
}

// parting are the words with which programs say why they leave, as sys.exit and the readers of options print them.
var parting = regexp.MustCompile(`(?i)^(?:[\w./-]+: )?(?:error|fatal|usage|failed|missing|please|cannot|can't|could not|couldn't|unable|invalid|unknown|no such|unrecognized|❌|✗|abort)|\b(?:not set|not found|is required|are required|must be set|not defined|does not exist|no such file|not configured|is missing|not installed)\b`)

// lastWords is the last line of a program that left without having served, in which it says why; -1 if it says nothing of the kind.
func (s *scene) lastWords() int {
	i := filled(s.lines, len(s.lines))
	for ; i > 0 && boxEdge.MatchString(s.lines[i]); i-- {
	}
	if i < 0 || s.Code == 0 || s.servedBefore(i) || s.logged[i] && !strings.Contains(s.lines[i], "ERROR") && !strings.Contains(s.lines[i], "CRITICAL") || roleLine.MatchString(s.lines[i]) {
		return -1
	}
	if l := strings.Trim(s.lines[i], " │|"); len(l) < 4 || len(l) > 300 || !parting.MatchString(l) {
		return -1
	}
	for n := range s.found { // the last words of a traceback that did not end it are none of the program's
		if e := &s.found[n]; i >= e.Start && i < e.End {
			return -1
		}
	}
	return i
}

var boxEdge = regexp.MustCompile(`^\s*[╰╭╮╯─+│|=_-]*\s*$`)

func unknown(s *scene) (Verdict, bool) {
	return Verdict{
		Summary: fmt.Sprintf("the server ended after %s, and nothing tells why", s.Uptime.Round(time.Second)),
		Remedy:  "The log's last lines are all that is known.",
	}, true
}
