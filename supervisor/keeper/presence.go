package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"os"
	"path/filepath"
	"time"
)

// presence is what others find a keeper by: its folder, the lock in it and the socket. Somebody may remove any of them, and a keeper
// that cannot be found is one that nobody can tell to stop, beside which a second server may be started.
type presence struct {
	dir  string
	lock *os.File
	ln   *net.UnixListener
}

// longestLook is the longest pause before the next try where a folder cannot be watched: because it is being removed, or for good.
const longestLook = 10 * time.Second

// take takes the lock and listens.
func (p *presence) take() error {
	lock, err := lockPatiently(filepath.Join(p.dir, lockFile))
	if err != nil {
		return err
	}
	ln, err := ListenUnix(filepath.Join(p.dir, sockFile))
	if err != nil {
		lock.Close()
		return err
	}
	p.lock, p.ln = lock, ln
	return nil
}

// close removes the socket, before the lock is released.
func (p *presence) close() {
	p.ln.Close()
	p.lock.Close()
}

// there says whether the lock and the socket are where they were put.
func (p *presence) there() (lock, sock bool) {
	mine, err := p.lock.Stat()
	at, lerr := os.Lstat(filepath.Join(p.dir, lockFile))
	lock = err == nil && lerr == nil && os.SameFile(mine, at)
	st, err := os.Lstat(filepath.Join(p.dir, sockFile))
	return lock, err == nil && st.Mode().Type() == fs.ModeSocket
}

// restore makes again what somebody removed, and says whether it did; the listener may be another one then. It returns ErrLocked if
// another keeper has taken the place: it is for us to leave it, because there must never be two servers.
func (p *presence) restore() (bool, error) {
	lock, sock := p.there()
	if lock && sock {
		return false, nil
	}
	if err := MakeFolder(p.dir); err != nil {
		return false, err
	}
	if !lock {
		f, err := lockPatiently(filepath.Join(p.dir, lockFile))
		if errors.Is(err, ErrLocked) {
			p.ln.SetUnlinkOnClose(false)
		}
		if err != nil {
			return false, err
		}
		p.lock.Close()
		p.lock = f
	}
	ln, err := ListenUnix(filepath.Join(p.dir, sockFile))
	if err != nil {
		return false, fmt.Errorf("making the socket again: %w", err)
	}
	p.ln.SetUnlinkOnClose(false) // the path is the new one's
	p.ln.Close()
	p.ln = ln
	return true, nil
}

// watch tells the loop that the folder may have changed: once each time it begins to look, because something may have happened before.
func (s *server) watch() {
	for pause := time.Millisecond; ; {
		wait, err := watchFolder(s.presence.dir)
		s.removed <- struct{}{}
		if err == nil {
			err = wait()
		}
		if err == nil {
			pause = time.Millisecond
			continue
		}
		time.Sleep(pause)
		pause = min(2*pause, longestLook)
	}
}

// restore runs in the loop.
func (s *server) restore() {
	again, err := s.presence.restore()
	switch {
	case errors.Is(err, ErrLocked):
		log.Print("another keeper has the folder: leaving")
		s.leaving = true
		s.stopToLeave()
		return
	case err != nil:
		log.Printf("the folder has lost its lock or its socket: %v", err)
		return
	case !again:
		return
	}
	log.Print("the folder had lost its lock or its socket: made again")
	go s.accept(s.presence.ln)
	if s.run != nil {
		s.spawner.record(s.run.run)
	}
	if s.exit != nil {
		s.spawner.record(s.exit.run)
		problem("keeping the exit", s.spawner.records.ended(noFile, s.exit.bytes))
	}
}
