package app

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// doctorPage is the file in the backend's state folder: the latest examination, no history.
const doctorPage = "doctor.html"

// showDoctor examines a backend and shows the page about it. A walk through its environment may take seconds.
func (a *App) showDoctor(dir string) {
	go func() {
		path, err := writeDoctor(a.ctx, a.state, dir)
		if err == nil {
			err = a.desktop.OpenPage(path)
		}
		a.failed("Examining the backend", err)
	}()
}

func writeDoctor(ctx context.Context, state, dir string) (string, error) {
	x, err := Diagnose(ctx, state, dir, nil)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := pageWords().Doctor(&b, x.page(time.Now())); err != nil {
		return "", err
	}
	folder := supervisor.BackendFolder(state, dir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("writing the doctor's page: %w", err)
	}
	path := filepath.Join(folder, doctorPage)
	return path, replaceFile(path, b.Bytes())
}

func (x Examination) page(now time.Time) page.Doctor {
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

// replaceFile puts the whole file in place at once: somebody may be reading the one before.
func replaceFile(path string, text []byte) error {
	temp := path + ".new"
	err := os.WriteFile(temp, text, 0o600)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("writing a page: %w", err)
	}
	return nil
}
