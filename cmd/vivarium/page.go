package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/dashboard/source"
	"github.com/vivarium-app/vivarium/app/doctor"
	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// pageCommand makes pages for the other programs, which do not carry what it takes, and prints where they are.
func pageCommand(c console) *cobra.Command {
	var doctor, stacks, dashboard bool
	cmd := &cobra.Command{
		Use: "page RECORD", Short: "Write the page about a recorded crash, or about a backend's examination", Hidden: true,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			write := writeReport
			if doctor || stacks || dashboard {
				h, err := openHome()
				if err != nil {
					return err
				}
				write = func(dir string) (string, error) { return h.writeDoctor(cmd.Context(), dir) }
				if dashboard {
					write = func(dir string) (string, error) { return h.dashboardPage(cmd.Context(), dir) }
				}
				if stacks {
					write = func(dir string) (string, error) { return h.writeStacks(cmd.Context(), dir) }
				}
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
	cmd.Flags().BoolVar(&stacks, "stacks", false, "RECORD is a backend's folder: look at what it does")
	cmd.Flags().BoolVar(&dashboard, "dashboard", false, "RECORD is a backend's folder, \"\" for all: a page that leads to the dashboard")
	cmd.MarkFlagsMutuallyExclusive("doctor", "stacks", "dashboard")
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
	if err := pageWords().Doctor(&b, source.Examined(x, time.Now())); err != nil {
		return "", err
	}
	folder := keeper.BackendFolder(h.state, dir)
	if err := keeper.MakeFolder(folder); err != nil {
		return "", fmt.Errorf("writing the doctor's page: %w", err)
	}
	path := filepath.Join(folder, doctorPage)
	return path, replaceFile(path, b.Bytes())
}

// replaceFile puts the whole file in place at once: somebody may be reading the one before.
func replaceFile(path string, text []byte) error {
	if err := safefile.Replace(path, text); err != nil {
		return fmt.Errorf("writing a page: %w", err)
	}
	return nil
}
