package crash

import (
	"regexp"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/paste"
	"github.com/vivarium-app/vivarium/supervisor/crash/traceback"
)

// reading is an output that was taken apart, once for all rules.
type reading struct {
	lines   []string // cleaned, red herrings gone
	raw     []string // the same lines as they stood
	logged  []bool   // they were written by logging
	text    string   // the lines in one: that a text is nowhere in it is known at a look
	found   []traceback.Exception
	status  paste.Status
	reports []string
	signs   signs
	asked   map[string]int // where a text was found last: an output of which nobody knows the end is judged several times
	heard   map[string]heard
}

// heard is what a line says of a library that gave up.
type heard struct {
	verdict Verdict
	ok      bool
}

const mostLines = 4000 // looked at; more of them in 64 KiB are a progress bar, or noise

// read takes the output apart. In a text of elsewhere a crash report may stand anywhere, and is long.
func read(tail []string, foreign bool) *reading {
	parse := paste.Copied
	if !foreign {
		tail, parse = tail[max(0, len(tail)-mostLines):], paste.Parse
	}
	t := parse([]byte(strings.Join(tail, "\n")))
	r := &reading{status: t.Status, reports: t.Reports}
	r.clean(t.Lines[max(0, len(t.Lines)-mostLines):])
	r.text = strings.Join(r.lines, "\n")
	r.found = traceback.Find(r.lines)
	return r
}

var ansi = regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]")

// clean drops colours and what is never a cause. The trackers' lines are printed by a helper that outlives the crash, and so
// they often stand last (https://github.com/khoj-ai/khoj/issues/385).
func (r *reading) clean(lines []paste.Line) {
	r.lines, r.raw, r.logged = make([]string, 0, len(lines)), make([]string, 0, len(lines)), make([]bool, 0, len(lines))
	tracker := false
	for _, line := range lines {
		l := line.Text
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
		r.lines, r.raw = append(r.lines, l), append(r.raw, line.Raw)
		r.logged = append(r.logged, line.Level != "" || traceback.IsRecord(l))
	}
}

// part is the reading of some of the lines: from one line to another.
func (r *reading) part(from, to int) *reading {
	from, to = max(0, from), max(0, min(to, len(r.lines)))
	from = min(from, to)
	p := &reading{lines: r.lines[from:to], raw: r.raw[from:to], logged: r.logged[from:to]}
	p.text = strings.Join(p.lines, "\n")
	p.found = traceback.Find(p.lines)
	return p
}

// from is the reading of the lines from one on, with what was read around them.
func (r *reading) from(line int) *reading {
	p := r.part(line, len(r.lines))
	p.status, p.reports = r.status, r.reports
	return p
}

var (
	promptForm = regexp.MustCompile(`^(?:\([\w .-]+\)\s*)?(?:[\w.-]+@[\w.-]+(?:[: ]\S*)?\s?[%$#>]|[\w.-]+:\S* [\w.-]+[%$#]|[$%❯➜➤]|PS [A-Z]:\S*>)\s+(\S.*)$`)
	runs       = regexp.MustCompile(`(?:^|[\s/;&])(?:python[\d.]*|uvicorn|gunicorn|fastapi|flask|celery|hypercorn|granian|uv run|poetry run|pipenv run|make|npm|streamlit|ray|torchrun|accelerate|vllm|rq|dramatiq|docker|honcho|just|\./\S+|ba?sh \S+)(?:\s|$)`)
	installs   = regexp.MustCompile(`-m (?:pip|venv|ensurepip)\b|--version|-V\b|\bdocker (?:build|pull|ps|images)`)
)

const mostPrompts = 300 // lines that may be a shell's prompt, and are looked at

// mayPrompt: the line holds what a prompt ends with.
func mayPrompt(l string) bool {
	for _, end := range []string{"% ", "$ ", "# ", "> ", "❯", "➜", "➤"} {
		if strings.Contains(l, end) {
			return true
		}
	}
	return false
}

// lastRun is the line at which the last program was started from a shell, -1 if the output shows no such line, or only one that begins it.
func (r *reading) lastRun() int {
	looked := 0
	for i := len(r.lines) - 1; i > 0 && looked < mostPrompts; i-- {
		l := r.lines[i]
		if len(l) > 400 || len(l) < 3 || !mayPrompt(l) {
			continue
		}
		looked++
		if m := promptForm.FindStringSubmatch(l); m != nil && runs.MatchString(m[1]) && !installs.MatchString(m[1]) {
			return i
		}
	}
	return -1
}

// asItStood is the line of a verdict as the output had it, with its prefix.
func (r *reading) asItStood(line string) string {
	if line == "" {
		return ""
	}
	for i := len(r.lines) - 1; i >= 0; i-- {
		if r.lines[i] == line {
			if raw := strings.TrimSpace(r.raw[i]); len(raw) <= longestLine && !strings.ContainsAny(raw, "\r") {
				return raw
			}
			return line
		}
	}
	return line
}

// last is the index of the last line that holds the text, -1 if none does.
func (r *reading) last(text string) int {
	return r.ask("+"+text, text, func(string) bool { return true })
}

// said is as last, but leaves out where the text is only quoted: advice in quotes, a chat with a model.
func (r *reading) said(text string) int {
	return r.ask("-"+text, text, func(before string) bool { return !quotedBefore(before) })
}

// ask looks for a text, once. counts says whether it counts behind what stands before it on its line.
func (r *reading) ask(key, text string, counts func(before string) bool) int {
	if i, known := r.asked[key]; known {
		return i
	}
	found := -1
	if strings.Contains(r.text, text) { // most texts are nowhere, and there are many to ask for
		for i := len(r.lines) - 1; i >= 0 && found < 0; i-- {
			if at := strings.Index(r.lines[i], text); at >= 0 && counts(r.lines[i][:at]) {
				found = i
			}
		}
	}
	if r.asked == nil {
		r.asked = map[string]int{}
	}
	r.asked[key] = found
	return found
}

var (
	roleLine = regexp.MustCompile(`(?i)^\W{0,3}(?:user|assistant|human|ai|bot|customer|question|answer|prompt|you|me|q|a)\W{0,2}(?:\([^)]*\))?\s*[:>](?:\s|$)`)
	urging   = regexp.MustCompile(`(?i)^\W*(?:tip|hint|note|help|if you (?:see|get)|faq|see also)\b`)
)

// quotedBefore: what stands before a text on its line says that the text is not the process's own word.
func quotedBefore(before string) bool {
	t := strings.TrimRight(before, " ")
	if t == "" {
		return false
	}
	return strings.HasSuffix(t, `"`) || strings.HasSuffix(t, "'") || strings.HasSuffix(t, "`") || strings.HasSuffix(t, "“") || strings.HasSuffix(t, "‘") ||
		roleLine.MatchString(before) || urging.MatchString(before)
}

// servedSigns are what a server prints that has begun to serve, and that goes on.
var (
	startSigns  = []string{"Started parent process", "Started reloader process"}
	servedSigns = []string{
		`HTTP/1.1" `, `HTTP/1.0" `, `HTTP/2" `, `HTTP/2.0" `, "Started server process", "Application startup complete", "Uvicorn running on",
		"Listening at: ", " * Running on http", "Running on local URL", "Starting development server at", "celery@", " ready.",
	}
)

func holdsOne(l string, signs []string) bool {
	return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(l, sign) })
}

// leaving are the words of a process that ends, and of who waits for it: whoever writes them does not go on.
var leaving = regexp.MustCompile(`(?i)\b(?:shut(?:ting)?[ -]?down|stopp(?:ed|ing)|exit(?:ed|ing)?|quit(?:ting)?|leaving|clos(?:ed|ing)|clean(?:ing)? ?up|terminat\w*|died|killed|finished|abort\w*|giving up|bye|goodbye|failed|fatal|unhandled|uncaught|waiting for (?:application|child|background))\b`)

// signs are the lines that tell of a server's life, found once.
type signs struct {
	found                 bool
	firstServed           int // len(lines) for none
	lastServed, lastStart int // -1 for none
}

func (r *reading) lifeSigns() *signs {
	if r.signs.found {
		return &r.signs
	}
	r.signs = signs{found: true, firstServed: len(r.lines), lastServed: -1, lastStart: -1}
	for i, l := range r.lines {
		if holdsOne(l, servedSigns) {
			r.signs.firstServed, r.signs.lastServed = min(r.signs.firstServed, i), i
		}
		if holdsOne(l, startSigns) {
			r.signs.lastStart = i
		}
	}
	return &r.signs
}

// wentOn reports whether the server evidently worked on after line i: then that line is not why it ended. Of a worker it only
// says that a whole new server began: its brothers work on.
func (s *scene) wentOn(i int) bool {
	life := s.lifeSigns()
	return life.lastStart > i || !s.Worker && life.lastServed > i
}

// servedBefore reports whether the server had begun to serve above line i.
func (r *reading) servedBefore(i int) bool { return r.lifeSigns().firstServed < i }

// atEnd reports whether nothing of a life stands below line i: no record but those of leaving.
func (s *scene) atEnd(i int) bool {
	for n := i + 1; n < len(s.lines); n++ {
		if l := s.lines[n]; s.logged[n] && !leaving.MatchString(l) || holdsOne(l, servedSigns) {
			return false
		}
	}
	return true
}
