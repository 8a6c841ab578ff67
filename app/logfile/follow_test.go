package logfile

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// follow begins at the log's end.
func follow(t *testing.T, l *Log, form Form) *Follower {
	t.Helper()
	f := l.Follow(look(t, l).End(), form)
	t.Cleanup(f.Close)
	return f
}

func fresh(t *testing.T, f *Follower) Fresh {
	t.Helper()
	got, err := f.Next(ctx)
	require.NoError(t, err)
	return got
}

// rotate does what the keeper does, and keeps n files.
func rotate(t *testing.T, path string, n int) {
	t.Helper()
	for i := n - 1; i > 0; i-- {
		_ = os.Rename(rotated(path, i), rotated(path, i+1))
	}
	if n == 0 {
		require.NoError(t, os.Remove(path))
	} else {
		require.NoError(t, os.Rename(path, rotated(path, 1)))
	}
	add(t, path, "")
}

func TestWhatIsAddedIsSeen(t *testing.T) {
	l := write(t, numbered(0, 5))
	f := follow(t, l, Form{})
	require.Empty(t, fresh(t, f).Rows)
	add(t, l.Path(), numbered(5, 8)+"half")
	got := fresh(t, f)
	require.Equal(t, list(5, 8), texts(got.Rows))
	require.Equal(t, []string{"half"}, texts([]Row{*got.Open}))
	add(t, l.Path(), " a line")
	require.Equal(t, []string{"half a line"}, texts([]Row{*fresh(t, f).Open}))
	add(t, l.Path(), "\nand on\n")
	got = fresh(t, f)
	require.Equal(t, []string{"half a line", "and on"}, texts(got.Rows))
	require.Nil(t, got.Open)
}

func TestAFollowerGoesThroughRotations(t *testing.T) {
	l := write(t, numbered(0, 5))
	f := follow(t, l, Form{})
	fresh(t, f)
	add(t, l.Path(), numbered(5, 8))
	rotate(t, l.Path(), 3)
	add(t, l.Path(), numbered(8, 10))
	rotate(t, l.Path(), 3)
	add(t, l.Path(), numbered(10, 12))
	got := fresh(t, f)
	require.Equal(t, list(5, 12), texts(got.Rows))
	require.False(t, got.Lost)
}

func TestAFileThatIsRotatedAwayIsReadToItsEnd(t *testing.T) {
	l := write(t, numbered(0, 5))
	f := follow(t, l, Form{})
	fresh(t, f)
	add(t, l.Path(), numbered(5, 8))
	rotate(t, l.Path(), 0)
	add(t, l.Path(), numbered(8, 10))
	got := fresh(t, f)
	require.Equal(t, list(5, 10), texts(got.Rows))
	require.False(t, got.Lost)
}

func TestWhatWasLostIsSaid(t *testing.T) {
	l := write(t, numbered(0, 5), "old\n")
	f := follow(t, l, Form{})
	fresh(t, f)
	for i := range 4 {
		add(t, l.Path(), numbered(10*i, 10*i+1))
		rotate(t, l.Path(), 2)
	}
	add(t, l.Path(), "end\n")
	got := fresh(t, f)
	require.True(t, got.Lost)
	require.Equal(t, []string{"line 0", "line 20", "line 30", "end"}, texts(got.Rows), "what we still hold, and what is left")
}

func TestAnEmptiedFileIsFollowedFromItsBeginning(t *testing.T) {
	l := write(t, numbered(0, 50), numbered(100, 110))
	f := follow(t, l, Form{})
	fresh(t, f)
	require.NoError(t, os.Truncate(l.Path(), 0))
	add(t, l.Path(), numbered(0, 2))
	got := fresh(t, f)
	require.Equal(t, list(0, 2), texts(got.Rows), "and nothing of the rotated file again")
	require.False(t, got.Lost)
}

func TestALogThatBeginsLaterIsFollowed(t *testing.T) {
	l := write(t)
	f := follow(t, l, Form{})
	require.Empty(t, fresh(t, f).Rows)
	add(t, l.Path(), numbered(0, 2))
	require.Equal(t, list(0, 2), texts(fresh(t, f).Rows))
	require.NoError(t, os.Remove(l.Path()))
	require.Empty(t, fresh(t, f).Rows)
	add(t, l.Path(), numbered(2, 4))
	require.Equal(t, list(2, 4), texts(fresh(t, f).Rows))
}

func TestAFloodIsSampledAndNothingBadIsLeftOut(t *testing.T) {
	l := write(t, "first\n")
	f := follow(t, l, Form{})
	fresh(t, f)
	add(t, l.Path(), numbered(0, 20_000)+"ERROR:    among them\n"+numbered(20_000, 50_000))
	got := fresh(t, f)
	require.LessOrEqual(t, len(got.Rows), mostFresh*2)
	require.Equal(t, "ERROR:    among them", texts(got.Rows)[0])
	require.Equal(t, "line 49999", texts(got.Rows)[len(got.Rows)-1])
	require.Equal(t, 50_001, len(got.Rows)+got.Skipped, "every line is shown or counted")
	require.Equal(t, look(t, l).End(), got.To)

	f = follow(t, l, Form{Least: Warning})
	fresh(t, f)
	add(t, l.Path(), numbered(0, 20_000)+"ERROR:    alone\n"+numbered(0, 20_000))
	got = fresh(t, f)
	require.Equal(t, []string{"ERROR:    alone"}, texts(got.Rows))
	require.Zero(t, got.Skipped, "what the filter leaves out is not missed")
}

func TestMoreThanCanBeReadIsCounted(t *testing.T) {
	l := write(t, "first\n")
	f := follow(t, l, Form{})
	fresh(t, f)
	text := strings.Repeat("0123456789abcdef\n", 2*mostJudged/17)
	add(t, l.Path(), text)
	got := fresh(t, f)
	shown := 0
	for _, r := range got.Rows {
		shown += r.Count
	}
	require.Equal(t, strings.Count(text, "\n"), shown+got.Skipped)
	require.Equal(t, look(t, l).End(), got.To)
}

func TestAProgressBarShowsItsLatestWord(t *testing.T) {
	l := write(t, "")
	f := follow(t, l, Form{})
	var bar strings.Builder
	for i := range 2000 {
		bar.WriteString("\r" + strings.Repeat("#", i%50) + " loading")
	}
	add(t, l.Path(), bar.String()+"\r 99%")
	require.Equal(t, []string{" 99%"}, texts([]Row{*fresh(t, f).Open}))
	add(t, l.Path(), "\r100%\r\n")
	require.Equal(t, []string{"100%"}, texts(fresh(t, f).Rows))
}

func TestALineIsLocatedByWhatCameBeforeIt(t *testing.T) {
	same := func(s string) string { return s }
	crash := func(n int) string {
		return numbered(n, n+40) + "Fatal Python error: Segmentation fault\n\nCurrent thread\n"
	}
	l := write(t, crash(300), crash(200)+crash(100))
	s := look(t, l)
	at := func(n int) string {
		tail := strings.Split(crash(n), "\n")
		place, err := s.Locate(ctx, "Fatal Python error: Segmentation fault", tail, same)
		require.NoError(t, err)
		c, err := s.Before(ctx, place, 1, Form{})
		require.NoError(t, err)
		return texts(c.Rows)[0]
	}
	require.Equal(t, "line 339", at(300))
	require.Equal(t, "line 239", at(200))
	require.Equal(t, "line 139", at(100))
	place, err := s.Locate(ctx, "Fatal Python error: Segm…", nil, same)
	require.NoError(t, err)
	require.Equal(t, s.files[0].id, place.File, "without more to go by it is the last one")
	_, err = s.Locate(ctx, "never said", nil, same)
	require.ErrorIs(t, err, ErrGone)
	_, err = s.Locate(ctx, "•••", nil, same)
	require.ErrorIs(t, err, ErrGone)
}
