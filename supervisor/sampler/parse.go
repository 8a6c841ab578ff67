package sampler

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
)

// bounds of what is read
const (
	mostLine   = 4096
	mostLines  = 100_000
	mostFrames = 64
	mostName   = 120 // characters of a function, which in C++ may have a page of types
)

// Frame is one native call.
type Frame struct {
	Function string // "" if the file has no names
	Image    string // the library or program: "libomp.dylib"
}

// Stack is where a thread was in most of its samples.
type Stack struct {
	PID    int
	Frames []Frame // the innermost first
	Total  int     // samples of the thread
	Same   int     // how many of them had all of these frames
}

var (
	header = regexp.MustCompile(`^Analysis of sampling .{1,300} \(pid (\d{1,9})\) every `)
	// A node of the call graph: lines of the tree, the number of samples, and who it is.
	node = regexp.MustCompile(`^([ +!:|]*)(\d{1,9}) (.+)$`)
	// thread: "Thread_1447670   DispatchQueue_1: com.apple.main-thread  (serial)", "Thread_37491: com.apple.NSEventThread".
	thread = regexp.MustCompile(`^Thread_[0-9a-fx]+\b`)
	// call: "read  (in libsystem_kernel.dylib) + 10  [0x7fff685648a6]", "???  (in Home)  load address 0x1 + 0x2  [0x3]", "main  (in a) + 4,8,...  [0x1,0x2,...]  main.cpp:353".
	call = regexp.MustCompile(`^(.*?)  \(in ([^()]{1,200}(?:\([^()]*\)[^()]*)?)\)(?:  load address|  \[| \+ |$)`)
)

// mainQueue marks the main thread, if the program has libdispatch, as every program on a Mac.
const mainQueue = "com.apple.main-thread"

// Parse reads what `sample` of macOS 10.9 to 26 writes. Of the main thread it gives the path that most samples share, to the depth to which at
// least half of them do. false: there is no such thread in the text.
func Parse(text []byte) (Stack, bool) {
	var s Stack
	var p path
	inGraph := false
	for n := 0; len(text) > 0 && n < mostLines; n++ {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		if len(line) > mostLine {
			line = line[:mostLine]
		}
		l := strings.TrimRight(strings.ToValidUTF8(string(line), "?"), "\r ")
		switch {
		case !inGraph:
			if m := header.FindStringSubmatch(l); m != nil {
				s.PID, _ = strconv.Atoi(m[1])
			}
			inGraph = l == "Call graph:"
		case strings.HasPrefix(l, "Total number in stack") || strings.HasPrefix(l, "Sort by top of stack") || strings.HasPrefix(l, "Binary Images:"):
			return p.stack(s)
		default:
			p.take(l)
		}
	}
	return p.stack(s) // cut off
}

// path follows the heaviest branch of the main thread. The tree is written depth first, and the branches of a node the heaviest first, so that
// the first branch that is heavy enough is the one.
type path struct {
	total  int
	main   bool // the thread that is followed is known to be the main one
	done   bool // another thread has begun
	depths []int
	same   int
	frames []Frame // the outermost first
	closed bool    // the branch has ended: what follows are its lighter siblings
}

func (p *path) take(line string) {
	m := node.FindStringSubmatch(line)
	if m == nil || p.main && p.done {
		return
	}
	depth, who := len(m[1]), m[3]
	count, _ := strconv.Atoi(m[2])
	if thread.MatchString(who) {
		isMain := strings.Contains(who, mainQueue) || strings.Contains(who, ": Main Thread")
		if p.main || p.total > 0 && !isMain {
			p.done = true
			return
		}
		*p = path{total: count, same: count, main: isMain} // without the queue's name the first thread is the oldest
		return
	}
	if p.total == 0 || p.done || p.closed {
		return
	}
	if n := len(p.depths); n > 0 && depth <= p.depths[n-1] {
		p.closed = true
		return
	}
	if count*2 < p.total || len(p.frames) == 4*mostFrames {
		return
	}
	f, ok := frameOf(who)
	if !ok {
		return
	}
	p.depths, p.frames, p.same = append(p.depths, depth), append(p.frames, f), count
}

func frameOf(who string) (Frame, bool) {
	m := call.FindStringSubmatch(who)
	if m == nil {
		return Frame{}, false
	}
	f := Frame{Function: strings.TrimSpace(m[1]), Image: filepath.Base(m[2])}
	if f.Function == "???" {
		f.Function = ""
	}
	if r := []rune(f.Function); len(r) > mostName {
		f.Function = string(r[:mostName-1]) + "…"
	}
	if strings.HasPrefix(f.Image, "<unknown") {
		f.Image = ""
	}
	return f, f.Image != "" || f.Function != ""
}

func (p *path) stack(s Stack) (Stack, bool) {
	s.Total, s.Same = p.total, p.same
	for i := len(p.frames) - 1; i >= 0 && len(s.Frames) < mostFrames; i-- {
		s.Frames = append(s.Frames, p.frames[i])
	}
	return s, len(s.Frames) > 0
}

// Lines are the frames as text, masked: "__kmp_suspend_64 (libomp.dylib)".
func (s Stack) Lines() []string {
	var all []string
	for _, f := range s.Frames {
		name := f.Function
		if name == "" {
			name = "???"
		}
		all = append(all, strings.TrimSpace(name+" ("+f.Image+")"))
	}
	return mask.Lines(all)
}

// Where says in whose code the thread is: "libomp's __kmp_suspend_64". The system's own waits and Python itself explain nothing, so that the
// innermost frame of anybody else counts; "" if there is none.
func (s Stack) Where() string {
	for _, f := range s.Frames {
		if system.MatchString(f.Image) || f.Image == "" {
			continue
		}
		if interpreter.MatchString(f.Image) {
			if f.Function == "take_gil" {
				return "the wait for Python's GIL"
			}
			continue
		}
		name := strings.TrimSuffix(strings.TrimSuffix(abi.ReplaceAllString(f.Image, ""), ".dylib"), ".so")
		if f.Function == "" {
			return name
		}
		function, _, _ := strings.Cut(f.Function, "(") // without the arguments of C++
		return name + "'s " + strings.TrimSpace(function)
	}
	return ""
}

var (
	// system are the libraries that wait and start for others.
	system = regexp.MustCompile(`^(libsystem_.*|libdyld\.dylib|dyld|libdispatch\.dylib|libSystem\..*|libc\+\+.*|libobjc\..*|CoreFoundation|Foundation)$`)
	// interpreter is Python itself, with the modules that come with it and only pass calls on.
	interpreter = regexp.MustCompile(`^(Python|python[0-9.]*t?|libpython[0-9.]+t?\.dylib|pypy[0-9.]*|_ctypes\..*|libffi.*|time\..*\.so|select\..*\.so|_asyncio\..*)$`)
	abi         = regexp.MustCompile(`\.(cpython-[0-9a-z]+-darwin|abi3)(\.so)$`)
)
