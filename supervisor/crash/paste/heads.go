package paste

import "strings"

// shortestHead is the length below which what lines have in common may be anything, and fewestHeads the number of lines below which something
// that only a program prints must stand behind it.
const (
	shortestHead = 4
	fewestHeads  = 3

	groupHeader = "+ Exception Group Traceback"
)

// heads takes off what a program that passes another's output on put before every line of it, as a logger does behind
// sys.stderr or a desktop program behind its child: "ERROR:stderr:", "2026-02-10 09:20:31,507 [ERROR] stderr: ", "[backend] ".
func heads(ls []line) []line {
	all := make([]int, 0, len(ls))
	byLevel := map[string][]int{}
	for i := range ls {
		if isBlank(ls[i].Text) {
			continue
		}
		all = append(all, i)
		if key, ok := levelHead(ls[i].Text); ok {
			byLevel[key] = append(byLevel[key], i)
		}
	}
	if behead(ls, all, false) {
		return carriers(ls)
	}
	for _, some := range byLevel {
		if len(some) < len(all) {
			behead(ls, some, true)
		}
	}
	return ls
}

// behead takes the head off the lines if they have one in common, and reports whether they did. cautious is for lines that are only a part of
// the text: they lose theirs only if something that a program itself prints stands behind it.
func behead(ls []line, lines []int, cautious bool) bool {
	few := len(lines) < fewestHeads
	if few && (cautious || len(lines) < 2) {
		return false
	}
	head := commonHead(ls, lines)
	if len(head) < shortestHead || isOwnForm(head) {
		return false
	}
	head = outermost(head, ls[lines[0]].Text)
	printed := false
	for _, i := range lines {
		if few && isPrinted(ls[i].Text) {
			return false
		}
		rest, _ := likePrefix(ls[i].Text, head)
		printed = printed || isPrinted(rest)
		if strings.HasPrefix(rest, groupHeader) && strings.HasSuffix(head, "  ") { // its own two columns
			head = head[:len(head)-2]
		}
	}
	if !printed && (few || cautious || !strings.ContainsAny(head, ":]|>)")) || !strings.ContainsFunc(head, func(r rune) bool { return r < 0x80 && isLetter(byte(r)) && r != 'T' && r != 'Z' }) {
		return false
	}
	// Nobody logs all that he says as an error, and what a program wrote to its standard error was not logged by it.
	passed := !cautious && printed || strings.Contains(strings.ToLower(head), "stderr")
	for _, i := range lines {
		l := &ls[i]
		if r, ok := parseRecord(l.Text); ok {
			l.Level, l.Time = orElse(l.Level, r.level), orElse(l.Time, r.time)
		}
		if passed {
			l.Level = ""
		}
		l.Text, _ = likePrefix(l.Text, head)
	}
	return true
}

// commonHead is the longest beginning that all of the lines have, but for the numbers in it; it ends with a sign or a space.
func commonHead(ls []line, lines []int) string {
	head := strings.TrimRight(ls[lines[0]].Text, " ")
	if len(head) > 200 {
		head = head[:200]
	}
	for _, i := range lines[1:] {
		if head = head[:common(head, ls[i].Text)]; len(head) < shortestHead {
			return ""
		}
	}
	for n := len(head); n > 0; n-- {
		if strings.IndexByte(" \t:]|>)}", head[n-1]) >= 0 {
			return head[:n]
		}
	}
	return ""
}

// outermost is the part of a head behind which another carrier's prefix begins, whose host or date all lines have in common as well.
func outermost(head, first string) string {
	for n := shortestHead; n < len(head); n++ {
		if head[n-1] != ' ' {
			continue
		}
		if p, ok := parsePrefix(first[n:]); ok && p.certain {
			return head[:n]
		}
	}
	return head
}

// common is the length of the part of a that b begins with, where any number stands for any other.
func common(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if isDigit(a[i]) && isDigit(b[j]) {
			for i < len(a) && isDigit(a[i]) {
				i++
			}
			for j < len(b) && isDigit(b[j]) {
				j++
			}
			continue
		}
		if a[i] != b[j] {
			break
		}
		i, j = i+1, j+1
	}
	if j == len(b) && j >= shortestHead && i < len(a) && a[i] == ' ' { // a line of the head alone, without the space at its end
		return len(a)
	}
	return i
}

// isPrinted reports whether only a program's own output looks so, or a report on it: a traceback, a statement of its end, a native library's
// last words.
func isPrinted(s string) bool {
	if s == "" {
		return false
	}
	if strings.HasPrefix(s, traceHeader) || strings.HasPrefix(s, fatalHeader) || strings.HasPrefix(s, "  ") && isFrame(s) || isStatement(s) {
		return true
	}
	if key, known := reportKey(s); known && reportKeys[key] {
		return true
	}
	if p, ok := parsePrefix(s); ok && p.certain {
		return true
	}
	for _, mark := range []string{"OMP: ", "objc[", "dyld[", "libc++abi: ", "terminate called ", "*** Terminating app ", "Assertion failed: ", "Abort trap", "error: Failed to spawn: "} {
		if strings.HasPrefix(s, mark) {
			return true
		}
	}
	return strings.HasPrefix(strings.TrimLeft(s, " "), groupHeader) || strings.Contains(s, "malloc: *** error ") || strings.Contains(s, "Traceback (most recent call last) ─")
}

// isOwnForm reports whether a beginning is part of a form that is read as a whole: a JSON record, a tool's report of a command, code.
func isOwnForm(head string) bool {
	if strings.ContainsAny(head[:1], "{<>#|+-*/.") || strings.Contains(head, `{"`) || strings.Contains(head, "level=") || strings.Contains(head, "msg=") || strings.Contains(head, `File "`) || isBlank(head) {
		return true
	}
	for _, tool := range []string{"npm ", "make", "srun: ", "pip", "Thread ", "python"} {
		if strings.HasPrefix(head, tool) {
			return true
		}
	}
	return false
}

// levelHead is the beginning of a logging form up to its level, with each number as "9".
func levelHead(s string) (key string, ok bool) {
	var r record
	rest := s
	for range 6 {
		if rest == "" || r.level != "" {
			break
		}
		next, _ := recordField(rest, &r, false)
		if next == rest {
			break
		}
		rest = next
	}
	if r.level == "" {
		return "", false
	}
	var b strings.Builder
	digit := false
	for i := range len(s) - len(rest) {
		if isDigit(s[i]) {
			if !digit {
				b.WriteByte('9')
			}
			digit = true
			continue
		}
		digit = false
		b.WriteByte(s[i])
	}
	return b.String(), true
}
