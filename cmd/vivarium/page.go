package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/doctor"
	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// pageCommand makes pages for the other programs, which do not carry what it takes, and prints where they are.
func pageCommand(c console) *cobra.Command {
	var doctor bool
	cmd := &cobra.Command{
		Use: "page RECORD", Short: "Write the page about a recorded crash, or about a backend's examination", Hidden: true,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			write := writeReport
			if doctor {
				h, err := openHome()
				if err != nil {
					return err
				}
				write = func(dir string) (string, error) { return h.writeDoctor(cmd.Context(), dir) }
			}
			path, err := write(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.out, path)
			return err
		},
	}
	cmd.Flags().BoolVar(&doctor, "doctor", false, "RECORD is a backend's folder: examine it")
	return cmd
}

// pageWords are how pages say figures: as the menu does.
func pageWords() page.Words {
	home, _ := os.UserHomeDir() // unknown: paths are written out
	return page.Words{Duration: words.Duration, Size: words.Size, Home: home}
}

// writeReport writes the page about the death whose record is in that file beside it.
func writeReport(rec string) (string, error) {
	r, err := record.Read(rec)
	if err != nil {
		return "", err
	}
	r.At = r.At.Local()
	var b bytes.Buffer
	if err := pageWords().Crash(&b, r); err != nil {
		return "", err
	}
	return r.Page(), replaceFile(r.Page(), b.Bytes())
}

// doctorPage is the file in the backend's state folder: the latest examination, no history.
const doctorPage = "doctor.html"

func (h home) writeDoctor(ctx context.Context, dir string) (string, error) {
	x, err := doctor.Diagnose(ctx, h.state, dir, nil)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := pageWords().Doctor(&b, doctorOf(x, time.Now())); err != nil {
		return "", err
	}
	folder := keeper.BackendFolder(h.state, dir)
	if err := keeper.MakeFolder(folder); err != nil {
		return "", fmt.Errorf("writing the doctor's page: %w", err)
	}
	path := filepath.Join(folder, doctorPage)
	return path, replaceFile(path, b.Bytes())
}

func doctorOf(x doctor.Examination, now time.Time) page.Doctor {
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
	if err := safefile.Replace(path, text); err != nil {
		return fmt.Errorf("writing a page: %w", err)
	}
	return nil
}
