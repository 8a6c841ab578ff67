package process

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyMarksOfThisUsersDeadProcessesAreLeftovers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"__KMP_REGISTERED_LIB_100_501", "__KMP_REGISTERED_LIB_101_501", "__KMP_REGISTERED_LIB_102", "__KMP_REGISTERED_LIB_103_502",
		"__KMP_REGISTERED_LIB_x_501", "__KMP_REGISTERED_LIB_", "__KMP_REGISTERED_LIB_0_501", "sem.mp-abc", "other",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	uid := os.Getuid()
	alive := func(pid int) bool { return pid == 101 }
	for _, name := range []string{"100", "101"} { // in the name of who runs this test
		require.NoError(t, os.Rename(filepath.Join(dir, "__KMP_REGISTERED_LIB_"+name+"_501"), filepath.Join(dir, "__KMP_REGISTERED_LIB_"+name+"_"+strconv.Itoa(uid))))
	}
	require.Equal(t, []string{filepath.Join(dir, "__KMP_REGISTERED_LIB_100_"+strconv.Itoa(uid)), filepath.Join(dir, "__KMP_REGISTERED_LIB_102")}, openMPMarks(dir, uid, alive))
	require.Empty(t, openMPMarks(filepath.Join(dir, "gone"), uid, alive))
	require.Empty(t, openMPMarks(dir, uid+1, alive), "files of another user")
}
