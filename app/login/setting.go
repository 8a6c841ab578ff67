package login

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// ServiceLabel is the label of the launch agent in the app's bundle.
const ServiceLabel = BundleID + ".login"

// Items is macOS's service for login items. Each call may take a while. app/tray has the real one.
type Items interface {
	State() (State, error)
	Register() (State, error)
	Unregister() (State, error)
	Legacy(file string) (State, error) // what macOS says of a launch agent in a file
}

// Setting is "Launch at Login": the one wish of a person, and what the system makes of it. The app and the command line each have one, so that a
// change holds a lock in the state folder from reading what is remembered to writing it. Its methods may block, and may be called from
// any goroutine.
type Setting struct {
	Item  Item
	Items Items  // nil: this program cannot ask macOS's service, or there is none
	State string // the state folder, which remembers the wish
	Build string // of this app
	// Patience is how long a change waits for that of another program. If 0, as long as such a change may take.
	Patience time.Duration
}

const (
	memoryName  = "login.json"
	memoryLimit = 4 << 10
	lockName    = "login.lock"
	lockTime    = 3 * askTime // a change asks macOS, asks it for something, and asks again
	lockPause   = 20 * time.Millisecond
)

// errChanging: the change would be made upon what is not true any more.
var errChanging = errors.New("another program of Vivarium is changing it: try again in a moment")

// Status says how it stands. It waits for nobody: what is remembered is replaced whole.
func (s *Setting) Status() (Status, error) {
	seen, err := s.See()
	if err != nil {
		return Status{}, err
	}
	return Tell(seen, s.recall().Leaving), nil
}

// Set switches it on or off.
func (s *Setting) Set(on bool) error {
	if on && desktop.IsTranslocated(s.Item.Program) {
		return desktop.ErrTranslocated
	}
	return s.with(func(m *Memory) error { return Set(s, m, on) })
}

// Mend is for the start of the app: it brings back what the system has lost (see Mend), also a file whose program has moved. A file that
// starts another Vivarium, which is there, is left alone.
func (s *Setting) Mend() error {
	if desktop.IsTranslocated(s.Item.Program) {
		return nil
	}
	if st, err := s.Item.Status(); err == nil && st.Other != "" && !st.Gone {
		return nil
	}
	return s.with(func(m *Memory) error {
		if _, err := s.Item.Mend(); err != nil && !isUnreadable(err) {
			return err
		}
		_, err := Mend(s, m)
		return err
	})
}

// End is for the very end of the app, which it may bring about itself: see End.
func (s *Setting) End() error {
	return s.with(func(m *Memory) error { return End(s, m) })
}

// with lends what is remembered, and saves it before an error is returned: a refusal is remembered, too.
func (s *Setting) with(do func(*Memory) error) error {
	lock, err := s.lock()
	if err != nil {
		return fmt.Errorf("remembering the login item: %w", err)
	}
	defer lock.Close()
	m := s.recall()
	before, _ := json.Marshal(m)
	problem := do(&m)
	after, err := json.Marshal(m)
	if err == nil && string(after) != string(before) {
		err = safefile.Replace(filepath.Join(s.State, memoryName), append(after, '\n'))
	}
	if err != nil {
		err = fmt.Errorf("remembering the login item: %w", err)
	}
	return errors.Join(problem, err)
}

// lock waits for its turn. The lock is the kernel's: that of a program that dies is free.
func (s *Setting) lock() (io.Closer, error) {
	patience := s.Patience
	if patience == 0 {
		patience = lockTime
	}
	for end := time.Now().Add(patience); ; time.Sleep(lockPause) {
		lock, err := keeper.Lock(filepath.Join(s.State, lockName))
		switch {
		case err == nil:
			return lock, nil
		case !errors.Is(err, keeper.ErrLocked):
			return nil, err
		case time.Now().After(end):
			return nil, errChanging
		}
	}
}

// recall reads what is remembered. A file that cannot be read is as good as none: the system has the truth, and the next wish is written anew.
func (s *Setting) recall() (m Memory) {
	text, err := safefile.ReadState(filepath.Join(s.State, memoryName), memoryLimit)
	if err != nil || json.Unmarshal(text, &m) != nil {
		return Memory{}
	}
	return m
}

// See asks the system.
func (s *Setting) See() (Seen, error) {
	seen := Seen{Service: Unavailable, FileState: Unavailable, Build: s.Build}
	st, err := s.Item.Status()
	if err != nil && !isUnreadable(err) {
		return seen, err
	}
	seen.File, seen.FileStartsUs, seen.FileDisabled = st.There, st.Enabled || st.Off, st.Off
	if s.Items == nil {
		return seen, nil
	}
	if seen.Service, err = s.Items.State(); err != nil {
		seen.Service = Failed // the file serves
	}
	if seen.File {
		if seen.FileState, err = s.Items.Legacy(st.File); err != nil {
			seen.FileState = Failed
		}
	}
	seen.Inside = s.inside()
	return seen, nil
}

// inside: the running app is the service's job, be it this process or the app that this command line belongs to. To take the job away would
// end it.
func (s *Setting) inside() bool {
	if s.Item.Getenv != nil && s.Item.Getenv("XPC_SERVICE_NAME") == ServiceLabel { // launchd gives it to its jobs
		return true
	}
	out, err := s.Item.run("launchctl", "print", fmt.Sprintf("gui/%d/%s", s.Item.UID, ServiceLabel))
	if err != nil { // it is not loaded
		return false
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(strings.TrimSpace(line), "pid = ") {
			return true
		}
	}
	return false
}

// Register, Unregister, WriteFile and RemoveFile are the steps.
func (s *Setting) Register() (State, error) {
	if s.Items == nil {
		return Unavailable, nil
	}
	return s.Items.Register()
}

func (s *Setting) Unregister() (State, error) {
	if s.Items == nil {
		return Unavailable, nil
	}
	return s.Items.Unregister()
}

func (s *Setting) WriteFile() error { return s.Item.On() }

func (s *Setting) RemoveFile() error { return s.Item.Off() }

func isUnreadable(err error) bool {
	_, ok := errors.AsType[unreadable](err)
	return ok
}
