package crash

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The rules that know how a process dies that works for another: what servers, queues and pools say of their workers.

// workerWord is a form in which a parent tells of a worker's death. Its groups are named: sig a signal's name or number, code an exit code.
type workerWord struct {
	hint string
	who  string // "a Celery worker"
	form func() *regexp.Regexp
}

var workerWords = []workerWord{
	{"Worker (pid:", "a gunicorn worker", pattern(`Worker \(pid:\d+\) (?:was sent (?P<sig>SIG[A-Z]+)!|was terminated due to signal (?P<sig>\d+)|exited with code (?P<code>-?\d+))`)},
	{"Worker with pid ", "a gunicorn worker", pattern(`Worker with pid \d+ was terminated due to signal (?P<sig>\d+)`)},
	{"Child process [", "a worker process of uvicorn", pattern(`Child process \[\d+\] died`)},
	{"nexpected exit from worker", "a granian worker", pattern(`Unexpected exit from worker-?\d+`)},
	{"exited with '", "a Celery worker", pattern(`Process '[^']+' pid:\d+ exited with '(?:signal (?P<sig>\d+)[^']*|exitcode (?P<code>-?\d+))`)},
	{"WorkerLostError", "a Celery worker", pattern(`WorkerLostError\W+(?:Worker exited|Could not)(?:.*?signal (?P<sig>\d+)|.*?exitcode (?P<code>-?\d+))?`)},
	{"ork-horse", "an RQ work-horse", pattern(`[Ww]ork-horse\b.*\bterminated unexpectedly(?:; waitpid returned (?:\d+ \(signal (?P<sig>\d+)\)|(?P<code>\d+)|None))?`)},
	{"Worker with PID ", "a Dramatiq worker", pattern(`Worker with PID \d+ exited unexpectedly \(code (?P<code>-?\d+)\)`)},
	{"killed by signal ", "a uWSGI worker", pattern(`worker \d+ \(pid: ?\d+\) died, killed by signal (?P<sig>\d+)`)},
	{"TerminatedWorkerError", "a worker process of joblib", pattern(`TerminatedWorkerError: [^{]*(?:\{[^}]*?(?P<sig>SIG[A-Z]+))?`)},
	{"failed (exitcode: ", "a worker process of torchrun", pattern(`failed \(exitcode: (?P<code>-?\d+)\) (?:local_rank|rank)`)},
	{"received by PID", "a worker process of torchrun", pattern(`^\s*(?:traceback|error_msg)\s*: Signal (?P<sig>\d+) \(SIG[A-Z]+\) received by PID`)},
	{"terminated with", "a worker process", pattern(`ProcessExitedException: process \d+ terminated with (?:signal (?P<sig>SIG[A-Z]+)|exit code (?P<code>\d+))`)},
	{"A worker died or was killed", "a Ray worker", pattern(`A worker died or was killed`)},
	{"worker unexpectedly exits", "a Ray worker", pattern(`(?i)worker unexpectedly exits`)},
	{"died unexpectedly", "the engine's process", pattern(`[Ee]ngine core proc\w* \S+ died unexpectedly`)},
	{"exitcode", "a worker process", pattern(`(?i)\b(?:child|worker|sub)[ -]?process\b.*\bexit ?code[ =:]+(?P<code>-?\d+)`)},
	{"runner process has terminated", "the model's runner", pattern(`runner process has terminated: (?:signal: (?P<sig>[a-z ]+)|exit status (?P<code>\d+))`)},
	{"signal", "a worker process", pattern(`(?i)\b(?:worker|child process|subprocess|shard process|process \d+)\b.*\b(?:died|killed|terminated|crashed|signaled|shutdown|exited)\b.*\bsignal[ :=(]*(?P<sig>\d+|SIG[A-Z]+)`)},
	{"died", "a worker process", pattern(`(?i)\b(?:worker|child)(?: process)?\b[^"']{0,40}\bdied\b`)},
}

// workerDeath is what a parent said of its workers: of the last one that died, and of how many.
type workerDeath struct {
	line   int // -1: nothing was said
	who    string
	signal string
	code   string
	times  int // how often the same was said
}

// workerDeath is the last one of which the output tells, if nothing shows that the server served on.
func (s *scene) workerDeath() workerDeath {
	d := workerDeath{line: -1}
	for _, w := range workerWords {
		i := s.said(w.hint)
		for n := 0; i >= 0 && i > d.line && n < 50; n++ {
			if m := w.form().FindStringSubmatch(strings.Join(s.lines[i:min(len(s.lines), i+4)], "\n")); m != nil { // joblib's words are of several lines
				d = workerDeath{line: i, who: w.who, times: 1}
				d.signal, d.code = groupOf(w.form(), m, "sig"), groupOf(w.form(), m, "code")
				break
			}
			for i--; i >= 0 && !strings.Contains(s.lines[i], w.hint); i-- {
			}
		}
	}
	if d.line < 0 {
		return d
	}
	if strings.Contains(d.who, "RQ") && d.signal == "" && len(d.code) < 3 { // waitpid's status of a signal is its number
		d.signal, d.code = d.code, ""
	}
	if d.signal = workerSignal(d.signal, d.code, s.OS); d.signal != "" {
		d.code = ""
	}
	if d.signal != "" { // the same of its brothers, each told by its PID
		pids := map[string]bool{}
		for _, l := range s.lines[:d.line+1] {
			if m := workerPID().FindStringSubmatch(l); m != nil && strings.Contains(l, d.signal) {
				pids[m[1]] = true
			}
		}
		d.times = max(1, len(pids))
	}
	return d
}

var workerPID = pattern(`(?i)worker\b.*?\bpid[: ]\s?(\d+)`)

func groupOf(form *regexp.Regexp, m []string, name string) string {
	for i, n := range form.SubexpNames() {
		if n == name && m[i] != "" {
			return m[i]
		}
	}
	return ""
}

// workerSignal is the signal that a parent names, by its name, its number, or the exit code that stands for it.
func workerSignal(sig, code, system string) string {
	if n, err := strconv.Atoi(sig); err == nil {
		return signalByNumber(n, system)
	}
	if strings.HasPrefix(sig, "SIG") {
		return sig
	}
	if sig != "" {
		return map[string]string{"killed": "SIGKILL", "aborted": "SIGABRT", "segmentation fault": "SIGSEGV", "abort trap": "SIGABRT"}[sig]
	}
	switch n, err := strconv.Atoi(code); {
	case err != nil:
		return ""
	case n < 0:
		return signalByNumber(-n, system)
	case n < 128: // waitpid's status is the signal's number, but so is a code: only RQ and shells are meant here
		return ""
	default:
		return signalByNumber(n-128, system)
	}
}

var workerLate = pattern(`WORKER TIMEOUT \(pid:\s*(\d+)\)`)

// workerTimeout: gunicorn ended a worker that did not answer in time. That it then guesses at memory says nothing: it does so after each SIGKILL.
func workerTimeout(s *scene) (Verdict, bool) {
	i := s.said("WORKER TIMEOUT (pid:")
	if i < 0 || s.wentOn(i) || s.Known && s.Code == 0 && s.Signal == "" && !s.Worker {
		return Verdict{}, false
	}
	m := workerLate().FindStringSubmatch(s.lines[i])
	if m == nil || s.assumed && !s.atWorkersEnd(i) {
		return Verdict{}, false
	}
	return Verdict{Line: s.lines[i],
		Summary: "a gunicorn worker did not answer within its timeout, and gunicorn ended it",
		Remedy:  "Let long work run outside of the request, or raise gunicorn's --timeout; loading a model in the worker takes that long, too.",
	}, true
}

// atWorkersEnd: below line i stands nothing but what a parent says of its workers and of itself.
func (s *scene) atWorkersEnd(i int) bool {
	for n := i + 1; n < len(s.lines); n++ {
		l := s.lines[n]
		if s.logged[n] && !leaving.MatchString(l) && !strings.Contains(strings.ToLower(l), "worker") && !strings.Contains(l, "Job") || holdsOne(l, servedSigns[:4]) {
			return false
		}
		if strings.Contains(l, "Handling signal: ") {
			return false
		}
	}
	return true
}

// workerGone: a parent told of a worker's death, and that is the last of it.
func workerGone(s *scene) (Verdict, bool) {
	if s.Worker || s.Known && !s.assumed && s.Signal != "" {
		return Verdict{}, false
	}
	d := s.workerDeath()
	if d.line < 0 || s.wentOn(d.line) || !s.atWorkersEnd(d.line) || s.Known && s.Code == 0 && s.Signal == "" && !s.assumed {
		return Verdict{}, false
	}
	v := Verdict{Line: s.lines[d.line], Summary: d.who + " died" + d.how(), Remedy: s.workerRemedy(d)}
	if said, ok := s.lastWordsAbove(d.line); ok {
		said.Summary = d.who + " died: " + said.Summary
		if said.Kind == KindForkSafety {
			said.Remedy = s.noFork(said.Remedy)
		}
		return said, true
	}
	return v, true
}

// how is what is known of a worker's end, in words.
func (d workerDeath) how() string {
	if d.code != "" && d.signal == "" {
		return " with exit code " + d.code
	}
	said := map[string]string{
		"SIGSEGV": "of a segmentation fault (SIGSEGV)", "SIGKILL": "of SIGKILL, from outside or because memory ran out", "SIGABRT": "of an abort (SIGABRT)",
		"SIGBUS": "of a bus error (SIGBUS)", "SIGILL": "of an illegal instruction (SIGILL)", "SIGFPE": "of an arithmetic error (SIGFPE)",
	}[d.signal]
	switch {
	case d.signal == "":
		return ", and the log does not say of what"
	case said == "":
		said = "of " + d.signal
	}
	if d.times > 1 {
		return " " + said + ", and so did " + fmt.Sprint(d.times-1) + " before it"
	}
	return " " + said
}

// workerRemedy is what to do about a worker of which only the signal is known.
func (s *scene) workerRemedy(d workerDeath) string {
	switch d.signal {
	case "SIGKILL":
		return "If nobody ended it, it needs less memory: fewer workers, or a smaller model."
	case "SIGSEGV", "SIGABRT", "SIGBUS", "SIGTRAP", "SIGILL":
		if fork := s.forker(); fork != "" && s.OS != "linux" {
			return "On a Mac a forked worker often dies in this way: " + fork + ". PYTHONFAULTHANDLER=1 in its environment shows the Python stack."
		}
		return "Set PYTHONFAULTHANDLER=1 in its environment: then the log shows the Python stack of it."
	}
	return "The log's last lines show what it was doing. A worker that dies without a word was often killed, by somebody or because memory ran out."
}

// forker is how whoever forks these workers is told not to, "" if nobody is known.
func (s *scene) forker() string {
	for _, f := range []struct{ signs, remedy string }{
		{"celery|billiard|ForkPoolWorker", "start Celery with `--pool threads` (or `--pool solo`), which does not fork"},
		{"RQ worker|Work-horse|work-horse|rq:worker", "start RQ with `rq worker --worker-class rq.worker.SpawnWorker`, which does not fork"},
		{"gunicorn|Worker (pid:|Booting worker", "start gunicorn without --preload, and load models after the fork, in the worker"},
		{"dramatiq|Dramatiq", "load models in the worker, not while Dramatiq's parent imports the module"},
		{"uWSGI|uwsgi", "start uWSGI with `lazy-apps = true`, which loads the application after the fork"},
	} {
		for sign := range strings.SplitSeq(f.signs, "|") {
			if strings.Contains(s.text, sign) {
				return f.remedy
			}
		}
	}
	return ""
}

// noFork is the remedy of a process that a fork harmed, for whoever forks here.
func (s *scene) noFork(otherwise string) string {
	if f := s.forker(); f != "" {
		return upper(f) + "."
	}
	return otherwise
}

var loaderWorker = pattern(`DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:exited unexpectedly|is killed by signal: ([\w ]+))`)

// workerKilled: the run ended because a process that worked for it was gone, as the exception says that ended it.
func workerKilled(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 || s.Worker || s.ending().logged { // who logs it lives on
		return Verdict{}, false
	}
	start := max(s.ending().Start, 0)
	v := Verdict{Line: s.lines[i], Remedy: "A worker that dies without a word was mostly killed because memory ran out: use fewer workers, or a smaller model."}
	if n := s.last("DataLoader worker (pid "); n >= start && strings.Contains(s.lines[n], "is killed by signal: ") { // what "exited unexpectedly" was raised from
		text, v.Line = s.lines[n], s.lines[n]
	}
	switch m := loaderWorker().FindStringSubmatch(text); {
	case m != nil && m[1] == "Bus error":
		v.Summary = "a DataLoader worker died (Bus error), and the server with it: shared memory " + probably + " ran out"
		v.Confidence = probably
		v.Remedy = "Use a smaller num_workers or batch; in a container give it more shared memory: `docker run --shm-size=8g`."
	case m != nil && m[1] != "" && m[1] != "Killed":
		v.Summary = "a DataLoader worker died (" + strings.TrimSpace(m[1]) + "), and the server with it"
		v.Remedy = "Set num_workers=0 to see the error itself."
	case m != nil:
		v.Summary = "a DataLoader worker died, and the server with it"
		v.Remedy = "It was mostly killed because memory ran out: use a smaller num_workers. num_workers=0 shows the error itself."
	case strings.HasPrefix(text, "concurrent.futures.process.BrokenProcessPool"), strings.HasPrefix(text, "BrokenProcessPool"):
		v.Summary = "a worker process of a pool died, and the server with it"
	default:
		d := deathIn(text, s.OS)
		if d.who == "" {
			return Verdict{}, false
		}
		v.Summary, v.Remedy = d.who+" died"+d.how()+", and what waited for it with it", s.workerRemedy(d)
	}
	if said, ok := s.lastWordsAbove(start); ok {
		said.Summary, said.Kind = v.Summary+": "+said.Summary, ""
		return said, true
	}
	if p := s.place(i); p != "" {
		v.Remedy += " Your code was at " + p + "."
	}
	return v, true
}

// deathIn is what an exception's text says of a worker.
func deathIn(text, system string) (d workerDeath) {
	for _, w := range workerWords {
		if !strings.Contains(text, w.hint) {
			continue
		}
		if m := w.form().FindStringSubmatch(text); m != nil {
			d = workerDeath{who: w.who, code: groupOf(w.form(), m, "code")}
			d.signal = workerSignal(groupOf(w.form(), m, "sig"), d.code, system)
			return d
		}
	}
	return d
}

// lastWordsAbove is why a process that worked for this one died, if it said so above line i.
func (s *scene) lastWordsAbove(i int) (Verdict, bool) {
	e := s.Evidence
	e.Worker, e.Report, e.Memory = true, nil, Memory{}
	return newScene(e, s.part(i-lastWordsLines, i)).first(dying, func(rule) bool { return true })
}

// lastWordsLines is how far above an exception a process's own last words are looked for: faulthandler prints the stacks of all threads.
const lastWordsLines = 300
