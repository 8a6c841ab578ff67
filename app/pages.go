package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// pageTime is how long a page may take to be made: the doctor's walks through an environment.
const pageTime = 5 * time.Minute

// Pages makes a page, and returns its path: "page", and the file of a record, or "--doctor" and a backend's folder, or "--dashboard" and one, or "".
type Pages func(ctx context.Context, args ...string) (path string, err error)

// makePage lets the command-line program beside this one make the page. What pages are made with is large, and neither the menu-bar
// program nor an idle run is to carry it.
func makePage(state string) Pages {
	return func(ctx context.Context, args ...string) (string, error) {
		exe, err := desktop.Program(desktop.CommandProgram)
		if err != nil {
			return "", err
		}
		ctx, cancel := context.WithTimeout(ctx, pageTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, exe, args...)
		cmd.Env = append(os.Environ(), "VIVARIUM_HOME="+state)
		cmd.WaitDelay = time.Second
		var complaint strings.Builder
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			if said := words.Plain(strings.TrimPrefix(complaint.String(), "vivarium: ")); said != "" {
				return "", errors.New(said)
			}
			return "", fmt.Errorf("making a page: %w", err)
		}
		return strings.TrimRight(string(out), "\n"), nil
	}
}

// Recorded is what a supervisor is given to hear of deaths (see supervisor.Deps): it has the page about each written beside its record, and
// written again when the record was amended. A page that cannot be written is told in the log; the record is there all the same. If pages is
// nil, the command-line program makes them.
func Recorded(log *slog.Logger, state string, pages Pages) func(record.Record) {
	if pages == nil {
		pages = makePage(state)
	}
	return func(r record.Record) {
		if r.File == "" {
			return
		}
		if _, err := pages(context.Background(), "page", r.File); err != nil && log != nil {
			log.Error("the report on a crash is not written", "backend", r.Backend, "error", err)
		}
	}
}

// showDoctor examines a backend and shows the page about it. A walk through its environment may take seconds.
func (a *App) showDoctor(dir string) {
	go func() {
		path, err := a.pages(a.ctx, "page", "--doctor", dir)
		if err == nil {
			err = a.desktop.OpenPage(path)
		}
		a.failed("Examining the backend", err)
	}()
}

// showDashboard shows a backend's part of the dashboard.
func (a *App) showDashboard(dir string) {
	go func() { a.failed("Opening the dashboard", a.openDashboard(dir)) }()
}

// openDashboard opens the dashboard, which is served as soon as its page is asked for; dir is "" for all backends. It may take a moment.
func (a *App) openDashboard(dir string) error {
	path, err := a.pages(a.ctx, "page", "--dashboard", dir)
	if err != nil {
		return err
	}
	return a.desktop.OpenPage(path)
}

// showStacks looks at what a running server does, healthy or not, and shows the page about it.
func (a *App) showStacks(dir string) {
	go func() {
		path, err := a.pages(a.ctx, "page", "--stacks", dir)
		if err == nil {
			err = a.desktop.OpenPage(path)
		}
		a.failed("Looking at what it does", err)
	}()
}
