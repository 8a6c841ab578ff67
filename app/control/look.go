package control

import (
	"context"
	"errors"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

// LookAt is how the backend in dir is: see Look. A broken configuration is part of the answer.
func LookAt(ctx context.Context, state, dir string) (Row, error) {
	cfg, err := config.Load(dir)
	var broken *config.Error
	if err != nil && !errors.As(err, &broken) {
		return Row{}, err
	}
	cfg.Dir = dir
	row, err := Look(ctx, state, cfg)
	if broken != nil && row.Problem == "" {
		row.Problem, row.ConfigFile = broken.Error(), broken.File
	}
	return row, err
}
