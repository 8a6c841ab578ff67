package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/doctor"
	"github.com/vivarium-app/vivarium/app/mcp"
	"github.com/vivarium-app/vivarium/app/wait"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
	"github.com/vivarium-app/vivarium/supervisor/crash/traceback"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

func mcpCommand(c console) *cobra.Command {
	return &cobra.Command{
		Use: "mcp", Short: "Serve coding agents by the Model Context Protocol, on standard input and output",
		Long: "Coding agents list, start, stop and restart backends with it, wait for them, read their logs, and ask why one died. It speaks the\n" +
			"Model Context Protocol on standard input and output; an agent starts it by itself once it is told of: see the README.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("mcp takes no arguments")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			h, err := openHome()
			if err != nil {
				return err
			}
			dir, err := folderOf("")
			if err != nil {
				return err
			}
			o := mcp.Options{Version: keeper.Version, Dir: dir, Mask: maskText}
			return mcp.Serve(ctx, c.in, c.out, agents{h}, o)
		},
	}
}

// maskText masks line by line, as every other text is masked.
func maskText(s string) string {
	return strings.Join(mask.Lines(strings.Split(s, "\n")), "\n")
}

// agents are the backends as coding agents see and use them.
type agents struct{ home }

// List has the backend around the working folder, too, though nobody may know it yet.
func (a agents) List(ctx context.Context) ([]mcp.Backend, error) {
	dirs, err := a.known(ctx)
	if err != nil {
		return nil, err
	}
	if dir, ok := around(dirs); ok && !slices.Contains(dirs, dir) {
		dirs = append(dirs, dir)
	}
	all := []mcp.Backend{}
	for _, dir := range dirs {
		row, err := a.look(ctx, dir)
		if err != nil {
			row = control.Row{Backend: nameOf(dir), State: "unknown"}
		}
		all = append(all, backendOf(dir, row))
	}
	return all, nil
}

func backendOf(dir string, r control.Row) mcp.Backend {
	return mcp.Backend{Name: r.Backend, Dir: dir, State: r.State, URL: r.URL, Held: r.HeldBy != 0}
}

func (a agents) Status(ctx context.Context, dir string) (mcp.Status, error) {
	row, err := a.look(ctx, dir)
	if err != nil {
		return mcp.Status{}, err
	}
	return statusOf(dir, row), nil
}

func statusOf(dir string, r control.Row) mcp.Status {
	s := mcp.Status{
		Backend: backendOf(dir, r), Want: r.Want, PID: r.PID, Port: r.Port, Since: r.Since, Health: r.Health.Problem, LatencyMS: r.Health.Latency,
		Crashes: r.Crashes, ConfigProblem: r.Problem, ConfigChanged: r.Changed, LogFile: r.Log, After: r.After,
	}
	if r.Awaits != nil {
		s.WaitsFor = words.AwaitsText(*r.Awaits)
	}
	if last := r.Snapshot().Last; last.Kind != "" {
		s.Verdict = &mcp.Verdict{Kind: string(last.Kind), Summary: last.Summary, Remedy: last.Remedy, Line: last.Line, At: r.LastAt}
	}
	if r.Stall != nil {
		s.Stall = stallOf(dir, *r.Stall)
	}
	return s
}

func stallOf(dir string, s stall.Stall) *mcp.Verdict {
	v := &mcp.Verdict{Kind: string(s.Kind), Summary: s.Summary, Remedy: s.Remedy, At: s.Taken}
	if s.File != "" {
		v.Line = fmt.Sprintf("%s:%d in %s", shortFile(s.File, dir), s.Line, s.Function)
	}
	return v
}

func (a agents) WaitUntil(ctx context.Context, dir string, g wait.Goal) (mcp.Outcome, error) {
	reached, reason, err := a.waitFor(ctx, dir, g, time.Time{})
	if err != nil {
		return mcp.Outcome{}, err
	}
	s, err := a.Status(context.WithoutCancel(ctx), dir) // ctx may be over
	return mcp.Outcome{Reached: reached, Reason: reason, Status: s}, err
}

func (a agents) Start(ctx context.Context, dir string) (mcp.Status, error) {
	return a.wish(ctx, dir, startIntent)
}

func (a agents) Restart(ctx context.Context, dir string) (mcp.Status, error) {
	return a.wish(ctx, dir, restartIntent)
}

// wish tells the holder, and returns once it shows.
func (a agents) wish(ctx context.Context, dir string, i intent) (mcp.Status, error) {
	err := a.ask(ctx, unseen, dir, i, false)
	if errors.Is(err, control.ErrNotHeld) {
		return mcp.Status{}, fmt.Errorf("no Vivarium program keeps %s: ask the user to open the Vivarium app and add the folder there, or run `vivarium run %s` in a terminal of its own", nameOf(dir), environment.Quote(dir))
	}
	if err != nil {
		return mcp.Status{}, err
	}
	return a.Status(ctx, dir)
}

// unseen is where commands write that answer by the protocol instead.
var unseen = console{in: strings.NewReader(""), out: io.Discard, err: io.Discard}

func (a agents) Stop(ctx context.Context, dir string) (mcp.Status, error) {
	s := stopper{a.home, unseen, false, true}
	if err := s.stop(ctx, a.folder(dir), nameOf(dir), control.LadderOf(dir)); err != nil {
		return mcp.Status{}, err
	}
	return a.Status(ctx, dir)
}

func (a agents) Logs(_ context.Context, dir string, q mcp.LogQuery) (mcp.Logs, error) {
	c, err := config.Load(dir)
	if err != nil {
		return mcp.Logs{}, err
	}
	text, current, err := lastOf(c.Log.File, maxSearched)
	if err != nil {
		return mcp.Logs{}, err
	}
	if current != nil {
		current.Close()
	}
	if len(text) == 0 {
		return mcp.Logs{Lines: []string{}, File: c.Log.File}, nil
	}
	all := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if q.Since == 0 && q.Search == "" && q.Level == "" { // the newest lines, whatever they say
		all = all[max(0, len(all)-q.Tail-aroundSecret):]
	}
	// They are masked before some are left out: the line above may be what says that a line is a secret, and no search finds one piece by piece.
	lines, more, err := filterLog(mask.Lines(all), q, time.Now())
	return mcp.Logs{Lines: lines, File: c.Log.File, Truncated: more}, err
}

// aroundSecret is how many lines before those that are shown are looked at: a private key has about sixty.
const aroundSecret = 200

// Why is the present stall, or the last death on record.
func (a agents) Why(ctx context.Context, dir string) (mcp.Why, error) {
	last, ok, err := a.last(dir)
	if err != nil {
		return mcp.Why{}, err
	}
	row, err := a.look(ctx, dir)
	if err != nil {
		return mcp.Why{}, err
	}
	if row.Stall != nil {
		v := stallOf(dir, *row.Stall)
		return mcp.Why{Found: true, Stall: true, Verdict: *v, Frames: slices.DeleteFunc([]string{v.Line}, func(s string) bool { return s == "" })}, nil
	}
	if s := row.Snapshot().Last; s.Kind != "" && (!ok || row.LastAt.After(last.At)) { // it never ran: a configuration, a port
		return mcp.Why{Found: true, Verdict: *statusOf(dir, row).Verdict}, nil
	}
	if !ok {
		return mcp.Why{}, nil
	}
	v := last.Verdict
	w := mcp.Why{
		Found: true, Verdict: mcp.Verdict{Kind: string(v.Kind), Summary: v.Summary, Remedy: v.Remedy, Line: v.Line, At: last.At},
		Exit: last.Signal, Frames: ownFrames(last.Tail, dir), Tail: last.Tail[max(0, len(last.Tail)-mostTail):], Record: mcp.RecordURI(row.Backend),
	}
	if code := exitCodeOf(last.Death); code != nil {
		w.Exit = fmt.Sprintf("code %d", *code)
	}
	return w, nil
}

const mostTail = 40 // lines of the log before a death: an agent can ask for more

// last is the last death on record, as far as it is known.
func (a agents) last(dir string) (record.Record, bool, error) {
	deaths, err := record.All(a.folder(dir))
	if err != nil || len(deaths) == 0 {
		return record.Record{}, false, err
	}
	d := deaths[len(deaths)-1]
	if d.File == "" {
		return record.Record{Death: d.Death}, true, nil
	}
	r, err := record.Read(d.File)
	if err != nil {
		return record.Record{Death: d.Death}, true, nil // its file was swept meanwhile
	}
	return r, true, nil
}

// ownFrames are the frames of the last exception that lie in the backend's own code, the innermost first.
func ownFrames(tail []string, dir string) []string {
	found := traceback.Find(tail)
	if len(found) == 0 {
		return nil
	}
	var frames []string
	for _, f := range slices.Backward(found[len(found)-1].Frames) {
		if !crash.Own(dir, f.File) {
			continue
		}
		if rel, err := filepath.Rel(dir, f.File); err == nil && filepath.IsLocal(rel) {
			f.File = rel
		}
		frames = append(frames, strings.TrimSuffix(fmt.Sprintf("%s:%s in %s", f.File, f.Line, f.Function), " in "))
	}
	return frames
}

// Stacks are what the recorder in the server tells of its threads and of its suspended tasks.
func (a agents) Stacks(ctx context.Context, dir string) (mcp.Stacks, error) {
	seen, _, err := a.stacks(ctx, dir)
	out := mcp.Stacks{Processes: []mcp.Process{}}
	if err != nil {
		out.Problem = err.Error()
		return out, nil
	}
	for _, p := range seen.Processes {
		process := mcp.Process{PID: p.PID, Threads: []mcp.Thread{}}
		for _, t := range append(slices.Clone(p.Threads), p.Tasks...) {
			thread := mcp.Thread{Name: t.Title(), Frames: []string{}}
			for _, f := range t.Frames {
				thread.Frames = append(thread.Frames, fmt.Sprintf("%s:%d in %s", shortFile(f.File, dir), f.Line, f.Function))
			}
			process.Threads = append(process.Threads, thread)
		}
		if p.Problem != "" {
			out.Problem = fmt.Sprintf("process %d: %s", p.PID, p.Problem)
		}
		out.Processes = append(out.Processes, process)
	}
	return out, nil
}

func (a agents) Doctor(ctx context.Context, dir string) (mcp.Diagnosis, error) {
	x, err := doctor.Diagnose(ctx, a.state, dir, nil)
	if err != nil {
		return mcp.Diagnosis{}, err
	}
	d := mcp.Diagnosis{Findings: []mcp.Finding{}}
	for _, c := range x.Checks {
		d.Findings = append(d.Findings, mcp.Finding{Code: c.Code, Status: string(c.State), Summary: c.Name + ": " + c.Text, Remedy: c.Remedy})
	}
	return d, nil
}

func (a agents) Record(_ context.Context, dir string) (markdown, data string, err error) {
	r, ok, err := a.last(dir)
	if err != nil || !ok {
		return "", "", err
	}
	r.Tail = mask.Lines(r.Tail)
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", "", fmt.Errorf("writing the record: %w", err)
	}
	r.At = r.At.Local()
	return pageWords().Markdown(r), string(text), nil
}
