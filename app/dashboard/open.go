package dashboard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

const (
	lockName   = "dashboard.lock"
	socketName = "dashboard.ctl"
	doorTime   = 5 * time.Second

	redirectName = "dashboard.html"
)

// ErrNone: no dashboard is served.
var ErrNone = errors.New("no dashboard is served")

// Door makes a dashboard the only one of a state folder, and tells its address to whoever asks at its socket, and may. The secret is in no
// file and in no list of processes.
type Door struct {
	lock *os.File
	ln   *net.UnixListener
}

// OpenDoor takes the state folder. It returns keeper.ErrLocked if another dashboard has it.
func OpenDoor(state string) (*Door, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	lock, err := keeper.Lock(filepath.Join(state, lockName))
	if err != nil {
		return nil, err
	}
	ln, err := keeper.ListenUnix(filepath.Join(state, socketName))
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &Door{lock, ln}, nil
}

// Serve answers with the address that url gives for a backend's folder, "" for all, until the door is closed. Without an address the dashboard
// ends.
func (d *Door) Serve(url func(dir string) string) {
	for {
		conn, err := d.ln.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: it may pass
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go answer(conn, url)
	}
}

func answer(conn *net.UnixConn, url func(dir string) string) {
	defer conn.Close()
	if uid, err := keeper.PeerUID(conn); err != nil || uid != os.Getuid() {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(doorTime))
	said, err := bufio.NewReaderSize(conn, 8192).ReadString('\n')
	if dir, ok := strings.CutPrefix(strings.TrimSuffix(said, "\n"), "url "); ok && err == nil {
		_, _ = fmt.Fprintln(conn, url(dir))
	}
}

// Close lets another dashboard take the state folder.
func (d *Door) Close() {
	_ = d.ln.Close()
	_ = d.lock.Close()
}

// Find is the address of the dashboard that is served for a state folder; ErrNone if there is none. A page is expected from then on.
func Find(ctx context.Context, state, dir string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, doorTime)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", filepath.Join(state, socketName))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return "", ErrNone
	}
	if err != nil {
		return "", fmt.Errorf("asking for the dashboard: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if uid, err := keeper.PeerUID(conn.(*net.UnixConn)); err != nil || uid != os.Getuid() {
		return "", fmt.Errorf("asking for the dashboard: its socket belongs to another user (%d)", uid)
	}
	if _, err := fmt.Fprintf(conn, "url %s\n", dir); err != nil {
		return "", ErrNone // it ends
	}
	url, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "", ErrNone
	}
	if url = strings.TrimSpace(url); url == "" {
		return "", ErrNone // it ends
	}
	return url, nil
}

var redirect = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>Vivarium</title>
<meta http-equiv="refresh" content="0;url={{.}}"></head>
<body><p><a href="{{.}}" rel="noreferrer">Open the dashboard</a></p></body></html>
`))

// Redirect writes a file that only its owner can read, and that leads a browser to the address. Opening the address itself would show its
// secret to every user of the computer, in the list of processes.
func Redirect(state, url string) (string, error) {
	var b strings.Builder
	if err := redirect.Execute(&b, url); err != nil {
		return "", fmt.Errorf("writing the way to the dashboard: %w", err)
	}
	path := filepath.Join(state, redirectName)
	if err := safefile.Replace(path, []byte(b.String())); err != nil {
		return "", fmt.Errorf("writing the way to the dashboard: %w", err)
	}
	return path, nil
}

// Run serves the dashboard of a state folder until ctx ends, or until no page has been open for a minute. ready is told its address. It returns
// keeper.ErrLocked if one is served already: then Find gives its address.
func Run(ctx context.Context, state string, from Sources, ready func(*Server)) error {
	door, err := OpenDoor(state)
	if err != nil {
		return err
	}
	defer door.Close()
	defer func() { _ = os.Remove(filepath.Join(state, redirectName)) }() // what it leads to has ended
	ln, err := Listen()
	if err != nil {
		return err
	}
	s := New(ln, from)
	go door.Serve(func(dir string) string {
		if !s.Expect() {
			return ""
		}
		if from.Asked != nil {
			from.Asked(dir)
		}
		return s.URL(dir)
	})
	ready(s)
	return s.Serve(ctx, ln)
}
