package logfile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

func TestTheEndOfALogIsReadThroughItsRotatedFiles(t *testing.T) {
	l := write(t, numbered(60, 63), numbered(30, 60), numbered(0, 30))
	s := look(t, l)
	require.Equal(t, 3, s.Files())
	c, err := s.Last(ctx, 40, Form{})
	require.NoError(t, err)
	require.Equal(t, list(23, 63), texts(c.Rows))
	require.True(t, c.End)
	require.False(t, c.Begin)

	c, err = s.Before(ctx, c.From, 100, Form{})
	require.NoError(t, err)
	require.Equal(t, list(0, 23), texts(c.Rows))
	require.True(t, c.Begin)

	c, err = s.After(ctx, s.Begin(), 45, Form{})
	require.NoError(t, err)
	require.Equal(t, list(0, 45), texts(c.Rows))
	require.False(t, c.End)
	c, err = s.After(ctx, c.To, 45, Form{})
	require.NoError(t, err)
	require.Equal(t, list(45, 63), texts(c.Rows))
	require.True(t, c.End)
	require.Equal(t, s.End(), c.To)
	require.Equal(t, s.Size(), s.Behind(c.To))
}

func TestEveryLineIsReadOnceWhicheverWayOneGoes(t *testing.T) {
	for name, files := range map[string][]string{
		"ends with a newline": {numbered(0, 500)},
		"ends without one":    {numbered(0, 500) + "half"},
		"empty lines":         {"\n\n\na\n\n"},
		"nothing":             {""},
		"only a newline":      {"\n"},
		"lines over blocks":   {strings.Repeat(strings.Repeat("x", blockSize/3)+"\n", 20), strings.Repeat("y", 3*blockSize)},
		"returns":             {"a\r\nb\r\n"},
		"an empty file":       {"", numbered(0, 3)},
	} {
		t.Run(name, func(t *testing.T) {
			s := look(t, write(t, files...))
			form := Form{Unfold: true}
			var down, up []string
			for at := s.Begin(); ; {
				c, err := s.After(ctx, at, 7, form)
				require.NoError(t, err)
				for _, r := range c.Rows {
					down = append(down, r.At.String()+textOf(r.Spans))
				}
				if at = c.To; c.End {
					break
				}
			}
			for at := s.End(); ; {
				c, err := s.Before(ctx, at, 7, form)
				require.NoError(t, err)
				for i := range c.Rows {
					r := c.Rows[len(c.Rows)-1-i]
					up = append([]string{r.At.String() + textOf(r.Spans)}, up...)
				}
				if at = c.From; c.Begin {
					break
				}
			}
			require.Equal(t, down, up)
		})
	}
}

func TestALineOfTenMegabytesIsOneRowAndHeldNowhere(t *testing.T) {
	long := strings.Repeat("0123456789", 1<<20)
	s := look(t, write(t, "before\n"+long+"\nafter\n"))
	c, err := s.Last(ctx, 10, Form{})
	require.NoError(t, err)
	require.Len(t, c.Rows, 3)
	require.Equal(t, long[:maxText], textOf(c.Rows[1].Spans))
	require.EqualValues(t, len(long)-maxText, c.Rows[1].Left)
	require.Less(t, testing.AllocsPerRun(1, func() { _, _ = s.Last(ctx, 10, Form{}) }), 200.0)
}

func TestAPlaceInTheMiddleOfALineFindsTheLine(t *testing.T) {
	s := look(t, write(t, numbered(0, 100)))
	at := s.End()
	at.Offset = int64(strings.Index(numbered(0, 100), "line 50") + 3)
	c, found, err := s.Around(ctx, at, 2, Form{Least: Error})
	require.NoError(t, err)
	require.Equal(t, []string{"line 50"}, texts(c.Rows), "also where the level leaves all others out")
	require.Equal(t, at.Offset-3, found.Offset)
	c, _, err = s.Around(ctx, at, 2, Form{})
	require.NoError(t, err)
	require.Equal(t, list(48, 53), texts(c.Rows))
}

func TestWhatRepeatsIsFolded(t *testing.T) {
	s := look(t, write(t, "2026-11-28 12:00:00,001 INFO ok\n2026-11-28 12:00:01,417 INFO ok\n2026-11-28 12:00:02,000 INFO ok\nother\nother\n\n\nlast 1\nlast 2\n"))
	c, err := s.Last(ctx, 10, Form{})
	require.NoError(t, err)
	require.Equal(t, []string{"2026-11-28 12:00:00,001 INFO ok ×3", "other ×2", "", "", "last 1", "last 2"}, texts(c.Rows))
	c, err = s.Last(ctx, 10, Form{Unfold: true})
	require.NoError(t, err)
	require.Len(t, c.Rows, 9)
}

func TestAMillionEqualLinesAreOneRow(t *testing.T) {
	s := look(t, write(t, "first\n"+strings.Repeat("again\n", 1_000_000)))
	c, err := s.Last(ctx, 20, Form{})
	require.NoError(t, err)
	require.Equal(t, []string{"first", "again ×1000000"}, texts(c.Rows))
	c, err = s.After(ctx, s.Begin(), 20, Form{})
	require.NoError(t, err)
	require.Equal(t, []string{"first", "again ×1000000"}, texts(c.Rows))
}

func TestTheLevelFilterKeepsWhatBelongsToARecord(t *testing.T) {
	text := "INFO:     started\nERROR:    failed\nTraceback (most recent call last):\n  File \"main.py\", line 1, in f\n    x()\nValueError: no\nINFO:     goes on\nplain\n"
	s := look(t, write(t, strings.Repeat("INFO:     much\nDEBUG:    more\n", 3000)+text+strings.Repeat("INFO:     much\nDEBUG:    more\n", 3000)))
	c, err := s.Last(ctx, 50, Form{Least: Warning})
	require.NoError(t, err)
	require.Equal(t, strings.Split(strings.TrimSpace(text), "\n")[1:6], texts(c.Rows))
	require.True(t, c.Begin, "all of it was looked through")
	require.Equal(t, []Part{NoPart, Head, Body, Body, Tail}, []Part{c.Rows[0].Part, c.Rows[1].Part, c.Rows[2].Part, c.Rows[3].Part, c.Rows[4].Part})
}

func TestAPartThatBeginsInATracebackKnowsIt(t *testing.T) {
	s := look(t, write(t, "Traceback (most recent call last):\n"+strings.Repeat("  File \"a.py\", line 1, in f\n    f()\n", 40)+"RecursionError: deep\nwell\n"))
	c, err := s.Last(ctx, 5, Form{})
	require.NoError(t, err)
	require.Equal(t, []Part{Body, Body, Body, Tail, NoPart}, []Part{c.Rows[0].Part, c.Rows[1].Part, c.Rows[2].Part, c.Rows[3].Part, c.Rows[4].Part})
	require.Equal(t, Error, c.Rows[0].Level)
}

func TestALogThatIsNotThereIsEmpty(t *testing.T) {
	l := Open(filepath.Join(t.TempDir(), "logs", "server.log"))
	s := look(t, l)
	c, err := s.Last(ctx, 10, Form{})
	require.NoError(t, err)
	require.Empty(t, c.Rows)
	require.True(t, c.Begin && c.End)
	p, err := Compile("x", false)
	require.NoError(t, err)
	require.NoError(t, s.Search(ctx, p, Position{}, 10, func(Found) error { return nil }))
	_, err = s.Before(ctx, Position{1, 0}, 1, Form{})
	require.ErrorIs(t, err, ErrGone)
}

func TestOnlyFilesAreRead(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a FIFO":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"a device": func(path string) error { return os.Symlink("/dev/zero", path) },
		"a link to a FIFO": func(path string) error {
			return linked(path, func(to string) error { return syscall.Mkfifo(to, 0o600) })
		},
		"a link to itself":  func(path string) error { return os.Symlink(path, path) },
		"one of our memory": func(path string) error { return os.Symlink("/dev/fd", path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "server.log")
			require.NoError(t, make(path))
			_, err := Open(path).Snapshot()
			require.Error(t, err)
			if !strings.Contains(name, "itself") {
				require.ErrorIs(t, err, ErrNotRegular)
			}
		})
	}
	t.Run("a rotated one that is a FIFO ends the log there", func(t *testing.T) {
		l := write(t, "now\n")
		require.NoError(t, syscall.Mkfifo(l.Path()+".1", 0o600))
		require.Equal(t, 1, look(t, l).Files())
	})
	t.Run("a link to a file is that file, as it is for who writes it", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "server.log")
		require.NoError(t, linked(path, func(to string) error { return os.WriteFile(to, []byte("here\n"), 0o600) }))
		s := look(t, Open(path))
		c, err := s.Last(ctx, 1, Form{})
		require.NoError(t, err)
		require.Equal(t, []string{"here"}, texts(c.Rows))
	})
}

func linked(path string, make func(to string) error) error {
	if err := make(path + "-behind"); err != nil {
		return err
	}
	return os.Symlink(path+"-behind", path)
}

func TestPlacesStayRightWhenFilesAreRotated(t *testing.T) {
	l := write(t, numbered(10, 20), numbered(0, 10))
	s := look(t, l)
	c, err := s.Last(ctx, 5, Form{})
	require.NoError(t, err)
	require.NoError(t, os.Rename(l.Path(), l.Path()+".1")) // what was there before is removed by it
	add(t, l.Path(), numbered(20, 25))

	s = look(t, l)
	before, err := s.Before(ctx, c.From, 5, Form{})
	require.NoError(t, err)
	require.Equal(t, list(10, 15), texts(before.Rows))
	require.True(t, before.Begin)
	after, err := s.After(ctx, c.To, 9, Form{})
	require.NoError(t, err)
	require.Equal(t, list(20, 25), texts(after.Rows))
}

func TestAnEmptiedFileIsANewOne(t *testing.T) {
	l := write(t, numbered(0, 100))
	before := look(t, l).End()
	require.NoError(t, os.Truncate(l.Path(), 0))
	add(t, l.Path(), "anew\n")
	s := look(t, l)
	_, err := s.Before(ctx, before, 5, Form{})
	require.ErrorIs(t, err, ErrGone)
	c, err := s.Last(ctx, 5, Form{})
	require.NoError(t, err)
	require.Equal(t, []string{"anew"}, texts(c.Rows))
}

func TestFilesAreClosedWhenNobodyReadsThem(t *testing.T) {
	l := write(t, "new\n", "old\n")
	s, err := l.Snapshot()
	require.NoError(t, err)
	old := s.files[1]
	require.NoError(t, os.Remove(l.Path()+".1"))
	look(t, l)
	_, err = old.Stat()
	require.NoError(t, err, "the first snapshot still reads it")
	s.Close()
	_, err = old.Stat()
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestPositionsAreReadAsTheyAreWritten(t *testing.T) {
	p, err := ParsePosition(Position{3, 12345}.String())
	require.NoError(t, err)
	require.Equal(t, Position{3, 12345}, p)
	for _, bad := range []string{"", "1", "1:", ":1", "0:1", "-1:1", "1:-1", "1:1:1", "a:b", "1:99999999999999999999"} {
		_, err := ParsePosition(bad)
		require.Error(t, err, bad)
	}
}

func TestSecretsAreTakenOut(t *testing.T) {
	s := look(t, write(t, "\x1b[31mkey=hunter2\x1b[0m and more\nplain\n"))
	mask := func(text string) string { return strings.ReplaceAll(text, "hunter2", "•••") }
	p, err := Compile("hunter|plain", false)
	require.NoError(t, err)
	c, err := s.Last(ctx, 5, Form{Mask: mask, Pattern: p})
	require.NoError(t, err)
	require.Equal(t, "key=••• and more", textOf(c.Rows[0].Spans))
	require.NotContains(t, fmt.Sprint(c.Rows), "hunter")
	require.Equal(t, []Span{{"plain", "m"}}, c.Rows[1].Spans)
}
