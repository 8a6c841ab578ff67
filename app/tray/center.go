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

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/words"
)

// showTime is how long macOS may take to accept a notice, which it mostly does in milliseconds.
const showTime = 5 * time.Second

// What macOS says of notices, in words for a person. The system's own words are in brackets behind any other trouble.
var (
	errUndecided = errors.New("nobody was asked yet whether Vivarium may show notifications: adding a backend asks, and so does Send Test Notification")
	errDenied    = errors.New("notifications of Vivarium are not allowed in System Settings")
	errSilent    = errors.New("macOS's notification center does not answer")
)

// nativeCenter is macOS's side of a center. Neither method blocks; what comes of it comes as an answer of that number.
type nativeCenter interface {
	ask(call uint64)
	show(call uint64, id, title, body, backend string, buttons bool)
}

// center is the notification center of a Mac. Answers and clicks come on threads of macOS, calls from goroutines.
type center struct {
	native nativeCenter
	clicks chan app.Click
	prefix string // of the notices' identifiers: those of an earlier launch are not replaced

	mu    sync.Mutex
	next  uint64
	calls map[uint64]chan string
}

var _ app.Center = (*center)(nil)

func newCenter(n nativeCenter) *center {
	return &center{
		native: n, clicks: make(chan app.Click, 8), calls: map[uint64]chan string{},
		prefix: fmt.Sprintf("%d-%d", os.Getpid(), time.Now().Unix()),
	}
}

func (c *center) Clicks() <-chan app.Click { return c.clicks }

func (c *center) Way() app.Way { return app.MacWay() }

// Ask waits as long as the person takes.
func (c *center) Ask(ctx context.Context) error { return c.call(ctx, c.native.ask) }

func (c *center) Show(n app.Notice) error {
	ctx, cancel := context.WithTimeout(context.Background(), showTime)
	defer cancel()
	return c.call(ctx, func(call uint64) {
		c.native.show(call, fmt.Sprintf("%s-%d", c.prefix, call), plain(n.Title), plain(n.Body), plain(n.Backend), n.HasButtons())
	})
}

func (c *center) call(ctx context.Context, do func(call uint64)) error {
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
		return worded(problem)
	case <-ctx.Done():
		return errSilent
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
	click := app.Click{Backend: backend, Item: app.ItemLast}
	switch action {
	case "restart":
		click.Item = app.ItemRestart
	case "log":
		click.Item = app.ItemOpenLog
	}
	select {
	case c.clicks <- click:
	default:
	}
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
