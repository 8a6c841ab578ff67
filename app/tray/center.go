package tray

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/app/notice"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// showTime is how long macOS may take to accept a notice, which it mostly does in milliseconds.
const showTime = 5 * time.Second

// What macOS says of notices, in words for a person. The system's own words are in brackets behind any other trouble.
var (
	errUndecided = errors.New("nobody was asked yet whether Vivarium may show notifications: adding a backend asks, and so does Send Test Notification")
	errDenied    = errors.New("notifications of Vivarium are not allowed in System Settings")
	errSilent    = errors.New("macOS's notification center does not answer")
)

// unsignedWhy is behind a refusal of macOS's to ask at all: some versions of it ask for no app that is signed ad hoc, and list none in
// System Settings either.
const unsignedWhy = ": this build is not signed with a Developer ID, and macOS may refuse notifications to such a one without asking you"

// refusedError: macOS did not ask the person. What it says of a notice afterwards, "not allowed", is no word of theirs.
type refusedError struct {
	said  string // by macOS
	adHoc bool
}

func (e *refusedError) Error() string {
	text := "macOS did not ask whether Vivarium may show notifications (" + words.Short(e.said, 200) + ")"
	if e.adHoc {
		text += unsignedWhy
	}
	return text
}

// nativeCenter is macOS's side of a center. No method blocks; what comes of it comes as an answer of that number.
type nativeCenter interface {
	ask(call uint64)
	state(call uint64)
	show(call uint64, id, title, body, backend string, buttons bool)
}

// center is the notification center of a Mac. Answers and clicks come on threads of macOS, calls from goroutines.
type center struct {
	native nativeCenter
	adHoc  func() bool // this program is signed by nobody
	clicks chan notice.Click
	prefix string // of the notices' identifiers: those of an earlier launch are not replaced

	mu    sync.Mutex
	next  uint64
	calls map[uint64]chan string
	why   *refusedError // macOS refused to ask
}

var _ notice.Center = (*center)(nil)

func newCenter(n nativeCenter, adHoc func() bool) *center {
	return &center{
		native: n, adHoc: adHoc, clicks: make(chan notice.Click, 8), calls: map[uint64]chan string{},
		prefix: fmt.Sprintf("%d-%d", os.Getpid(), time.Now().Unix()),
	}
}

func (c *center) Clicks() <-chan notice.Click { return c.clicks }

func (c *center) Way() notice.Way { return notice.MacWay() }

// Ask waits as long as the person takes. An error that is no answer of theirs is remembered: until the next question it is the reason for
// everything that macOS does not show.
func (c *center) Ask(ctx context.Context) error {
	problem, err := c.call(ctx, c.native.ask)
	if err != nil {
		return err
	}
	var why *refusedError
	if problem != "" && problem != "denied" {
		why = &refusedError{said: problem, adHoc: c.adHoc()}
	}
	c.mu.Lock()
	c.why = why
	c.mu.Unlock()
	if why != nil {
		return why
	}
	return worded(problem)
}

// Allowed says whether notices are allowed, and asks nobody: nil is yes.
func (c *center) Allowed(ctx context.Context) error {
	problem, err := c.call(ctx, c.native.state)
	if err != nil {
		return err
	}
	return worded(problem)
}

func (c *center) Show(n notice.Notice) error {
	ctx, cancel := context.WithTimeout(context.Background(), showTime)
	defer cancel()
	problem, err := c.call(ctx, func(call uint64) {
		c.native.show(call, fmt.Sprintf("%s-%d", c.prefix, call), plain(n.Title), plain(n.Body), plain(n.Backend), n.HasButtons())
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	why := c.why
	c.mu.Unlock()
	if why != nil && problem != "" {
		return why
	}
	return worded(problem)
}

// call gives what macOS answered.
func (c *center) call(ctx context.Context, do func(call uint64)) (string, error) {
	answer := make(chan string, 1)
	c.mu.Lock()
	c.next++
	call := c.next
	c.calls[call] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.calls, call)
		c.mu.Unlock()
	}()
	do(call)
	select {
	case problem := <-answer:
		return problem, nil
	case <-ctx.Done():
		return "", errSilent
	}
}

func worded(problem string) error {
	switch problem {
	case "":
		return nil
	case "undecided":
		return errUndecided
	case "denied":
		return errDenied
	}
	return fmt.Errorf("macOS took no notification from Vivarium (%s)", words.Short(problem, 200))
}

// answered comes on a thread of macOS. An answer that nobody waits for any more is dropped.
func (c *center) answered(call uint64, problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer := c.calls[call]; answer != nil {
		delete(c.calls, call)
		answer <- problem
	}
}

// clicked comes on a thread of macOS, which must not wait. A click on the notice itself has a name of Apple's, and leads to the report.
func (c *center) clicked(backend, action string) {
	click := notice.Click{Backend: backend}
	switch action {
	case "restart":
		click.Button = notice.ButtonRestart
	case "log":
		click.Button = notice.ButtonLog
	}
	select {
	case c.clicks <- click:
	default:
	}
}

// signedByNobody: the program has no certificate behind its signature. What cannot be read is given the benefit of the doubt.
func signedByNobody(exe, arch string) bool {
	code, err := openmp.InspectPython(exe, "darwin", arch)
	return err == nil && (code.Signature.AdHoc || !code.Signature.Signed)
}

// inBundle: this program is the main one of an app. Outside of one macOS has no notification center, and raises an exception.
func inBundle() bool {
	exe, err := os.Executable()
	if err != nil {
		return false
	}
	if resolved, err := filepath.EvalSymlinks(exe); err == nil {
		exe = resolved
	}
	return bundled(exe)
}

func bundled(exe string) bool {
	folder := filepath.Dir(exe)
	contents := filepath.Dir(folder)
	return filepath.Base(folder) == "MacOS" && filepath.Base(contents) == "Contents" && strings.HasSuffix(filepath.Dir(contents), ".app")
}
