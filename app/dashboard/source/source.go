// Package source is what the dashboard shows and does: how backends are, over their control sockets, and their records and logs from files, so
// that one that does not run can be looked at, too. It implements the interfaces of app/dashboard, and knows nothing of HTTP or HTML. Begin
// with New. A backend that no Vivarium program keeps is shown as the command line shows it, and can be stopped, not started.
package source

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/dashboard"
	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

const (
	againAfter = 300 * time.Millisecond // how soon a holder that came is noticed
	lookEvery  = 5 * time.Second        // at a backend that no program keeps
)

// Opener opens things on the desktop. Its errors are words for a person.
type Opener interface {
	URL(address string) error
	Reveal(path string) error
	EditConfig(dir string) error
}

// Source is all backends of one state folder.
type Source struct {
	state   string
	folders func(ctx context.Context) ([]string, error)
	opener  Opener
	words   page.Words

	mu    sync.Mutex
	asked []string // folders that a person asked for, which are on no list
}

// New shows the backends of a state folder; folders lists them.
func New(state string, folders func(ctx context.Context) ([]string, error), opener Opener, words page.Words) *Source {
	return &Source{state: state, folders: folders, opener: opener, words: words}
}

// Sources is everything that the dashboard wants.
func (s *Source) Sources() dashboard.Sources {
	return dashboard.Sources{Backends: s, Actor: s, Records: s, Insight: s, Words: s.words, Mask: page.MaskLine, Asked: s.ask}
}

// ask adds the backend in a folder that is on no list.
func (s *Source) ask(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if dir != "" && !slices.Contains(s.asked, dir) {
		s.asked = append(s.asked, dir)
	}
}

// Folders are those of the list, and those that were asked for.
func (s *Source) Folders(ctx context.Context) ([]string, error) {
	all, err := s.folders(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, dir := range s.asked {
		if !slices.Contains(all, dir) {
			all = append(all, dir)
		}
	}
	return all, err
}

func (s *Source) folder(dir string) string { return keeper.BackendFolder(s.state, dir) }

// Watch follows the backend's holder, and looks itself while there is none.
func (s *Source) Watch(ctx context.Context, dir string, changed func(page.Backend)) {
	var looked time.Time
	for ctx.Err() == nil {
		reach, cancel := context.WithTimeout(ctx, control.HelloTime)
		client, err := control.Dial(reach, s.folder(dir))
		cancel()
		switch {
		case err == nil:
			s.follow(ctx, client, dir, changed)
			looked = time.Time{}
		case time.Since(looked) >= lookEvery:
			looked = time.Now()
			s.look(ctx, dir, changed)
		}
		select {
		case <-ctx.Done():
		case <-time.After(againAfter):
		}
	}
}

// follow shows what the holder tells, until the connection ends.
func (s *Source) follow(ctx context.Context, client *control.Client, dir string, changed func(page.Backend)) {
	defer client.Close()
	ask, cancel := context.WithTimeout(ctx, control.HelloTime)
	defer cancel()
	row, news, err := client.Follow(ask)
	if err != nil {
		return
	}
	_, _ = client.Ask(ask, "look") // somebody does
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var shown page.Backend
	show := func() {
		if row.V == 0 { // nothing is known yet
			return
		}
		if b := s.backend(row, dir, true, time.Now()); !same(b, shown) {
			shown = b
			changed(b)
		}
	}
	for {
		show()
		select {
		case next, more := <-news:
			if !more {
				return
			}
			if next.Event == "" { // after an event comes a status
				row = next
			}
		case <-tick.C: // how long something has lasted is part of what is shown
		case <-ctx.Done():
			return
		}
	}
}

// look shows a backend without a holder.
func (s *Source) look(ctx context.Context, dir string, changed func(page.Backend)) {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	row, err := control.LookAt(ctx, s.state, dir)
	if ctx.Err() != nil {
		return
	}
	b := s.backend(row, dir, row.HeldBy != 0, time.Now())
	var held *control.HeldError
	switch {
	case errors.As(err, &held), errors.Is(err, control.ErrHolderGone): // it comes, or goes: the next look will tell
	case err != nil:
		b.Note = err.Error()
	}
	changed(b)
}
