package words

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// StatusText is what is said of one backend: a line that always has something, and up to two more that may be empty.
type StatusText struct{ Line, Detail, Note string }

// StatusOf says how a backend is, and what to do if that is not well. room is what its line may hold beside the name.
func StatusOf(s supervisor.Snapshot, now time.Time, room int) StatusText {
	switch {
	case Misconfigured(s) && !Active(s):
		return configStatus(s, room)
	case s.HeldBy != 0:
		return heldStatus(s, now)
	case s.State == supervisor.Unreachable:
		return StatusText{Line: Facts(StateWord(s), "the server may be running"), Detail: Plain(s.Note)}
	case s.State == supervisor.Starting && s.Awaits.Name != "":
		return StatusText{Line: Facts("Waits for "+AwaitsText(s.Awaits), lasting(s.Since, now)), Note: noteOf(s, now)}
	case s.State == supervisor.GaveUp:
		return reasonStatus("Gave up", s.Last.Summary, s.Last.Remedy, room, noteOf(s, now))
	case s.State == supervisor.Stopped && s.Owner != (port.Owner{}):
		return ownerStatus(s, now)
	}
	return StatusText{Line: stateLine(s, now), Detail: DetailOf(s, now), Note: noteOf(s, now)}
}

// StatusLine says in one line how a backend is, without its name.
func StatusLine(s supervisor.Snapshot, now time.Time) string {
	st := StatusOf(s, now, MaxLine)
	return Short(Facts(st.Line), MaxLine)
}

// AwaitsText is whom a start waits for, and what is with that one: "database, which gave up: no module named x".
func AwaitsText(a supervisor.Awaits) string {
	return Plain(a.Name) + Prefixed(", ", Plain(a.Why))
}

// Misconfigured: the configuration cannot be used.
func Misconfigured(s supervisor.Snapshot) bool { return Plain(s.ConfigProblem) != "" }

// Active: a process of the backend is there, or about to be.
func Active(s supervisor.Snapshot) bool {
	switch s.State {
	case supervisor.Starting, supervisor.Healthy, supervisor.Unhealthy, supervisor.Stopping, supervisor.Restarting, supervisor.Unreachable:
		return true
	}
	return false
}

// Alive: there is a process that was not told to end.
func Alive(s supervisor.Snapshot) bool {
	return Active(s) && s.State != supervisor.Stopping && s.State != supervisor.Restarting && s.State != supervisor.Unreachable
}

func stateLine(s supervisor.Snapshot, now time.Time) string {
	word := StateWord(s)
	switch s.State {
	case supervisor.Starting, supervisor.Stopping:
		return Facts(word+Prefixed(": ", StallText(s)), lasting(s.Since, now))
	case supervisor.Healthy:
		return Facts(word, Latency(s.Health.Latency))
	case supervisor.Unhealthy:
		if Answers(s) {
			problem, _, _ := strings.Cut(s.Health.Problem, ": ") // the remedy is in the note
			return Facts(word, problem)
		}
		if Wedged(s) {
			return Facts("Wedged: "+OrElse(StallText(s), s.Health.Problem), lasting(s.Since, now))
		}
		quiet := s.Health.Good
		if quiet.IsZero() {
			quiet = s.Since
		}
		if text := StallText(s); text != "" {
			word = Chosen(s.Health.Phase == record.PhaseBusy, "Busy: ", "Hung: ") + text
		}
		return Facts(word, Prefixed("no answer for ", lasting(quiet, now)))
	case supervisor.Restarting:
		again := ""
		if s.Retry.After(now) { // a moment, not a countdown: an open menu must not change under the pointer
			again = "next start at " + clockSeconds(s.Retry, now)
		}
		if s.Crashes > 1 {
			return Facts(word, again, fmt.Sprintf("%d crashes in a row", s.Crashes))
		}
		return Facts(word, again)
	}
	return word
}

func lasting(since, now time.Time) string {
	if since.IsZero() || now.Before(since) {
		return ""
	}
	return Duration(now.Sub(since))
}

func Prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// DetailOf is "Up 3 h 12 min · 1.2 GB · 4 % CPU · OpenMP: 2 runtimes (faiss, torch)".
func DetailOf(s supervisor.Snapshot, now time.Time) string {
	if !Alive(s) || s.Run.PID == 0 {
		return ""
	}
	memory, cpu := "", ""
	if s.Usage.Used() > 0 {
		memory, cpu = Size(s.Usage.Used()), Percent(s.Usage.CPU)+" CPU"
	}
	up := lasting(s.Run.Started, now)
	if s.State == supervisor.Starting { // its age is in the status already
		up = ""
	}
	return Facts(Prefixed("Up ", up), memory, cpu, OpenMPText(s.OpenMP), Chosen(s.KeptAwake, "keeps the computer awake", ""))
}

// OpenMPText says which runtimes are loaded, given their paths: "OpenMP: 1 runtime", "OpenMP: 2 runtimes (faiss, torch)"; "" for none.
func OpenMPText(paths []string) string {
	switch len(paths) {
	case 0:
		return ""
	case 1:
		return "OpenMP: 1 runtime"
	}
	var names []string
	for _, p := range paths {
		if name := Plain(process.BroughtBy(p)); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return fmt.Sprintf("OpenMP: %d runtimes (%s)", len(paths), strings.Join(names, ", "))
}

// Answers: it is unhealthy for what it answers, or for where it does, and not for want of an answer.
func Answers(s supervisor.Snapshot) bool {
	return s.Health.Phase == record.PhaseMisconfigured || s.Health.Phase == record.PhaseWrongAnswer
}

// WorkerDeaths says how many workers of the present run died, "" if it is one at most: that one is told by the last end.
func WorkerDeaths(s supervisor.Snapshot) string {
	if s.WorkerDeaths < 2 {
		return ""
	}
	return fmt.Sprintf("%d workers died within 10 min", s.WorkerDeaths)
}

// noteOf is what else a person should know, the most urgent first.
func noteOf(s supervisor.Snapshot, now time.Time) string {
	var missing, changed, semaphores, problem string
	if len(s.Missing) > 0 {
		missing = MissingShort + ": " + strings.Join(s.Missing, ", ") + " missing"
	}
	if s.ConfigChanged {
		changed = Changed
	}
	if s.State == supervisor.Unhealthy {
		problem = OrElse(stallRemedy(s), s.Health.Problem)
	}
	if s.Semaphores > 0 {
		semaphores = Count(s.Semaphores, "named semaphore", "named semaphores") + " left behind by ended runs"
	}
	return Facts(missing, problem, MemoryNote(s, now), WorkerDeaths(s), changed, s.Note, semaphores, TallyLine(s.Tally, now))
}

func heldStatus(s supervisor.Snapshot, now time.Time) StatusText {
	kept := fmt.Sprintf("kept by vivarium run (PID %d)", s.HeldBy)
	if s.State == supervisor.Stopped { // nothing is known of it but its holder
		return StatusText{Line: kept}
	}
	word := StateWord(s)
	if s.Awaits.Name != "" {
		word = "Waits for " + AwaitsText(s.Awaits)
	}
	return StatusText{Line: Facts(word, kept), Detail: DetailOf(s, now), Note: noteOf(s, now)}
}

func ownerStatus(s supervisor.Snapshot, now time.Time) StatusText {
	o := s.Owner
	who := "a process of another user"
	if o.PID != 0 {
		who = fmt.Sprintf("%s (PID %d)", o.Name, o.PID)
	}
	switch {
	case o.Copy:
		return StatusText{Line: fmt.Sprintf("%s (PID %d)", WithoutEnv, o.PID), Detail: "Take Over ends it and starts it properly", Note: noteOf(s, now)}
	case o.Ours:
		return StatusText{Line: Facts("Stopped", fmt.Sprintf("an earlier server still runs (PID %d)", o.PID)), Detail: o.Why, Note: noteOf(s, now)}
	}
	return StatusText{Line: Facts("Stopped", fmt.Sprintf("port %d is taken by %s", s.Port, who)), Detail: o.Why, Note: noteOf(s, now)}
}

// reasonStatus puts a reason and its remedy in the status line, or the remedy below it where both are too long.
func reasonStatus(word, reason, remedy string, room int, note string) StatusText {
	line := Facts(word, WithoutFolders(Plain(reason)))
	if full := Facts(line, Plain(remedy)); remedy != "" && len([]rune(full)) <= room {
		return StatusText{Line: full, Note: note}
	}
	rest := wrap(remedy, MaxTitle, 2)
	switch len(rest) {
	case 0:
		return StatusText{Line: line, Note: note}
	case 1:
		return StatusText{Line: line, Detail: rest[0], Note: note}
	}
	return StatusText{Line: line, Detail: rest[0], Note: rest[1]}
}

// configStatus shows a mistake in the configuration by the file's name and line, as short as a menu needs it.
func configStatus(s supervisor.Snapshot, room int) StatusText {
	problem, remedy := ConfigProblem(s)
	if Plain(problem) == "" {
		problem, remedy = remedy, ""
	}
	return reasonStatus("", OrElse(Plain(problem), "the configuration cannot be used"), remedy, room, "")
}

// ConfigProblem takes the one line of a configuration error apart: "vivarium.toml:3: port: wants …", "write it like this: …".
func ConfigProblem(s supervisor.Snapshot) (problem, remedy string) {
	problem = s.ConfigProblem
	if i := strings.LastIndex(problem, "; "); i > 0 {
		problem, remedy = problem[:i], problem[i+2:]
	}
	rest, named := strings.CutPrefix(problem, s.ConfigFile)
	switch {
	case !named || s.ConfigFile == "":
	case s.ConfigFile == s.Dir: // it is the folder itself that is wrong
		problem = strings.TrimPrefix(rest, ": ")
	default:
		problem = filepath.Base(s.ConfigFile) + rest
	}
	return problem, remedy
}

// LastOf is "Last crash: two OpenMP runtimes · 14:02", or "" when there was none, or when the status says it already.
func LastOf(s supervisor.Snapshot, now time.Time) string {
	if s.Last.Kind == "" || s.LastAt.IsZero() {
		return ""
	}
	word := "Last crash: "
	switch {
	case NeverRan(s.Last.Kind) && !Active(s): // the status says it
		return ""
	case NeverRan(s.Last.Kind):
		word = "Last problem: "
	case s.Last.Kind == crash.KindCleanExit:
		word = "Last end: "
	}
	at := Clock(s.LastAt, now)
	name := WithoutFolders(strings.TrimPrefix(Plain(s.Last.Summary), Plain(s.Backend)+" "))
	name = strings.TrimPrefix(name, "Python crashed with ") // the line begins with it
	if name == "" {
		name = string(s.Last.Kind)
	}
	if s.State == supervisor.GaveUp { // the reason is in the status
		return Facts(word+at, Chosen(s.Crashes > 1, fmt.Sprintf("%d in a row", s.Crashes), ""))
	}
	return word + Short(name, MaxTitle-len([]rune(word))-len(Between)-len(at)) + Between + at
}

// SummaryOf counts several backends: "3 backends: 2 healthy, 1 stopped".
func SummaryOf(all []supervisor.Snapshot) string {
	order := []string{"misconfigured", "gave up", "hung", "unhealthy", "without the crash environment", "restarting", "busy", "starting", "waiting", "stopping", "healthy", "stopped"}
	n := map[string]int{}
	for _, s := range all {
		n[briefOf(s)]++
	}
	var parts []string
	for _, word := range order {
		if n[word] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[word], word))
		}
	}
	line := Count(len(all), "backend", "backends") + ": " + strings.Join(parts, ", ")
	if over := len(all) - MaxBackends; over > 0 {
		line = Short(line, MaxTitle-25) + Between + fmt.Sprintf("%d not shown", over)
	}
	return Short(line, MaxTitle)
}

// briefOf is a backend's state as one word of a summary.
func briefOf(s supervisor.Snapshot) string {
	switch {
	case Misconfigured(s) && !Active(s):
		return "misconfigured"
	case s.State == supervisor.Stopped && s.Owner.Copy:
		return "without the crash environment"
	case s.State == supervisor.Unhealthy && s.Health.Phase == record.PhaseWrongAnswer:
		return "unhealthy"
	case Wedged(s):
		return "wedged"
	case s.State == supervisor.Unhealthy && s.Health.Phase != record.PhaseBusy && !Answers(s):
		return "hung"
	}
	return strings.ToLower(StateWord(s))
}

// MaxBackends is how many backends the menu has room for: systray cannot remove items, so the slots are built at start and
// unused ones stay hidden.
const MaxBackends = 8
