package reboot

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// MaxReport is how much of a report is read. The kernel's text stands before the lists of what was loaded.
const MaxReport = 4 << 20

// Panic is what a report tells of a kernel panic. Everything but Text may be missing.
type Panic struct {
	At     time.Time
	Text   string // what the kernel said: `"completeMemory() prepare count underflow" @IOGPUMemory.cpp:550`
	Driver string // the first extension in its backtrace: "com.apple.AGXG16X"
	Task   string // the program in which it happened: "python3.11"
}

// panicType is the bug_type of a kernel panic.
const panicType = "210"

var (
	panicLine = regexp.MustCompile(`(?m)^\s*panic\([^)\n]{0,100}\):?\s*([^\n]*(?:\n\s*@[^\n]*)?)`)
	firstLine = regexp.MustCompile(`(?m)^\s*(\S[^\n]*)`)
	extension = regexp.MustCompile(`(?m)^\s*((?:com|org|net|as)\.[A-Za-z0-9_.\-]{2,100})\(`)
	epoch     = regexp.MustCompile(`(?m)^\s*Calendar\s*:\s*0x([0-9a-fA-F]{1,16})\b`)
	panicked  = regexp.MustCompile(`(?m)^\s*Panicked task [^\n]{0,200}?: pid \d+: ([^\n]{1,64})$`)
	process   = regexp.MustCompile(`(?m)^\s*(?:BSD process name corresponding to current thread|Process name corresponding to current thread(?: \([^)\n]*\))?): ([^\n]{1,64})$`)
	backtrace = regexp.MustCompile(`Kernel Extensions in backtrace:`)
)

// ReadPanic reads a report in any of the forms that macOS has had: two JSON values (panic-full-*.ips, from macOS 11 on, and .panic files of
// 10.15), or text. false: it is no report of a panic.
func ReadPanic(report []byte) (Panic, bool) {
	report = report[:min(len(report), MaxReport)]
	text, stamp, named := string(report), "", false
	if b := bytes.TrimSpace(report); bytes.HasPrefix(b, []byte("{")) {
		if text, stamp, named = texts(b); text == "" {
			return Panic{}, false
		}
	}
	m := panicLine.FindStringSubmatch(text)
	if m == nil && named { // a nested panic, or a watchdog below the kernel: the words stand alone
		m = firstLine.FindStringSubmatch(text)
	}
	if m == nil {
		return Panic{}, false
	}
	p := Panic{Text: shorten(strings.Join(strings.Fields(strings.ReplaceAll(m[1], `\n`, " ")), " "), 300)}
	if loc := backtrace.FindStringIndex(text); loc != nil {
		p.Driver = driver(text[loc[1]:])
	}
	for _, shape := range []*regexp.Regexp{panicked, process} {
		if m := shape.FindStringSubmatch(text); m != nil {
			p.Task = strings.TrimSpace(m[1])
			break
		}
	}
	p.At = moment(text, stamp)
	return p, true
}

// texts takes the kernel's words and the time out of the JSON values in b, whatever the keys beside them are, and says whether one of them names
// the report as one of a panic.
func texts(b []byte) (panicked, stamp string, named bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	for range 3 {
		var v struct {
			Type     json.RawMessage `json:"bug_type"`
			Panic    string          `json:"panicString"`
			MacPanic string          `json:"macOSPanicString"`
			Old      string          `json:"macOSProcessedStackshotData"` // only to be skipped
			Date     json.RawMessage `json:"date"`
			Time     json.RawMessage `json:"timestamp"`
		}
		err := d.Decode(&v)
		if _, wrong := err.(*json.UnmarshalTypeError); err != nil && !wrong { // a field of another type is as if it were not there
			break
		}
		named = named || strings.Trim(string(v.Type), `"`) == panicType
		if panicked == "" {
			panicked = v.Panic
		}
		if panicked == "" {
			panicked = v.MacPanic
		}
		for _, raw := range []json.RawMessage{v.Time, v.Date} {
			var s string
			if stamp == "" && json.Unmarshal(raw, &s) == nil {
				stamp = s
			}
		}
	}
	return panicked, stamp, named
}

// driver is the first extension in a backtrace; a graphics driver among the first few is told before the family that it stands on.
func driver(text string) string {
	all := extension.FindAllStringSubmatch(text[:min(len(text), 16<<10)], 32)
	first := ""
	for _, m := range all {
		if first == "" {
			first = m[1]
		}
		if strings.HasPrefix(m[1], "com.apple.AGX") {
			return m[1]
		}
	}
	return first
}

// moment is when it happened: by the kernel's own clock, by the report's, or by its first line.
func moment(text, stamp string) time.Time {
	if m := epoch.FindStringSubmatch(text); m != nil {
		if n, err := strconv.ParseInt(m[1], 16, 64); err == nil && n > 0 && n < 1<<34 {
			return time.Unix(n, 0)
		}
	}
	for _, layout := range []string{"2006-01-02 15:04:05.00 -0700", "2006-01-02 15:04:05 -0700", time.RFC3339} {
		if t, err := time.Parse(layout, stamp); err == nil {
			return t
		}
	}
	for _, line := range strings.SplitN(text[:min(len(text), 1<<10)], "\n", 6) {
		if t, err := time.ParseInLocation(time.ANSIC, strings.TrimSpace(line), time.Local); err == nil {
			return t
		}
	}
	return time.Time{}
}

// graphics: it happened in what drives the GPU. The families are told by their sources, too, where a backtrace names none.
func (p Panic) graphics() bool {
	for _, word := range []string{"AGX", "IOGPU", "GPU Panic", "gfx", "IOAccelerator", "AMDRadeon", "NVDA", "AppleIntel"} {
		if strings.Contains(p.Driver, word) || strings.Contains(p.Text, word) {
			return true
		}
	}
	return false
}

func (p Panic) watchdog() bool {
	return strings.Contains(p.Text, "watchdog timeout") || strings.Contains(p.Text, "no checkins from watchdogd") || strings.Contains(p.Text, "no successful checkins")
}

func (p Panic) memory() bool {
	for _, word := range []string{"zone_map_exhausted", "zalloc", "zone map", "vm_page", "out of memory", "compressor", "Jetsam"} {
		if strings.Contains(p.Text, word) {
			return true
		}
	}
	return false
}

// place says where it happened: " in the GPU driver (AGXG16X)".
func (p Panic) place() string {
	name := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(p.Driver, "com.apple.driver."), "com.apple.iokit."), "com.apple.")
	switch {
	case p.graphics() && name != "":
		return " in the GPU driver (" + name + ")"
	case p.graphics():
		return " in the GPU driver"
	case p.watchdog():
		return ": it had not answered its own watchdog"
	case p.memory():
		return ": its kernel had no memory left"
	case name != "":
		return " in " + name
	}
	return ""
}

// remedy is what is known to help.
func (p Panic) remedy() string {
	switch {
	case p.graphics():
		return "This is a fault in macOS, which large models on the GPU provoke. Update macOS; a smaller context, smaller batches and one request at a time make it rarer."
	case p.watchdog(), p.memory():
		return "Memory is the usual reason: a smaller model or context, and fewer workers, leave macOS the room that it needs."
	}
	return "This is a fault in macOS or in a driver: update both. The server did not cause it by itself, but may provoke it."
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
