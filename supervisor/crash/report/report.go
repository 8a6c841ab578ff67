// Package report reads the crash reports of macOS: .ips of any age, JetsamEvents, and the text form that older systems wrote and people paste, also
// where only a part of it was copied. It knows what a report says and nothing of causes or of Vivarium: it imports the standard library alone.
// Begin with Parse.
package report

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Report is what a crash report of macOS says, as far as it tells why a process died. Every part of it may be missing. Paths in it are
// redacted by the system, as in "/Users/USER/*/libomp.dylib": a UUID says which file that was.
type Report struct {
	PID        int       `json:"pid,omitempty"`
	Process    string    `json:"process,omitempty"` // "python3.11", "Python"
	Path       string    `json:"path,omitempty"`
	Parent     string    `json:"parent,omitempty"`
	ParentPID  int       `json:"parent_pid,omitempty"`
	Launched   time.Time `json:"launched,omitzero"`
	Captured   time.Time `json:"captured,omitzero"`
	OS         string    `json:"os,omitempty"`         // "macOS 15.4 (24E248)"
	Arch       string    `json:"arch,omitempty"`       // in the report's words: "ARM-64", "X86-64"
	Translated bool      `json:"translated,omitempty"` // by Rosetta

	Exception string   `json:"exception,omitempty"` // "EXC_BAD_ACCESS"
	Signal    string   `json:"signal,omitempty"`    // "SIGSEGV"; of a code-signing kill prose, "SIGKILL (Code Signature Invalid)"
	Subtype   string   `json:"subtype,omitempty"`   // "KERN_INVALID_ADDRESS at 0x0000000000000540"
	Message   string   `json:"message,omitempty"`
	Namespace string   `json:"namespace,omitempty"` // of the termination: "SIGNAL", "DYLD", "CODESIGNING", "OBJC"
	Code      int64    `json:"code,omitempty"`      // of the termination
	Indicator string   `json:"indicator,omitempty"` // "Abort trap: 6", "Library missing"
	By        string   `json:"by,omitempty"`        // who ended it: "exc handler" for a fault, its own name for abort()
	ByPID     int      `json:"by_pid,omitempty"`    // of that process
	Reasons   []string `json:"reasons,omitempty"`   // dyld's, in its words
	Said      []string `json:"said,omitempty"`      // application specific information: "abort() called", a failed assertion
	// StackGuard: the address that could not be touched is the guard at a stack's end.
	StackGuard bool `json:"stack_guard,omitempty"`

	Thread int     `json:"thread"`           // the one that crashed
	Frames []Frame `json:"frames,omitempty"` // of that thread, innermost first
	Images []Image `json:"images,omitempty"` // what was loaded

	Jetsam *Jetsam `json:"jetsam,omitempty"` // set in a JetsamEvent, which has none of the above but Captured and OS
}

// Frame is one native call.
type Frame struct {
	Image  string `json:"image,omitempty"` // "libomp.dylib"
	UUID   string `json:"uuid,omitempty"`  // of the image: two copies of a library have one name
	Symbol string `json:"symbol,omitempty"`
	Offset uint64 `json:"offset,omitempty"` // bytes into the image; of the text form 0
	// Address is where the frame is in memory, of the text form alone: it tells two images of one name apart where they are not listed.
	Address uint64 `json:"-"`
}

// Image is a library or a program that was loaded.
type Image struct {
	Name string `json:"name,omitempty"`
	Path string `json:"path,omitempty"`
	UUID string `json:"uuid,omitempty"` // upper-case with dashes, as LC_UUID is printed
	Arch string `json:"arch,omitempty"`
}

// Jetsam is what the system writes when it ends processes because memory ran out.
type Jetsam struct {
	Largest string          `json:"largest,omitempty"` // the process with the most memory, which may live on
	Ended   []JetsamProcess `json:"ended,omitempty"`   // those with a reason
}

// JetsamProcess is one that the system ended.
type JetsamProcess struct {
	PID    int    `json:"pid"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
	Peak   uint64 `json:"peak,omitempty"` // bytes
}

const (
	maxReport = 8 << 20 // bytes that are read: real reports have up to 2 MB
	maxFrames = 512     // of a thread: macOS writes as many
	maxImages = 4096
	maxTexts  = 64
)

// ErrNoReport: the text is no crash report of any kind that is known.
var ErrNoReport = errors.New("this is no crash report of macOS")

// Excerpt reads a report of which only a part may have been copied, from any of its lines on.
func Excerpt(text string) (*Report, error) {
	if r, err := Parse(strings.NewReader(text)); err == nil || r != nil {
		return r, err
	}
	t := newTextReader()
	for l := range strings.Lines(text[:min(len(text), maxReport)]) {
		t.line(l[:min(len(l), maxLineLength)])
	}
	if t.keys == 0 && len(t.r.Frames) < 2 || t.r.Ended() == "" && len(t.r.Said) == 0 && len(t.r.Frames) == 0 && len(t.r.Reasons) == 0 {
		return nil, ErrNoReport
	}
	return t.result(), nil
}

// Parse reads a report: .ips of any age, JetsamEvent, and the text that older systems wrote and people paste. It reads 8 MiB at most.
// io.ErrUnexpectedEOF means that it is not complete, because the system is still writing it or it was copied in part: with it comes what was
// read before the cut, nil if that was nothing. ErrNoReport means that it is something else.
// It reads a megabyte in a few milliseconds, and takes little more memory than what it returns.
func Parse(r io.Reader) (*Report, error) {
	limit := &io.LimitedReader{R: r, N: maxReport}
	b := bufio.NewReader(limit)
	indent := 0 // of the first line: a page's code block has it before all of them
	for {
		c, err := b.Peek(1)
		if err != nil {
			return nil, ErrNoReport
		}
		switch c[0] {
		case ' ', '\t':
			indent++
		case '\n', '\r':
			indent = 0
		case 0xef, 0xbb, 0xbf: // a byte order mark of an editor
		case '{':
			return parseIPS(b, limit, indent)
		default:
			return parseText(b, indent)
		}
		_, _ = b.ReadByte()
	}
}

// Is says whether a text begins as a crash report does.
func Is(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n\ufeff")
	if bytes.HasPrefix(head, []byte("{")) {
		line, _, _ := bytes.Cut(head, []byte("\n"))
		return bytes.HasPrefix(line, []byte(`{"app_name"`)) || bytes.Contains(line, []byte(`"bug_type"`)) || bytes.Contains(head, []byte(`"captureTime"`)) || bytes.Contains(head, []byte(`"usedImages"`))
	}
	for _, key := range []string{"Process:", "Incident Identifier:", "Translated Report (Full Report Below)", "-------------------------------------"} {
		if bytes.HasPrefix(head, []byte(key)) {
			return bytes.Contains(head, []byte("Exception Type:")) || bytes.Contains(head, []byte("Identifier:"))
		}
	}
	return false
}

// Process is the one of that PID, or if it is 0 the only Python, among those that the system ended.
func (j *Jetsam) Process(pid int) (found JetsamProcess, ok bool) {
	for _, p := range j.Ended {
		switch {
		case pid != 0 && p.PID == pid:
			return p, true
		case pid == 0 && strings.HasPrefix(strings.ToLower(p.Name), "python"):
			if ok {
				return JetsamProcess{}, false
			}
			found, ok = p, true
		}
	}
	return found, ok
}

// Ended is the end in the words of Evidence: the bare signal; "" if the report does not say it, not even by another word.
func (r *Report) Ended() string {
	if name, _, _ := strings.Cut(r.Signal, " "); name != "" {
		return name
	}
	if r.Namespace == "SIGNAL" { // Apple's numbers
		if name := map[int64]string{4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 8: "SIGFPE", 9: "SIGKILL", 10: "SIGBUS", 11: "SIGSEGV", 15: "SIGTERM"}[r.Code]; name != "" {
			return name
		}
	}
	if r.Exception == "" && r.Namespace == "" && len(r.Said) > 0 && r.Says("abort() called")+r.Says("terminating ") != "" {
		return "SIGABRT" // of the report only these words were copied
	}
	if r.Exception == "" && r.Namespace == "" && len(r.Frames) > 0 { // only the stack was copied
		if slices.ContainsFunc(r.Frames[:min(len(r.Frames), 4)], func(f Frame) bool { return f.Symbol == "abort" || f.Symbol == "__abort" }) {
			return "SIGABRT"
		}
		return "SIGSEGV" // as most of them are
	}
	return map[string]string{
		"EXC_BAD_ACCESS": "SIGSEGV", "EXC_BAD_INSTRUCTION": "SIGILL", "EXC_ARITHMETIC": "SIGFPE", "EXC_BREAKPOINT": "SIGTRAP",
		"EXC_GUARD": "SIGKILL", "EXC_RESOURCE": "SIGKILL",
	}[r.Exception]
}

// Sender is the process that sent the signal, "" if it was the process itself, or its fault.
func (r *Report) Sender() string {
	if r.Namespace != "SIGNAL" || r.By == "exc handler" || r.ByPID == 0 || r.ByPID == r.PID {
		return ""
	}
	return fmt.Sprintf("%s (PID %d)", r.By, r.ByPID)
}

// Says is the first of the system's own words that hold the text, "" if none does.
func (r *Report) Says(text string) string {
	for _, s := range [][]string{r.Said, r.Reasons, {r.Message, r.Indicator, r.Subtype}} {
		for _, l := range s {
			if strings.Contains(l, text) {
				return l
			}
		}
	}
	return ""
}

// Culprit is the innermost frame that is neither of the system nor of the interpreter: it called them with what they cannot bear.
func (r *Report) Culprit() (Frame, bool) {
	for _, f := range r.Frames {
		path := r.ImageOf(f).Path
		if f.Image != "" && !OfTheSystem(f.Image) && !strings.HasPrefix(path, "/usr/lib/") && !strings.HasPrefix(path, "/System/") {
			return f, true
		}
	}
	return Frame{}, false
}

// ImageOf is the one that a frame is in, the zero Image if the report does not list it.
func (r *Report) ImageOf(f Frame) Image {
	for _, i := range r.Images {
		if i.Name == f.Image && (f.UUID == "" || i.UUID == f.UUID) {
			return i
		}
	}
	return Image{}
}

// OfTheSystem: the image is a part of the system, of Python itself, or of the way in which ctypes calls.
func OfTheSystem(image string) bool {
	switch image {
	case "dyld", "libdyld.dylib", "CoreFoundation", "Foundation", "Python", "org.python.python", "???":
		return true
	}
	for _, prefix := range []string{"libsystem_", "libc++", "libobjc", "libdispatch", "libpython", "python", "libffi.", "_ctypes."} {
		if strings.HasPrefix(image, prefix) {
			return true
		}
	}
	return false
}

// Text is a frame for a person.
func (f Frame) Text() string {
	if f.Symbol == "" || strings.HasPrefix(strings.TrimLeft(f.Symbol, "_"), "Z") { // a mangled name says nothing
		return f.Image
	}
	if f.Image == "" {
		return f.Symbol
	}
	return fmt.Sprintf("%s (%s)", f.Image, f.Symbol)
}

// uuidText is a UUID as LC_UUID is printed, with which it is compared: older reports have no dashes in it.
func uuidText(s string) string {
	s = strings.ToUpper(s)
	if len(s) == 32 {
		return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
	}
	return s
}

// reportTime reads the times of a report: "2026-03-01 12:00:02.1234 +0100".
func reportTime(text string) time.Time {
	at, err := time.Parse("2006-01-02 15:04:05 -0700", strings.TrimSpace(text)) // a fraction is read, too
	if err != nil {
		return time.Time{}
	}
	return at
}
