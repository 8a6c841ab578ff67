package paste

import "strings"

// ipsMarks are keys of an .ips file. Two of them in one JSON value make it a report, if one is of the first few.
var ipsMarks = []string{
	`"bug_type"`, `"usedImages"`, `"faultingThread"`, `"imageOffset"`, `"slice_uuid"`, `"procPath"`, `"largestProcess"`,
	`"captureTime"`, `"memoryStatus"`, `"rpages"`, `"termination"`, `"incident_id"`, `"exception"`, `"procName"`, `"lastExceptionBacktrace"`, `"asi"`,
}

const ownMarks = 7 // of ipsMarks: nothing else has them

const mostCutOff = 8 // values without an end that are tried: each costs a look at the rest

// jsonReports takes reports in the form of .ips files out of a text: two JSON values, or the second alone, on one line or on many, perhaps cut.
func jsonReports(ls []line) (rest []line, found []string) {
	rest = ls[:0:0]
	tries := 0
	header := "" // the first value, which waits for the second
	for i := 0; i < len(ls); {
		t := strings.TrimSpace(ls[i].Text)
		if !strings.HasPrefix(t, "{") || tries >= mostCutOff {
			if t != "" && header != "" {
				found, header = append(found, header), ""
			}
			rest = append(rest, ls[i])
			i++
			continue
		}
		n, whole := jsonLength(ls[i:])
		if !whole {
			tries++
		}
		value := joined(ls[i : i+n])
		switch {
		case !isIPS(value):
			if !whole { // what is cut off may hold one that begins later
				n = 1
			}
			rest = append(rest, ls[i:i+n]...)
		case header == "" && n == 1 && strings.Contains(value, `"bug_type"`) && !strings.Contains(value, `"threads"`):
			header = value
		default:
			found, header = append(found, header+value), ""
		}
		i += n
	}
	if header != "" {
		found = append(found, header)
	}
	return rest, found
}

func isIPS(value string) bool {
	n, own := 0, false
	for i, m := range ipsMarks {
		if strings.Contains(value, m) {
			n++
			own = own || i < ownMarks
		}
	}
	return n >= 2 && own
}

func joined(ls []line) string {
	var b strings.Builder
	for _, l := range ls {
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	return b.String()
}

// jsonLength is the number of lines of the JSON value that begins with the first; whole is false if its end is not there.
func jsonLength(ls []line) (n int, whole bool) {
	depth := 0
	for i := range ls {
		inside := false // no string goes over a line's end
		t := ls[i].Text
		for j := 0; j < len(t); j++ {
			switch c := t[j]; {
			case inside && c == '\\':
				j++
			case c == '"':
				inside = !inside
			case inside:
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				depth--
			}
		}
		if depth <= 0 {
			return i + 1, true
		}
	}
	end := len(ls) // cut off: the lines that are JSON's still
	for i := 1; i < len(ls); i++ {
		t := strings.TrimSpace(ls[i].Text)
		if t != "" && strings.IndexByte(`"{}[],-0123456789tfn`, t[0]) < 0 {
			end = i
			break
		}
	}
	return end, false
}
