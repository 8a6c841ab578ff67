package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/report"
)

// question is what explain is asked: where the output and the report are, and what is known of the end.
type question struct {
	files       []string // a log, a report, or both: told apart by what is in them
	log, report string
	exit        int
	hasExit     bool
	signal      string
	pid         int
}

func explainCommand(c console) *cobra.Command {
	var q question
	var asJSON bool
	cmd := &cobra.Command{
		Use: "explain [FILE...]", Short: "Say why a Python server died, also one that Vivarium did not run",
		Long: "Judges the end of a server by its output, by the crash report that macOS wrote, and by its exit code or signal, as far as they are known.\n" +
			"A file is a log or a report (.ips, or the text that is shown of it): which of them is seen by what is in it. - is the standard input.",
		Example: "  vivarium explain logs/server.log\n  vivarium explain ~/Library/Logs/DiagnosticReports/python3.11-2026-03-01-120002.ips\n" +
			"  vivarium explain --log logs/server.log --signal SIGSEGV\n  ./serve 2>&1 | vivarium explain - --exit 1",
		RunE: func(cmd *cobra.Command, args []string) error {
			q.files, q.hasExit = args, cmd.Flags().Changed("exit")
			v, about, err := q.answer(c.in)
			if err != nil {
				return err
			}
			return printVerdict(c.out, keptHere(cmd.Context(), v), about, asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().StringVar(&q.log, "log", "", "the server's output; - is the standard input")
	cmd.Flags().StringVar(&q.report, "report", "", "a crash report of macOS, or a JetsamEvent; - is the standard input")
	cmd.Flags().IntVar(&q.exit, "exit", 0, "its exit code; 139 and the like are taken as a shell's word for a signal")
	cmd.Flags().StringVar(&q.signal, "signal", "", "the signal that ended it, as SIGSEGV, SEGV or 11")
	cmd.Flags().IntVar(&q.pid, "pid", 0, "its PID, where a JetsamEvent has several Pythons")
	return cmd
}

// answer judges. about says in one line which process a report is about, "" without one.
func (q *question) answer(in io.Reader) (v crash.Verdict, about string, err error) {
	w, err := q.witnesses(in)
	if err != nil {
		return v, "", err
	}
	e := crash.Evidence{OS: systemOf(w.tail)}
	if w.report != nil {
		e, about = crash.OfReport(w.report, q.pid), aboutReport(w.report)
		if !e.Known && w.report.Jetsam != nil && q.signal == "" && !q.hasExit {
			return notAmong(w.report.Jetsam, q.pid), about, nil
		}
	}
	if w.cut {
		about = strings.TrimPrefix(about+"; it is cut short: it was copied in part, or macOS still writes it", "; ")
	}
	e.Foreign, e.Tail, e.Uptime = true, w.tail, cmp.Or(e.Uptime, time.Minute)
	if err := q.status(&e); err != nil {
		return v, "", err
	}
	return crash.Judge(e), about, nil
}

var takenPort = regexp.MustCompile(`\bport (\d{1,5})\b`)

// keptHere has the remedy for a port that was taken, where a backend of ours has that port now: what was started by hand was a second copy.
func keptHere(ctx context.Context, v crash.Verdict) crash.Verdict {
	if v.Kind != crash.KindPortTaken {
		return v
	}
	h, err := openHome()
	if err != nil {
		return v // the verdict is good without it
	}
	var numbers []int
	for _, m := range takenPort.FindAllStringSubmatch(v.Summary+"\n"+v.Line, -1) {
		number, _ := strconv.Atoi(m[1])
		numbers = append(numbers, number)
	}
	if dir, ok := around(nil); ok && len(numbers) == 0 { // Python's own words have no port: then this folder's is meant
		if c, err := config.Load(dir); err == nil {
			numbers = append(numbers, c.Port)
		}
	}
	for _, number := range numbers {
		if row, ok := control.Keeping(ctx, h.state, number); ok {
			v.Remedy = "On this computer " + words.KeptPort(number, row.Backend) + "."
			return v
		}
	}
	return v
}

// status is the end as it was given: it counts more than what a report says.
func (q *question) status(e *crash.Evidence) error {
	switch {
	case q.signal != "":
		name, err := signalName(q.signal)
		if err != nil {
			return err
		}
		e.Known, e.Code, e.Signal = true, 0, name
	case q.hasExit:
		e.Known, e.Code, e.Signal = true, q.exit, ""
	}
	return nil
}

// witnesses reads the files, each once.
func (q *question) witnesses(in io.Reader) (w witnesses, err error) {
	files := slices.Clone(q.files)
	for _, f := range []string{q.log, q.report} {
		if f != "" {
			files = append(files, f)
		}
	}
	switch asked := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return f != "-" }); {
	case len(files) == 0 && !q.hasExit && q.signal == "":
		return w, usage("there is nothing to judge: name a log or a crash report, or give --exit or --signal")
	case len(asked) > 1:
		return w, usage("the standard input can be read once only: name a file for the other")
	case q.hasExit && q.signal != "":
		return w, usage("either --exit or --signal: a process ends one way")
	case q.exit > 255 || q.exit < -64:
		return w, usage("%d is no exit code: it is 0 to 255, or minus the number of a signal, as Python has it", q.exit)
	case q.pid < 0:
		return w, usage("%d is no PID", q.pid)
	}
	for _, f := range files {
		if err := w.read(in, f, f == q.report && !slices.Contains(q.files, f)); err != nil {
			return w, err
		}
	}
	return w, nil
}

// aboutReport says which process a report is about.
func aboutReport(r *report.Report) string {
	if r.Jetsam != nil {
		return strings.TrimSpace("processes that were ended for want of memory, " + r.OS)
	}
	about := []string{cmp.Or(r.Process, "a process"), r.OS, strings.TrimSpace(r.Exception + " " + r.Signal)}
	if r.PID != 0 {
		about[0] += fmt.Sprintf(" (PID %d)", r.PID)
	}
	return strings.Join(slices.DeleteFunc(about, func(s string) bool { return s == "" }), ", ")
}

// notAmong is the verdict where a JetsamEvent does not say which process is meant.
func notAmong(j *report.Jetsam, pid int) crash.Verdict {
	v := crash.Verdict{Kind: crash.KindUnknown, Remedy: "If it is one of the others, name it with --pid."}
	var pythons []string
	for _, p := range j.Ended {
		if strings.HasPrefix(strings.ToLower(p.Name), "python") {
			pythons = append(pythons, strconv.Itoa(p.PID))
		}
	}
	switch {
	case pid != 0:
		v.Summary, v.Remedy = fmt.Sprintf("the system ended processes for want of memory, and PID %d is not among them", pid), "Look for another report of the same time."
	case len(pythons) > 1:
		v.Summary, v.Remedy = "the system ended several Pythons for want of memory", "Say which one is meant with --pid: "+strings.Join(pythons, ", ")+"."
	default:
		v.Summary = "the system ended processes for want of memory, and no Python is among them"
	}
	if j.Largest != "" {
		v.Summary += "; " + j.Largest + " used the most"
	}
	return v
}

// systemOf is the system that an output comes from, by the paths in it; "" if they do not tell: then it is taken for this one.
func systemOf(tail []string) string {
	signs := []struct {
		system string
		texts  []string
	}{
		{"darwin", []string{"/Users/", ".dylib", "/opt/homebrew/", "dyld["}},
		{"linux", []string{"/home/", "linux-gnu", "cannot open shared object file"}},
	}
	for _, s := range signs {
		for _, l := range tail {
			l = strings.ReplaceAll(l, "\x00", "") // of UTF-16
			if slices.ContainsFunc(s.texts, func(text string) bool { return strings.Contains(l, text) }) {
				return s.system
			}
		}
	}
	return ""
}

func signalName(text string) (string, error) {
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if unix.SignalNum(name) != 0 {
		return name, nil
	}
	var n int
	if _, err := fmt.Sscan(text, &n); err == nil {
		if name := unix.SignalName(unix.Signal(n)); name != "" {
			return name, nil
		}
	}
	return "", usage("%q is no signal: write it as SIGSEGV", text)
}

func printVerdict(w io.Writer, v crash.Verdict, about string, asJSON bool) error {
	if asJSON {
		return printJSON(w, v)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", v.Summary, v.Kind)
	for _, row := range [][2]string{{"remedy", v.Remedy}, {"line", v.Line}, {"report", words.Plain(about)}} {
		if row[1] != "" {
			fmt.Fprintf(&b, "  %-6s  %s\n", row[0], row[1])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
