package report

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// textForm are the patterns of the text form, compiled when the first such report is read.
var textForm = sync.OnceValue(func() (p struct{ process, thread, frame, image, termination *regexp.Regexp }) {
	p.process = regexp.MustCompile(`^(.*?)\s*\[(\d+)\]$`)
	p.thread = regexp.MustCompile(`^Thread (\d+)(?: Crashed)?(?:::?.*)?$`)
	p.frame = regexp.MustCompile(`^\d+\s+(\S.*?)\s+0x([0-9a-fA-F]+)\s+(.*)$`)
	p.image = regexp.MustCompile(`^\s*0x([0-9a-fA-F]+)\s+-\s+0x([0-9a-fA-F]+)\s+\+?(\S.*?)\s+(?:\(.*\)\s+)?(?:(arm64e?|x86_64)\s+)?<([0-9A-Fa-f-]{32,36})>\s*(/.*|\?\?\?)?$`)
	p.termination = regexp.MustCompile(`^(?:Namespace )?([A-Z][A-Z0-9_]+),\s*(?:Code,?\s*)?\[?(0x[0-9a-fA-F]+|\d+)?\]?,?\s*(.*)$`)
	return p
})

// textReader reads the text form of a report, of macOS 10.15 to 26: "Key:  value" lines, then sections.
type textReader struct {
	r       *Report
	keys    int    // lines with a key that only such a report has
	section string // "said", "dyld", "thread", "images"; "" for the keys
	thread  int    // whose frames are read; -1 for one that did not crash
	crashed int    // by its key, -1 unknown

	at     []uint64    // where each frame is
	ranges [][2]uint64 // and each image: two copies of a library have one name
}

const maxLineLength = 8 << 10 // bytes of a line of a report that are looked at

// parseText reads the lines, each without its first blanks, indent at most.
func parseText(in *bufio.Reader, indent int) (*Report, error) {
	t := newTextReader()
	doubled, blank := true, true // as a page copies it that has a blank line below each
	for {
		line, err := in.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a line that is too long says nothing
			_, err = in.ReadSlice('\n')
		}
		text := string(line[:min(len(line), maxLineLength)])
		blanks := len(text) - len(strings.TrimLeft(text, " \t"))
		text = text[min(blanks, indent):]
		before := blank
		blank = strings.TrimSpace(text) == ""
		if doubled = doubled && (before || blank); !doubled || !blank || before {
			t.line(text)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return nil, err
			}
			break
		}
	}
	if t.keys < 2 || t.r.Exception == "" && t.r.Namespace == "" && t.r.PID == 0 {
		return nil, ErrNoReport
	}
	return t.result(), nil
}

func newTextReader() *textReader { return &textReader{r: new(Report), thread: -1, crashed: -1} }

func (t *textReader) result() *Report {
	t.r.Said, t.r.Reasons = atMost(t.r.Said), atMost(t.r.Reasons)
	t.placeFrames()
	return t.r
}

// placeFrames says of each frame which image it is in.
func (t *textReader) placeFrames() {
	for i, at := range t.at {
		n := slices.IndexFunc(t.ranges, func(r [2]uint64) bool { return r[0] <= at && at <= r[1] })
		if n >= 0 && t.r.Images[n].Name == t.r.Frames[i].Image {
			t.r.Frames[i].UUID = t.r.Images[n].UUID
		}
	}
}

func (t *textReader) line(l string) {
	l = strings.TrimRight(strings.ReplaceAll(l, "\u00a0", " "), " \t\r\n\x00") // what a page or a window made of it
	p := textForm()
	if m := p.thread.FindStringSubmatch(l); m != nil {
		n, _ := strconv.Atoi(m[1])
		t.section, t.thread = "thread", -1
		if strings.Contains(l, " Crashed") || n == t.crashed {
			t.thread, t.r.Thread, t.r.Frames, t.at = n, n, nil, nil
		}
		return
	}
	if strings.HasPrefix(l, "Binary Images:") {
		t.section = "images"
		return
	}
	switch {
	case t.section == "images" && len(t.r.Images) == maxImages:
		return
	case t.section == "images":
		if m := p.image.FindStringSubmatch(l); m != nil {
			path := m[6]
			if path == "???" {
				path = ""
			}
			t.r.Images = append(t.r.Images, Image{m[3], path, uuidText(m[5]), m[4]})
			t.ranges = append(t.ranges, [2]uint64{address(m[1]), address(m[2])})
		}
		return
	case t.section == "thread" && (t.thread < 0 || len(t.r.Frames) == maxFrames):
		return
	case t.section == "thread":
		if m := p.frame.FindStringSubmatch(l); m != nil {
			t.r.Frames = append(t.r.Frames, Frame{Image: m[1], Symbol: symbolOf(m[3]), Address: address(m[2])})
			t.at = append(t.at, address(m[2]))
		}
		return
	}
	key, value, ok := strings.Cut(l, ":")
	value = strings.TrimSpace(value)
	if ok && t.key(key, value) {
		return
	}
	switch text := strings.TrimSpace(l); {
	case strings.HasPrefix(l, "--") && strings.Contains(l, ">"):
		t.r.StackGuard = t.r.StackGuard || isStackGuard(l)
	case text == "":
		t.section = ""
	case t.section == "said":
		t.r.Said = append(t.r.Said, text)
	case t.section == "dyld":
		t.r.Reasons = append(t.r.Reasons, text)
	}
}

func address(hex string) uint64 {
	n, _ := strconv.ParseUint(hex, 16, 64)
	return n
}

// symbolOf is the name in "__kmp_suspend_64 + 120": an address is none.
func symbolOf(text string) string {
	name, _, _ := strings.Cut(text, " + ")
	if strings.HasPrefix(name, "0x") || name == "0" || name == "???" {
		return ""
	}
	return name
}

// key takes a line of the report's head; false: the line is none.
func (t *textReader) key(key, value string) bool {
	r, p := t.r, textForm()
	switch key {
	case "Process":
		r.Process = value
		if m := p.process.FindStringSubmatch(value); m != nil {
			r.Process = m[1]
			r.PID, _ = strconv.Atoi(m[2])
		}
	case "Path":
		r.Path = value
	case "Parent Process":
		r.Parent = value
		if m := p.process.FindStringSubmatch(value); m != nil {
			r.Parent = m[1]
			r.ParentPID, _ = strconv.Atoi(m[2])
		}
	case "Code Type":
		r.Arch, _, _ = strings.Cut(value, " ")
		r.Translated = strings.Contains(value, "Translated")
	case "Date/Time":
		r.Captured = reportTime(value)
	case "Launch Time":
		r.Launched = reportTime(value)
	case "OS Version":
		r.OS = value
	case "Crashed Thread", "Triggered by Thread":
		number, _, _ := strings.Cut(value, " ")
		if n, err := strconv.Atoi(strings.TrimRight(number, ",")); err == nil {
			t.crashed, r.Thread = n, n
		}
	case "Exception Type":
		r.Exception, r.Signal, _ = strings.Cut(value, " ")
		if s, ok := strings.CutPrefix(r.Signal, "("); ok {
			r.Signal = strings.TrimSuffix(s, ")")
		}
	case "Exception Subtype":
		r.Subtype = value
	case "Exception Codes":
		if r.Subtype == "" && strings.HasPrefix(value, "KERN_") {
			r.Subtype = value
		}
	case "Exception Message":
		r.Message = value
	case "Termination Signal":
		r.Indicator = value
	case "Termination Reason":
		t.termination(value)
	case "Terminating Process":
		r.By = value
		if m := p.process.FindStringSubmatch(value); m != nil {
			r.By = m[1]
			r.ByPID, _ = strconv.Atoi(m[2])
		}
	case "Application Specific Information", "Application Specific Signatures":
		t.section = "said"
	case "Dyld Error Message":
		t.section = "dyld"
	default:
		return false
	}
	t.keys++
	if key != "Application Specific Information" && key != "Application Specific Signatures" && key != "Dyld Error Message" && key != "Termination Reason" {
		t.section = ""
	}
	return true
}

// termination reads "Namespace SIGNAL, Code 6 Abort trap: 6", with or without more commas, and dyld's words below "Namespace DYLD".
func (t *textReader) termination(value string) {
	t.section = ""
	m := textForm().termination.FindStringSubmatch(value)
	if m == nil {
		t.r.Reasons = append(t.r.Reasons, value)
		return
	}
	t.r.Namespace, t.r.Indicator = m[1], strings.TrimSpace(strings.TrimLeft(m[3], ", "))
	t.r.Code, _ = strconv.ParseInt(m[2], 0, 64)
	if t.r.Namespace == "DYLD" {
		t.section = "dyld" // what was missing, on the lines below
		if t.r.Indicator != "" {
			t.r.Reasons = append(t.r.Reasons, t.r.Indicator)
		}
	}
}

func atMost(texts []string) []string {
	for i, s := range texts[:min(len(texts), maxTexts)] {
		texts[i] = s[:min(len(s), maxLineLength)]
	}
	return texts[:min(len(texts), maxTexts)]
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
