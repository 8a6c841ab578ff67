package paste

import (
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unicode"
)

const longestStatement = 600 // bytes: what is longer is no tool's sentence about an exit

// statements finds the lines that say how a program ended.
func statements(text string, ls []line) []statement {
	darwin := sync.OnceValue(func() bool { return isDarwin(text) })
	asked := strings.Contains(text, "echo $?") || strings.Contains(text, "echo $status") || strings.Contains(text, "LASTEXITCODE")
	var found []statement
	add := func(st statement, i int) {
		st.index, st.Known, st.Line = i, true, ls[i].Raw
		found = append(found, st)
	}
	for i := range ls {
		t := strings.TrimSpace(ls[i].Text)
		if t == "" || len(t) > longestStatement {
			continue
		}
		if st, ok := shellWords(t); ok && (!st.unsure || endsOutput(ls[i+1:])) {
			add(st, i)
			continue
		}
		if asked && i > 0 && allDigits(t) && isQuestion(ls[:i]) {
			code, _ := strconv.Atoi(t)
			add(statement{Status: Status{Code: code, By: "shell"}}, i)
			continue
		}
		if !hasStem(t) {
			continue
		}
		for _, r := range rules {
			if !strings.Contains(t, r.mark) || r.kind != manager && isOfWorker(t) {
				continue
			}
			if st, ok := r.read(t, darwin); ok {
				add(st, i)
				break
			}
		}
	}
	return found
}

// endsOutput reports whether nothing of a program follows: the text ends, or a prompt comes.
func endsOutput(ls []line) bool {
	for _, l := range ls[:min(len(ls), 8)] {
		if t := strings.TrimSpace(l.Text); t != "" {
			return prompt(t) != "" || strings.HasSuffix(t, "$") || strings.HasSuffix(t, "%")
		}
	}
	return len(ls) < 8
}

// isStatement reports whether a line is one of those that statements finds.
func isStatement(text string) bool {
	return len(text) <= longestStatement && len(statements(text, []line{{Line: Line{Text: text}}})) > 0
}

// isDarwin tells whose numbers of signals a text has in it.
func isDarwin(text string) bool {
	for _, sign := range []string{"/Users/", "/opt/homebrew/", "zsh: ", "libc++abi", ".dylib", "launchd"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// isOfWorker: the line is of a worker's end, of which the process that has it as its child speaks; or of another program's.
func isOfWorker(t string) bool {
	for _, sign := range []string{"Worker", "worker", "ForkPool", "SpawnP", "CalledProcessError", "DataLoader", "returned non-zero exit status"} {
		if strings.Contains(t, sign) {
			return true
		}
	}
	return false
}

// isQuestion reports whether the last filled line asks the shell for the exit status.
func isQuestion(above []line) bool {
	for j := len(above) - 1; j >= max(0, len(above)-3); j-- {
		t := strings.TrimSpace(above[j].Text)
		if t != "" {
			return strings.HasSuffix(t, "echo $?") || strings.HasSuffix(t, "echo $status") || strings.HasSuffix(t, "LASTEXITCODE") || strings.HasSuffix(t, `echo "$?"`)
		}
	}
	return false
}

// read takes a rule's form from a line.
func (r rule) read(t string, darwin func() bool) (st statement, ok bool) {
	form := r.form()
	m := form.FindStringSubmatch(t)
	if m == nil {
		if rec, is := parseRecord(t); is && rec.rest != t {
			m = form.FindStringSubmatch(rec.rest)
		}
	}
	if m == nil {
		return st, false
	}
	st = statement{Status: Status{By: r.by}, kind: r.kind, keep: r.keep}
	told := false
	for i, group := range form.SubexpNames() {
		v := m[i]
		if v == "" || group == "" {
			continue
		}
		told = true
		switch group {
		case "code":
			st.Code, _ = strconv.Atoi(v)
		case "signal", "name":
			if n := signalNumber(v, darwin()); n != 0 {
				st.Signal = n
			}
		case "words":
			w, spoke := speak(v)
			if !spoke {
				return st, false
			}
			st.Signal, st.CoreDumped = signalNumber(w.signal, darwin()), st.CoreDumped || w.core
		case "core":
			st.CoreDumped = true
		case "oom":
			st.OOMKilled = true
			if r.by == "kernel" || r.by == "launchd" {
				st.Signal = int(syscall.SIGKILL)
			}
		case "killed":
			st.Signal = int(syscall.SIGKILL)
		case "segv":
			st.Signal = int(syscall.SIGSEGV)
		case "who":
			st.who = v
		}
	}
	if isNobody(st.who) {
		return st, false
	}
	return st, told
}

// isNobody: the name is a word for some process, and says nothing of which.
func isNobody(who string) bool {
	switch strings.ToLower(who) {
	case "worker", "process", "command", "task", "job", "it", "child", "subprocess", "ffmpeg", "git":
		return true
	}
	return false
}

// shellWords reads what zsh, bash and their like say of a program's end.
func shellWords(t string) (st statement, ok bool) {
	switch c := t[0]; {
	case strings.HasPrefix(t, "zsh: "), strings.HasPrefix(t, "-zsh: "), strings.HasPrefix(t, "ksh: "), strings.HasPrefix(t, "tcsh: "):
		return zshWords(t)
	case c == '[':
		return jobWords(t)
	}
	if st, ok = scriptWords(t); ok {
		return st, true
	}
	return bareWords(t)
}

// zshWords reads "zsh: segmentation fault (core dumped)  python serve.py", "zsh: exit 139     python serve.py".
func zshWords(t string) (st statement, ok bool) {
	by, rest, _ := strings.Cut(strings.TrimPrefix(t, "-"), ": ")
	st.By = by
	rest = strings.TrimPrefix(strings.TrimLeft(rest, " 0123456789:"), "trap: ")
	if code, is := strings.CutPrefix(rest, "exit "); is {
		n, _, _ := strings.Cut(code, " ")
		if st.Code, ok = atoi(n); ok {
			return st, true
		}
		return st, false
	}
	w, ok := speak(rest)
	if !ok || w.local || w.rest != "" && w.rest[0] != ' ' && !w.core {
		return st, false
	}
	st.Signal, st.CoreDumped = signalNumber(w.signal, true), w.core
	return st, true
}

func atoi(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// jobWords reads "[1]    12345 segmentation fault  python serve.py" and "[1]+  Killed    python serve.py".
func jobWords(t string) (st statement, ok bool) {
	rest, ok := digits(t[1:], 1, 3)
	if !ok || !strings.HasPrefix(rest, "]") {
		return st, false
	}
	job := rest[1:]
	rest = strings.TrimLeft(job, " \t+-")
	marked := len(job)-len(rest) >= 2
	st.By = "zsh"
	if strings.HasPrefix(job, "+") || strings.HasPrefix(job, "-") {
		st.By = "bash"
	}
	if after, is := digits(rest, 2, 9); is && strings.HasPrefix(after, " ") {
		rest = strings.TrimLeft(after, " ")
	}
	for _, exit := range []string{"exit ", "Exit "} {
		if code, is := strings.CutPrefix(rest, exit); is {
			n, _, _ := strings.Cut(code, " ")
			st.Code, ok = atoi(n)
			return st, ok && marked
		}
	}
	w, ok := speak(rest)
	if !ok || !marked || w.rest != "" && w.rest[0] != ' ' && !w.core {
		return st, false
	}
	st.Signal, st.CoreDumped = signalNumber(w.signal, true), w.core
	return st, true
}

// scriptWords reads "./run.sh: line 3: 12345 Killed   python main.py", in any language: a number, a colon, a PID, the words.
func scriptWords(t string) (st statement, ok bool) {
	for i := 0; i < len(t) && i < 300; i++ {
		n := 0
		switch {
		case t[i] == ':':
			n = 1
		case strings.HasPrefix(t[i:], "："):
			n = len("：")
		default:
			continue
		}
		rest := strings.TrimLeft(t[i+n:], " ")
		after, is := digits(rest, 1, 9)
		if !is || !strings.HasPrefix(after, " ") || !endsInNumber(t[:i]) {
			continue
		}
		w, spoke := speak(strings.TrimLeft(after, " "))
		if !spoke || !w.core && !isApart(w.rest, w.local) || strings.IndexFunc(t[:i], unicode.IsLetter) < 0 {
			continue
		}
		st.By = "bash"
		st.Signal, st.CoreDumped = signalNumber(w.signal, true), w.core
		st.kind = shell
		return st, true
	}
	return st, false
}

// isApart reports whether what follows bash's words is set off from them, as its columns are, or nothing follows.
func isApart(rest string, local bool) bool {
	return rest == "" || strings.HasPrefix(rest, "  ") || local && rest[0] == ' '
}

// endsInNumber reports whether a text ends with the number of a line: "line 3", "3 行", "第 3 行", "3. sor".
func endsInNumber(s string) bool {
	s = s[max(0, len(s)-16):]
	digit := strings.LastIndexAny(s, "0123456789")
	return digit >= 0 && strings.Count(s[digit:], " ") <= 1
}

// bareWords reads a shell's words that stand alone: "Segmentation fault: 11", "Killed", "Speicherzugriffsfehler (Speicherabzug geschrieben)".
func bareWords(t string) (st statement, ok bool) {
	if t == "" || len(t) > 120 || t[0] >= 'a' && t[0] <= 'z' && !strings.Contains(t, "(") && !strings.Contains(t, ": ") {
		return st, false
	}
	w, ok := speak(t)
	if !ok || strings.TrimSpace(w.rest) != "" {
		return st, false
	}
	if w.local && w.signal != "SIGSEGV" && w.signal != "SIGBUS" && w.signal != "SIGILL" && w.signal != "SIGFPE" && w.signal != "SIGKILL" && w.signal != "SIGABRT" {
		return st, false
	}
	st.unsure = w.local && !w.core && !strings.ContainsAny(t, " -") // "Abandon", "Morto": words like any other
	if w.signal == "SIGALRM" || w.signal == "SIGPIPE" && w.number == "" || w.signal == "SIGQUIT" && !w.core && w.number == "" {
		return st, false
	}
	st.By = "bash"
	st.Signal, st.CoreDumped = signalNumber(w.signal, true), w.core
	return st, true
}
