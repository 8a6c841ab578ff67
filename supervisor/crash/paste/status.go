package paste

import (
	"strings"
)

// statement is one line that says how a program ended.
type statement struct {
	Status
	who    string // the container, unit or program that it names
	index  int
	kind   kind
	unsure bool // it counts only where the program's output ends
	keep   bool // the line is evidence as well and stays among the program's
}

type kind int8

const (
	shell   kind = iota // it stands where the program's output ends; what goes on after it was not ended
	manager             // it may start the program again, and then the log goes on
	wrapper             // its code is its own: what stands above may say more
)

// status reads what the words around a program's output say of its exit, and gives the lines without those words. dead is the container
// or unit of which they speak.
func status(text string, ls []line) (s Status, rest []line, dead string) {
	found := statements(text, ls)
	if len(found) == 0 {
		return Status{}, ls, ""
	}
	drop := make(map[int]bool, len(found))
	var valid []statement
	life, outside := -2, false
	for _, st := range found {
		if !st.keep {
			drop[st.index] = true
		}
		if life == -2 {
			life, outside = lastLife(ls), hasRecordOutside(ls)
		}
		if isQuoted(ls, st.index) || st.kind != manager && life > st.index {
			delete(drop, st.index)
			continue
		}
		if ls[st.index].quoted && outside {
			delete(drop, st.index)
			continue
		}
		valid = append(valid, st)
	}
	rest = make([]line, 0, len(ls))
	for i, l := range ls {
		if !drop[i] {
			rest = append(rest, l)
		}
	}
	s, dead = decide(valid, ls)
	return s, rest, dead
}

// decide takes the last statement of the program that failed.
func decide(found []statement, ls []line) (Status, string) {
	last := map[string]statement{}
	var order []string
	for _, st := range found {
		who := orElse(st.who, ls[st.index].Source)
		if st.kind != manager || ls[st.index].carrier != container && st.By != "docker" {
			who = ""
		}
		before, seen := last[who]
		if !seen && len(order) == mostSubjects {
			continue
		}
		if !seen {
			order = append(order, who)
			last[who] = st
			continue
		}
		last[who] = follow(before, st)
	}
	if len(order) == 0 {
		return Status{}, ""
	}
	best := ""
	score := -1
	for i, who := range order {
		n := i
		if st := last[who]; st.Code != 0 || st.Signal != 0 {
			n += 1000
			if hasEvidence(ls, who) {
				n += 1000
			} else {
				n = 1000 + len(order) - i // the first that failed: the others were stopped for it
			}
		}
		if n > score {
			best, score = who, n
		}
	}
	st := last[best]
	return st.Status, orElse(st.who, best)
}

// follow is what is known after a second statement about one program.
func follow(a, b statement) statement {
	switch {
	case b.kind == wrapper && a.kind != wrapper && (a.Signal != 0 || a.Code > 128 || a.OOMKilled):
		return a
	case b.By == "shell" && a.Signal != 0 && a.kind == shell: // somebody asked for $?, too
		a.Code = b.Code
		return a
	case a.By == b.By && b.index-a.index <= mostLinesBetween:
		merged := b
		if b.Signal == 0 && b.Code == 0 || b.OOMKilled && !a.OOMKilled && b.Code == 0 {
			merged.Code, merged.Signal = a.Code, a.Signal
			if !b.OOMKilled || a.Line != "" && a.Code+a.Signal != 0 {
				merged.Line = a.Line
			}
		}
		if a.OOMKilled && !b.OOMKilled {
			merged.Line = a.Line
		}
		merged.OOMKilled = a.OOMKilled || b.OOMKilled
		merged.CoreDumped = a.CoreDumped || b.CoreDumped
		merged.who = orElse(b.who, a.who)
		return merged
	}
	return b
}

const (
	mostLinesBetween = 12 // lines of one manager about one end
	mostSubjects     = 32 // containers and units that are told apart
)

func hasEvidence(ls []line, who string) bool {
	for _, l := range ls {
		if l.Source != "" && sameName(l.Source, who) && (strings.Contains(l.Text, traceHeader) || strings.Contains(l.Text, fatalHeader) || isFrame(l.Text)) {
			return true
		}
	}
	return false
}

// lastLife is the last line that shows a server at work, or a program that was started anew; -1 if there is none.
func lastLife(ls []line) int {
	for i := len(ls) - 1; i >= 0; i-- {
		t := ls[i].Text
		if strings.Contains(t, "HTTP/1.1\" ") || strings.Contains(t, "HTTP/1.0\" ") || isStart(t) || isRun(t) {
			return i
		}
	}
	return -1
}

func isStart(t string) bool {
	for _, sign := range []string{"Started server process", "Started parent process", "Started reloader process", "Application startup complete", "Uvicorn running on", "Booting worker with pid", "Listening at: ", "Running on http"} {
		if strings.Contains(t, sign) {
			return true
		}
	}
	return false
}

// isQuoted reports whether a line stands in what somebody said to the program: a speaker, or a record that announces a message, is above.
func isQuoted(ls []line, i int) bool {
	seen := 0
	for j := i - 1; j >= max(0, i-16) && seen < 5; j-- {
		t := strings.TrimSpace(ls[j].Text)
		if t == "" {
			continue
		}
		seen++
		if word, _, ok := strings.Cut(t, ":"); ok && isSpeaker(word) {
			return true
		}
		if word, _, ok := strings.Cut(t, "> "); ok && isSpeaker(word) {
			return true
		}
		if r, ok := parseRecord(t); ok && r.level != "" {
			low := strings.ToLower(r.rest)
			return strings.HasSuffix(t, ":") && (strings.Contains(low, "message") || strings.Contains(low, "prompt") || strings.Contains(low, "chat") || strings.Contains(low, "question") || strings.Contains(low, "answer"))
		}
	}
	return false
}

func isSpeaker(word string) bool {
	if len(word) > 20 {
		return false
	}
	word = strings.ToLower(strings.Trim(word, "*_[]<>|# "))
	for _, s := range speakers {
		if word == s {
			return true
		}
	}
	return false
}

// hasRecordOutside reports whether log records stand outside of quotes: then the quotes are not the program's output.
func hasRecordOutside(ls []line) bool {
	for _, l := range ls {
		if l.quoted {
			continue
		}
		if r, ok := parseRecord(l.Text); ok && r.level != "" {
			return true
		}
	}
	return false
}

// prompt is the command behind a shell's prompt, "" if the line has none: "maker@studio askdocs % python serve.py", "$ python x.py".
func prompt(t string) string {
	t = strings.TrimSpace(t)
	for _, mark := range []string{"$ ", "% ", "❯ ", "➜ ", "# ", "> ", "λ "} {
		if rest, ok := strings.CutPrefix(t, mark); ok {
			return rest
		}
	}
	if len(t) > 300 {
		return ""
	}
	for _, mark := range []string{" % ", "$ ", " ❯ ", "# ", "> "} {
		i := strings.Index(t, mark)
		if i <= 0 || i > 80 {
			continue
		}
		if head := t[:i]; strings.ContainsAny(head, "@~") || strings.HasPrefix(head, "(") || strings.HasPrefix(head, "bash-") || strings.HasPrefix(head, "PS ") || strings.HasPrefix(head, "sh-") {
			return t[i+len(mark):]
		}
	}
	return ""
}

// isRun reports whether a line is a prompt at which a program was started: what was said before is of an earlier run.
func isRun(t string) bool {
	if !strings.ContainsAny(t[:min(len(t), 160)], "$%❯#>➜") {
		return false
	}
	c := prompt(t)
	if c == "" || strings.HasPrefix(t, "# ") {
		return false
	}
	for f := range strings.FieldsSeq(c) {
		if strings.Contains(f, "=") || f == "env" || f == "exec" || f == "sudo" || f == "time" || f == "uv" || f == "run" || f == "poetry" {
			continue
		}
		f = f[strings.LastIndexByte(f, '/')+1:]
		switch {
		case strings.HasPrefix(f, "python"):
			return !strings.Contains(c, " -m pip") && !strings.Contains(c, " -V") && !strings.Contains(c, "--version") && !strings.Contains(c, " -c ")
		case f == "uvicorn", f == "gunicorn", f == "hypercorn", f == "fastapi", f == "flask", f == "celery", f == "granian", f == "streamlit", f == "vllm", f == "start", f == "start.sh", f == "run.sh":
			return true
		}
		return false
	}
	return false
}
