package crash

import (
	"regexp"
	"strings"
)

// scene is the evidence as the rules look at it: lines cleaned, red herrings gone.
type scene struct {
	Evidence
	lines []string
	text  string    // the lines in one: that a text is nowhere in it is known at a look
	trace traceback // the last one in the output; its line is -1 if there is none
	end   *thrown   // once it was asked for
}

// traceback is one that Python printed, from its first header to the line that names the exception.
type traceback struct {
	start  int    // the header's line, of the first of a chain
	line   int    // the line that names the exception, -1: there is no traceback
	header string // the last header as it stands: a logged one has a prefix
	intro  string // the line above the first header
}

const (
	tracebackHeader = "Traceback (most recent call last):"
	followLimit     = 60   // lines that may follow the exception: long messages have many
	mostLines       = 4000 // looked at; more of them in 64 KiB are a progress bar, or noise
)

func newScene(e Evidence) *scene {
	s := &scene{Evidence: e, lines: clean(e.Tail)}
	s.text = strings.Join(s.lines, "\n")
	if !e.Known && e.Report != nil && e.Report.how() != "" { // nobody but the system saw the end
		s.Known, s.Signal = true, e.Report.how()
	}
	s.trace = lastTraceback(s.lines)
	return s
}

// ended reports whether the run died of the signal; of a worker nobody knows, so the output decides alone.
func (s *scene) ended(signal string) bool { return s.Worker || s.Known && s.Signal == signal }

// exited reports whether the run exited by itself with the code.
func (s *scene) exited(code int) bool {
	return s.Worker || s.Known && s.Signal == "" && s.Code == code
}

// failed reports whether the run exited by itself with a code that tells of a failure.
func (s *scene) failed() bool { return s.Worker || s.Known && s.Signal == "" && s.Code != 0 }

var ansi = regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]")

// clean drops colours and what is never a cause. The trackers' lines are printed by a helper that outlives the crash, and so
// they often stand last (https://github.com/khoj-ai/khoj/issues/385).
func clean(tail []string) []string {
	tail = tail[max(0, len(tail)-mostLines):]
	lines := make([]string, 0, len(tail))
	tracker := false
	for _, l := range tail {
		if strings.IndexByte(l, '\x1b') >= 0 {
			l = ansi.ReplaceAllString(l, "")
		}
		l = strings.TrimRight(l, "\r\n")
		l = l[strings.LastIndexByte(l, '\r')+1:] // what a terminal would show of a progress bar
		if strings.Contains(l, "_tracker: There appear to be") {
			tracker = true
			continue
		}
		if tracker && strings.HasPrefix(l, "  warnings.warn(") {
			tracker = false
			continue
		}
		tracker = false
		lines = append(lines, l)
	}
	return lines
}

// last is the index of the last line that holds the text, -1 if none does.
func (s *scene) last(text string) int {
	if !strings.Contains(s.text, text) { // most texts are nowhere, and there are many to ask for
		return -1
	}
	for i := len(s.lines) - 1; i >= 0; i-- {
		if strings.Contains(s.lines[i], text) {
			return i
		}
	}
	return -1
}

// wentOn reports whether the server evidently worked on after line i: then that line is not why it ended. Of a worker it only
// says that a whole new server began: its brothers work on.
func (s *scene) wentOn(i int) bool {
	for _, l := range s.lines[i+1:] {
		for _, sign := range []string{"Started parent process", "Started reloader process"} {
			if strings.Contains(l, sign) {
				return true
			}
		}
		if s.Worker {
			continue
		}
		for _, sign := range []string{`HTTP/1.1" `, `HTTP/1.0" `, "Started server process", "Application startup complete", "Uvicorn running on"} {
			if strings.Contains(l, sign) {
				return true
			}
		}
	}
	return false
}

// isRecord reports whether a line was written by logging: whoever still logs has not died of the exception above.
func isRecord(l string) bool {
	for _, level := range []string{"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"} {
		if rest, ok := strings.CutPrefix(l, level); ok && (rest == "" || strings.ContainsRune(": [\t", rune(rest[0]))) {
			return true
		}
	}
	l = strings.TrimPrefix(l, "[")
	return len(l) >= 10 && l[0] == '2' && l[1] == '0' && l[4] == '-' && l[7] == '-'
}

// isExceptionLine reports whether a line names an exception, as in "ValueError: no" or "sqlite3.OperationalError: locked".
func isExceptionLine(l string) bool {
	name, _, _ := strings.Cut(l, ":")
	for i, r := range name {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
		if !letter && (i == 0 || r != '.' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != ""
}

func lastTraceback(lines []string) traceback {
	t := traceback{start: -1, line: -1}
	header := -1
	for i := len(lines) - 1; i >= 0 && header < 0; i-- {
		if isHeader(lines[i]) {
			header = i
		}
	}
	if header < 0 {
		return t
	}
	for i := header + 1; i < len(lines); i++ {
		if l := lines[i]; l != "" && l[0] != ' ' && l[0] != '\t' {
			if isExceptionLine(l) {
				t.line = i
			}
			break
		}
	}
	if t.line < 0 {
		return t // cut short
	}
	t.header = lines[header]
	t.start = header
	for above := filled(lines, header); above >= 0 && isChain(lines[above]); above = filled(lines, t.start) {
		t.start = above
		for t.start > 0 && !isHeader(lines[t.start]) {
			t.start--
		}
	}
	if above := filled(lines, t.start); above >= 0 {
		t.intro = lines[above]
	}
	return t
}

func isHeader(l string) bool {
	return strings.HasSuffix(l, tracebackHeader) && l[0] != ' '
}

func isChain(l string) bool {
	return strings.HasPrefix(l, "During handling of the above exception") || strings.HasPrefix(l, "The above exception was the direct cause")
}

// filled is the last line above i with something on it, -1 if there is none.
func filled(lines []string, i int) int {
	for i--; i >= 0 && strings.TrimSpace(lines[i]) == ""; i-- {
	}
	return i
}

// caught are lines above a traceback of an exception that did not end the process.
var caught = []string{
	"Exception in ASGI application", "Exception in thread", "Exception ignored in", "Exception in callback",
	"Task exception was never retrieved", "exception was never retrieved", "future: <", "handle: <", "--- Logging error ---",
	"Unhandled exception in event loop",
}

// fatal is the line of the exception that ended the process: printed plainly, not by logging, not for a thread or a request, and nothing
// was logged after it. -1 if there is none.
func (s *scene) fatal() int {
	t := s.trace
	if t.line < 0 || t.header != tracebackHeader || !s.exited(1) || s.wentOn(t.line) {
		return s.badSyntax()
	}
	for _, c := range caught {
		if strings.Contains(t.intro, c) {
			return -1
		}
	}
	child := strings.HasPrefix(t.intro, "Process ") && strings.HasSuffix(t.intro, ":")
	if child && !s.Worker || len(s.lines)-t.line > followLimit && !s.Worker {
		return -1
	}
	for _, l := range s.lines[t.line+1:] {
		if isRecord(l) && !s.Worker {
			return -1
		}
	}
	return t.line
}

// badSyntax is the line of a syntax error in the script itself, which has no header.
func (s *scene) badSyntax() int {
	i := filled(s.lines, len(s.lines))
	if i < 2 || !s.exited(1) {
		return -1
	}
	for _, name := range []string{"SyntaxError: ", "IndentationError: ", "TabError: "} {
		if strings.HasPrefix(s.lines[i], name) && strings.HasPrefix(s.lines[i-1], "    ") {
			return i
		}
	}
	return -1
}

// startup is the line with which a server says that the application's startup failed, and the line of the exception, -1 for none.
func (s *scene) startup() (said, exception int) {
	said = s.last("Application startup failed. Exiting.")
	if said < 0 {
		said = s.last("Reason: Worker failed to boot.")
	}
	if said < 0 || !s.exited(3) || s.wentOn(said) {
		return -1, -1
	}
	if t := lastTraceback(s.lines[:said]); t.line >= 0 {
		return said, t.line
	}
	return said, -1
}

var frame = regexp.MustCompile(`^  File "([^"]+)", line (\d+)(?:, in (.+))?$`)

// place is the last frame above line i that is the person's own code: "main.py, line 12, in load"; "" if there is none. A file in the
// backend's folder is preferred to one that merely belongs to no package.
func (s *scene) place(i int) string {
	outside := ""
	for i--; i >= 0 && !isHeader(s.lines[i]); i-- {
		if !strings.HasPrefix(s.lines[i], `  File "`) {
			continue
		}
		m := frame.FindStringSubmatch(s.lines[i])
		if m == nil || foreign(m[1]) {
			continue
		}
		if s.Dir == "" || Own(s.Dir, m[1]) {
			return s.where(m[1], m[2], m[3])
		}
		if outside == "" {
			outside = s.where(m[1], m[2], m[3])
		}
	}
	return outside
}

// foreign: the file is a package's or Python's own, not the person's.
func foreign(file string) bool {
	for _, part := range []string{"/site-packages/", "/dist-packages/", "/lib/python3", "/lib/python2", "/Python.framework/"} {
		if strings.Contains(file, part) {
			return true
		}
	}
	return strings.HasPrefix(file, "<")
}

// where is a frame for a person: a file of the backend by its path in the backend's folder, any other by its name.
func (s *scene) where(file, line, function string) string {
	name, ok := strings.CutPrefix(file, s.Dir+"/")
	if s.Dir == "" || !ok || foreign(file) {
		parts := strings.Split(file, "/")
		keep := 1
		if strings.HasPrefix(parts[len(parts)-1], "__") { // __init__.py and __main__.py say nothing alone
			keep = min(2, len(parts))
		}
		name = strings.Join(parts[len(parts)-keep:], "/")
	}
	text := name + ", line " + line
	if function != "" && function != "<module>" {
		text += ", in " + function
	}
	return text
}
