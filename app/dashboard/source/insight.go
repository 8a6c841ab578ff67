package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/doctor"
	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/app/setup"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

const (
	maxConfig = 1 << 20 // bytes of a vivarium.toml that is shown
	manyFiles = 4000    // of an environment: with so many read, half of the progress is shown
)

// Examine is the doctor's examination. How many files an environment has is not known before: its progress slows down towards the end.
func (s *Source) Examine(ctx context.Context, dir string, progress func(float64)) (page.Doctor, error) {
	x, err := doctor.Diagnose(ctx, s.state, dir, func(files int) { progress(float64(files) / float64(files+manyFiles)) })
	if err != nil {
		return page.Doctor{}, err
	}
	return Examined(x, time.Now()), nil
}

// Examined is an examination as a page shows it.
func Examined(x doctor.Examination, now time.Time) page.Doctor {
	d := page.Doctor{Backend: x.Backend, Dir: x.Dir, At: now, Prediction: x.Prediction.Summary, Version: keeper.Version}
	d.Copies = page.Copies{Runtimes: x.Environment.Runtimes, Loaded: x.Loaded}
	if x.Prediction.Outcome == openmp.Aborts {
		d.Copies.Together = x.Prediction.Together
	}
	for _, c := range x.Checks {
		d.Checks = append(d.Checks, page.DoctorCheck{Code: c.Code, Name: c.Name, State: string(c.State), Text: c.Text, Remedy: c.Remedy})
	}
	return d
}

// Stacks is what the run does at this moment.
func (s *Source) Stacks(ctx context.Context, dir string) (page.Doing, error) {
	client, err := control.Dial(ctx, s.folder(dir))
	if err != nil {
		return page.Doing{}, err
	}
	defer client.Close()
	seen, err := client.Stacks(ctx)
	if err != nil {
		return page.Doing{}, err
	}
	return page.Doing{Summary: seen.Stall.Summary, Remedy: seen.Stall.Remedy, Lines: printed(seen), Dir: dir}, nil
}

// printed are the stacks of all processes as Python prints them.
func printed(seen observation.Observation) []string {
	var lines []string
	for _, p := range seen.Processes {
		for _, t := range p.Threads {
			lines = append(lines, fmt.Sprintf("Thread 0x%016x (most recent call first):", t.ID))
			for _, f := range t.Frames {
				lines = append(lines, fmt.Sprintf("  File %q, line %d in %s", f.File, f.Line, f.Function))
			}
			lines = append(lines, "")
		}
	}
	return lines
}

// Environment is what the next start would set, with what did not arrive in the present run.
func (s *Source) Environment(ctx context.Context, dir string) (page.Environment, error) {
	_, p, err := setup.Planned(dir, false)
	if err != nil {
		return page.Environment{Problem: err.Error()}, nil
	}
	e := page.Environment{Vars: p.Applied}
	for _, one := range p.Spec.Env {
		name, _, _ := strings.Cut(one, "=")
		e.Names = append(e.Names, name)
	}
	slices.Sort(e.Names)
	e.Names = slices.Compact(e.Names)
	if row, err := control.LookAt(ctx, s.state, dir); err == nil {
		e.Missing = row.Missing
	}
	return e, nil
}

// Config is the file as it is, with the mistake in it, if there is one.
func (s *Source) Config(_ context.Context, dir string) (page.Config, error) {
	c := page.Config{File: filepath.Join(dir, config.FileName)}
	text, err := safefile.Read(c.File, maxConfig)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Missing = true
	case err != nil:
		return c, err
	}
	c.Text = string(text)
	_, err = config.Load(dir)
	var broken *config.Error
	switch {
	case errors.As(err, &broken):
		p := page.ConfigProblem{Text: broken.Problem, Remedy: broken.Remedy}
		if broken.Key != "" {
			p.Text = broken.Key + ": " + p.Text
		}
		if broken.File == c.File {
			p.Line = broken.Line
		} else {
			p.Text = broken.File + ": " + p.Text
		}
		c.Problems = append(c.Problems, p)
	case err != nil:
		c.Problems = append(c.Problems, page.ConfigProblem{Text: err.Error()})
	}
	return c, nil
}
