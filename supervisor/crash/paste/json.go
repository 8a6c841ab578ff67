package paste

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// fields is what is taken of a JSON log record. The keys differ by library: python-json-logger, structlog, loguru, Google, Datadog, Elastic,
// OpenTelemetry, Lambda, Docker.
type fields struct {
	level, time, message string
	trace                string // a traceback as text
	kind, value          string // an exception's class and message, where the traceback is data
	frames               []frame
	more                 []exception // the rest of a chain
	stack                []string    // lines of a traceback as a list
	group                []exception // the exceptions of a group
	within               bool        // the traceback stood in the message
	said                 bool        // there is a message, an empty one perhaps: a blank line that was passed on
	raw                  bool        // "log": the message is a line as the program printed it
	other                bool        // a key of a conversation or a request: not a log record
}

type frame struct{ file, line, name, code string }

type exception struct {
	kind, value string
	frames      []frame
}

// records takes the JSON log records of a text apart: the message, and the traceback on lines of its own. changed says that there were any.
func records(text string, ls []line) (out []line, changed bool) {
	if !strings.Contains(text, "{") && !strings.Contains(text, `\n`) && !strings.Contains(text, "#012") && !strings.Contains(text, "msg=") && !strings.Contains(text, "message=") {
		return ls, false
	}
	escapes := strings.Contains(text, traceHeader+`:\`)
	var single []int // lines that had a record each
	passed := map[string]bool{}
	for i, l := range ls {
		parts, ok := unwrap(l, escapes)
		if !ok {
			if out != nil {
				out = append(out, l)
			}
			continue
		}
		if out == nil {
			out = append(make([]line, 0, len(ls)+len(parts)), ls[:i]...)
		}
		if len(parts) == 1 {
			single = append(single, len(out))
			if isPrinted(parts[0].Text) {
				passed[parts[0].Level] = true
			}
		}
		out = append(out, parts...)
	}
	if out == nil {
		return ls, false
	}
	for _, i := range single { // a traceback with a record for each of its lines was passed on, not logged
		if passed[out[i].Level] {
			out[i].Level = ""
		}
	}
	return out, true
}

// unwrap takes one line apart; ok is false if it is no record. escapes says that a traceback with its line ends written out is in the text.
func unwrap(l line, escapes bool) (parts []line, ok bool) {
	t := strings.TrimSpace(l.Text)
	if open := strings.IndexByte(t, '{'); open >= 0 && open+1 < len(t) && (open == 0 || open < 80 && t[open-1] == ' ' && strings.HasPrefix(t[open:], `{"`)) {
		if next := strings.TrimLeft(t[open+1:], " "); strings.HasPrefix(next, `"`) {
			if f := readFields(t[open:]); f.isRecord() {
				return f.lines(l), true
			}
		}
	}
	if f, ok := logfmt(t); ok {
		return f.lines(l), true
	}
	if strings.Contains(t, traceHeader+":#012") { // rsyslog
		l.Text = strings.ReplaceAll(strings.ReplaceAll(l.Text, "#012", "\n"), "#011", "\t")
		f := fields{message: l.Text, level: l.Level, time: l.Time, raw: true}
		return f.lines(l), true
	}
	if escapes && (strings.Contains(t, traceHeader+`:\n`) || strings.Contains(t, traceHeader+`:\\n`)) {
		return escaped(l)
	}
	return nil, false
}

func (f *fields) isRecord() bool {
	if f.other && f.trace == "" && f.kind == "" {
		return false
	}
	failed := f.trace != "" || f.kind != "" && (len(f.frames) > 0 || f.value != "") || len(f.stack) > 0
	return failed || (f.message != "" || f.said && len(f.stack) == 0 && f.kind == "") && (f.level != "" || f.raw || f.time != "")
}

// lines gives the record's lines: what it says, then the exception.
func (f *fields) lines(l line) []line {
	l.Level, l.Time = f.level, orElse(f.time, l.Time)
	var out []line
	add := func(text string) {
		for text != "" {
			one, rest, _ := strings.Cut(text, "\n")
			text = rest
			l.Text = strings.TrimRight(one, "\r")
			if isControlled(l.Text) {
				l.Text = plain(l.Text)
			}
			out = append(out, l)
		}
	}
	if f.raw {
		l.Level = ""
		add(f.message)
		return out
	}
	trace := f.exception()
	message := f.message
	if isQuiet(f.level) && f.within && f.message != "" { // a conversation that was logged
		return []line{l}
	}
	add(message)
	add(trace)
	if len(out) == 0 && f.said {
		l.Text = ""
	}
	if len(out) == 0 {
		out = append(out, l)
	}
	return out
}

func isQuiet(level string) bool {
	switch strings.ToLower(level) {
	case "info", "debug", "trace", "20", "10", "30":
		return true
	}
	return false
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// exception is the traceback as Python prints it.
func (f *fields) exception() string {
	if f.trace != "" {
		return f.trace
	}
	if len(f.stack) > 0 {
		var b strings.Builder
		if !strings.HasPrefix(f.stack[0], traceHeader) {
			b.WriteString(traceHeader + ":\n")
		}
		for _, s := range f.stack {
			b.WriteString(strings.TrimRight(s, "\n"))
			b.WriteByte('\n')
		}
		if last := f.stack[len(f.stack)-1]; f.kind != "" && !strings.Contains(last, f.kind) {
			b.WriteString(named(f.kind, f.value))
		}
		return b.String()
	}
	if f.kind == "" {
		return ""
	}
	var b strings.Builder
	for i := len(f.more) - 1; i >= 0; i-- { // structlog begins with the last of a chain
		written(&b, f.more[i])
		b.WriteString("\nThe above exception was the direct cause of the following exception:\n\n")
	}
	if len(f.group) > 0 {
		writtenGroup(&b, exception{f.kind, f.value, f.frames}, f.group)
		return b.String()
	}
	written(&b, exception{f.kind, f.value, f.frames})
	return b.String()
}

// writtenGroup writes a group as Python does, with the exceptions in it below.
func writtenGroup(b *strings.Builder, e exception, group []exception) {
	b.WriteString("  + Exception Group ")
	indented(b, e, "  | ")
	for i, inner := range group {
		head := "    +---------------- "
		if i == 0 {
			head = "  +-+---------------- "
		}
		b.WriteString(head + strconv.Itoa(i+1) + " ----------------\n    | ")
		indented(b, inner, "    | ")
	}
	b.WriteString("    +------------------------------------\n")
}

// indented writes an exception with a mark before all of its lines but the first.
func indented(b *strings.Builder, e exception, mark string) {
	var own strings.Builder
	written(&own, e)
	b.WriteString(strings.ReplaceAll(strings.TrimSuffix(own.String(), "\n"), "\n", "\n"+mark))
	b.WriteByte('\n')
}

func written(b *strings.Builder, e exception) {
	if len(e.frames) > 0 {
		b.WriteString(traceHeader + ":\n")
	}
	for _, fr := range e.frames {
		if fr.file == "" {
			continue
		}
		b.WriteString(`  File "` + fr.file + `", line ` + orElse(fr.line, "0"))
		if fr.name != "" {
			b.WriteString(", in " + fr.name)
		}
		b.WriteByte('\n')
		if fr.code != "" {
			b.WriteString("    " + strings.TrimSpace(fr.code) + "\n")
		}
	}
	b.WriteString(named(e.kind, e.value) + "\n")
}

func named(kind, value string) string {
	if value == "" {
		return kind
	}
	return kind + ": " + value
}

// escaped takes a traceback out of a line that holds it with its line ends written out, as a field: exc_info="Traceback …\n  File …".
func escaped(l line) ([]line, bool) {
	at := strings.Index(l.Text, traceHeader)
	before := strings.TrimRight(l.Text[:at], " ")
	quote := byte(0)
	if q := strings.LastIndexAny(before, `"'`); q >= 0 && strings.Count(before[q:], " ") < 40 {
		quote = before[q]
		if field := strings.TrimRight(before[:q], ` \`); field != "" && field != "b" && !isTraceField(field) {
			return nil, false
		}
	}
	before = strings.TrimSuffix(before, `\n`)
	body := l.Text[at:]
	for i := 0; quote != 0 && i < len(body); i++ {
		if body[i] == '\\' {
			i++
		} else if body[i] == quote {
			body = body[:i]
		}
	}
	text := unescape(body)
	for strings.Contains(text, traceHeader+`:\n`) {
		shorter := unescape(text)
		if shorter == text {
			break
		}
		text = shorter
	}
	f := fields{trace: text, message: unescape(strings.TrimRight(before, `"'`))}
	if f.message == "b" { // a literal of bytes
		f.message = ""
	}
	r, _ := parseRecord(l.Text)
	f.level, f.time = r.level, r.time
	if _, after, ok := strings.Cut(l.Text[:at], "level="); ok && f.level == "" {
		f.level, _, _ = strings.Cut(after, " ")
	}
	if isQuiet(f.level) && quote == 0 {
		return nil, false
	}
	return f.lines(l), true
}

// isTraceField reports whether a text ends with the name of a field that holds tracebacks: `exc_info=`, `"stack_trace": `.
func isTraceField(s string) bool {
	s = strings.TrimRight(s, `=: "'\`)
	key := s[strings.LastIndexAny(s, " \t,{[(\"'|")+1:]
	return traceKey(key) || messageKey(key) || strings.Contains(key, "exc") || strings.Contains(key, "trace") || strings.Contains(key, "err") || strings.Contains(key, "output")
}

func traceKey(k string) bool {
	k = k[strings.LastIndexByte(k, '.')+1:]
	switch k {
	case "exc_info", "exception", "exc_text", "stack_trace", "stackTrace", "stacktrace", "stack", "traceback", "trace", "error_stack", "stack_info", "exc", "error", "err", "errorStack", "exceptionStackTrace", "backtrace", "tb":
		return true
	}
	return false
}

func messageKey(k string) bool {
	switch k {
	case "message", "msg", "event", "textPayload", "body", "short_message", "@message", "errorMessage", "text", "log", "full_message", "description", "detail":
		return true
	}
	return false
}

// unescape undoes one level of JSON's or Python's escapes.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'b', 'f':
		case 'u':
			r, n := hexRune(s[i:])
			b.WriteRune(r)
			i += n
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// hexRune reads "u00e9", or the pair of such, and gives the bytes behind the "u".
func hexRune(s string) (r rune, n int) {
	code := func(s string) (rune, bool) {
		if len(s) < 5 {
			return utf8.RuneError, false
		}
		v, err := strconv.ParseUint(s[1:5], 16, 32)
		return rune(v), err == nil
	}
	r, ok := code(s)
	if !ok {
		return utf8.RuneError, 0
	}
	if utf16.IsSurrogate(r) && len(s) >= 11 && s[5] == '\\' && s[6] == 'u' {
		if low, ok := code(s[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 10
			}
		}
	}
	return r, 4
}
