package crash

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/vivarium-app/vivarium/supervisor/crash/report"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// The rules that know what two OpenMP runtimes do to a process.

// pattern is a regular expression that is compiled when it is first needed: most of them never are, in a program that idles for days.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// The words for what is not certain. A verdict that is certain has none.
const (
	almostCertainly = "almost certainly"
	probably        = "probably"
)

// openMPError is LLVM's and Intel's: the second copy of the runtime found the first.
var openMPError = pattern(`OMP: Error #15: Initializing (\S+), but found (\S+) already initialized`)

const duplicateOK = "KMP_DUPLICATE_LIB_OK"

func openMPTwice(s *scene) (Verdict, bool) {
	i := s.said("OMP: Error #15: ")
	if i < 0 || !s.ended("SIGABRT") || s.wentOn(i) {
		return Verdict{}, false
	}
	v := Verdict{Summary: "two OpenMP runtimes in one process", Line: s.lines[i]}
	if m := openMPError().FindStringSubmatch(s.lines[i]); m != nil {
		v.Summary += ": " + pair(m[2], m[1])
	}
	if slices.Contains(s.Missing, duplicateOK) {
		return s.notArrived(v, duplicateOK), true
	}
	switch {
	case s.Foreign && s.alreadySet(duplicateOK):
		v.Remedy = "Bring the packages to one copy of OpenMP; until then OMP_NUM_THREADS=1 keeps the copies from meeting in their threads."
	case s.Foreign:
		v.Remedy = "Bring the packages to one copy of OpenMP: install them all with pip or all with conda. Until then " + duplicateOK + "=TRUE in the server's environment lets it start, with OMP_NUM_THREADS=1 beside it."
	default:
		v.Remedy = "Let " + duplicateOK + "=TRUE reach Python: `vivarium env` shows whether [environment] or env_file takes it away."
		if s.curable() {
			v.Remedy = "Make one of them: `vivarium doctor --fix` (with --dry-run it shows the plan). " + v.Remedy
		}
	}
	return v, true
}

// openMPAllowed: an earlier run in the same output was ended by OpenMP's check, which was then switched off, and this run died without a word
// of another cause: the conflict is still there.
func openMPAllowed(s *scene) (Verdict, bool) {
	if s.before == nil || !s.ended("SIGSEGV") && !s.ended("SIGBUS") && !s.ended("SIGABRT") || !s.alreadySet(duplicateOK) {
		return Verdict{}, false
	}
	i := s.before.said("OMP: Error #15: ")
	if i < 0 || s.said(fatalError) >= 0 {
		return Verdict{}, false
	}
	v := s.conflict(almostCertainly, s.before.lines[i])
	if m := openMPError().FindStringSubmatch(v.Line); m != nil {
		v.Summary = almostCertainly + " two OpenMP runtimes in one process: " + pair(m[2], m[1]) + ", which the check that was switched off had told before"
	}
	return v, true
}

func pair(a, b string) string {
	if a == b {
		return a + " twice"
	}
	return a + " and " + b
}

// notArrived: the process did not have the crash environment, and died of exactly that.
func (s *scene) notArrived(v Verdict, name string) Verdict {
	v.Kind = KindEnvironment
	v.Summary += "; the crash environment did not reach Python"
	v.Remedy = "Let command in vivarium.toml start Python itself, as in [\"{python}\", \"-m\", \"uvicorn\", …]: a script or a tool in between dropped " + listed(s.Missing, name) + "."
	return v
}

// listed names the variables that matter: the first, and if there are more, how many.
func listed(names []string, first string) string {
	switch n := len(names) - 1; n {
	case 0:
		return first
	case 1:
		return first + " and another variable"
	default:
		return fmt.Sprintf("%s and %d more variables", first, n)
	}
}

// curable: the environment has copies that `vivarium doctor --fix` is for.
func (s *scene) curable() bool { return len(s.family(s.OpenMP)) > 1 }

// family are the runtimes that abort each other, each image once: LLVM's and Intel's. A static one cannot be linked, and counts for
// nothing here.
func (s *scene) family(all []openmp.Runtime) []openmp.Runtime {
	var found []openmp.Runtime
	for _, r := range all {
		if (r.Flavor == openmp.LLVM || r.Flavor == openmp.Intel) && !r.Static && !slices.ContainsFunc(found, r.Same) {
			found = append(found, r)
		}
	}
	return found
}

func openMPShared(s *scene) (Verdict, bool) {
	i := s.said("Can't open SHM")
	if i < 0 || !strings.Contains(s.lines[i], "OMP: ") || !s.ended("SIGABRT") || s.wentOn(i) {
		return Verdict{}, false
	}
	return Verdict{
		Summary: "OpenMP could not open its shared memory",
		Remedy:  s.set("KMP_USE_SHM", "0") + ": it is not needed for anything else.",
		Line:    s.lines[i],
	}, true
}

// openMPConfused: a runtime finds its own state broken, which nobody but another runtime touches.
func openMPConfused(s *scene) (Verdict, bool) {
	for _, text := range []string{"Assertion failure at kmp", "OMP: Error #13:", "Function pthread_mutex_init failed"} {
		i := s.last(text)
		if i < 0 || !s.ended("SIGABRT") || s.wentOn(i) {
			continue
		}
		sure := probably
		if len(s.loaded()) > 1 {
			sure = almostCertainly
		}
		return s.conflict(sure, s.lines[i]), true
	}
	return Verdict{}, false
}

var openMPImage = pattern(`^lib(?:omp|iomp5|gomp)[.-]`)

func isOpenMPImage(name string) bool { return openMPImage().MatchString(name) }

// loaded are the OpenMP images that were in the process: by the system's report if there is one, else what was mapped just before.
func (s *scene) loaded() []string {
	var names []string
	if s.Report != nil {
		for _, i := range s.Report.Images {
			if isOpenMPImage(i.Name) {
				names = append(names, s.nameOf(i))
			}
		}
	}
	if len(names) == 0 {
		for _, p := range s.Loaded {
			names = append(names, s.brought(p))
		}
	}
	return names
}

// mixed: several runtimes were in the process, and not GNU's alone, which bears a second copy of itself.
func (s *scene) mixed() bool {
	names := s.loaded()
	return len(names) > 1 && slices.ContainsFunc(names, func(n string) bool { return !strings.Contains(n, "libgomp") })
}

// nameOf says whose copy an image is, by its UUID, because paths in reports are redacted: "torch's libomp.dylib".
func (s *scene) nameOf(i report.Image) string {
	for _, r := range s.OpenMP {
		if r.Package != "" && slices.ContainsFunc(r.Slices, func(l openmp.Slice) bool { return i.UUID != "" && l.ID == i.UUID }) {
			return r.Package + "'s " + i.Name
		}
	}
	return i.Name
}

func (s *scene) brought(file string) string {
	for _, r := range s.OpenMP {
		if (r.Path == file || r.Real == file) && r.Package != "" {
			return r.Package + "'s " + path.Base(file)
		}
	}
	return path.Base(file)
}

// openMPFault: a segmentation fault inside a runtime, with a second one in the process. Two of them in the stack of one thread are as good as
// certain; two that were loaded are only a risk, unless the fault is in one. And a runtime that aborts while it registers itself has found
// another, also where its words were lost.
func openMPFault(s *scene) (Verdict, bool) {
	aborted := s.ended("SIGABRT") && s.Report != nil
	if s.Worker && s.Report == nil || !s.ended("SIGSEGV") && !s.ended("SIGBUS") && !aborted {
		return Verdict{}, false
	}
	inStack, innermost, registers := 0, false, false
	if s.Report != nil {
		inStack = openMPImages(s.Report.Frames)
		for _, f := range s.Report.Frames {
			registers = registers || strings.HasPrefix(f.Symbol, "__kmp_register_library_startup")
		}
		if f, ok := s.Report.Culprit(); ok {
			innermost = isOpenMPImage(f.Image)
		}
	} else if file, _ := s.cStack(); file != "" {
		innermost = isOpenMPImage(path.Base(file))
	}
	several := s.mixed()
	switch {
	case inStack > 1 && (innermost || !aborted), registers && innermost && several:
		return s.conflict(almostCertainly, ""), true
	case innermost && several && !aborted, registers && innermost:
		return s.conflict(probably, ""), true
	}
	return Verdict{}, false
}

// imageSize is more than a runtime of OpenMP takes in memory: two addresses that are further apart are in two of them.
const imageSize = 64 << 20

// openMPImages counts the runtimes in a stack: by their names and UUIDs, or where a report was copied without its list of images, by the
// addresses of their frames.
func openMPImages(frames []report.Frame) int {
	type image struct{ name, uuid string }
	var images []image
	var at []report.Frame
	for _, f := range frames {
		if !isOpenMPImage(f.Image) {
			continue
		}
		if i := (image{f.Image, f.UUID}); f.UUID != "" || f.Address == 0 {
			if !slices.Contains(images, i) {
				images = append(images, i)
			}
			continue
		}
		near := func(o report.Frame) bool {
			return o.Image == f.Image && max(o.Address, f.Address)-min(o.Address, f.Address) < imageSize
		}
		if !slices.ContainsFunc(at, near) {
			at = append(at, f)
		}
	}
	return len(images) + len(at)
}

// conflict is the verdict on two runtimes that were allowed to meet.
func (s *scene) conflict(sure, line string) Verdict {
	v := Verdict{Kind: KindOpenMP, Confidence: sure, Line: line, Summary: sure + " two OpenMP runtimes in one process"}
	if names := s.loaded(); len(names) == 2 {
		v.Summary += ": " + pair(names[0], names[1])
	} else if len(names) > 2 {
		v.Summary = fmt.Sprintf("%s %d OpenMP runtimes in one process: %s", sure, len(names), strings.Join(names, ", "))
	}
	one := s.set("OMP_NUM_THREADS", "1")
	if s.Foreign {
		v.Remedy = one + ", and bring the packages to one copy of OpenMP: install them all with pip or all with conda."
		if s.alreadySet("OMP_NUM_THREADS") {
			v.Remedy = "Bring the packages to one copy of OpenMP: install them all with pip or all with conda, or link the other copies to torch's."
		}
	} else if s.curable() {
		v.Remedy = "Make one of them: `vivarium doctor --fix` (with --dry-run it shows the plan). " + one + " if that is refused."
	} else {
		v.Remedy = one + ", or bring the packages to one copy: `vivarium doctor` shows who brings which."
	}
	return v
}

// hintOpenMP is one more sentence for a fault that may well be something else.
func (s *scene) hintOpenMP() string {
	if !s.mixed() {
		return ""
	}
	hint := fmt.Sprintf(" %d OpenMP runtimes were loaded, which can cause this", len(s.loaded()))
	if s.Foreign {
		return hint + "."
	}
	return hint + ": `vivarium doctor` shows them."
}

// hintMissing is one more sentence for a fault in a process without the crash environment.
func (s *scene) hintMissing() string {
	if len(s.Missing) == 0 {
		return ""
	}
	return " And " + listed(s.Missing, s.Missing[0]) + " did not reach Python."
}

var cFrame = pattern(`^  Binary file "([^"]+)", at (\S*?)(?:\+0x[0-9a-f]+)? \[0x[0-9a-f]+\]$`)

// cStack is the innermost frame outside of the system and the interpreter in the C stack that Python 3.14's faulthandler prints.
func (s *scene) cStack() (file, symbol string) {
	i := s.said("Current thread's C stack trace (most recent call first)")
	if i < 0 || s.wentOn(i) {
		return "", ""
	}
	for _, l := range s.lines[i+1:] {
		m := cFrame().FindStringSubmatch(l)
		if m == nil {
			break
		}
		name := path.Base(m[1])
		if strings.HasPrefix(name, "libc.so") || strings.HasPrefix(name, "libpthread") || strings.HasPrefix(name, "ld-linux") || report.OfTheSystem(name) {
			continue
		}
		return m[1], cmp.Or(m[2], "")
	}
	return "", ""
}
