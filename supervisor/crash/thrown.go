package crash

import (
	"regexp"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/traceback"
)

// Which of the exceptions in an output ended the process, if one did.

// followLimit is how many lines may follow the exception that ended a process: long messages have many.
const followLimit = 60

// caught are lines above a traceback of an exception that did not end the process.
var caught = []string{
	"Exception in ASGI application", "Exception in thread", "Exception in callback",
	"Task exception was never retrieved", "exception was never retrieved", "future: <", "handle: <", "--- Logging error ---",
	"Unhandled exception in event loop", "Task was destroyed but it is pending", "Error handling request", "Internal Server Error",
	"Exception during processing", "Exception on /", "Exception while", "Exception occurred while", "Ignoring exception", "rror while handling", "rror processing request",
}

// afterwards are lines above a traceback of what goes wrong while Python leaves: the exception that made it leave is above.
var afterwards = []string{"Exception ignored in", "Exception ignored on", "Error in atexit", "Error in sys.excepthook", "Exception ignored while"}

// thrown is the exception that ended the run, at its start or later: its line, and its text with all its lines. -1 if none did.
func (s *scene) thrown() (line int, text string) {
	s.ending()
	return s.end.line, s.end.text
}

func (s *scene) ending() *thrown {
	if s.end == nil {
		e := s.startupException()
		if e == nil {
			e = s.fatal()
		}
		if e == nil {
			e = &thrown{line: -1}
		}
		s.end = e
	}
	return s.end
}

func newThrown(e *traceback.Exception, logged bool) *thrown {
	return &thrown{line: e.Line, text: e.Text, Exception: e, logged: logged}
}

// fatal is the exception that ended the process: nothing of a life follows it, and it was not printed for a thread or a request. nil if there
// is none.
func (s *scene) fatal() *thrown {
	if !s.exited(1) {
		return nil
	}
	for i := len(s.found) - 1; i >= 0; i-- {
		e := &s.found[i]
		if s.wentOn(e.Line) || len(s.lines)-e.Line > followLimit && !s.Worker {
			break
		}
		if holdsOne(e.Intro, afterwards) || holdsOne(e.Intro, caught) || s.ofAChild(e) && !s.Worker && !s.assumed || quotedTraceback(s.reading, e) {
			continue
		}
		logged := s.isLogged(e)
		if logged && !s.lastWord(e) || !logged && !s.Worker && !s.atEnd(e.Line) {
			continue
		}
		return newThrown(e, logged)
	}
	if t := s.badSyntax(); t != nil {
		return t
	}
	return s.alone()
}

// ofAChild: multiprocessing printed it for a process that it started.
func (s *scene) ofAChild(e *traceback.Exception) bool {
	return strings.HasPrefix(e.Intro, "Process ") && strings.HasSuffix(e.Intro, ":")
}

// isLogged: the program caught the exception and logged it. What was left unfinished on the line, and what a terminal shows of Ctrl-C, is no record.
func (s *scene) isLogged(e *traceback.Exception) bool {
	if e.Form == traceback.Record {
		return true
	}
	if e.Start < len(s.logged) && s.logged[e.Start] || strings.HasPrefix(strings.TrimSpace(e.Prefix), "ERROR") || strings.HasPrefix(strings.TrimSpace(e.Prefix), "CRITICAL") {
		return true
	}
	if e.Intro == "" {
		return false
	}
	above := traceback.Filled(s.lines, e.Start)
	for i := range s.found { // what is above is the end of another exception
		if o := &s.found[i]; o.Start <= above && above < max(o.End, o.Line+1) && o.Start != e.Start {
			return false
		}
	}
	return above >= 0 && s.logged[above] && !strings.Contains(e.Intro, "DEBUG") && belongs(s.lines[above], e)
}

// belongs: a record above a traceback is the one that logs it. A record of less than a warning is not.
func belongs(record string, e *traceback.Exception) bool {
	for _, level := range []string{"INFO", "[info", "WARN", "NOTICE", "encountered in worker."} { // the last is PyTorch's, and no record
		if strings.Contains(record, level) {
			return false
		}
	}
	return strings.TrimSpace(e.Prefix) == ""
}

// lastWord: the program logged the exception and wrote nothing more, and it had not begun to serve: then it left on its account. A server
// logs the exceptions of its requests.
func (s *scene) lastWord(e *traceback.Exception) bool {
	if s.Worker {
		return true
	}
	if e.Form == traceback.Record && e.Level != "error" && e.Level != "critical" && e.Level != "fatal" && e.Level != "exception" {
		return false
	}
	return s.atEnd(e.Line) && !s.servedBefore(e.Start)
}

// quotedTraceback: the traceback is a part of what somebody wrote to the program, or of what a model answered.
func quotedTraceback(r *reading, e *traceback.Exception) bool {
	if strings.TrimSpace(e.Prefix) == ">" || strings.TrimSpace(e.Prefix) == "```" || strings.HasPrefix(e.Intro, "```") || roleLine.MatchString(e.Prefix) {
		return true
	}
	for i := e.Start - 1; i >= 0 && i >= e.Start-25 && !r.logged[i]; i-- {
		if roleLine.MatchString(r.lines[i]) {
			return true
		}
	}
	for i := e.Line + 1; i < len(r.lines) && i < e.Line+8 && !r.logged[i]; i++ {
		if roleLine.MatchString(r.lines[i]) || strings.HasPrefix(r.lines[i], "```") {
			return true
		}
	}
	return false
}

// badSyntax is a syntax error in the script itself, which has no header.
func (s *scene) badSyntax() *thrown {
	i := filled(s.lines, len(s.lines))
	if i < 2 {
		return nil
	}
	for _, name := range []string{"SyntaxError: ", "IndentationError: ", "TabError: "} {
		if strings.HasPrefix(s.lines[i], name) && strings.HasPrefix(s.lines[i-1], "    ") {
			e := &traceback.Exception{Line: i, Text: s.lines[i]}
			for n := i - 1; n >= 0 && n > i-4; n-- {
				if file, line, ok := strings.Cut(strings.TrimPrefix(s.lines[n], `  File "`), `", line `); ok {
					e.Frames = []traceback.Frame{{File: file, Line: line}}
				}
			}
			return newThrown(e, false)
		}
	}
	return nil
}

// alone is an exception whose line is the last of the output, and whose traceback nobody copied.
func (s *scene) alone() *thrown {
	if len(s.found) > 0 || s.Worker {
		return nil
	}
	i := filled(s.lines, len(s.lines))
	first := 0
	for first < len(s.lines) && strings.TrimSpace(s.lines[first]) == "" {
		first++
	}
	switch own := s.paragraph(); {
	case first < i && i-first < followLimit && traceback.Strong(s.lines[first]): // it is all that was copied, with its whole message
		i = first
	case s.Foreign && i >= 0 && !traceback.Strong(s.lines[i]) && own >= 0: // somebody quotes it in a letter
		i = own
	}
	if i < 0 || s.logged[i] || !traceback.Strong(s.lines[i]) || s.servedBefore(len(s.lines)) || !s.atEnd(i) {
		return nil
	}
	name, _, _ := strings.Cut(s.lines[i], ":")
	text := strings.TrimSpace(strings.Join(s.lines[i:], "\n"))
	return newThrown(&traceback.Exception{Start: i, Line: i, End: len(s.lines), Name: name, Text: text, Form: traceback.Cut}, false)
}

// paragraph is the last line that names an exception and stands alone between empty lines, in a text that holds no records; -1 if there is none.
func (s *scene) paragraph() int {
	if len(s.lines) > 2*followLimit || slices.Contains(s.logged, true) {
		return -1
	}
	for i := len(s.lines) - 1; i > 0; i-- {
		if traceback.Strong(s.lines[i]) && strings.TrimSpace(s.lines[i-1]) == "" && !quotedSaying(s.lines[i]) {
			return i
		}
	}
	return -1
}

// filled is the last line above i with something on it, -1 if there is none.
func filled(lines []string, i int) int { return traceback.Filled(lines, i) }

// startupSigns are what servers say when the application does not come up.
var startupSigns = []string{"Application startup failed. Exiting.", "Application startup failed, exiting", "Reason: Worker failed to boot.", "Lifespan failure in lifespan.startup"}

// startup is the line with which a server says that the application's startup failed, and the exception, nil if it was not printed.
func (s *scene) startup() (said int, e *traceback.Exception) {
	if !s.failed() {
		return -1, nil
	}
	said = -1
	for _, sign := range startupSigns {
		if said = s.last(sign); said >= 0 {
			break
		}
	}
	if said < 0 || s.wentOn(said) {
		return -1, nil
	}
	for i := len(s.found) - 1; i >= 0; i-- {
		if e := &s.found[i]; e.Line <= said && !holdsOne(e.Intro, afterwards) {
			return said, e
		}
	}
	return said, nil
}

func (s *scene) startupException() *thrown {
	if _, e := s.startup(); e != nil {
		return newThrown(e, false)
	}
	return nil
}

// leaves are the exceptions in its group.
func (t *thrown) leaves() []traceback.Exception {
	if t.Exception == nil {
		return nil
	}
	return t.Leaves
}

// elsewhere are the words of an exception that only points to another one, which was printed before.
var elsewhere = regexp.MustCompile(`(?i)root cause above|see (?:the )?(?:stack ?trace|traceback|logs?|errors?|output|details)\b.{0,20}\babove|(?:engine|worker|scheduler|server|child)\b.{0,30}\b(?:initialization failed|failed to (?:start|initialize)|died during)`)

// pointedTo are the exceptions above one that only points to them, the last one first.
func (s *scene) pointedTo() []*traceback.Exception {
	end := s.ending()
	if end.Exception == nil || !elsewhere.MatchString(end.text) {
		return nil
	}
	var all []*traceback.Exception
	for i := len(s.found) - 1; i >= 0 && len(all) < 8; i-- {
		if e := &s.found[i]; e.End <= end.Start && !holdsOne(e.Intro, afterwards) && !elsewhere.MatchString(e.Text) && !quotedTraceback(s.reading, e) && !s.wentOn(e.Line) {
			all = append(all, e)
		}
	}
	return all
}

// others are the exceptions besides the one that ended the process that may say why: those in its group, and those it was raised from.
func (t *thrown) others() []*traceback.Exception {
	if t.Exception == nil {
		return nil
	}
	var all []*traceback.Exception
	for i := range t.Leaves {
		all = append(all, &t.Leaves[i])
		for c := t.Leaves[i].Cause; c != nil && len(all) < 50; c = c.Cause {
			all = append(all, c)
		}
	}
	for c := t.Cause; c != nil && len(all) < 50; c = c.Cause {
		all = append(all, c)
		for i := range c.Leaves {
			all = append(all, &c.Leaves[i])
		}
	}
	return all
}
