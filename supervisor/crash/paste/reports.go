package paste

import "strings"

// reportKeys are keys of a report's head in the text form. A strong one stands in nothing else.
var reportKeys = map[string]bool{
	"Process": false, "Path": false, "Identifier": false, "Version": false, "Build Info": false, "Code Type": true, "Role": false,
	"Parent Process": true, "Responsible": false, "Responsible Process": true, "User ID": false, "PlugIn Path": false, "PlugIn Identifier": false,
	"Coalition": false, "Date/Time": true, "Launch Time": false, "OS Version": true, "Release Type": false, "Report Version": true, "Hardware Model": false,
	"Bridge OS Version": true, "Anonymous UUID": true, "Sleep/Wake UUID": true, "Time Awake Since Boot": true, "Time Since Wake": true,
	"System Integrity Protection": true, "Crashed Thread": true, "Triggered by Thread": true, "Exception Type": true, "Exception Codes": true,
	"Exception Subtype": true, "Exception Note": true, "Exception Message": true, "Termination Signal": true, "Termination Reason": true,
	"Terminating Process": true, "Incident Identifier": true, "CrashReporter Key": true, "Beta Identifier": true, "VM Region Info": true,
	"Application Specific Information": true, "Application Specific Signatures": true, "Application Specific Backtrace 0": true,
	"Application Specific Backtrace 1": true, "Last Exception Backtrace": true, "Dyld Error Message": true, "Binary Images": true,
	"External Modification Summary": true, "VM Region Summary": true, "Thread State": false, "Logical CPU": true, "Error Code": false, "Trap Number": true,
	"Backtrace not available": true, "Filtered syslog": true, "Model": false, "Kernel Triage": true, "Baseband Version": true, "Report Type": false,
	"Dyld Error Dependency": true, "Error Formulating Crash Report": true, "System Profile": true, "ASI found in": false, "Writable regions": false,
}

// freeSections are those whose lines are anybody's words, up to an empty line.
var freeSections = []string{"Application Specific", "Dyld Error", "Termination", "Kernel Triage", "Filtered syslog", "Error Formulating", "Exception Message", "VM Region Info", "VM Region Summary", "External Modification"}

// textReport is what was found of a report from one line on.
type textReport struct {
	keys   map[string]bool // what was seen of its keys
	strong int
	frames int
	free   bool // the lines are anybody's words now
	end    int  // behind the last line that surely is the report's
}

const mostLost = 3 // lines in a report that are nothing known, before it is over

// reports takes the macOS crash reports out of a text.
func reports(text string, ls []line) (rest []line, found []string) {
	plain := strings.Contains(text, "Exception Type") || strings.Contains(text, "Crashed") || strings.Contains(text, "Termination Reason") ||
		strings.Contains(text, "Application Specific Information") || strings.Contains(text, "Binary Images") || strings.Contains(text, "Triggered by Thread")
	json := false
	for _, m := range []string{"bug_type", "usedImages", "captureTime", "faultingThread"} {
		json = json || strings.Contains(text, m)
	}
	if !plain && !json {
		return ls, nil
	}
	rest = bySource(ls, func(ls []line) []line {
		if plain {
			ls, found = textReports(ls)
		}
		if json {
			var more []string
			ls, more = jsonReports(ls)
			found = append(found, more...)
		}
		return ls
	})
	return rest, found
}

func textReports(ls []line) (rest []line, found []string) {
	rest = ls[:0:0]
	for i := 0; i < len(ls); {
		if !startsReport(ls[i].Text) {
			rest = append(rest, ls[i])
			i++
			continue
		}
		r := readReport(ls[i:])
		if !r.counts() {
			rest = append(rest, ls[i:i+max(r.end, 1)]...)
			i += max(r.end, 1)
			continue
		}
		if n := len(rest); n > 0 && strings.HasPrefix(rest[n-1].Text, "-----") { // the rule above "Translated Report"
			rest = rest[:n-1]
		}
		found = append(found, reportText(ls[i:i+r.end]))
		i += r.end
	}
	return rest, found
}

// startsReport reports whether a report may begin at a line.
func startsReport(s string) bool {
	t := strings.TrimSpace(s)
	if t == "" {
		return false
	}
	if c := t[0]; !isLetter(c) && c != '-' {
		return false
	}
	_, known := reportKey(t)
	return known || isCrashedThread(t) || t == "Translated Report (Full Report Below)"
}

// reportKey is the key of a line of a report; known is false if it has none.
func reportKey(t string) (key string, known bool) {
	colon := strings.IndexByte(t[:min(len(t), 60)], ':')
	if colon <= 0 {
		return "", false
	}
	key = t[:colon]
	if _, known = reportKeys[key]; known && colon+1 < len(t) && t[colon+1] != ' ' && t[colon+1] != '\t' {
		return "", false
	}
	if !known && strings.HasPrefix(key, "Application Specific Backtrace") {
		return key, true
	}
	return key, known
}

func isCrashedThread(t string) bool {
	rest, ok := strings.CutPrefix(t, "Thread ")
	if !ok {
		return false
	}
	rest, ok = digits(rest, 1, 5)
	return ok && strings.HasPrefix(rest, " Crashed")
}

// readReport goes over the lines of a report as far as they are one's.
func readReport(ls []line) textReport {
	r := textReport{keys: map[string]bool{}}
	lost := 0
	for i := range ls {
		t := strings.TrimSpace(ls[i].Text)
		switch {
		case t == "":
			r.free = false
			continue
		case r.repeats(t):
			return r
		case r.take(t):
			lost = 0
			r.end = i + 1
		case r.free:
			r.end = i + 1
		case r.keys["VM Region Summary"] && isTable(t):
			r.end, lost = i+1, 0
		default:
			if lost++; lost > mostLost || strings.HasPrefix(t, traceHeader) || strings.HasPrefix(t, "{") || isStatement(t) || !r.goesOn(ls[i:]) {
				return r
			}
		}
	}
	return r
}

// repeats reports whether a line begins another report.
func (r *textReport) repeats(t string) bool {
	for _, once := range []string{"Process:", "Exception Type:", "Incident Identifier:", "Report Version:"} {
		if strings.HasPrefix(t, once) {
			return r.keys[once[:len(once)-1]]
		}
	}
	return t == "Translated Report (Full Report Below)" && len(r.keys) > 0
}

// goesOn reports whether one of the next lines is the report's again.
func (r *textReport) goesOn(ls []line) bool {
	for i := range ls[:min(len(ls), mostLost+1)] {
		t := strings.TrimSpace(ls[i].Text)
		if t == "" {
			continue
		}
		if key, known := reportKey(t); known && reportKeys[key] || isReportFrame(t) || isImage(t) || isThread(t) {
			return true
		}
	}
	return false
}

// take reads a line that only a report has.
func (r *textReport) take(t string) bool {
	if key, known := reportKey(t); known {
		if !r.keys[key] {
			r.keys[key] = true
			if reportKeys[key] {
				r.strong++
			}
		}
		r.free = isFree(key)
		return true
	}
	switch {
	case isCrashedThread(t):
		r.strong++
		r.free = false
	case isThread(t), strings.HasPrefix(t, "Thread ") && strings.Contains(t, "crashed with"), strings.HasPrefix(t, "-----"), isImage(t), isRegister(t):
		r.free = false
	case isReportFrame(t):
		r.frames++
	case t == "Translated Report (Full Report Below)":
		r.strong++
	case t == "Full Report", t == "kernel messages:", strings.HasPrefix(t, "VM Regions Near "), strings.HasPrefix(t, "-->"), strings.Contains(t, " SM="): // sections of older systems
	case strings.HasPrefix(t, "--->") || strings.HasPrefix(t, "UNUSED SPACE") || strings.HasPrefix(t, "REGION TYPE"):
	case strings.HasPrefix(t, "Calls made by") || strings.HasPrefix(t, "ReadOnly portion") || strings.HasPrefix(t, "TOTAL"):
	default:
		return false
	}
	return true
}

func isFree(key string) bool {
	for _, s := range freeSections {
		if strings.HasPrefix(key, s) {
			return true
		}
	}
	return false
}

// counts reports whether what was found is enough of a report to be read as one.
func (r *textReport) counts() bool {
	switch {
	case r.keys["Exception Type"], r.keys["Termination Reason"] && r.strong >= 2:
		return true
	case r.strong >= 1 && r.frames >= 1:
		return true
	case r.keys["Application Specific Information"]:
		return true
	}
	return r.strong >= 3
}

// reportText is the report without the indentation that was put before all of it.
func reportText(ls []line) string {
	dedentWhole(ls)
	var b strings.Builder
	for _, l := range ls {
		t := l.Text
		if trimmed := strings.TrimLeft(t, " \t"); len(trimmed) < len(t) { // an indentation of keys and threads alone
			if key, known := reportKey(trimmed); known && reportKeys[key] || isThread(trimmed) || isReportFrame(trimmed) {
				t = trimmed
			}
		}
		b.WriteString(strings.TrimRight(t, " \t"))
		b.WriteByte('\n')
	}
	return b.String()
}

// isThread reads "Thread 3:", "Thread 3 Crashed:: Dispatch queue: …", "Thread 0:: Dispatch queue: …", "Thread 0 name: …".
func isThread(t string) bool {
	rest, ok := strings.CutPrefix(t, "Thread ")
	if !ok {
		return false
	}
	rest, ok = digits(rest, 1, 5)
	return ok && (strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, " Crashed") || strings.HasPrefix(rest, " name:"))
}

// isReportFrame reads "3   libomp.dylib    0x104c6af94 __kmp_fork_call + 32".
func isReportFrame(t string) bool {
	rest, ok := digits(t, 1, 4)
	if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
		return false
	}
	at := strings.Index(rest, " 0x")
	if at < 0 {
		at = strings.Index(rest, "\t0x")
	}
	return at > 0
}

// isImage reads "0x104bf8000 - 0x104c87fff libomp.dylib (*) <…> /…/libomp.dylib".
func isImage(t string) bool {
	return strings.HasPrefix(t, "0x") && strings.Contains(t[:min(len(t), 48)], " - ")
}

// isRegister reads "x0: 0x0000000000000000   x1: …", "rax: 0x…".
func isRegister(t string) bool {
	n := 0
	for n < len(t) && n < 5 && (isLetter(t[n]) || isDigit(t[n])) {
		n++
	}
	return n > 1 && n < len(t) && strings.HasPrefix(t[n:], ": 0x")
}

// isTable reports whether a line is of the table at a report's end: its head, its rules, or words with a size and a count behind them.
func isTable(t string) bool {
	if strings.HasPrefix(t, "=====") || strings.HasPrefix(t, "VIRTUAL ") || strings.HasPrefix(t, "REGION TYPE") || strings.Contains(t, "(non-coalesced)") {
		return true
	}
	f := strings.Fields(t[:min(len(t), 120)])
	for i, size := range f {
		if n := len(size); i > 0 && n > 1 && strings.IndexByte("KMGT", size[n-1]) >= 0 && isDigit(size[0]) {
			return i+1 == len(f) || isDigit(f[i+1][0])
		}
	}
	return false
}
