package crash

import (
	"cmp"
	"strings"
)

// The rules that know how a server runs out of something: memory, files, workers.

const lessMemory = "Give it less to hold: a smaller or quantised model, a smaller batch, or fewer workers."

var triedToAllocate = pattern(`you tried to allocate (\d+) bytes`)

// outOfMemoryText: Python or a library says itself that it got no memory.
func outOfMemoryText(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 {
		return Verdict{}, false
	}
	v := Verdict{Line: s.lines[i], Remedy: lessMemory}
	name, _, _ := strings.Cut(text, ":")
	switch {
	case name == "MemoryError" || strings.HasSuffix(name, "._ArrayMemoryError") || strings.HasSuffix(name, ".ArrayMemoryError"):
		v.Summary = "memory ran out: MemoryError"
		if _, said, ok := strings.Cut(s.lines[i], ": "); ok {
			v.Summary = "memory ran out: " + said
		}
	case strings.Contains(text, "MPS backend out of memory"):
		v.Summary = "the memory for Apple's graphics (MPS) ran out"
		v.Remedy = `Use a smaller batch or model, or let it run on the CPU (device "cpu").`
	case strings.Contains(text, "CUDA out of memory"):
		v.Summary = "the graphics card's memory (CUDA) ran out"
		v.Remedy = "Use a smaller batch or model, and end other programs that use the card: nvidia-smi lists them."
	case strings.Contains(text, "DefaultCPUAllocator: ") && strings.Contains(text, "allocate memory"), strings.HasPrefix(text, "OSError: [Errno 12]"):
		v.Summary = "memory ran out"
		if m := triedToAllocate().FindStringSubmatch(text); m != nil {
			v.Summary += ": " + m[1] + " bytes could not be had"
		}
	default:
		return Verdict{}, false
	}
	if p := s.place(i); p != "" {
		v.Remedy = "Your code was at " + p + ". " + v.Remedy
	}
	return v, true
}

func tooManyFiles(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 || !strings.Contains(text, "[Errno 24]") && !strings.Contains(text, "Too many open files") {
		return Verdict{}, false
	}
	v := Verdict{Line: s.lines[i], Summary: "too many open files", Remedy: "Something opens files or connections and does not close them; the limit was raised as far as the system allows."}
	if p := s.place(i); p != "" {
		v.Remedy = "Your code was at " + p + ". " + v.Remedy
	}
	return v, true
}

var loaderWorker = pattern(`DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:exited unexpectedly|is killed by signal: ([\w ]+))`)

// workerKilled: the run ended because a process that worked for it was gone.
func workerKilled(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 || s.Worker {
		return Verdict{}, false
	}
	v := Verdict{Line: s.lines[i], Remedy: "A worker that dies without a word was mostly killed because memory ran out: use fewer workers, or a smaller model."}
	if n := s.last("DataLoader worker (pid "); n >= max(s.trace.start, 0) && strings.Contains(s.lines[n], "is killed by signal: ") { // what "exited unexpectedly" was raised from
		text, v.Line = s.lines[n], s.lines[n]
	}
	switch m := loaderWorker().FindStringSubmatch(text); {
	case m != nil && m[1] == "Bus error":
		v.Summary = "a DataLoader worker died (Bus error), and the server with it: shared memory " + probably + " ran out"
		v.Confidence = probably
		v.Remedy = "Use a smaller num_workers or batch; in a container give it more shared memory: `docker run --shm-size=8g`."
	case m != nil && m[1] != "" && m[1] != "Killed":
		v.Summary = "a DataLoader worker died (" + m[1] + "), and the server with it"
		v.Remedy = "Set num_workers=0 to see the error itself."
	case m != nil:
		v.Summary = "a DataLoader worker died, and the server with it"
		v.Remedy = "It was mostly killed because memory ran out: use a smaller num_workers. num_workers=0 shows the error itself."
	case strings.HasPrefix(text, "concurrent.futures.process.BrokenProcessPool"), strings.HasPrefix(text, "BrokenProcessPool"):
		v.Summary = "a worker process of a pool died, and the server with it"
	default:
		return Verdict{}, false
	}
	if said, ok := s.lastWords(); ok {
		said.Summary, said.Kind = v.Summary+": "+said.Summary, ""
		return said, true
	}
	if p := s.place(i); p != "" {
		v.Remedy += " Your code was at " + p + "."
	}
	return v, true
}

// lastWords is why a process that worked for this one died, if it said so above the exception that followed.
func (s *scene) lastWords() (Verdict, bool) {
	e := s.Evidence
	e.Worker, e.Report, e.Memory = true, nil, Memory{}
	e.Tail = s.lines[max(0, s.trace.start-followLines):max(0, s.trace.start)]
	return newScene(e).first(dying, func(rule) bool { return true })
}

// followLines is how far above an exception a process's own last words are looked for: faulthandler prints the stacks of all threads.
const followLines = 300

var cannotImport = pattern(`^ImportError: cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'(.*)$`)

// importError: a module is there and cannot be imported.
func importError(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 {
		return Verdict{}, false
	}
	v := Verdict{Line: s.lines[i]}
	m := cannotImport().FindStringSubmatch(s.lines[i])
	switch {
	case m != nil && (strings.Contains(m[3], "circular import") || strings.Contains(s.lines[i], "partially initialized")):
		v.Summary = "two modules import each other: " + m[2] + " has no " + m[1] + " yet"
		v.Remedy = "Move the import of " + m[1] + " into the function that needs it."
	case m != nil && strings.Contains(m[3], "-packages/"):
		top, _, _ := strings.Cut(m[2], ".")
		v.Summary = "the installed " + top + " has no " + m[1]
		v.Remedy = "Another version of it is needed: " + s.pip("--upgrade "+distribution(top)) + "; or the package that asks for it is too old."
	case m != nil:
		v.Summary = m[2] + " has no " + m[1] + " to import"
		v.Remedy = "Check the name, and whether a file of yours has the name of a package."
	case strings.Contains(text, "numpy.dtype size changed") || strings.Contains(text, "numpy.core.multiarray failed to import"):
		v.Summary = "a package was built for another NumPy than the installed one"
		v.Remedy = "Upgrade the package that is named in the traceback, or go back to the older NumPy: " + s.pip(`"numpy<2"`) + "."
	case strings.HasPrefix(text, "ImportError: "):
		v.Summary = "Python stopped with " + s.lines[i]
	default:
		return Verdict{}, false
	}
	if p := s.place(i); p != "" {
		v.Remedy = strings.TrimSpace(v.Remedy + " Your code was at " + p + ".")
	}
	v.Remedy = cmp.Or(v.Remedy, "The traceback is in the log's last lines.")
	return v, true
}
