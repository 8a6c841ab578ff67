package safefile

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// notFiles puts everything that is not a regular file into a folder, by name.
func notFiles(t *testing.T) map[string]string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sf") // short: a socket's path may not be long
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	all := map[string]string{}
	for what, make := range map[string]func(string) error{
		"a named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder":     func(path string) error { return os.Mkdir(path, 0o700) },
		"a device":     func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		path := filepath.Join(dir, strings.Fields(what)[1])
		require.NoError(t, make(path))
		all[what] = path
	}
	return all
}

// soon fails where something waits for ever.
func soon(t *testing.T, act func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); act() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		require.Fail(t, "it waits for ever")
	}
}

func TestOnlyRegularFilesAreReadAndNothingIsWaitedFor(t *testing.T) {
	for what, path := range notFiles(t) {
		soon(t, func() {
			_, err := Read(path, 10)
			var wrong *TypeError
			require.ErrorAs(t, err, &wrong, what)
			require.Equal(t, what, wrong.What)
			require.ErrorContains(t, err, path)
		})
	}
	dir, err := os.MkdirTemp("", "sf")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	ln, err := net.Listen("unix", filepath.Join(dir, "s"))
	require.NoError(t, err)
	defer ln.Close()
	soon(t, func() {
		_, err := Read(filepath.Join(dir, "s"), 10)
		require.Error(t, err)
	})
	_, err = Read(filepath.Join(dir, "nothing"), 10)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestAFileIsReadUpToItsLimitAndNotAByteMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for length, limit := range map[int]int64{0: 0, 10: 10, 11: 20} {
		require.NoError(t, os.WriteFile(path, make([]byte, length), 0o600))
		text, err := Read(path, limit)
		require.NoError(t, err)
		require.Len(t, text, length)
	}
	require.NoError(t, os.WriteFile(path, make([]byte, 11), 0o600))
	_, err := Read(path, 10)
	var large *SizeError
	require.ErrorAs(t, err, &large)
	require.Equal(t, SizeError{Path: path, Limit: 10}, *large)
	require.EqualError(t, err, path+" is larger than 10 bytes, the most that is read of it")
	require.ErrorContains(t, &SizeError{Limit: 64 << 20}, "64 MiB")
	require.ErrorContains(t, &SizeError{Limit: 64 << 10}, "64 KiB")

	require.NoError(t, os.Truncate(path, 1<<40)) // without a byte on the disk
	soon(t, func() {
		_, err := Read(path, 1<<20)
		require.ErrorAs(t, err, &large)
	})
}

// /proc says that its files have no bytes.
func TestASizeThatTheFileSystemClaimsIsNotBelieved(t *testing.T) {
	const path = "/proc/self/status"
	if _, err := os.Stat(path); err != nil {
		t.Skip("skipped: there is no /proc")
	}
	text, err := Read(path, 1<<20)
	require.NoError(t, err)
	require.NotEmpty(t, text)
	_, err = Read(path, 10)
	var large *SizeError
	require.ErrorAs(t, err, &large)
}

func TestALinkIsFollowedByReadAndBelowARootOnlyWithinIt(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "inside")
	require.NoError(t, os.Mkdir(inside, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("out"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(inside, "own"), []byte("in"), 0o600))
	require.NoError(t, os.Symlink("own", filepath.Join(inside, "near")))
	require.NoError(t, os.Symlink("../secret", filepath.Join(inside, "far")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(inside, "pipe"), 0o600))
	root, err := os.OpenRoot(inside)
	require.NoError(t, err)
	defer root.Close()

	text, err := Read(filepath.Join(inside, "far"), 10)
	require.NoError(t, err)
	require.Equal(t, "out", string(text))
	text, err = ReadIn(root, "near", 10)
	require.NoError(t, err)
	require.Equal(t, "in", string(text))
	for _, name := range []string{"far", "../secret", filepath.Join(dir, "secret")} {
		_, err = ReadIn(root, name, 10)
		require.ErrorContains(t, err, "escapes", name)
	}
	soon(t, func() {
		_, err := ReadIn(root, "pipe", 10)
		var wrong *TypeError
		require.ErrorAs(t, err, &wrong)
	})
	_, err = ReadIn(root, "own", 1)
	var large *SizeError
	require.ErrorAs(t, err, &large)
}

func TestStateIsNeverOpenedThroughALink(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	require.NoError(t, os.Symlink(victim, filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink(filepath.Join(dir, "new"), filepath.Join(dir, "dangling")))
	for _, name := range []string{"link", "dangling"} {
		_, err := OpenState(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE)
		var wrong *TypeError
		require.ErrorAs(t, err, &wrong, name)
	}
	require.NoFileExists(t, filepath.Join(dir, "new"))
	_, err := OpenState(victim, os.O_RDWR|os.O_TRUNC)
	require.Error(t, err)
	for what, path := range notFiles(t) {
		soon(t, func() {
			_, err := OpenState(path, os.O_RDWR|os.O_CREATE)
			require.Error(t, err, what)
		})
	}
	text, err := os.ReadFile(victim)
	require.NoError(t, err)
	require.Equal(t, "precious", string(text))

	f, err := OpenState(filepath.Join(dir, "made"), os.O_RDWR|os.O_CREATE|os.O_APPEND)
	require.NoError(t, err)
	_, err = io.WriteString(f, "ours")
	require.NoError(t, errors.Join(err, f.Close()))
	st, err := os.Stat(filepath.Join(dir, "made"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), st.Mode())
}

func TestReplaceReplacesALinkAndLeavesWhatItPointsTo(t *testing.T) {
	dir := t.TempDir()
	victim, path := filepath.Join(dir, "victim"), filepath.Join(dir, "state.json")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	require.NoError(t, os.Symlink(victim, path))
	require.NoError(t, os.Symlink(victim, path+".new")) // where a temporary file could be guessed
	require.NoError(t, Replace(path, []byte("one")))
	require.NoError(t, Replace(path, []byte("two")))
	st, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), st.Mode())
	for file, content := range map[string]string{victim: "precious", path: "two"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, content, string(text))
	}
	require.Error(t, Replace(filepath.Join(dir, "no", "folder"), nil))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	require.Error(t, Replace(filepath.Join(dir, "folder"), nil), "a folder is not replaced")
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 4, "nothing is left of what failed")
}
