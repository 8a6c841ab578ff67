package crash

import (
	"cmp"
	"path"
	"runtime"
	"strings"
)

// The rules that know what dyld and ld.so say: before Python's first instruction, or as an ImportError.

// launchLines may follow what dyld says before it ends a process that has not begun; with more, it was another process.
const launchLines = 20

// loader is what the loader said: as an exception, as its own last words, or in the system's report.
func (s *scene) loader(text string) (line, whole string) {
	if i, t := s.thrown(); i >= 0 && strings.Contains(t, text) {
		return s.lines[i], t
	}
	for _, prefix := range []string{"dyld[", "dyld: "} {
		i := s.last(prefix)
		for ; i >= 0 && !strings.HasPrefix(s.lines[i], prefix); i-- {
		}
		if i < 0 || s.wentOn(i) || len(s.lines)-i > launchLines || !s.ended("SIGABRT") && !s.ended("SIGKILL") && !s.ended("SIGTRAP") {
			continue
		}
		if t := strings.Join(s.lines[i:min(len(s.lines), i+6)], "\n"); strings.Contains(t, text) {
			return s.lines[i], t
		}
	}
	if s.Report != nil && s.Report.Namespace == "DYLD" {
		if l := s.Report.Says(text); l != "" {
			return l, strings.Join(append(s.Report.Reasons, s.Report.Said...), "\n")
		}
	}
	return "", ""
}

func (s *scene) os() string { return cmp.Or(s.OS, runtime.GOOS) }

var insertedDylib = pattern(`inserted dylib '([^']+)' could not be loaded`)

func insertedLibrary(s *scene) (Verdict, bool) {
	line, text := s.loader("terminating because inserted dylib")
	if line == "" {
		return Verdict{}, false
	}
	v := Verdict{Line: line, Summary: "Python cannot start: a library that is to be inserted into it could not be loaded"}
	off := `set DYLD_INSERT_LIBRARIES = "" under [environment] in vivarium.toml`
	if s.Foreign {
		off = "take DYLD_INSERT_LIBRARIES out of the server's environment"
	}
	m := insertedDylib().FindStringSubmatch(text)
	name := "the library"
	if m != nil {
		name = path.Base(m[1])
	}
	switch {
	case strings.Contains(text, "incompatible architecture"):
		v.Summary = "Python cannot start: " + name + ", which is inserted into it, is made for another architecture"
		v.Remedy = "Reinstall torch for this Python, " + s.pip("--force-reinstall torch") + ", or " + off + "."
	case strings.Contains(text, "no such file"):
		v.Summary = "Python cannot start: " + name + ", which is inserted into it, is not there"
		v.Remedy = "Restart the backend, so that the file is looked for anew; or " + off + "."
		if s.Foreign {
			v.Remedy = upper(off) + ", or let it name a file that is there."
		}
	default:
		v.Remedy = upper(off) + ": the library may be damaged."
	}
	return v, true
}

var (
	needed     = pattern(`Library not loaded: ([^\s"'\]),]+)`)
	referenced = pattern(`Referenced from:\s*(?:<[^>]*>\s*)?(\S[^\n]*)`)
	sharedGone = pattern(`(?:ImportError|OSError): (\S+): cannot open shared object file: No such file or directory`)
)

// aptOf are Debian's packages of libraries that Python packages forget to mention.
var aptOf = map[string]string{"libgomp.so.1": "libgomp1", "libgl.so.1": "libgl1", "libGL.so.1": "libgl1", "libglib-2.0.so.0": "libglib2.0-0", "libsndfile.so.1": "libsndfile1", "libomp.so.5": "libomp5", "libpq.so.5": "libpq5", "libmagic.so.1": "libmagic1"}

func libraryNotLoaded(s *scene) (Verdict, bool) {
	if i, text := s.thrown(); i >= 0 {
		if m := sharedGone().FindStringSubmatch(text); m != nil {
			return Verdict{Line: s.lines[i], Summary: "the library " + m[1] + " is missing, which a Python package needs", Remedy: s.bringLibrary(m[1])}, true
		}
	}
	line, text := s.loader("Library not loaded: ")
	if line == "" {
		return Verdict{}, false
	}
	v := Verdict{Line: line, Summary: "a library is missing that a Python package needs"}
	name := ""
	if m := needed().FindStringSubmatch(text); m != nil {
		name = path.Base(m[1])
		v.Summary = "the library " + name + " is missing, which a Python package needs"
	}
	owner := ""
	if m := referenced().FindStringSubmatch(text); m != nil {
		if owner = packageOf(m[1]); owner != "" {
			v.Summary = "the library " + name + " is missing, which " + owner + " needs"
		}
	}
	switch {
	case name == "libomp.dylib" && s.os() == "darwin":
		v.Remedy = "Install it: `brew install libomp`."
	case strings.HasPrefix(name, "libpython") || name == "Python" || name == "Python3":
		v.Remedy = "The Python that this environment was made with is gone: make the environment anew, with python3 -m venv, and install its packages."
	case owner != "":
		v.Remedy = "Reinstall it: " + s.pip("--force-reinstall "+distribution(owner)) + "."
	default:
		v.Remedy = "Reinstall the package that is named in the log."
	}
	return v, true
}

// bringLibrary is how a library comes to a Linux system that lacks it.
func (s *scene) bringLibrary(name string) string {
	switch pkg := aptOf[name]; {
	case strings.HasPrefix(name, "libcu"), strings.HasPrefix(name, "libnv"):
		return "It is NVIDIA's: install the CUDA that the package was built for, or the package's build for the CPU."
	case name == "libGL.so.1":
		return "Use OpenCV without windows: " + s.pip("opencv-python-headless") + ". Or install the library: `sudo apt-get install " + pkg + "`."
	case pkg != "" && s.os() == "linux":
		return "Install it: `sudo apt-get install " + pkg + "` (on Debian and Ubuntu)."
	}
	return "Install the system's package that brings " + name + "."
}

// packageOf is the package that a file below site-packages belongs to, by its folder.
func packageOf(file string) string {
	for _, site := range []string{"/site-packages/", "/dist-packages/"} {
		if _, inside, ok := strings.Cut(file, site); ok {
			name, _, _ := strings.Cut(inside, "/")
			name, _, _ = strings.Cut(name, ".")
			return name
		}
	}
	return ""
}

// distribution is what pip calls a module's package.
func distribution(module string) string { return cmp.Or(packages[module], module) }

var (
	expected   = pattern(`Expected in:\s*(?:<[^>]*>\s*)?(\S[^\n]*)`)
	symbolELF  = pattern(`(?:ImportError|OSError): (\S+): undefined symbol: `)
	versionELF = pattern("ImportError: (\\S+): version [`'](\\S+)' not found \\(required by (\\S+?)\\)")
)

func symbolNotFound(s *scene) (Verdict, bool) {
	if i, text := s.thrown(); i >= 0 {
		if m := versionELF().FindStringSubmatch(text); m != nil {
			v := Verdict{Line: s.lines[i], Summary: path.Base(m[1]) + " is too old for a Python package: it lacks " + m[2]}
			v.Remedy = "Install a release of " + cmp.Or(distribution(packageOf(m[3])), "the package") + " that was built for this system, or upgrade the system."
			return v, true
		}
		if m := symbolELF().FindStringSubmatch(text); m != nil {
			return s.unfit(s.lines[i], packageOf(m[1]), ""), true
		}
	}
	line, text := s.loader("Symbol not found: ")
	if line == "" {
		if line, text = s.loader("symbol not found in flat namespace"); line == "" {
			return Verdict{}, false
		}
		owner := ""
		if m := opened().FindStringSubmatch(text); m != nil {
			owner = packageOf(m[1])
		}
		return s.unfit(line, owner, ""), true
	}
	owner, library := "", ""
	if m := referenced().FindStringSubmatch(text); m != nil {
		owner = packageOf(m[1])
	}
	if m := expected().FindStringSubmatch(text); m != nil {
		library = path.Base(m[1])
	}
	return s.unfit(line, owner, library), true
}

var opened = pattern(`dlopen\(([^,()]+),`)

// unfit is the verdict on a package that misses a symbol in a library. Its name is left out: a mangled one says nothing to a person.
func (s *scene) unfit(line, owner, library string) Verdict {
	fits := " does not fit " + cmp.Or(library, "a library that it needs") + ": a symbol is missing"
	v := Verdict{Line: line, Summary: "a Python package" + fits}
	v.Remedy = "Reinstall the package that is named in the log together with what it depends on."
	if owner != "" {
		v.Summary = owner + fits
		v.Remedy = "Reinstall it with what it depends on: " + s.pip("--force-reinstall "+distribution(owner)) + "."
	}
	return v
}

var archMismatch = pattern(`incompatible architecture \(have ['(]*([\w, ']+?)[')]*, need ['(]*([\w ']+?)[')]*\)`)

func wrongArchitecture(s *scene) (Verdict, bool) {
	line, text := s.loader("incompatible architecture")
	if line == "" {
		line, text = s.loader("mach-o, but wrong architecture")
	}
	if line == "" {
		if i, t := s.thrown(); i >= 0 && strings.Contains(t, "wrong ELF class") {
			line, text = s.lines[i], t
		}
	}
	if line == "" {
		return Verdict{}, false
	}
	v := Verdict{Line: line, Summary: "a Python package is made for another architecture than this Python"}
	owner := packageOf(text)
	what := cmp.Or(owner, "a Python package")
	if m := needed().FindStringSubmatch(text); m != nil { // the package fits, but not a library that it needs
		what = "the library " + path.Base(m[1])
	}
	if m := archMismatch().FindStringSubmatch(text); m != nil {
		v.Summary = what + " is made for " + strings.ReplaceAll(m[1], "'", "") + ", and this Python runs as " + strings.ReplaceAll(m[2], "'", "")
	}
	v.Remedy = "Install the one for this Python: " + s.pip("--force-reinstall --no-cache-dir "+distribution(owner)) + "."
	if s.Report != nil && s.Report.Translated {
		v.Remedy = "This Python runs under Rosetta: make the environment anew with a Python for Apple silicon."
	}
	switch {
	case what == "the library libomp.dylib" && strings.Contains(v.Summary, "runs as arm64"):
		v.Remedy = "Install the one for Apple silicon: `/opt/homebrew/bin/brew install libomp`."
	case owner == "":
		v.Remedy = "Make the environment anew with one Python for this computer's architecture, and install the packages again."
	}
	return v, true
}

func codeSignature(s *scene) (Verdict, bool) {
	v := Verdict{Summary: "macOS ended Python because of a code signature that is not valid"}
	again := "Reinstall the package, or sign the library anew: `codesign --force --sign - FILE`."
	line, text := s.loader("not valid for use in process")
	if line == "" {
		line, text = s.loader("code signature invalid")
	}
	if line != "" {
		v.Line, v.Summary = line, "macOS refuses a library's code signature"
		if owner := packageOf(text); owner != "" {
			v.Summary += ": " + owner
			again = "Reinstall it: " + s.pip("--force-reinstall --no-cache-dir "+distribution(owner)) + "."
		}
		v.Remedy = again
		if strings.Contains(text, "system policy") {
			v.Remedy = "macOS has it in quarantine, or it is not signed: `xattr -d com.apple.quarantine FILE`, then `codesign --force --sign - FILE`; or reinstall its package with pip."
		}
		if strings.Contains(text, "different Team IDs") {
			v.Remedy = ownMaker
		}
		return v, true
	}
	if line := s.refusedPage(); line != "" {
		return s.pageRefused(line, v), true
	}
	r := s.Report
	if r == nil || r.Namespace != "CODESIGNING" && !strings.Contains(r.Signal, "Code Signature Invalid") {
		return Verdict{}, false
	}
	v.Remedy = changedFile
	if strings.Contains(r.Indicator, "Launch Constraint") {
		v.Summary, v.Remedy = constrained, anotherPython
		return v, true
	}
	if f, ok := r.Culprit(); ok {
		v.Summary += ", in " + f.Image
	}
	return v, true
}

const (
	constrained   = "macOS does not allow this Python to be started in this way (a launch constraint)"
	anotherPython = "Make the environment with a Python from Homebrew, conda, uv or python.org, not with one out of another app."
)

const ownMaker = "This Python takes libraries of its own maker only: make the environment with one from Homebrew, conda, uv or python.org."

const changedFile = "A file of Python or of a package was changed after it was signed, mostly by an upgrade while it ran. If it comes back, reinstall the packages."

var signedFile = pattern(`(?:in file "|Rejecting '|file: )([^"']+)`)

// pageRefused is the verdict on the kernel's line about a page that it refused.
func (s *scene) pageRefused(line string, v Verdict) Verdict {
	v.Line, v.Remedy = line, changedFile
	if strings.Contains(line, "Launch Constraint") {
		v.Summary, v.Remedy = constrained, anotherPython
	} else if strings.Contains(line, "different Team IDs") {
		v.Remedy = ownMaker
	} else if m := signedFile().FindStringSubmatch(line); m != nil {
		v.Summary += ": " + path.Base(m[1])
		if owner := packageOf(m[1]); owner != "" {
			v.Remedy = "Reinstall it: " + s.pip("--force-reinstall --no-cache-dir "+distribution(owner)) + ". A file of it was changed after it was signed."
		}
	}
	return v
}

// refusedPage is the kernel's line about a page of a file whose signature does not fit, which ended the process.
func (s *scene) refusedPage() string {
	if !s.ended("SIGKILL") || s.Worker {
		return ""
	}
	for _, hint := range []string{"rejecting invalid page", "CODE SIGNING: cs_invalid_page", "Library Validation failed: Rejecting", "Launch Constraint Violation"} {
		if i := s.said(hint); i >= 0 && !s.wentOn(i) {
			return s.lines[i]
		}
	}
	return ""
}

func upper(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
