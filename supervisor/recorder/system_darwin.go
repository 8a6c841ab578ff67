package recorder

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

type darwin struct{}

// Real is this machine.
func Real() System { return darwin{} }

const stateStopped = 4 // SSTOP in <sys/proc.h>

func kinfo(pid int) (*unix.KinfoProc, error) {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(k.Proc.P_pid) != pid {
		return nil, fmt.Errorf("asking for process %d: %w", pid, errors.Join(err, syscall.ESRCH))
	}
	return k, nil
}

// Catches is not asked of the kernel: both signals of the recorder are ignored by default on macOS, and harm nobody.
func (darwin) Catches(pid int, s syscall.Signal) (bool, error) {
	if s != unix.SIGURG && s != unix.SIGINFO {
		return false, errors.ErrUnsupported
	}
	return true, nil
}

// libproc are the calls of <libproc.h>, which give the number of bytes that they wrote. They are nil if the system has none. The library is
// never unloaded: Go's own calls are in it.
var libproc = sync.OnceValue(func() (calls struct {
	pidinfo   func(pid, flavor int32, arg uint64, into unsafe.Pointer, size int32) int32
	pidfdinfo func(pid, fd, flavor int32, into unsafe.Pointer, size int32) int32
}) {
	library, err := purego.Dlopen("/usr/lib/libSystem.B.dylib", purego.RTLD_LAZY|purego.RTLD_GLOBAL)
	if err != nil {
		return calls
	}
	info, err := purego.Dlsym(library, "proc_pidinfo")
	if err != nil {
		return calls
	}
	fdinfo, err := purego.Dlsym(library, "proc_pidfdinfo")
	if err != nil {
		return calls
	}
	purego.RegisterFunc(&calls.pidinfo, info)
	purego.RegisterFunc(&calls.pidfdinfo, fdinfo)
	return calls
})

// What is asked for, by the names of <sys/proc_info.h>.
const (
	pidThreadInfo  = 5 // PROC_PIDTHREADINFO: struct proc_threadinfo of the thread with a handle
	pidListThreads = 6 // PROC_PIDLISTTHREADS: the handles of all threads, the main one first
	fdVnodeInfo    = 1 // PROC_PIDFDVNODEINFO: struct vnode_fdinfo

	mostThreads = 4096
)

func (darwin) Threads(pid int) (map[int]ThreadUse, error) {
	ask := libproc().pidinfo
	if ask == nil {
		return nil, errors.ErrUnsupported
	}
	handles := make([]uint64, mostThreads)
	n := ask(int32(pid), pidListThreads, 0, unsafe.Pointer(&handles[0]), 8*mostThreads)
	if n <= 0 || n >= 8*mostThreads || n%8 != 0 {
		return nil, fmt.Errorf("asking for the threads of process %d: %d bytes came", pid, n)
	}
	return threads(pid, handles[:n/8], func(handle uint64, into *[threadInfoSize]byte) bool {
		return ask(int32(pid), pidThreadInfo, handle, unsafe.Pointer(into), threadInfoSize) == threadInfoSize
	}), nil
}

func (darwin) Holds(pid, fd int, file os.FileInfo) (bool, error) {
	ask, st := libproc().pidfdinfo, file.Sys().(*syscall.Stat_t)
	if ask == nil {
		return false, errors.ErrUnsupported
	}
	var b [vnodeInfoSize]byte
	if n := ask(int32(pid), int32(fd), fdVnodeInfo, unsafe.Pointer(&b), vnodeInfoSize); n != vnodeInfoSize {
		return false, fmt.Errorf("asking for descriptor %d of process %d: %d bytes came", fd, pid, n)
	}
	device, inode := fileOf(&b)
	return device == uint32(st.Dev) && inode == st.Ino, nil
}

func (darwin) Stopped(pid int) (bool, error) {
	k, err := kinfo(pid)
	if err != nil {
		return false, err
	}
	return k.Proc.P_stat == stateStopped, nil
}
