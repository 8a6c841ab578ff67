package keeper

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

func openLog(t testing.TB, size int64, keep int) (*rotated, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "logs", "server.log")
	l := newRotated()
	require.NoError(t, l.open(path, size, keep))
	t.Cleanup(l.shut)
	return l, path
}

// parts are the log's files, oldest first.
func parts(t testing.TB, path string) []string {
	t.Helper()
	var all []string
	for i := 99; i >= 0; i-- {
		name := path
		if i > 0 {
			name = fmt.Sprintf("%s.%d", path, i)
		}
		b, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		all = append(all, string(b))
	}
	return all
}

func TestRotationTearsNoLineAndLosesNone(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{minLogSize, 5000, 100_000, 3 << 20} {
		l, path := openLog(t, size, 90)
		var want bytes.Buffer
		for i := 0; int64(want.Len()) < 8*size; i++ {
			fmt.Fprintf(&want, "%d %s\n", i, strings.Repeat("ü", rand.IntN(200)))
		}
		for in := want.Bytes(); len(in) > 0; {
			n := min(len(in), 1+rand.IntN(int(size)))
			l.write(in[:n])
			in = in[n:]
		}
		files := parts(t, path)
		require.Greater(t, len(files), 7)
		for i, f := range files {
			require.LessOrEqual(t, int64(len(f)), size)
			require.True(t, strings.HasSuffix(f, "\n"))
			if i < len(files)-1 {
				require.GreaterOrEqual(t, int64(len(f)), size-min(rotateSlack, size/2)-1)
			}
		}
		require.Equal(t, want.String(), strings.Join(files, ""))
	}
}

func TestALineWithoutEndIsCutBetweenRunes(t *testing.T) {
	t.Parallel()
	for _, piece := range []int{1, 2, 3, 5, 7, 700, 5000} {
		for shift := range 4 {
			l, path := openLog(t, minLogSize, 90)
			want := strings.Repeat("x", shift) + strings.Repeat("€𝄞é", 900)
			for in := []byte(want); len(in) > 0; {
				n := min(len(in), piece)
				l.write(in[:n])
				in = in[n:]
			}
			files := parts(t, path)
			require.Greater(t, len(files), 6)
			for i, f := range files {
				require.True(t, utf8.ValidString(f), "piece %d shift %d file %d", piece, shift, i)
				require.LessOrEqual(t, len(f), minLogSize)
			}
			require.Equal(t, want, strings.Join(files, ""))
		}
	}
}

func TestWhatIsNoTextIsCutAnywhere(t *testing.T) {
	t.Parallel()
	for _, b := range []byte{0x80, 0xff, 0} {
		for _, piece := range []int{1, 100, 10_000} {
			l, path := openLog(t, minLogSize, 90)
			want := bytes.Repeat([]byte{b}, 10_000)
			for in := want; len(in) > 0; in = in[piece:] {
				l.write(in[:piece])
			}
			files := parts(t, path)
			for _, f := range files {
				require.LessOrEqual(t, len(f), minLogSize)
			}
			require.Equal(t, string(want), strings.Join(files, ""))
		}
	}
}

func TestOnlySoManyFilesAreKept(t *testing.T) {
	t.Parallel()
	for keep := range 4 {
		l, path := openLog(t, minLogSize, keep)
		for i := range 1000 {
			l.write(fmt.Appendf(nil, "line %d\n", i))
		}
		files := parts(t, path)
		require.Len(t, files, keep+1)
		require.True(t, strings.HasSuffix(files[keep], "line 999\n"))
	}
}

func TestWithoutACapNothingRotates(t *testing.T) {
	t.Parallel()
	l, path := openLog(t, 0, 3)
	for i := range 1000 {
		l.write(fmt.Appendf(nil, "line %d\n", i))
	}
	require.Len(t, parts(t, path), 1)
}

func TestAnOldLogIsContinuedAndItsOpenLineEnded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "server.log")
	require.NoError(t, os.WriteFile(path, []byte("old\nhalf"), 0o600))
	l := newRotated()
	require.NoError(t, l.open(path, 0, 1))
	l.write([]byte("new\n"))
	require.NoError(t, l.open(path, 0, 1))
	l.write([]byte("newer\n"))
	require.Equal(t, []string{"old\nhalf\nnew\nnewer\n"}, parts(t, path))

	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("x"), 5000), 0o600))
	require.NoError(t, l.open(path, minLogSize, 1))
	l.write([]byte("after\n"))
	files := parts(t, path)
	require.Len(t, files, 2, "one that is too long already is rotated first")
	require.True(t, strings.HasSuffix(files[1], "after\n"))
}

func TestALogThatAPersonRemovedOrMovedIsMadeAnew(t *testing.T) {
	t.Parallel()
	l, path := openLog(t, 0, 1)
	l.write([]byte("1\n"))
	require.NoError(t, os.Remove(path))
	l.looked = time.Now().Add(-lookAgain)
	l.write([]byte("2\n"))
	require.Equal(t, []string{"2\n"}, parts(t, path))
	require.NoError(t, os.Rename(path, path+".1"))
	l.looked = time.Now().Add(-lookAgain)
	l.write([]byte("3\n"))
	require.Equal(t, []string{"2\n", "3\n"}, parts(t, path))
	require.NoError(t, os.Truncate(path, 0))
	l.looked = time.Now().Add(-lookAgain)
	l.write([]byte("4\n"))
	require.Equal(t, []string{"2\n", "4\n"}, parts(t, path))
	require.Equal(t, int64(2), l.size)
}

func TestALogThatChangedHandsDuringAPauseLosesNothingThatIsWrittenAfterIt(t *testing.T) {
	t.Parallel()
	l, path := openLog(t, 0, 1)
	for name, change := range map[string]func() error{
		"removed":  func() error { return os.Remove(path) },
		"moved":    func() error { return os.Rename(path, path+".moved") },
		"emptied":  func() error { return os.Truncate(path, 0) },
		"replaced": func() error { return os.WriteFile(path+".new", nil, 0o600) },
	} {
		l.write([]byte("half a line"))
		require.NoError(t, change(), name)
		if name == "replaced" {
			require.NoError(t, os.Rename(path+".new", path))
		}
		l.looked = l.looked.Add(-time.Second / 2) // less than a second of silence
		l.write([]byte("after\n"))
		b, err := os.ReadFile(path)
		require.NoError(t, err, name)
		require.Equal(t, "after\n", string(b), name)
		require.NoError(t, os.Remove(path))
		l.looked = time.Time{}
	}
}

func TestALineThatAFullDiskHasCutIsTakenBackAsAWhole(t *testing.T) {
	dir := smallDisk(t, 64)
	path := filepath.Join(dir, "server.log")
	l := newRotated()
	require.NoError(t, l.open(path, 0, 1))
	defer l.shut()
	l.write([]byte("before\n"))
	l.write([]byte(strings.Repeat("x", 100<<10) + "\n")) // one write, one line, and too long for the disk
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "before\n", string(b))
	l.write([]byte("after\n"))
	b, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("before\nvivarium: %d bytes (1 lines) of output are missing here: no space left on device\nafter\n", 100<<10+1), string(b))
}

func TestADeviceIsALogWithoutACap(t *testing.T) {
	t.Parallel()
	l := newRotated()
	require.NoError(t, l.open(os.DevNull, minLogSize, 3))
	l.write(bytes.Repeat([]byte("line\n"), 1000))
	require.Zero(t, l.max)
	require.NoFileExists(t, os.DevNull+".1")
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	var se *SpawnError
	require.ErrorAs(t, newRotated().open(fifo, 0, 0), &se)
}

func TestARotationThatFailsGoesOnInTheOldFile(t *testing.T) {
	t.Parallel()
	l, path := openLog(t, minLogSize, 1)
	require.NoError(t, os.MkdirAll(filepath.Join(path+".1", "x"), 0o700)) // a folder in the way
	var want strings.Builder
	for i := range 1000 {
		line := fmt.Sprintf("line %d\n", i)
		l.write([]byte(line))
		want.WriteString(line)
	}
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want.String(), string(b))
}

// smallDisk is a file system of so many KiB, or skips.
func smallDisk(t testing.TB, kib int) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can mount a small disk")
	}
	dir := t.TempDir()
	if err := mountSmall(dir, kib); err != nil {
		t.Skip("skipped: no tmpfs can be mounted here: ", err)
	}
	t.Cleanup(func() { require.NoError(t, unmount(dir)) })
	return dir
}

func TestAFullDiskDropsWholeLinesWithACountAndRecovers(t *testing.T) {
	dir := smallDisk(t, 64)
	path := filepath.Join(dir, "server.log")
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 32<<10), 0o600))
	for _, piece := range []int{1, 7, 100, 1000, 10_000} {
		_ = os.Remove(path)
		require.NoError(t, os.WriteFile(ballast, make([]byte, 32<<10), 0o600))
		l := newRotated()
		require.NoError(t, l.open(path, 0, 1))
		next, pending := 0, []byte(nil)
		feed := func(lines int) {
			for ; lines > 0; lines-- {
				pending = fmt.Appendf(pending, "line %06d\n", next)
				next++
			}
			for len(pending) >= piece {
				l.write(pending[:piece])
				pending = pending[piece:]
			}
		}
		feed(10_000) // 120 KB into 32
		require.NoError(t, os.Remove(ballast))
		feed(1000)
		l.write(pending)
		l.settle()
		require.Zero(t, l.lost.bytes)

		b, err := os.ReadFile(path)
		require.NoError(t, err)
		last, lost, notes := -1, 0, 0
		written := 0
		for line := range strings.Lines(string(b)) {
			if line == "\n" {
				continue
			}
			var n, bytes, lines int
			if _, err := fmt.Sscanf(line, "vivarium: %d bytes (%d lines) of output are missing here: no space left on device\n", &bytes, &lines); err == nil {
				notes++
				lost += bytes
				continue
			}
			if len(line) < len("line 000000\n") { // torn, where it began in a piece before
				require.Less(t, piece, 1000)
				written += len(line) - 1
				continue
			}
			_, err := fmt.Sscanf(line, "line %d\n", &n)
			require.NoError(t, err, line)
			require.Greater(t, n, last)
			last = n
			written += len(line)
		}
		require.Equal(t, next-1, last, "it recovers")
		require.NotZero(t, notes)
		require.Equal(t, next*len("line 000000\n"), written+lost, "piece %d: every byte is written or counted", piece)
		l.shut()
	}
}

func TestAFullDiskNeitherBlocksTheServerNorItsStart(t *testing.T) {
	disk := smallDisk(t, 64)
	dir := stateDir(t)
	c := launched(t, dir)
	ballast := filepath.Join(disk, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 1<<20), 0o600) // as much as fits
	s := spec(dir, "flood", "3000000", "100")
	s.Log = filepath.Join(disk, "server.log")
	for range 2 {
		run, err := c.Spawn(soon(t), s)
		require.NoError(t, err)
		e, err := c.Wait(soon(t))
		require.NoError(t, err)
		require.Zero(t, e.Code, "3 MB went somewhere")
		require.Greater(t, len(e.Tail), 500, "the tail does not need a disk")
		require.NoError(t, c.Forget(run.ID))
	}
	require.NoError(t, os.Remove(ballast))
	_, err := c.Spawn(soon(t), shell(dir, "exit 0"))
	require.NoError(t, err)
}

func TestAFileSizeLimitIsAFullDisk(t *testing.T) {
	needsProc(t)
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	self, err := os.Executable()
	require.NoError(t, err)
	// The limit is the keeper's; its child would inherit it, but writes to a pipe.
	p := shortKeeperBy(t, dir, fmt.Sprintf("ulimit -S -f 200; exec %q %q", self, dir))
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	s := spec(dir, "flood", "1000000", "100")
	run, err := c.Spawn(soon(t), s)
	require.NoError(t, err)
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.Zero(t, e.Code)
	require.NoError(t, c.Forget(run.ID))
	require.True(t, proc.Alive(p))
	require.NotContains(t, logOf(t, s), "missing")

	require.NoError(t, raiseFileSize(p.PID))
	_, err = c.Spawn(soon(t), shell(dir, "echo after"))
	require.NoError(t, err)
	_, err = c.Wait(soon(t))
	require.NoError(t, err)
	log := logOf(t, s)
	require.Regexp(t, `\nvivarium: \d+ bytes \(\d+ lines\) of output are missing here: file too large\nafter\n$`, log)
	require.Equal(t, 1, strings.Count(log, "vivarium:"))
}

func TestAFileThatIsNoLogIsNeverRotatedAway(t *testing.T) {
	t.Parallel()
	for _, keep := range []int{0, 3} {
		path := filepath.Join(t.TempDir(), "main.py")
		const precious = "app = FastAPI()\n"
		require.NoError(t, os.WriteFile(path, []byte(precious), 0o644))
		l := newRotated()
		for run := range int64(3) { // also for a later run, and with another configuration
			require.NoError(t, l.open(path, run*minLogSize, keep))
			for range 100 {
				l.write([]byte(strings.Repeat("x", 99) + "\n"))
			}
		}
		l.shut()
		all := parts(t, path)
		require.Len(t, all, 1)
		require.True(t, strings.HasPrefix(all[0], precious))
	}
}

func TestAFileOfAnyNameThatTheKeeperMadeIsRotatedAndSoIsALogThatWasThere(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{"server.dat": "", "server.log": "old\n", "output": "old\n", "LOG.md": "old\n"} {
		path := filepath.Join(t.TempDir(), name)
		if before != "" {
			require.NoError(t, os.WriteFile(path, []byte(before), 0o600))
		}
		l := newRotated()
		require.NoError(t, l.open(path, minLogSize, 2))
		for range 100 {
			l.write([]byte(strings.Repeat("x", 99) + "\n"))
		}
		l.shut()
		require.Len(t, parts(t, path), 3, name)
	}
}

func TestALogThatIsALinkToNowhereIsMadeWhereItLeads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Symlink("there", filepath.Join(dir, "server.log")))
	l := newRotated()
	require.NoError(t, l.open(filepath.Join(dir, "server.log"), 0, 0))
	l.write([]byte("line\n"))
	l.shut()
	text, err := os.ReadFile(filepath.Join(dir, "there"))
	require.NoError(t, err)
	require.Equal(t, "line\n", string(text))
}

func TestADeviceIsNeverRotatedNotEvenForTheSecondRun(t *testing.T) {
	t.Parallel()
	l := newRotated()
	defer l.shut()
	for range 2 {
		require.NoError(t, l.open(os.DevNull, minLogSize, 1))
		require.Zero(t, l.max)
	}
}
