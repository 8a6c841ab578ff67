package recorder

import (
	"encoding/binary"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// layout gives the offsets of a structure's fields and its size, as a C compiler lays it out.
func layout(t *testing.T, header, name string) (offsets map[string]int, size int) {
	t.Helper()
	body := regexp.MustCompile(`(?s)struct ` + name + ` \{\n(.*?)\n\};`).FindStringSubmatch(header)
	require.NotNil(t, body, name)
	offsets = map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\t(?:struct )?(\w+)\s+(\w+)(?:\[(\d+)\])?;`).FindAllStringSubmatch(body[1], -1) {
		sizes := map[string][2]int{ // and what they are aligned to
			"uint64_t": {8, 8}, "int64_t": {8, 8}, "off_t": {8, 8}, "uint32_t": {4, 4}, "int32_t": {4, 4}, "int": {4, 4}, "uid_t": {4, 4}, "gid_t": {4, 4},
			"uint16_t": {2, 2}, "char": {1, 1}, "fsid_t": {8, 4},
		}
		s, known := sizes[m[1]]
		if !known {
			_, inner := layout(t, header, m[1])
			s = [2]int{inner, 8}
		}
		count := 1
		if m[3] != "" {
			count, _ = strconv.Atoi(m[3])
		}
		size = (size + s[1] - 1) / s[1] * s[1]
		offsets[m[2]] = size
		size += s[0] * count
	}
	return offsets, size
}

func TestWhatLibprocAnswersStandsWhereApplesHeaderHasIt(t *testing.T) {
	text, err := os.ReadFile("testdata/proc_info.h")
	require.NoError(t, err)
	thread, size := layout(t, string(text), "proc_threadinfo")
	require.Equal(t, threadInfoSize, size)
	require.Equal(t, 0, thread["pth_user_time"])
	require.Equal(t, threadSystemTime, thread["pth_system_time"])
	require.Equal(t, threadRunState, thread["pth_run_state"])
	_, size = layout(t, string(text), "vnode_fdinfo")
	require.Equal(t, vnodeInfoSize, size)
	_, file := layout(t, string(text), "proc_fileinfo")
	stat, _ := layout(t, string(text), "vinfo_stat")
	require.Equal(t, vnodeDevice, file+stat["vst_dev"])
	require.Equal(t, vnodeInode, file+stat["vst_ino"])
}

func TestTheFirstThreadIsTheMainOneAndOneThatHasEndedIsLeftOut(t *testing.T) {
	got := threads(7, []uint64{0x1000, 0x2000, 0x3000}, func(handle uint64, into *[threadInfoSize]byte) bool {
		binary.NativeEndian.PutUint64(into[:], handle)
		binary.NativeEndian.PutUint64(into[threadSystemTime:], 1)
		binary.NativeEndian.PutUint32(into[threadRunState:], map[uint64]uint32{0x1000: 3, 0x3000: threadRunning}[handle])
		return handle != 0x2000
	})
	require.Equal(t, map[int]ThreadUse{7: {CPU: 0x1001 * time.Nanosecond}, 0x3000: {CPU: 0x3001 * time.Nanosecond, Running: true}}, got)
	require.Empty(t, threads(7, nil, nil))
}

func TestAFileIsKnownByItsDeviceAndItsNumber(t *testing.T) {
	var b [vnodeInfoSize]byte
	binary.NativeEndian.PutUint32(b[vnodeDevice:], 16777233)
	binary.NativeEndian.PutUint64(b[vnodeInode:], 1<<40)
	device, inode := fileOf(&b)
	require.EqualValues(t, 16777233, device)
	require.EqualValues(t, 1<<40, inode)
}
