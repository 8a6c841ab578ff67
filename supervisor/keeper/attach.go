package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

const (
	silence  = 2 * time.Second        // how long a keeper may take to say hello, or to begin to listen
	busyTime = 200 * time.Millisecond // how long a client that was killed just now may take to die
	retry    = 10 * time.Millisecond
)

// Attach attaches to the keeper of the folder dir:
//
//	lock  socket   exit.json                        Attach returns
//	held  answers  any                              attached; the exit is told again if there is one
//	held  silent   any                              ErrSilent; never a reason for a signal
//	free  -        matches run.json                 records only: Wait returns how it ended
//	free  -        missing, run.json of this boot   records only: Wait returns an Exit that is not Known
//	free  -        missing, run.json of another     ErrNone: the computer was restarted
//	free  -        both missing                     ErrNone
//
// A *BusyError names the process that is attached already. The socket is dialled first and the lock tested only when that is
// refused, so that a test of the lock never stands in the way of a keeper that answers.
func Attach(ctx context.Context, dir string) (*Conn, error) {
	c, err := attach(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("attaching to the keeper: %w", err)
	}
	return c, nil
}

func attach(ctx context.Context, dir string) (*Conn, error) {
	path := filepath.Join(dir, sockFile)
	if err := checkSocketPath(runtime.GOOS, path); err != nil {
		return nil, err
	}
	for begin := time.Now(); ; {
		c, err := dial(ctx, dir, path)
		if err == nil {
			return c, nil
		}
		patience := silence
		var busy *BusyError
		switch {
		case absent(err):
			held, lerr := lockHeld(dir)
			if lerr != nil {
				return nil, lerr
			}
			if !held {
				return recordsOnly(dir)
			}
			err = ErrSilent
		case errors.As(err, &busy):
			if p, ferr := proc.Find(busy.PID); ferr == nil && !p.Zombie {
				patience = busyTime
			}
		case passing(err):
			err = ErrSilent
		default:
			return nil, err
		}
		if time.Since(begin) >= patience {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(retry):
		}
	}
}

// absent: nobody listens.
func absent(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}

// passing: the keeper was leaving just now, or its queue was full. macOS says ENOTCONN of a socket whose other end has closed.
func passing(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOTCONN)
}

// dial connects and exchanges hellos.
func dial(ctx context.Context, dir, path string) (*Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	u := nc.(*net.UnixConn)
	c, err := greet(ctx, dir, u)
	if err != nil {
		u.Close()
		return nil, err
	}
	return c, nil
}

func greet(ctx context.Context, dir string, u *net.UnixConn) (*Conn, error) {
	uid, err := PeerUID(u)
	if err != nil {
		return nil, err
	}
	if uid != os.Getuid() {
		return nil, fmt.Errorf("the socket belongs to user %d", uid)
	}
	stop := context.AfterFunc(ctx, func() { u.Close() })
	defer stop()
	_ = u.SetDeadline(time.Now().Add(silence))
	if _, err := u.Write(message{Type: typeHello, Proto: proto, Version: Version, PID: os.Getpid()}.encode()); err != nil && !errors.Is(err, syscall.EPIPE) {
		return nil, silent(ctx, err)
	}
	d := newDecoder(u)
	m, err := d.next()
	if err != nil {
		return nil, silent(ctx, err)
	}
	if m.Type == typeBusy {
		return nil, &BusyError{PID: m.PID}
	}
	if m.Type != typeHello {
		return nil, fmt.Errorf("the keeper began with %q instead of hello", m.Type)
	}
	c := newConn(dir)
	c.conn, c.pid, c.version = u, m.PID, m.Version
	if err := c.take(m); err != nil {
		return nil, err
	}
	if !stop() { // ctx ended, and with it the connection
		return nil, ctx.Err()
	}
	_ = u.SetDeadline(time.Time{})
	go c.read(d)
	return c, nil
}

// silent tells a keeper that did not answer in time from a broken connection.
func silent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrSilent
	}
	return err
}

// lockHeld tests the lock of a keeper's folder. A folder that is not there has nobody who holds it.
func lockHeld(dir string) (bool, error) {
	f, err := safefile.OpenState(filepath.Join(dir, lockFile), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("testing the lock: %w", err)
	}
	defer f.Close()
	switch err := flock(f, syscall.LOCK_SH); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("testing the lock: %w", err)
	}
	return false, nil
}

// recordsOnly is what a keeper left behind.
func recordsOnly(dir string) (*Conn, error) {
	news := records{dir}.news()
	if news == nil {
		return nil, ErrNone
	}
	c := newConn(dir)
	c.exit = news
	return c, nil
}
