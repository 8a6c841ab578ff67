package source

import (
	"context"
	"errors"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/dashboard"
	"github.com/vivarium-app/vivarium/supervisor/config"
)

// Do does what a person asks for.
func (s *Source) Do(ctx context.Context, dir string, what dashboard.Action) error {
	switch what {
	case dashboard.Reveal:
		return s.opener.Reveal(dir)
	case dashboard.Edit:
		return s.opener.EditConfig(dir)
	case dashboard.Browse:
		row, err := control.LookAt(ctx, s.state, dir)
		if err != nil {
			return err
		}
		if row.URL == "" {
			return errors.New("this backend has no port")
		}
		return s.opener.URL(row.URL)
	}
	return s.tell(ctx, dir, what)
}

// tell passes a wish on to the backend's holder, whose words for it are the same. Without one, only a stop is left.
func (s *Source) tell(ctx context.Context, dir string, what dashboard.Action) error {
	client, err := control.Dial(ctx, s.folder(dir))
	if errors.Is(err, control.ErrNotHeld) {
		if what != dashboard.Stop {
			return errors.New(notKept)
		}
		_, err := control.EndUnwatched(ctx, s.folder(dir), control.LadderOf(dir))
		return err
	}
	if err != nil {
		return err
	}
	defer client.Close()
	switch what {
	case dashboard.Start, dashboard.Restart, dashboard.TakeOver: // what is wrong with the file is said here and now
		if _, err := config.Load(dir); err != nil {
			return err
		}
	}
	_, err = client.Ask(ctx, string(what))
	return err
}
