package paste

import "strings"

// hasStem reports whether a line holds a part of a word that is in every line that a rule reads: most lines have none, and one look at
// their bytes tells it.
func hasStem(t string) bool {
	for i := range len(t) {
		found := false
		switch t[i] {
		case 'x':
			found = strings.HasPrefix(t[i:], "xit")
		case 'G':
			found = i >= 2 && t[i-2] == 'S' && t[i-1] == 'I'
		case 'g':
			found = strings.HasPrefix(t[i:], "gnal")
		case 'k', 'K':
			found = strings.HasPrefix(t[i+1:], "illed") || strings.HasPrefix(t[i+1:], "illing")
		case 'O':
			found = strings.HasPrefix(t[i:], "OOM") || strings.HasPrefix(t[i:], "OS_REASON")
		case 'o':
			found = strings.HasPrefix(t[i:], "oom") || strings.HasPrefix(t[i:], "on-zero status")
		case 'm':
			found = strings.HasPrefix(t[i:], "minated ") || strings.HasPrefix(t[i:], "m error ") || strings.HasPrefix(t[i:], "m ERR!")
		case '=':
			found = strings.HasSuffix(t[:i], "(code") || strings.HasSuffix(t[:i], " code") || strings.HasSuffix(t[:i], "(rc")
		case 'y':
			found = strings.HasPrefix(t[i:], "y limit of ")
		case 'f':
			found = strings.HasPrefix(t[i:], "fault at ") || strings.HasPrefix(t[i:], "failed with")
		case 'F':
			found = strings.HasPrefix(t[i:], "Failed with result")
		case 'p':
			found = strings.HasPrefix(t[i:], "p reason = ")
		case 'P':
			found = strings.HasPrefix(t[i:], "Pane is dead")
		case '*':
			found = strings.HasPrefix(t[i:], "*** [")
		case 'h':
			found = strings.HasPrefix(t[i:], "h code") || strings.HasPrefix(t[i:], "h status") || strings.HasPrefix(t[i:], "h signal")
		case 's':
			found = i == 0 && strings.HasPrefix(t, "srun: error")
		case 0xe9:
			found = strings.HasPrefix(t[i:], "退出")
		}
		if found {
			return true
		}
	}
	return false
}

// isTelling reports whether a line says of itself that it is a program's, or what is said of one: a mark before it is no part of it.
func isTelling(s string) bool {
	if s == "" {
		return false
	}
	if strings.HasPrefix(s, traceHeader) || strings.HasPrefix(s, fatalHeader) || isFrame(s) || isException(s) && strings.Contains(s, ": ") || isStatement(s) {
		return true
	}
	if key, known := reportKey(s); known && reportKeys[key] {
		return true
	}
	if p, ok := parsePrefix(s); ok && p.certain {
		return true
	}
	r, ok := parseRecord(s)
	return ok && (strings.EqualFold(r.level, "ERROR") || strings.EqualFold(r.level, "CRITICAL"))
}
