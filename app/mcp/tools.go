package mcp

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/vivarium-app/vivarium/app/wait"
)

type tools struct {
	b         Backends
	o         Options
	arguments map[string][]string // of each tool
}

// backendArgument is the argument that most tools have.
type backendArgument struct {
	Backend string `json:"backend,omitempty" jsonschema:"the backend's name or folder; may be left out in a backend's folder, or if there is only one"`
}

type noArguments struct{}

type listed struct {
	Backends []Backend `json:"backends"`
}

type waitArguments struct {
	backendArgument
	For     string  `json:"for,omitempty" jsonschema:"healthy (the default) or stopped"`
	Timeout float64 `json:"timeout_seconds,omitempty" jsonschema:"how long to wait at most; 60 if left out, at most 600"`
}

type logArguments struct {
	backendArgument
	Tail   int    `json:"tail,omitempty" jsonschema:"how many lines at most, the newest ones; 100 if left out, at most 2000"`
	Since  string `json:"since,omitempty" jsonschema:"only lines of this last span: 10m, 2h"`
	Search string `json:"search,omitempty" jsonschema:"only lines that contain this text, in any case"`
	Level  string `json:"level,omitempty" jsonschema:"error or warning: only lines of this level and worse"`
}

// reading are the hints of a tool that changes nothing.
func reading(title string) *mcp.ToolAnnotations {
	return &mcp.ToolAnnotations{Title: title, ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: new(false)}
}

func acting(title string, destructive, idempotent bool) *mcp.ToolAnnotations {
	return &mcp.ToolAnnotations{Title: title, DestructiveHint: new(destructive), IdempotentHint: idempotent, OpenWorldHint: new(false)}
}

func (t tools) addReading(s *mcp.Server) {
	addTool(t, s, &mcp.Tool{Name: "list_backends", Description: "Every backend that Vivarium knows, with its state.", Annotations: reading("List backends")},
		func(ctx context.Context, _ *mcp.CallToolRequest, _ noArguments) (*mcp.CallToolResult, listed, error) {
			all, err := t.b.List(ctx)
			if err != nil {
				return nil, listed{}, errors.New(t.o.Mask(err.Error()))
			}
			if all == nil {
				all = []Backend{}
			}
			return nil, masked(t, listed{all}), nil
		})
	add(t, s, &mcp.Tool{Name: "status", Description: "How a backend is now: its state, health, address, and why it last ended unasked.", Annotations: reading("Status")}, t.b.Status)
	add(t, s, &mcp.Tool{Name: "why", Description: "Why a backend last died, or why it does not answer now: the cause, a remedy, the deciding line, and the frames of the user's own code.", Annotations: reading("Why it died or stands still")}, t.why)
	add(t, s, &mcp.Tool{Name: "stacks", Description: "Where every Python thread of a running backend is at this moment.", Annotations: reading("Python stacks")}, t.b.Stacks)
	add(t, s, &mcp.Tool{Name: "doctor", Description: "Checks a backend's environment: interpreter, packages, OpenMP copies, port, configuration.", Annotations: reading("Doctor")}, t.b.Doctor)
	addTool(t, s, &mcp.Tool{Name: "logs", Description: "The newest lines of a backend's log, filtered by time, text or level.", Annotations: reading("Logs")}, t.logs)
	addTool(t, s, &mcp.Tool{Name: "wait_until", Description: "Waits until a backend is healthy (or stopped), and says why if it does not become so.", Annotations: reading("Wait")}, t.wait)
}

func (t tools) addActing(s *mcp.Server) {
	add(t, s, &mcp.Tool{Name: "start", Description: "Starts a backend. Returns at once: call wait_until next.", Annotations: acting("Start", false, true)}, t.b.Start)
	add(t, s, &mcp.Tool{Name: "stop", Description: "Stops a backend, and returns when nothing of it is left.", Annotations: acting("Stop", true, true)}, t.b.Stop)
	add(t, s, &mcp.Tool{Name: "restart", Description: "Stops a backend and starts it anew, with the code and configuration of now. Returns at once: call wait_until next.", Annotations: acting("Restart", true, false)}, t.b.Restart)
}

// add adds a tool whose only argument is the backend.
func add[Out any](t tools, s *mcp.Server, tool *mcp.Tool, do func(context.Context, string) (Out, error)) {
	addTool(t, s, tool, func(ctx context.Context, _ *mcp.CallToolRequest, in backendArgument) (*mcp.CallToolResult, Out, error) {
		var out Out
		dir, err := t.resolve(ctx, in.Backend)
		if err != nil {
			return nil, out, err
		}
		out, err = do(ctx, dir)
		if err != nil {
			return nil, out, errors.New(t.o.Mask(err.Error()))
		}
		return nil, masked(t, out), nil
	})
}

func (t tools) logs(ctx context.Context, _ *mcp.CallToolRequest, in logArguments) (*mcp.CallToolResult, Logs, error) {
	q := LogQuery{Tail: in.Tail, Search: in.Search, Level: strings.ToLower(in.Level)}
	switch {
	case in.Tail == 0:
		q.Tail = 100
	case in.Tail < 0 || in.Tail > MaxTail:
		return nil, Logs{}, fmt.Errorf("tail is %d: it is 1 to %d", in.Tail, MaxTail)
	}
	if in.Since != "" {
		d, err := time.ParseDuration(in.Since)
		if err != nil || d <= 0 {
			return nil, Logs{}, fmt.Errorf("since is %q: it is a span such as 30s, 10m or 2h", in.Since)
		}
		q.Since = d
	}
	if !slices.Contains([]string{"", "error", "warning"}, q.Level) {
		return nil, Logs{}, fmt.Errorf("level is %q: it is error or warning", in.Level)
	}
	dir, err := t.resolve(ctx, in.Backend)
	if err != nil {
		return nil, Logs{}, err
	}
	logs, err := t.b.Logs(ctx, dir, q)
	if err != nil {
		return nil, Logs{}, errors.New(t.o.Mask(err.Error()))
	}
	return nil, bounded(masked(t, logs)), nil
}

// maxLogBytes is what an agent can use of a log at once.
const maxLogBytes = 200 << 10

// bounded keeps the newest lines that fit, and cuts lines that nobody reads to their end.
func bounded(l Logs) Logs {
	left := maxLogBytes
	for i := len(l.Lines) - 1; i >= 0; i-- {
		if runes := []rune(l.Lines[i]); len(runes) > 4000 {
			l.Lines[i] = string(runes[:4000]) + "…"
		}
		if left -= len(l.Lines[i]) + 1; left < 0 {
			l.Lines, l.Truncated = l.Lines[i+1:], true
			break
		}
	}
	if l.Lines == nil {
		l.Lines = []string{}
	}
	return l
}

func (t tools) wait(ctx context.Context, _ *mcp.CallToolRequest, in waitArguments) (*mcp.CallToolResult, Outcome, error) {
	goal, err := wait.ParseGoal(in.For)
	if err != nil {
		return nil, Outcome{}, err
	}
	timeout := time.Duration(in.Timeout * float64(time.Second))
	switch {
	case in.Timeout == 0:
		timeout = wait.DefaultTimeout
	case in.Timeout < 0 || in.Timeout > 600:
		return nil, Outcome{}, fmt.Errorf("timeout_seconds is %g: it is more than 0 and at most 600", in.Timeout)
	}
	dir, err := t.resolve(ctx, in.Backend)
	if err != nil {
		return nil, Outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := t.b.WaitUntil(ctx, dir, goal)
	if err != nil {
		return nil, Outcome{}, errors.New(t.o.Mask(err.Error()))
	}
	return nil, masked(t, out), nil
}

// why names the record so that it can be read, also where two backends have one name.
func (t tools) why(ctx context.Context, dir string) (Why, error) {
	w, err := t.b.Why(ctx, dir)
	if err != nil || w.Record == "" {
		return w, err
	}
	all, err := t.b.List(ctx)
	for _, b := range all {
		if b.Dir == dir {
			w.Record = RecordURI(reference(all, b))
		}
	}
	return w, err
}

// reference names a backend as no other is named: by its name, or by its folder.
func reference(all []Backend, b Backend) string {
	if slices.ContainsFunc(all, func(o Backend) bool { return o.Name == b.Name && o.Dir != b.Dir }) {
		return b.Dir
	}
	return b.Name
}

// resolve finds the backend that is meant.
func (t tools) resolve(ctx context.Context, named string) (string, error) {
	all, err := t.b.List(ctx)
	if err != nil {
		return "", errors.New(t.o.Mask(err.Error()))
	}
	return Choose(all, named, t.o.Dir)
}

// Choose finds the backend that is meant: by its name or folder; without one, that in whose folder the agent works, or the only one there is.
func Choose(all []Backend, named, cwd string) (string, error) {
	if len(all) == 0 {
		return "", errors.New("Vivarium knows no backend: run `vivarium init` in a backend's folder")
	}
	if named != "" {
		return byName(all, named, cwd)
	}
	best := ""
	for _, b := range all {
		if rel, err := filepath.Rel(b.Dir, cwd); err == nil && filepath.IsLocal(rel) && len(b.Dir) > len(best) {
			best = b.Dir
		}
	}
	switch {
	case best != "":
		return best, nil
	case len(all) == 1:
		return all[0].Dir, nil
	}
	return "", fmt.Errorf("which backend? Name one of %s", namesOf(all))
}

func byName(all []Backend, named, cwd string) (string, error) {
	var found []string
	path := named
	if !filepath.IsAbs(path) {
		path = filepath.Join(cwd, path)
	}
	for _, b := range all {
		if b.Dir == filepath.Clean(path) {
			return b.Dir, nil
		}
		if b.Name == named {
			found = append(found, b.Dir)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("there is no backend %q; there is %s", named, namesOf(all))
	}
	return "", fmt.Errorf("several backends are called %q: name the folder, one of %s", named, strings.Join(found, ", "))
}

func namesOf(all []Backend) string {
	var names []string
	for _, b := range all[:min(len(all), 30)] {
		names = append(names, b.Name)
	}
	return strings.Join(names, ", ")
}
