package record

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

func TestWhatIsNoFileOfOursIsNotReadAsOne(t *testing.T) {
	folder := t.TempDir()
	want := filepath.Join(folder, wantFile)
	var wrong *safefile.TypeError
	require.NoError(t, syscall.Mkfifo(want, 0o600))
	_, err := ReadWant(folder)
	require.ErrorAs(t, err, &wrong)
	_, err = Read(want)
	require.ErrorAs(t, err, &wrong)
	require.NoError(t, os.Remove(want))

	require.NoError(t, os.Symlink("/dev/zero", want))
	_, err = ReadWant(folder)
	require.ErrorAs(t, err, &wrong)
	require.NoError(t, os.Remove(want))

	require.NoError(t, os.WriteFile(want, nil, 0o600))
	require.NoError(t, os.Truncate(want, 1<<40))
	var large *safefile.SizeError
	_, err = ReadWant(folder)
	require.ErrorAs(t, err, &large)
	_, err = Read(want)
	require.ErrorAs(t, err, &large)
}
