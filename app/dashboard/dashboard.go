// Package dashboard serves the live page: one person, on a random port of 127.0.0.1, for as long as a page is open. It holds no state of
// backends: what it shows comes from whoever implements the interfaces below, and from the log files. Whoever calls must know the secret,
// which the page takes from the fragment of its address; requests of other pages and by other names are refused. Fragments of HTML are made by
// app/page, and this package knows nothing of sockets to supervisors. Begin with Server, and with Open for how its one process is found.
package dashboard

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/app/logfile"
	"github.com/vivarium-app/vivarium/app/page"
)

// Backends are the backends that there are, and how each of them is.
type Backends interface {
	// Folders are those of the backends, in the menu's order.
	Folders(ctx context.Context) ([]string, error)
	// Watch tells how a backend is, at once and whenever that changes, until ctx ends. What it tells needs no ID.
	Watch(ctx context.Context, dir string, changed func(page.Backend))
	// History is what is known of the last fifteen minutes.
	History(ctx context.Context, dir string) (page.History, error)
}

// Actor does what a person asks for: nothing that the menu could not do. Its errors are words for a person.
type Actor interface {
	Do(ctx context.Context, dir string, what Action) error
}

// Action is one thing that can be asked for.
type Action string

// The actions.
const (
	Start    Action = "start"
	Stop     Action = "stop"
	Restart  Action = "restart"
	TakeOver Action = "take-over"
	Hurry    Action = "hurry"
	Browse   Action = "open"   // the backend's address, in the browser
	Reveal   Action = "reveal" // its folder
	Edit     Action = "edit"   // its configuration, in an editor
)

// Records are the deaths and stalls on record.
type Records interface {
	// Deaths are the latest first.
	Deaths(ctx context.Context, dir string) ([]page.Death, error)
	// Report writes the report on one of them, with page.Words.Report.
	Report(ctx context.Context, dir, id string, out io.Writer) error
	// Output is the line that decided, and the last lines of output with it, both masked as in the record.
	Output(ctx context.Context, dir, id string) (line string, tail []string, err error)
}

// Insight is what can be found out about a backend on request.
type Insight interface {
	// Examine is the doctor's. progress may be called from any goroutine, with a share from 0 to 1.
	Examine(ctx context.Context, dir string, progress func(float64)) (page.Doctor, error)
	Stacks(ctx context.Context, dir string) (page.Doing, error)
	Environment(ctx context.Context, dir string) (page.Environment, error)
	Config(ctx context.Context, dir string) (page.Config, error)
}

// Sources is everything that the dashboard shows.
type Sources struct {
	Backends Backends
	Actor    Actor
	Records  Records
	Insight  Insight
	Words    page.Words
	Mask     func(line string) string // takes secrets out of a line of a log
	Asked    func(dir string)         // a person wants to see the backend in that folder, which may be on no list. If nil, it is not shown
}

// lookAfter is how long a file that was removed is kept open at most.
const lookAfter = 10 * time.Second

// idle is how long the dashboard waits for a page: the first, or another after the last.
const idle = time.Minute

// Server is the dashboard of one process.
type Server struct {
	from   Sources
	secret string
	host   string // "127.0.0.1:49152": what requests must be addressed to
	life   *lifetime
	hub    *hub

	mu      sync.Mutex
	logs    map[string]*logfile.Log // by path
	tickets map[string]ticket
	streams []*context.CancelCauseFunc // of the pages that are told of changes, the oldest first
	doctors map[string]page.Doctor     // the latest examination of each backend, by folder
}

// New makes the server that listens at ln. It serves as soon as Serve is called.
func New(ln net.Listener, from Sources) *Server {
	s := &Server{
		from: from, secret: newSecret(), host: ln.Addr().String(), life: newLifetime(idle),
		logs: map[string]*logfile.Log{}, tickets: map[string]ticket{}, doctors: map[string]page.Doctor{},
	}
	s.hub = newHub(from.Backends)
	return s
}

// newSecret is 256 random bits, as a fragment of an address can hold them.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it cannot fail: see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// URL is the address of the page, of a backend's part of it if dir is one's folder. It ends with the secret.
func (s *Server) URL(dir string) string {
	path := "/"
	if dir != "" {
		path = "/b/" + ID(dir)
	}
	return "http://" + s.host + path + "#" + s.secret
}

// Expect says that a page is about to come: the server waits another minute. false: it ends already.
func (s *Server) Expect() bool { return s.life.expect() }

// Serve answers until ctx ends, or until no page has been open for a minute.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, // requests end with us
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(ln) }()
	go s.hub.run(ctx)
	go s.lookAtLogs(ctx)
	var err error
	select {
	case <-ctx.Done():
	case <-s.life.ended():
	case err = <-failed:
		err = fmt.Errorf("serving the dashboard: %w", err)
	}
	cancel()
	last, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	if h.Shutdown(last) != nil {
		_ = h.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.logs {
		l.Close()
	}
	return err
}

// lookAtLogs lets go of files that were rotated away: as long as they are open, the disk keeps what is in them.
func (s *Server) lookAtLogs(ctx context.Context) {
	tick := time.NewTicker(lookAfter)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		logs := slices.Collect(maps.Values(s.logs))
		s.mu.Unlock()
		for _, l := range logs {
			if snapshot, err := l.Snapshot(); err == nil {
				snapshot.Close()
			}
		}
	}
}

// Listen is a listener on a random port of 127.0.0.1.
func Listen() (net.Listener, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the dashboard: %w", err)
	}
	return ln, nil
}

//go:embed static
var static embed.FS
