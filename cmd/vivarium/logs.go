package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/terminal"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

func logsCommand(c console) *cobra.Command {
	var follow, all bool
	var lines int
	cmd := &cobra.Command{
		Use: "logs [NAME|DIR]", Short: "Show a backend's log, also without the app", Args: atMostOne("backend"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lines < 0 {
				return usage("--lines wants a number of lines, not %d", lines)
			}
			if all && follow {
				return usage("either --follow or --all")
			}
			ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			h, err := openHome()
			if err != nil {
				return err
			}
			dirs, err := h.chosen(ctx, args, all)
			if err != nil {
				return err
			}
			return h.each(dirs, func(dir string) error {
				if len(dirs) > 1 {
					fmt.Fprintf(c.out, "%s==> %s <==\n", words.Chosen(dir == dirs[0], "", "\n"), words.Plain(nameOf(dir)))
				}
				return showLog(ctx, c, dir, lines, follow)
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "show what is added, until Ctrl-C")
	cmd.Flags().BoolVar(&all, "all", false, "every backend")
	cmd.Flags().IntVarP(&lines, "lines", "n", 100, "how many lines of what is there")
	return cmd
}

func showLog(ctx context.Context, c console, dir string, lines int, follow bool) error {
	config, err := config.Load(dir)
	if err != nil {
		return err
	}
	path := config.Log.File
	if follow {
		return followLog(ctx, c, path, lines)
	}
	text, current, err := lastOf(path, lines)
	if err != nil {
		return err
	}
	if current != nil {
		current.Close()
	}
	if text == nil {
		fmt.Fprintf(c.err, "vivarium: %s has no log yet: %s\n", words.Plain(config.Name), path)
	}
	_, err = c.out.Write(text)
	return err
}

// maxShown is how much of the logs is looked through for the last lines.
const maxShown = 8 << 20

// lastOf is the last lines of the log, rotated files included, and the current file at the place where they end; nil where there is
// none.
func lastOf(path string, lines int) ([]byte, *os.File, error) {
	var text []byte
	current, err := safefile.Open(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("reading the log: %w", err)
	}
	if current != nil {
		if text, err = tailOf(current); err != nil {
			current.Close()
			return nil, nil, fmt.Errorf("reading the log: %w", err)
		}
	}
	for i := 1; bytes.Count(text, []byte("\n")) < lines && len(text) < maxShown; i++ {
		f, err := safefile.Open(rotated(path, i))
		if err != nil {
			break
		}
		older, err := tailOf(f)
		f.Close()
		if err != nil {
			break
		}
		text = append(older, text...)
	}
	return lastLines(text, lines), current, nil
}

// tailOf reads the end of a file, and leaves the file there.
func tailOf(f *os.File) ([]byte, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	at := max(0, size-maxShown)
	text := make([]byte, size-at)
	n, err := f.ReadAt(text, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return text[:n], nil
}

func lastLines(text []byte, lines int) []byte {
	end := len(text)
	if end > 0 && text[end-1] == '\n' {
		end--
	}
	if lines == 0 {
		return text[:0]
	}
	for i := end - 1; i >= 0; i-- {
		if text[i] == '\n' {
			if lines--; lines == 0 {
				return text[i+1:]
			}
		}
	}
	return text
}

// followLog shows what is added to the log, through every rotation, until ctx ends or nobody reads. It looks four times a second:
// files can be watched, but not on every kind of disk.
func followLog(ctx context.Context, c console, path string, lines int) error {
	text, f, err := lastOf(path, lines)
	if err != nil {
		return err
	}
	if _, err := c.out.Write(text); err != nil {
		return nil // nobody reads any more
	}
	var closed <-chan struct{}
	if out := fileOf(c.out); out != nil {
		closed = terminal.Closed(out)
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		if f, err = more(c.out, f, path); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-closed:
			return nil
		case <-tick.C:
		}
	}
}

// more copies what was added. If another file is at path now, the old one is read to its end first: nothing is missed at a rotation, also
// not when it was rotated more than once.
func more(w io.Writer, f *os.File, path string) (*os.File, error) {
	for {
		if f == nil {
			next, err := safefile.Open(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			if err != nil {
				return nil, fmt.Errorf("reading the log: %w", err)
			}
			f = next
		}
		if err := truncated(f); err != nil {
			return f, err
		}
		next := successor(f, path)
		if _, err := io.Copy(w, f); err != nil {
			return f, fmt.Errorf("showing the log: %w", err)
		}
		if next == nil {
			return f, nil
		}
		f.Close()
		f = next
	}
}

// truncated goes back to the beginning if somebody emptied the file.
func truncated(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err == nil && at > st.Size() {
		_, err = f.Seek(0, io.SeekStart)
	}
	return err
}

// successor is the file that was begun after f: nil as long as f is the one at path. f may have moved on by several places, and may move
// on while we look: then we look again.
func successor(f *os.File, path string) *os.File {
	st, err := f.Stat()
	if err != nil {
		return nil
	}
	for range 10 {
		at := placeOf(st, path)
		if at == 0 {
			return nil
		}
		next, err := safefile.Open(rotated(path, at-1))
		if err != nil {
			return nil // between the rename and the new file
		}
		if placeOf(st, path) == at {
			return next
		}
		next.Close()
	}
	return nil
}

func rotated(path string, i int) string {
	if i == 0 {
		return path
	}
	return path + "." + strconv.Itoa(i)
}

// placeOf is where the file is among the rotated ones, 0 for the current one. One that is gone comes after the oldest that is left.
func placeOf(st os.FileInfo, path string) int {
	for i := 0; ; i++ {
		now, err := os.Stat(rotated(path, i))
		if err != nil && i > 0 {
			return i
		}
		if err == nil && os.SameFile(st, now) {
			return i
		}
	}
}
