package notice

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/gen2brain/beeep"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
)

// Center is a notification service whose notices have buttons. Its errors are words for people.
type Center interface {
	// Ask asks the person for leave to show notices, where the system wants that and nobody has answered yet, and waits for the answer.
	Ask(ctx context.Context) error
	// Show blocks for as long as the service does, seconds at most. It is for one goroutine.
	Show(Notice) error
	// Clicks are what people clicked on. One that nobody takes in time is dropped.
	Clicks() <-chan Click
	// Way is the way that its notices take.
	Way() Way
}

// Way is how a notice comes to the desktop, in words for a person.
type Way struct {
	By   string // completes "It was sent …"
	Hint string // what to look at if it was not seen
	Why  string // why not a better way; "" if there is none
}

// Click is a click on a notice of a backend.
type Click struct {
	Backend string // its folder
	Button  Button
}

// Button is what of a notice was clicked on.
type Button uint8

// The buttons.
const (
	ButtonNone Button = iota // the notice itself: it leads to what it is about
	ButtonRestart
	ButtonLog
)

// New makes a Notifier of this computer, and gives the center that it uses, nil if there is none: that of the caller, else on Linux the desktop's.
// What a center cannot or may not show goes the plain way; plain replaces that, and may block, and whoever brings one is not surprised by a center
// of the desktop's. If log is nil, nothing is logged.
func New(center Center, plain func(Notice) error, log *slog.Logger) (*Notifier, Center) {
	w := ways{center: center, plain: showPlainly, goos: runtime.GOOS}
	if plain != nil {
		w.plain = plain
	} else if w.center == nil && runtime.GOOS != "darwin" {
		w.center = newBusCenter()
	}
	return newNotifier(w.show, log), w.center
}

// ways are the two ways to the desktop: the center, and where that cannot or may not, a plain one without buttons.
type ways struct {
	center Center // nil: there is none
	plain  func(Notice) error
	goos   string
}

func (w ways) show(n Notice) (Way, error) {
	way := plainWay(w.goos)
	if w.center == nil {
		way.Why = wordNoCenter(w.goos)
		return way, w.plain(n)
	}
	why := w.center.Show(n)
	if why == nil {
		return w.center.Way(), nil
	}
	way.Why = words.Plain(why.Error())
	if err := w.plain(n); err != nil {
		return way, fmt.Errorf("%w; and before that: %w", err, why)
	}
	return way, nil
}

var nameBeeep = sync.OnceFunc(func() { beeep.AppName = "Vivarium" })

// showPlainly blocks for as long as the desktop does. It is for one goroutine.
func showPlainly(notice Notice) error {
	if err := desktop.NoDesktop(runtime.GOOS, os.Getenv, desktop.Exists); err != nil {
		return err
	}
	nameBeeep()
	icon := assets.Icon(assets.Icons[min(int(notice.Icon), len(assets.Icons)-1)], "linux") // the coloured twin: a notice is no template
	return beeep.Notify(daemonText(runtime.GOOS, notice.Title), daemonText(runtime.GOOS, notice.Body), icon)
}

// daemonText is text that no notification service takes for anything but text: most of them on Linux read HTML-like markup,
// and terminal-notifier on macOS reads property lists and options.
func daemonText(goos, s string) string {
	s = words.Plain(s)
	if goos != "darwin" {
		s = strings.NewReplacer("<", "‹", ">", "›").Replace(s)
		if strings.HasPrefix(s, "-") {
			return "–" + s[1:]
		}
		return s
	}
	if s != "" && strings.ContainsRune(`-[({<"`, rune(s[0])) {
		return "· " + s
	}
	return s
}
