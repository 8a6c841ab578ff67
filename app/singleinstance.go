package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// singleInstance makes the app the only one of its state folder, and lets a second one say that a person called for it.
type singleInstance struct {
	lock *os.File
	ln   *net.UnixListener
}

// showWord is what a second instance says.
const showWord = "show\n"

// claimSingleInstance returns ErrRunning if another app has the state folder; that one is told.
func claimSingleInstance(state string) (*singleInstance, error) {
	at := filepath.Join(state, "app.ctl")
	lock, err := keeper.Lock(filepath.Join(state, "app.lock"))
	if errors.Is(err, keeper.ErrLocked) {
		askToShow(at)
		return nil, ErrRunning
	}
	if err != nil {
		return nil, fmt.Errorf("taking the state folder: %w", err)
	}
	ln, err := keeper.ListenUnix(at)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &singleInstance{lock, ln}, nil
}

// askToShow does what it can: the other app may be on its way in or out, and then there is nobody to tell.
func askToShow(path string) {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte(showWord)); err == nil {
		_, _ = conn.Read(make([]byte, 1)) // its end of the connection: it has heard
	}
}

// serve calls show each time a second instance asks, until ctx ends.
func (s *singleInstance) serve(ctx context.Context, show func()) {
	stop := context.AfterFunc(ctx, func() { _ = s.ln.SetDeadline(time.Now()) })
	defer stop()
	for ctx.Err() == nil {
		conn, err := s.ln.AcceptUnix()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select { // out of descriptors: it may pass
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		s.answer(conn, show)
	}
}

// answer takes one request at a time, with little patience.
func (s *singleInstance) answer(conn *net.UnixConn, show func()) {
	defer conn.Close()
	if uid, err := keeper.PeerUID(conn); err != nil || uid != os.Getuid() {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	said := make([]byte, len(showWord))
	if n, _ := conn.Read(said); string(said[:n]) == showWord {
		show()
	}
}

func (s *singleInstance) close() {
	_ = s.ln.Close()
	_ = s.lock.Close()
}
