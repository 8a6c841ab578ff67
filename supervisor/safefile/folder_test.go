package safefile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// foreignFolder belongs to another user: root can make one, and everybody else finds one.
func foreignFolder(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		return "/"
	}
	dir := filepath.Join(t.TempDir(), "foreign")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chown(dir, 12345, -1))
	return dir
}

func foreignFile(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		return "/etc/passwd"
	}
	path := filepath.Join(t.TempDir(), "foreign")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	require.NoError(t, os.Chown(path, 12345, -1))
	return path
}

func TestAFolderThatOthersCanWriteIntoIsRefusedWithARemedy(t *testing.T) {
	for mode, safe := range map[fs.FileMode]bool{0o700: true, 0o755: true, 0o500: true, 0o777: false, 0o770: false, 0o702: false, 0o777 | fs.ModeSticky: false} {
		dir := t.TempDir()
		require.NoError(t, os.Chmod(dir, mode))
		for _, err := range []error{CheckFolder(dir), Folder(dir)} {
			if safe {
				require.NoError(t, err, mode)
				continue
			}
			var unsafe *OwnerError
			require.ErrorAs(t, err, &unsafe, mode)
			require.ErrorContains(t, err, dir+" can be written by other users")
			require.ErrorContains(t, err, "chmod go-w")
		}
	}
}

func TestWhatBelongsToAnotherUserIsRefused(t *testing.T) {
	var unsafe *OwnerError
	dir := foreignFolder(t)
	for _, err := range []error{CheckFolder(dir), Folder(dir)} {
		require.ErrorAs(t, err, &unsafe)
		require.ErrorContains(t, err, dir+" belongs to another user (")
		require.ErrorContains(t, err, "VIVARIUM_HOME")
	}
	_, err := OpenState(foreignFile(t), os.O_RDONLY)
	require.ErrorAs(t, err, &unsafe)
	_, err = Open(foreignFile(t))
	require.NoError(t, err, "others' files may be read where they may be there")
}

func TestAFolderIsMadePrivateAndALinkToOneIsWhatItPointsTo(t *testing.T) {
	dir := t.TempDir()
	made := filepath.Join(dir, "a", "b")
	require.ErrorIs(t, CheckFolder(made), fs.ErrNotExist)
	require.NoError(t, Folder(made))
	st, err := os.Stat(made)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), st.Mode().Perm())

	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(made, link))
	require.NoError(t, CheckFolder(link))
	require.NoError(t, os.Chmod(made, 0o777))
	require.ErrorContains(t, CheckFolder(link), "can be written by other users")
	require.NoError(t, os.Chmod(made, 0o700))
	if os.Getuid() == 0 {
		require.NoError(t, os.Lchown(link, 12345, -1))
		require.ErrorContains(t, CheckFolder(link), "belongs to another user")
	}

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Error(t, CheckFolder(file))
	require.Error(t, Folder(file))
}
