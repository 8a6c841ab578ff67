package crash

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// The rules that know why a module that is there cannot be imported.

var (
	cannotImport = pattern(`^ImportError: cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'(.*)$`)
	numpyAPI     = pattern(`compiled against (?:API|ABI) version (?:0x)?([0-9a-f]+) but this version of numpy is (?:0x)?([0-9a-f]+)`)
	numpySize    = pattern(`numpy\.(\w+) size changed.*Expected (\d+) from C header, got (\d+)`)
)

// importError: a module is there and cannot be imported.
func importError(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 {
		return Verdict{}, false
	}
	v, ok := s.otherNumPy(i, text)
	head := headline(text)
	m := cannotImport().FindStringSubmatch(head)
	switch {
	case ok:
	case m != nil && (strings.Contains(m[3], "circular import") || strings.Contains(head, "partially initialized")):
		v = s.circle(m[1], m[2], m[3])
	case m != nil && (strings.Contains(m[3], "-packages/") || s.importer(i) != ""):
		v = s.moved(i, m[1], m[2], strings.Contains(m[3], "-packages/"))
	case m != nil:
		v.Summary = m[2] + " has no " + m[1] + " to import"
		v.Remedy = "Check the name, and whether a file of yours has the name of a package."
	case strings.HasPrefix(text, "ImportError:"):
		v.Summary, v.Remedy = "Python stopped with "+head, adviceOn(text)
	default:
		return Verdict{}, false
	}
	v.Line = s.lines[i]
	if p := s.place(i); p != "" {
		v.Remedy = strings.TrimSpace(v.Remedy + " Your code was at " + p + ".")
	}
	v.Remedy = cmp.Or(v.Remedy, "The traceback is in the log's last lines.")
	return v, true
}

// circle is the verdict on a module that is asked for a name before it is whole. where is its file, in brackets.
func (s *scene) circle(name, module, where string) Verdict {
	top, _, _ := strings.Cut(module, ".")
	switch {
	case slices.Contains(hidden, module) && strings.Contains(where, "/"+module+".py") && !strings.Contains(where, "/lib/python"):
		return Verdict{Summary: "a file of the project hides Python's own module " + module, Remedy: "Rename the file " + module + ".py: Python finds it before its own module of that name."}
	case strings.Contains(where, "-packages/"):
		return Verdict{Summary: "modules of " + top + " import each other: " + module + " has no " + name + " yet",
			Remedy: "Install it anew, in a release whose parts fit together: " + s.pip("--upgrade --force-reinstall "+distribution(top)) + "."}
	}
	return Verdict{Summary: "two modules import each other: " + module + " has no " + name + " yet", Remedy: "Move the import of " + name + " into the function that needs it."}
}

// hidden are modules of Python's own after which people name their files.
var hidden = strings.Fields(`abc ast asyncio calendar cmd code collections copy csv dataclasses datetime email enum http inspect io json logging numbers operator
platform profile queue random re secrets select selectors signal site socket ssl statistics string struct subprocess tempfile test threading time token
tokenize trace types typing uuid warnings`)

// moved is the verdict on a name that an installed package has no more, or not yet. Who asks for it is the one that does not fit.
func (s *scene) moved(i int, name, from string, installed bool) Verdict {
	top, _, _ := strings.Cut(from, ".")
	v := Verdict{Summary: "the installed " + top + " has no " + name}
	asks := s.importer(i)
	switch {
	case asks != "" && asks != top && installed:
		v.Summary += ", which " + asks + " asks for"
		v.Remedy = "The two do not fit: upgrade " + asks + ", " + s.pip("--upgrade "+distribution(asks)) + ", or install the " + top + " that it was made for."
	case asks != "" && asks != top:
		v.Summary = "this Python's " + from + " has no " + name + ", which " + asks + " asks for"
		v.Remedy = "Upgrade " + asks + ", which is older than this Python: " + s.pip("--upgrade "+distribution(asks)) + "."
	default:
		v.Remedy = "Another version of it is needed: " + s.pip("--upgrade "+distribution(top)) + "; or the package that asks for it is too old."
	}
	return v
}

// importer is the package whose file asked for the name that could not be imported, "" if that was no package.
func (s *scene) importer(i int) string {
	e := s.exceptionAt(i)
	if e == nil || len(e.Frames) == 0 {
		return ""
	}
	return packageOf(e.Frames[len(e.Frames)-1].File)
}

// otherNumPy: a package was built for another NumPy than the installed one. Which of the two is the older is said by numbers.
func (s *scene) otherNumPy(i int, text string) (v Verdict, ok bool) {
	whole := text
	if n := s.last("module compiled against A"); n >= 0 && n > i-400 { // printed before the traceback
		whole += "\n" + s.lines[n]
	}
	newer := false // NumPy is to become newer
	switch m, d := numpyAPI().FindStringSubmatch(whole), numpySize().FindStringSubmatch(whole); {
	case m != nil:
		newer = number(m[1], 16) > number(m[2], 16)
	case d != nil:
		newer = number(d[2], 10) > number(d[3], 10)
		if d[1] == "dtype" { // NumPy 2 made this one smaller
			newer = !newer
		}
	case strings.Contains(text, "numpy.core.multiarray failed to import"), strings.Contains(text, "numpy._core.multiarray failed to import"),
		strings.Contains(text, "compiled using NumPy 1.x cannot be run in"):
	default:
		return v, false
	}
	who := s.importer(i)
	if who == "numpy" {
		who = ""
	}
	if newer {
		v.Summary = "the installed NumPy is too old for a package that was built with a newer one"
		v.Remedy = "Upgrade NumPy: " + s.pip("--upgrade numpy") + "."
		if who != "" {
			v.Summary = "the installed NumPy is too old for " + who + ", which was built with a newer one"
		}
		return v, true
	}
	v.Summary = "a package was built for another NumPy than the installed one"
	v.Remedy = "Upgrade the package that is named in the traceback, or go back to the older NumPy: " + s.pip(`"numpy<2"`) + "."
	if who != "" {
		v.Summary = who + " was built for another NumPy than the installed one"
		v.Remedy = "Upgrade " + who + ", " + s.pip("--upgrade "+distribution(who)) + ", or go back to the older NumPy: " + s.pip(`"numpy<2"`) + "."
	}
	return v, true
}

func number(text string, base int) uint64 {
	n, _ := strconv.ParseUint(text, base, 64)
	return n
}
