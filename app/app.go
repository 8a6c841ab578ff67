package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/notice"
	"github.com/vivarium-app/vivarium/assets"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// ErrRunning: another app with the same state folder runs already, and was told that somebody called for it, unless Options.AtLogin.
var ErrRunning = errors.New("vivarium is already running")

// quitTime is how long a Quit waits for the backends; the keepers end what is left alone.
const quitTime = 2 * time.Second

// Options is what an App is made of. The zero value is the real thing.
type Options struct {
	State   string        // the state folder. If empty, keeper.StateFolder()
	Keeper  string        // the keeper's program. If empty, the one beside this program
	Log     *slog.Logger  // If nil, <state>/vivarium.log
	Desktop Desktop       // what is around the menu; each function that is nil is the real one
	Center  notice.Center // tells notices. If nil, the desktop's on Linux, where it has buttons, and none on a Mac
	AtLogin bool          // launchd starts this app, not a person: if another one runs, it is not asked to show itself
	Welcome bool          // the first start of all says where the icon is, and what to do
	Pages   Pages         // makes pages. If nil, the command-line program does
	// Supervise makes the supervisor of the backend in dir. If nil, the real one.
	Supervise func(dir string) control.Supervision
}

// App keeps all registered backends, and shows them in a View.
type App struct {
	options  Options
	state    string
	log      *slog.Logger
	desktop  Desktop
	backends *Backends
	single   *singleInstance
	logFile  io.Closer
	inputs   chan func()
	awake    chan bool // capacity 1, the newest wins
	notifier *notice.Notifier
	pages    Pages
	center   notice.Center   // nil: there is none
	ctx      context.Context // of everything that Run starts
	work     sync.WaitGroup  // what Run waits for at its end
	view     View

	// Owned by the loop of Run.
	members  []*member
	shown    Menu
	quitting time.Time // when to leave at the latest; zero: nobody asked
	leave    bool      // end now, and leave the runs alone
	asking   bool      // a dialog is open: there is never a second one
	asked    bool      // for leave to show notices
	watching bool      // as Desktop.Awake was told last
	settings MenuOptions
}

// New takes the state folder for this app. It returns ErrRunning if another one has it, after telling that one.
func New(o Options) (*App, error) {
	a := &App{options: o, state: o.State, log: o.Log, inputs: make(chan func()), awake: make(chan bool, 1)}
	if a.state == "" {
		state, err := keeper.StateFolder()
		if err != nil {
			return nil, err
		}
		a.state = state
	}
	if err := safefile.Folder(a.state); err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	if err := keeper.CheckState(a.state); err != nil {
		return nil, err
	}
	only, err := claimSingleInstance(a.state, o.AtLogin)
	if err != nil {
		return nil, err
	}
	a.single = only
	if err := a.prepare(); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// prepare does what may fail once the state folder is this app's.
func (a *App) prepare() error {
	if a.log == nil {
		w, err := openLog(filepath.Join(a.state, "vivarium.log"))
		if err != nil {
			return err
		}
		a.logFile = w
		a.log = slog.New(slog.NewTextHandler(w, nil))
	}
	if a.options.Keeper == "" && a.options.Supervise == nil {
		exe, err := desktop.Program(desktop.KeeperProgram)
		if err != nil {
			return err
		}
		a.options.Keeper = exe
	}
	a.desktop = a.options.Desktop.orReal(a.state)
	if a.pages = a.options.Pages; a.pages == nil {
		a.pages = makePage(a.state)
	}
	list, err := OpenBackends(a.state)
	if err != nil {
		return err
	}
	a.backends = list
	return nil
}

// Close gives the state folder back. Run does it at its end; it is for an App that is not run.
func (a *App) Close() {
	a.single.close()
	if a.logFile != nil {
		_ = a.logFile.Close()
		a.logFile = nil
	}
}

// Run is the app: one loop that owns all state. It shows the menu in view and tells notices, coalesced, one at a time, in the center
// or, where that cannot, with notify, which may block; if it is nil, it is the desktop's plain way. Run returns nil after a Quit, after Quit and
// Leave Running, and when ctx ends, which is a Quit, too.
func (a *App) Run(ctx context.Context, view View, notify func(notice.Notice)) error {
	defer a.desktop.EndLogin() // the very last: it may end this process
	defer a.Close()
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.ctx, a.view = inner, view
	a.notifier = a.newNotifier(notify)
	defer func() {
		cancel()
		a.work.Wait()
	}()
	a.work.Go(func() { a.notifier.Run(inner) })
	a.work.Go(func() { a.single.serve(inner, func() { a.post(a.calledAgain) }) })
	a.work.Go(func() { a.stayAwake(inner) })
	a.log.Info("started", "pid", os.Getpid(), "state", a.state, "version", keeper.Version)
	go a.startSettings()
	a.tellBrokenList()
	a.tellTranslocated(os.Executable)
	for _, dir := range a.backends.All() {
		a.join(dir)
	}
	a.welcomeOnce()
	a.loop(ctx)
	a.log.Info("ended", "pid", os.Getpid(), "left_running", a.leave)
	return nil
}

// loop is the one select. Everything that happens elsewhere comes in as a function to be called here.
func (a *App) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	asked := ctx.Done()
	var clicks <-chan notice.Click
	if a.center != nil {
		clicks = a.center.Clicks()
	}
	reopened, hidden := a.beside()
	for !a.over(time.Now()) {
		select {
		case <-asked:
			asked = nil
			a.quit()
		case do := <-a.inputs:
			do()
		case click := <-a.view.Actions():
			a.act(click)
		case click := <-clicks:
			a.actNotice(click)
		case <-reopened:
			a.reopen()
		case is := <-hidden:
			a.iconHidden(is)
		case <-timer.C:
		}
		now := time.Now()
		a.endInTurn(now)
		a.render(now)
		a.watch()
		timer.Reset(a.nextLook(now))
	}
}

// nextLook is how long the loop may sleep when nothing happens: durations in the menu count minutes.
func (a *App) nextLook(now time.Time) time.Duration {
	next := now.Truncate(time.Minute).Add(time.Minute)
	for _, q := range []time.Time{a.quitting.Add(-quitTime / 2), a.quitting} {
		if !a.quitting.IsZero() && q.After(now) && q.Before(next) {
			next = q
		}
	}
	return max(next.Sub(now), time.Millisecond)
}

// over: it is time to leave.
func (a *App) over(now time.Time) bool {
	if a.leave {
		return true
	}
	if a.quitting.IsZero() {
		return false
	}
	return now.After(a.quitting) || !slices.ContainsFunc(a.members, (*member).quits)
}

// quit tells every backend of ours to stop. The keepers end the ladders alone if that takes longer than we wait.
func (a *App) quit() {
	if !a.quitting.IsZero() {
		return
	}
	a.quitting = time.Now().Add(quitTime)
	for _, m := range a.members {
		if m.super != nil {
			a.end(m, control.Supervision.Quit)
		}
	}
}

func (a *App) render(now time.Time) {
	all := make([]supervisor.Snapshot, len(a.members))
	for i, m := range a.members {
		all[i] = m.snapshot
	}
	menu := Render(all, now, a.settings)
	if menu != a.shown {
		a.shown = menu
		a.view.Show(menu)
	}
}

// watch has the system leave our timers alone as long as a backend of ours is wanted.
func (a *App) watch() {
	on := slices.ContainsFunc(a.members, func(m *member) bool { return m.here && m.snapshot.Want })
	if on == a.watching {
		return
	}
	a.watching = on
	select {
	case <-a.awake:
	default:
	}
	a.awake <- on
}

// stayAwake tells the system, which may take its time.
func (a *App) stayAwake(ctx context.Context) {
	for {
		select {
		case on := <-a.awake:
			a.desktop.Awake(on)
		case <-ctx.Done():
			a.desktop.Awake(false)
			return
		}
	}
}

// post hands something to the loop. It is dropped when the loop has ended.
func (a *App) post(do func()) { a.postTo(a.ctx, do) }

// newNotifier is the notifier, with the center that may bring clicks.
func (a *App) newNotifier(notify func(notice.Notice)) *notice.Notifier {
	var plain func(notice.Notice) error
	if notify != nil {
		plain = func(n notice.Notice) error { notify(n); return nil }
	}
	notifier, center := notice.New(a.options.Center, plain, a.log)
	a.center = center
	return notifier
}

func (a *App) tellBrokenList() {
	if b := a.backends.Broken; b != nil {
		a.notifier.Tell(notice.Say("The list of backends could not be read", assets.Unhealthy, b.Error(), "Add them again"))
	}
}
