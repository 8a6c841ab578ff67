// Package traceback finds the exceptions that Python's output tells of, in whatever form: Python's own tracebacks, exception groups,
// the boxes of rich and typer, loguru, IPython, a debugger, JSON records, and tracebacks whose beginning was cut off.
// It knows what an exception looks like and nothing of causes: whether one of them ended the process is the judge's question.
// It imports the standard library alone. Begin with Find.
package traceback

import (
	"regexp"
	"strings"
)

// Exception is one that was printed.
type Exception struct {
	Start int // the line of its header, or of its first frame
	Line  int // the line that names it
	End   int // the line after its message

	Name   string // as it stands: "ValueError", "sqlite3.OperationalError"
	Text   string // the name and the whole message, of several lines if it has them
	Prefix string // what stands before the header on the header's own line: a record of logging, or unfinished output
	Intro  string // the line above that has something on it
	Level  string // of a JSON record: "error"
	Form   Form

	Frames []Frame // outermost first
	// Cause is the exception that this one was raised from, or that was being handled; nil for none.
	Cause  *Exception
	Direct bool        // this one was raised from its cause on purpose
	Leaves []Exception // of a group: those in it that are no groups themselves
}

// Form is how an exception was printed.
type Form int

const (
	Plain    Form = iota // Python's own
	Cut                  // without its header
	Box                  // of rich and typer
	Notebook             // IPython
	Debugger             // VS Code
	Record               // inside of a JSON record
)

// Frame is one call.
type Frame struct {
	File, Line, Function string // Function is "" where none was printed
	At                   int    // the line that tells of it
}

// Header is the text that Python prints above a traceback.
const Header = "Traceback (most recent call last)"

const (
	mostMessage = 60  // lines that may belong to a message
	mostFrames  = 400 // of one exception
	mostFound   = 64  // exceptions: of more the last ones count
)

var (
	frameForm = regexp.MustCompile(`^[>\s]*File "([^"]+)", line (\d+)(?:, in(?: (.+))?)?$`)
	nameForm  = regexp.MustCompile(`^(?:[A-Za-z_][\w-]*(?:\.<locals>)?\.)*[A-Za-z_]\w*$`)
	strong    = regexp.MustCompile(`^(?:[A-Za-z_]\w*(?:\.<locals>)?\.)*_?[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Group|Warning|Timeout|Failure|Failed|Died|Refused|Iteration|Full|Empty)(?::|$)|^(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*: \S`)
	groupMark = regexp.MustCompile(`(?:^|\s)\+ Exception Group ` + regexp.QuoteMeta(Header) + `:$`)
	margin    = regexp.MustCompile(`^\s*(?:\| ?|\+-[+-]*(?: \d+ |.*\bexceptions? ?)?-*$)`)
	carets    = regexp.MustCompile(`^[\s^~]+$`)
)

// reader is one pass over the lines.
type reader struct {
	lines []string
	found []Exception
}

// Find returns the exceptions in the lines, in their order. It never fails: what it does not know is no exception.
func Find(lines []string) []Exception {
	r := reader{lines: lines}
	for i := 0; i < len(lines); {
		next := r.at(i)
		if next <= i {
			next = i + 1
		}
		i = next
		if len(r.found) > 2*mostFound {
			r.found = append(r.found[:0], r.found[len(r.found)-mostFound:]...)
		}
	}
	return r.found
}

// at reads the exception that begins with line i, and returns the line after it; 0 if none begins there.
func (r *reader) at(i int) int {
	l := r.lines[i]
	header := strings.Index(l, Header)
	switch {
	case header < 0:
		return r.headless(i, l)
	case strings.Contains(l[:header], "Exception Group ") && groupMark.MatchString(l):
		return r.group(i)
	case isBoxTop(l, header):
		return r.box(i)
	case strings.HasPrefix(l, "{") || strings.HasPrefix(l, `"`):
		return r.record(i)
	case strings.HasSuffix(l, Header) && notebookHeader.MatchString(l):
		return r.notebook(i)
	case strings.HasSuffix(l, Header+":") && !strings.Contains(l, "C++ "+Header):
		return r.plain(i, header)
	}
	return 0
}

// headless reads what begins without Python's header.
func (r *reader) headless(i int, l string) int {
	switch {
	case strings.HasPrefix(l, "{"):
		return r.record(i)
	case strings.HasPrefix(l, debuggerHeader):
		return r.debugger(i)
	case strings.Contains(l, `File "`) && frameForm.MatchString(l):
		return r.cut(i)
	}
	return 0
}

// plain reads Python's own form. header is where its header begins in line i.
func (r *reader) plain(i, header int) int {
	e := Exception{Start: i, Line: -1, Prefix: r.lines[i][:header]}
	next := r.body(&e, i+1, false)
	return r.keep(e, next)
}

// cut reads frames that no header is above, and the exception below them.
func (r *reader) cut(i int) int {
	e := Exception{Start: i, Line: -1, Form: Cut}
	next := r.body(&e, i, true)
	return r.keep(e, next)
}

// body reads frames and the line that names the exception. sure: that line must look like nothing else, because no header was there.
func (r *reader) body(e *Exception, i int, sure bool) int {
	flush, last := false, -1
	for ; i < len(r.lines); i++ {
		l := r.lines[i]
		switch m := frameOf(l); {
		case m != nil:
			flush, last = flush || l[0] == 'F', i
			if len(e.Frames) < mostFrames {
				e.Frames = append(e.Frames, Frame{m[1], m[2], m[3], i})
			}
		case strings.TrimSpace(l) == "":
			if !r.goesOn(i) {
				return i
			}
		case l[0] == ' ' || l[0] == '\t' || carets.MatchString(l):
		case flush && i == last+1 && !(Strong(l) && r.endsAt(i)): // the indentation was lost: this is the source of the frame
		case Strong(l), !sure && !flush && IsException(l):
			e.Line = i
			r.message(e)
			return e.End
		case flush && len(e.Frames) > 0 && i-last < 8: // the source has several lines
		default:
			return i
		}
	}
	return i
}

func frameOf(l string) []string {
	if !strings.Contains(l, `File "`) {
		return nil
	}
	return frameForm.FindStringSubmatch(l)
}

// endsAt: no frame follows soon after line i.
func (r *reader) endsAt(i int) bool {
	for _, l := range r.lines[i+1 : min(len(r.lines), i+3)] {
		if frameOf(l) != nil {
			return false
		}
	}
	return true
}

// goesOn: below the empty line i the traceback goes on, as loguru's does.
func (r *reader) goesOn(i int) bool {
	for _, l := range r.lines[i+1 : min(len(r.lines), i+3)] {
		if strings.TrimSpace(l) != "" {
			return frameOf(l) != nil || Strong(l)
		}
	}
	return false
}

// message reads the exception's text from its line on.
func (r *reader) message(e *Exception) {
	first := strings.TrimSpace(r.lines[e.Line])
	e.Name, _, _ = strings.Cut(first, ":")
	end := e.Line + 1
	for end < len(r.lines) && end-e.Line < mostMessage && !ends(r.lines, end) {
		end++
	}
	for end > e.Line+1 && strings.TrimSpace(r.lines[end-1]) == "" {
		end--
	}
	e.End = end
	e.Text = strings.Join(append([]string{first}, r.lines[e.Line+1:end]...), "\n")
}

// ends: line i does not belong to the message above it.
func ends(lines []string, i int) bool {
	l := lines[i]
	if l == separator || strings.Contains(l, Header) || isChain(l) || IsRecord(l) || strings.HasPrefix(l, "Exception ignored in") || strings.HasPrefix(l, "{\"") {
		return true
	}
	return strings.TrimSpace(l) == "" && i+1 < len(lines) && (isChain(lines[i+1]) || IsRecord(lines[i+1]) || strings.TrimSpace(lines[i+1]) == "")
}

// keep takes an exception in, and joins it to the one that it was raised from.
func (r *reader) keep(e Exception, next int) int {
	if e.Line < 0 {
		return max(next, e.Start+1)
	}
	above := Filled(r.lines, e.Start)
	if above >= 0 {
		e.Intro = r.lines[above]
	}
	if n := len(r.found); n > 0 && above >= 0 && isChain(e.Intro) && r.found[n-1].End <= above && above-r.found[n-1].End < 4 {
		cause := r.found[n-1]
		e.Cause, e.Direct = &cause, strings.Contains(e.Intro, "direct cause")
		e.Intro, e.Start = cause.Intro, cause.Start
		if e.Prefix == "" {
			e.Prefix = cause.Prefix
		}
		r.found = r.found[:n-1]
	}
	r.found = append(r.found, e)
	return e.End
}

func isChain(l string) bool {
	l = strings.TrimLeft(l, " |")
	return strings.HasPrefix(l, "During handling of the above exception") || strings.HasPrefix(l, "The above exception was the direct cause")
}

// IsException reports whether a line below a traceback names an exception, as in "ValueError: no" or "sqlite3.OperationalError: locked".
func IsException(l string) bool {
	name, _, _ := strings.Cut(l, ":")
	return name != "" && len(name) < 200 && nameForm.MatchString(name)
}

// Strong reports whether a line names an exception beyond doubt, also without a traceback above it.
func Strong(l string) bool {
	name, _, _ := strings.Cut(l, ":")
	if len(name) > 200 || strings.IndexByte(name, ' ') >= 0 { // most lines, at a look
		return false
	}
	return strong.MatchString(l)
}

// Filled is the last line above i with something on it, -1 if there is none.
func Filled(lines []string, i int) int {
	for i--; i >= 0 && strings.TrimSpace(lines[i]) == ""; i-- {
	}
	return i
}

// IsRecord reports whether a line was written by logging: whoever still logs has not died of the exception above.
func IsRecord(l string) bool {
	for _, level := range []string{"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"} {
		if rest, ok := strings.CutPrefix(l, level); ok && (rest == "" || strings.ContainsRune(": [\t", rune(rest[0]))) {
			return true
		}
	}
	l = strings.TrimPrefix(l, "[")
	return len(l) >= 10 && l[0] == '2' && l[1] == '0' && (l[4] == '-' && l[7] == '-' || l[4] == '/' && l[7] == '/')
}
