// Package mcp serves the Model Context Protocol over a pair of streams: coding agents list, start, stop, restart and wait for backends, read
// their logs, and ask why one died or stands still.
// It knows the protocol and how its answers look, and nothing of sockets, files or processes: Backends does that, and is declared here. Only
// the program vivarium may import it, for what the SDK weighs.
// Begin with Serve, then tools.go.
package mcp

import (
	"context"
	"io"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/vivarium-app/vivarium/app/wait"
)

// Backends is what the tools act on. A dir is always one that List gave. Errors are told to the agent as they are: one sentence that says what
// to do.
type Backends interface {
	List(ctx context.Context) ([]Backend, error)
	Status(ctx context.Context, dir string) (Status, error)
	// WaitUntil returns when the goal is reached, when it cannot be, or when ctx ends.
	WaitUntil(ctx context.Context, dir string, g wait.Goal) (Outcome, error)
	Start(ctx context.Context, dir string) (Status, error)
	Stop(ctx context.Context, dir string) (Status, error)
	Restart(ctx context.Context, dir string) (Status, error)
	Logs(ctx context.Context, dir string, q LogQuery) (Logs, error)
	Why(ctx context.Context, dir string) (Why, error)
	Stacks(ctx context.Context, dir string) (Stacks, error)
	Doctor(ctx context.Context, dir string) (Diagnosis, error)
	// Record is the record of the last death or stall, as Markdown and as JSON.
	Record(ctx context.Context, dir string) (markdown, json string, err error)
}

// Backend is one backend in a list.
type Backend struct {
	Name  string `json:"name" jsonschema:"the backend's name, as the argument backend takes it"`
	Dir   string `json:"dir" jsonschema:"its folder, absolute"`
	State string `json:"state" jsonschema:"stopped, starting, healthy, unhealthy, stopping, restarting or gave-up"`
	URL   string `json:"url,omitempty" jsonschema:"where it answers"`
	Held  bool   `json:"held" jsonschema:"whether a Vivarium program keeps it now; only then it can be started or restarted"`
}

// Status is a backend as it is now.
type Status struct {
	Backend
	Want          bool      `json:"want" jsonschema:"whether it is meant to run"`
	PID           int       `json:"pid,omitempty"`
	Port          int       `json:"port,omitempty"`
	Since         time.Time `json:"since,omitzero" jsonschema:"since when it is in this state"`
	Health        string    `json:"health,omitempty" jsonschema:"why the last health probe failed, empty if it did not"`
	LatencyMS     float64   `json:"latency_ms,omitempty"`
	Crashes       int       `json:"crashes" jsonschema:"since a person last started it or a run proved stable"`
	ConfigProblem string    `json:"config_problem,omitempty"`
	WaitsFor      string    `json:"waits_for,omitempty" jsonschema:"the backend that has to be healthy before this one is started, and what is with it"`
	After         []string  `json:"after,omitempty" jsonschema:"the backends that it is started after"`
	ConfigChanged bool      `json:"config_changed,omitempty" jsonschema:"the configuration changed since the start: restart to apply it"`
	LogFile       string    `json:"log_file,omitempty"`
	Verdict       *Verdict  `json:"verdict,omitempty" jsonschema:"why it last ended unasked"`
	Stall         *Verdict  `json:"stall,omitempty" jsonschema:"why it does not answer now"`
}

// Verdict is why a run ended, or why one does not answer.
type Verdict struct {
	Kind    string    `json:"kind" jsonschema:"a stable name of the cause"`
	Summary string    `json:"summary" jsonschema:"the cause in one sentence"`
	Remedy  string    `json:"remedy,omitempty" jsonschema:"what mends it"`
	Line    string    `json:"line,omitempty" jsonschema:"the line or frame that decided"`
	At      time.Time `json:"at,omitzero"`
}

// Outcome is how waiting ended.
type Outcome struct {
	Reached bool   `json:"reached" jsonschema:"whether it is so"`
	Reason  string `json:"reason,omitempty" jsonschema:"why it is not, or not yet"`
	Status  Status `json:"status"`
}

// LogQuery is which lines of a log are wanted: the last Tail of those that pass.
type LogQuery struct {
	Tail   int           // 1…MaxTail
	Since  time.Duration // 0: from the beginning
	Search string        // a text that a line must have, in any case; "" for every line
	Level  string        // "", "error" or "warning": this and worse
}

// MaxTail is how many lines of a log are given at once.
const MaxTail = 2000

// Logs are lines of a log, the oldest first.
type Logs struct {
	Lines     []string `json:"lines"`
	File      string   `json:"file,omitempty"`
	Truncated bool     `json:"truncated,omitempty" jsonschema:"there are older lines that pass"`
}

// Why is the last death or the present stall.
type Why struct {
	Found   bool     `json:"found" jsonschema:"false if it neither died nor stands still"`
	Stall   bool     `json:"stall,omitempty" jsonschema:"it is a stall: the process lives"`
	Verdict Verdict  `json:"verdict,omitzero"`
	Frames  []string `json:"frames,omitempty" jsonschema:"the frames of the user's own code, the innermost first"`
	Exit    string   `json:"exit,omitempty" jsonschema:"how the process ended: SIGSEGV, or code 1"`
	Tail    []string `json:"tail,omitempty" jsonschema:"the last lines of the log before it"`
	Record  string   `json:"record,omitempty" jsonschema:"the resource with the whole record"`
}

// Stacks are the Python stacks of a backend's processes.
type Stacks struct {
	Processes []Process `json:"processes"`
	Problem   string    `json:"problem,omitempty" jsonschema:"why there are none"`
}

// Process is one process with its threads.
type Process struct {
	PID     int      `json:"pid"`
	Threads []Thread `json:"threads"`
}

// Thread is one thread's stack, the innermost frame first.
type Thread struct {
	Name   string   `json:"name"`
	Frames []string `json:"frames"`
}

// Diagnosis is what the doctor found.
type Diagnosis struct {
	Findings []Finding `json:"findings"`
}

// Finding is what one check of the doctor found.
type Finding struct {
	Code    string `json:"code"`
	Status  string `json:"status" jsonschema:"pass, warn or fail"`
	Summary string `json:"summary"`
	Remedy  string `json:"remedy,omitempty"`
}

// Options are what a server needs besides the backends.
type Options struct {
	Version string
	Dir     string              // the folder in which the agent works: a backend there is meant where none is named
	Mask    func(string) string // hides secrets in every text that leaves
}

// Serve answers one client until it goes or ctx ends. Nothing but the protocol is written to out.
func Serve(ctx context.Context, in io.Reader, out io.Writer, b Backends, o Options) error {
	s := New(b, o)
	err := s.Run(ctx, &mcp.IOTransport{Reader: io.NopCloser(in), Writer: writeCloser{out}, MaxLineLength: 1 << 20})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type writeCloser struct{ io.Writer }

func (writeCloser) Close() error { return nil }

const instructions = `Vivarium keeps local Python servers (backends) alive and explains their deaths. ` +
	`Start and stop them here instead of running uvicorn, flask or a start script by hand: Vivarium keeps their ports, and a second copy would ` +
	`meet "address already in use". A process that finds VIVARIUM_RUN in its environment is supervised already. ` +
	`After an edit call restart, then wait_until. If wait_until says that it is not healthy, call why.`

// New is a server with every tool and resource.
func New(b Backends, o Options) *mcp.Server {
	if o.Mask == nil {
		o.Mask = func(s string) string { return s }
	}
	s := mcp.NewServer(&mcp.Implementation{Name: "vivarium", Title: "Vivarium", Version: o.Version}, &mcp.ServerOptions{
		Instructions: instructions, Capabilities: &mcp.ServerCapabilities{},
	})
	t := tools{b, o, map[string][]string{}}
	s.AddReceivingMiddleware(t.explainArguments, t.listRecords)
	t.addReading(s)
	t.addActing(s)
	t.addResources(s)
	return s
}
