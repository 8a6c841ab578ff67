package recorder

import (
	"encoding/binary"
	"time"
)

// Where in the answers of macOS's libproc the fields stand (<sys/proc_info.h>; a test holds them against an excerpt).
const (
	threadInfoSize   = 112
	threadSystemTime = 8
	threadRunState   = 24
	threadRunning    = 1 // TH_STATE_RUNNING

	vnodeInfoSize = 176
	vnodeDevice   = 24
	vnodeInode    = 32
)

// threadUse reads a struct proc_threadinfo. Its times are in nanoseconds.
func threadUse(b *[threadInfoSize]byte) ThreadUse {
	user, system := binary.NativeEndian.Uint64(b[:]), binary.NativeEndian.Uint64(b[threadSystemTime:])
	return ThreadUse{CPU: time.Duration(user) + time.Duration(system), Running: binary.NativeEndian.Uint32(b[threadRunState:]) == threadRunning}
}

// fileOf reads which file a struct vnode_fdinfo is of.
func fileOf(b *[vnodeInfoSize]byte) (device uint32, inode uint64) {
	return binary.NativeEndian.Uint32(b[vnodeDevice:]), binary.NativeEndian.Uint64(b[vnodeInode:])
}

// threads gives the use of each thread by what libproc answers: list the handles, info the structure of one of them. The main thread, which is
// the first, has the number of the process.
func threads(pid int, handles []uint64, info func(handle uint64, into *[threadInfoSize]byte) bool) map[int]ThreadUse {
	use := make(map[int]ThreadUse, len(handles))
	for i, h := range handles {
		var b [threadInfoSize]byte
		if !info(h, &b) {
			continue // it has ended
		}
		key := int(h)
		if i == 0 {
			key = pid
		}
		use[key] = threadUse(&b)
	}
	return use
}
