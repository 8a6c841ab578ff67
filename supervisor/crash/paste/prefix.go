package paste

import "strings"

// parsePrefix reads the prefix at the head of a line.
func parsePrefix(s string) (prefix, bool) {
	var p prefix
	var rest string
	ok := false
	switch c := s[0]; {
	case c == '(':
		p, rest, ok = parenthesised(s)
	case c == '[':
		p, rest, ok = bracketed(s)
	case c == '<':
		p, rest, ok = priority(s)
	case isDigit(c):
		if p, rest, ok = timed(s); !ok {
			if p, rest, ok = numbered(s); !ok {
				p, rest, ok = piped(s)
			}
		}
	case isLetter(c), c == '_', c == ' ':
		for _, f := range []func(string) (prefix, string, bool){syslog, piped, tabbed, cloudFoundry} {
			if p, rest, ok = f(s); ok {
				break
			}
		}
	}
	if !ok {
		return prefix{}, false
	}
	p.length = len(s) - len(rest)
	return p, true
}

// parenthesised reads "(EngineCore pid=71) ", "(RayActor pid=12, ip=10.0.0.3) ", "(raylet) ".
func parenthesised(s string) (p prefix, rest string, ok bool) {
	end := strings.IndexByte(s[:min(len(s), 120)], ')')
	if end < 0 {
		return p, s, false
	}
	inside := s[1:end]
	if !strings.Contains(inside, "pid=") && inside != "raylet" && inside != "autoscaler" {
		return p, s, false
	}
	return prefix{kind: process, source: inside, certain: true}, oneSpace(s[end+1:]), true
}

// bracketed reads "[server] ", "[web-1] ", "[pod/api/web] ", "[rank0]: ".
func bracketed(s string) (p prefix, rest string, ok bool) {
	end := strings.IndexByte(s[:min(len(s), 100)], ']')
	if end < 0 {
		return p, s, false
	}
	inside := strings.TrimSpace(s[1:end])
	rest = s[end+1:]
	for _, rank := range []string{"rank", "default"} {
		if n, is := strings.CutPrefix(inside, rank); is && n != "" && allDigits(n) {
			if after, colon := strings.CutPrefix(rest, ":"); colon {
				return prefix{kind: process, source: inside, certain: true}, oneSpace(after), true
			}
		}
	}
	if after, is := digits(inside, 1, 9); is && strings.HasPrefix(rest, " ") { // seconds since the start
		if left, n := fraction(after); n > 0 && left == "" {
			return ident(rest[1:])
		}
	}
	if at, left, _, _, is := stamp(inside); is && left == "" && strings.HasPrefix(rest, " ") {
		return prefix{kind: clock, source: plainClock, time: at}, rest[1:], true
	}
	if left, is := form(inside, "99:99:99"); is && strings.HasPrefix(rest, " ") {
		if left, _ = fraction(left); left == "" {
			return prefix{kind: clock, source: plainClock, time: inside}, rest[1:], true
		}
	}
	if strings.HasPrefix(inside, "pod/") {
		return prefix{kind: container, source: inside, certain: true}, oneSpace(rest), true
	}
	n, left, is := name(inside)
	if !is || left != "" || isLevel(n) || rest != "" && rest[0] != ' ' || strings.HasPrefix(rest, "  ") && allDigits(n) {
		return p, s, false
	}
	if isDigit(n[0]) && (!allDigits(n) || len(n) > 2) {
		return p, s, false
	}
	return prefix{kind: container, source: n}, oneSpace(rest), true
}

func allDigits(s string) bool {
	rest, ok := digits(s, 1, len(s))
	return ok && rest == ""
}

func oneSpace(s string) string { return strings.TrimPrefix(s, " ") }

// plainClock marks a time that logging writes as well: it counts only where a program's own lines stand behind it.
const plainClock = "\x00"

// timed reads prefixes that begin with a date: Kubernetes' CRI, GitLab, Heroku, short-iso of journald, Docker's and GitHub's times.
func timed(s string) (p prefix, rest string, ok bool) {
	at, rest, frac, zoned, ok := stamp(s)
	if !ok {
		return p, s, false
	}
	if !zoned || at[10] != 'T' {
		return prefix{kind: clock, source: plainClock, time: at}, oneSpace(rest), strings.HasPrefix(rest, " ") && strings.IndexByte(at, ',') < 0
	}
	p = prefix{kind: clock, time: at, certain: frac >= 7}
	if rest == "" {
		return p, rest, true
	}
	if rest[0] != ' ' {
		return p, s, false
	}
	rest = rest[1:]
	for _, stream := range []string{"stdout ", "stderr "} {
		if after, is := strings.CutPrefix(rest, stream); is && len(after) > 0 && (after[0] == 'F' || after[0] == 'P') && (len(after) == 1 || after[1] == ' ') {
			p.certain, p.partial = true, after[0] == 'P'
			return p, oneSpace(after[1:]), true
		}
	}
	if after, is := form(rest, "99"); is && len(after) > 0 && (after[0] == 'O' || after[0] == 'E') && (len(after) == 1 || after[1] == ' ' || after[1] == '+') {
		p.certain, p.partial = true, len(after) > 1 && after[1] == '+' && false
		return p, strings.TrimLeft(after[1:], "+")[min(1, len(strings.TrimLeft(after[1:], "+"))):], true
	}
	if q, after, is := dyno(rest); is {
		q.time = at
		return q, after, true
	}
	if q, after, is := ident(rest); is {
		q.time = at
		return q, after, true
	}
	return p, rest, true
}

// dyno reads Heroku's "app[web.1]: " and Fly's "app[148e] ams [info]".
func dyno(s string) (p prefix, rest string, ok bool) {
	n, rest, ok := name(s)
	if !ok || !strings.HasPrefix(rest, "[") {
		return p, s, false
	}
	end := strings.IndexByte(rest, ']')
	if end < 0 || end > 60 {
		return p, s, false
	}
	p = prefix{kind: container, source: rest[1:end], certain: true}
	if n != "app" { // heroku[web.1]: what the platform says of it
		p.source = n + "[" + p.source + "]"
	}
	rest = rest[end+1:]
	if after, is := strings.CutPrefix(rest, ": "); is {
		return p, after, !allDigits(p.source) && n == "app" || n == "heroku"
	}
	if n == "app" && len(rest) > 6 && rest[0] == ' ' && isLetter(rest[1]) && rest[4] == ' ' && rest[5] == '[' {
		if end := strings.IndexByte(rest, ']'); end > 0 {
			return p, oneSpace(rest[end+1:]), true
		}
	}
	return p, s, false
}

// syslog reads "Nov 28 10:00:00 host uvicorn[123]: " and short-full's "Tue 2026-02-10 09:20:31 CET host uvicorn[123]: ".
func syslog(s string) (p prefix, rest string, ok bool) {
	at, rest, ok := syslogStamp(s)
	if !ok && len(s) > 24 && s[3] == ' ' {
		if at, rest, _, _, ok = stamp(s[4:]); ok && len(rest) > 4 && rest[0] == ' ' { // the name of a zone
			if z, after, is := strings.Cut(rest[1:], " "); is && len(z) <= 5 && strings.ToUpper(z) == z {
				rest = " " + after
			}
		}
	}
	if !ok || rest == "" || rest[0] != ' ' {
		return p, s, false
	}
	for _, half := range []string{" AM  ", " PM  "} { // Render
		if after, is := strings.CutPrefix(rest, half); is {
			return prefix{kind: clock, source: plainClock, time: at}, after, true
		}
	}
	p, rest, ok = ident(rest[1:])
	p.time = at
	return p, rest, ok
}

// priority reads what syslog puts before a line on its way: "<14>Nov 28 10:00:00 host uvicorn[123]: ", RFC 5424's "<14>1 2026-02-10T09:20:31Z host
// uvicorn 123 - - ", and the bare "<3>" that systemd understands.
func priority(s string) (p prefix, rest string, ok bool) {
	rest, ok = digits(s[1:], 1, 3)
	if !ok || !strings.HasPrefix(rest, ">") {
		return p, s, false
	}
	rest = rest[1:]
	if q, after, is := syslog(rest); is {
		return q, after, true
	}
	if at, after, _, zoned, is := stamp(strings.TrimPrefix(rest, "1 ")); is && zoned && strings.HasPrefix(rest, "1 ") {
		if f := strings.SplitN(after, " ", 7); len(f) >= 6 && f[0] == "" { // host, program, PID, kind of message, data
			p = prefix{kind: host, source: f[2] + "[" + f[3] + "]", time: at, certain: true}
			if strings.HasPrefix(f[5], "[") {
				_, text, _ := strings.Cut(after[strings.Index(after, f[5]):], "] ")
				return p, text, true
			}
			return p, strings.Join(f[6:], ""), f[5] == "-"
		}
	}
	return prefix{kind: host, source: "<>"}, rest, true
}

// ident reads "host uvicorn[123]: ", "host kernel: ", "host com.apple.xpc.launchd[1] (com.example.api[77]): ".
func ident(s string) (p prefix, rest string, ok bool) {
	_, rest, ok = name(s)
	if !ok || !strings.HasPrefix(rest, " ") {
		return p, s, false
	}
	rest = rest[1:]
	colon := strings.IndexByte(rest[:min(len(rest), 120)], ':')
	if colon <= 0 || colon+1 < len(rest) && rest[colon+1] != ' ' {
		return p, s, false
	}
	who := rest[:colon]
	n, left, ok := name(strings.TrimPrefix(who, "("))
	if !ok || isLevel(n) {
		return p, s, false
	}
	if left != "" && left[0] != '[' && left[0] != ')' {
		return p, s, false
	}
	if left == "" && n != "kernel" && n != "systemd" && n != "launchd" && n != "sudo" {
		return p, s, false
	}
	return prefix{kind: host, source: who, certain: true}, oneSpace(rest[colon+1:]), true
}

// numbered reads pm2's "0|api  | ", honcho's "12:00:01 web.1 | ", and journald's monotonic and unix times.
func numbered(s string) (p prefix, rest string, ok bool) {
	if rest, ok = form(s, "99:99:99"); ok && strings.HasPrefix(rest, " ") {
		q, after, is := piped(rest[1:])
		q.time = s[:8]
		q.certain = true
		if is {
			return q, after, true
		}
		return prefix{kind: clock, source: plainClock, time: s[:8]}, rest[1:], true
	}
	if rest, ok = digits(s, 1, 4); ok && strings.HasPrefix(rest, "|") {
		n, after, is := name(rest[1:])
		after = strings.TrimLeft(after, " ")
		if is && strings.HasPrefix(after, "|") {
			p, rest = prefix{kind: container, source: n, certain: true}, oneSpace(after[1:])
			if at, text, _, _, timed := stamp(rest); timed && (text == ":" || strings.HasPrefix(text, ": ")) { // with --time
				p.time, rest = at, oneSpace(text[1:])
			}
			return p, rest, true
		}
	}
	if rest, ok = digits(s, 9, 11); ok {
		if after, n := fraction(rest); n > 0 && strings.HasPrefix(after, " ") {
			return ident(after[1:])
		}
	}
	return p, s, false
}

// piped reads "api-1  | ", "api stderr | ".
func piped(s string) (p prefix, rest string, ok bool) {
	n, rest, ok := name(s)
	if !ok || isLevel(n) {
		return p, s, false
	}
	rest = strings.TrimLeft(rest, " ")
	for _, stream := range []string{"stdout", "stderr"} {
		if after, is := strings.CutPrefix(rest, stream); is {
			rest = strings.TrimLeft(after, " ")
		}
	}
	if !strings.HasPrefix(rest, "|") || len(rest) > 1 && rest[1] != ' ' {
		return p, s, false
	}
	p = prefix{kind: container, source: n, certain: isNumberedName(n), column: len(s) - len(rest)}
	return p, oneSpace(rest[1:]), true
}

// isNumberedName reports whether a name ends like a container's or a process's of a Procfile: "api-1", "api_1", "web.1".
func isNumberedName(n string) bool {
	i := len(n)
	for i > 0 && isDigit(n[i-1]) {
		i--
	}
	return i > 1 && i < len(n) && len(n)-i <= 3 && strings.IndexByte("-_.", n[i-1]) >= 0 && isLetter(n[0]) && strings.Count(n, ".") < 2
}

// tabbed reads "build<tab>Run tests<tab>2026-02-10T09:20:31.1234567Z ", as GitHub's command line prints a job's log.
func tabbed(s string) (p prefix, rest string, ok bool) {
	first := strings.IndexByte(s[:min(len(s), 200)], '\t')
	if first < 0 {
		return p, s, false
	}
	second := strings.IndexByte(s[first+1:min(len(s), 400)], '\t')
	if second < 0 {
		return p, s, false
	}
	p, rest, ok = timed(s[first+second+2:])
	return p, rest, ok && p.kind == clock
}

// cloudFoundry reads "   2026-02-10T09:20:31.12+0100 [APP/PROC/WEB/0] ERR ".
func cloudFoundry(s string) (p prefix, rest string, ok bool) {
	at, rest, _, zoned, ok := stamp(strings.TrimLeft(s, " "))
	if !ok || !zoned || !strings.HasPrefix(rest, " [") {
		return p, s, false
	}
	end := strings.IndexByte(rest[:min(len(rest), 60)], ']')
	if end < 0 {
		return p, s, false
	}
	source := rest[2:end]
	rest = rest[end+1:]
	for _, stream := range []string{" ERR", " OUT"} {
		if after, is := strings.CutPrefix(rest, stream); is {
			return prefix{kind: container, source: source, time: at, certain: true}, oneSpace(after), true
		}
	}
	return p, s, false
}
