package memory

import (
	"sync"
	"time"

	"github.com/ebitengine/purego"
	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"
)

func realSystem() System { return System{Of: ofProcess, Now: time.Now} }

// pidRusage is proc_pid_rusage of <libproc.h>, nil if the system has none. The library is never unloaded: Go's own calls are in it.
var pidRusage = sync.OnceValue(func() (call func(pid, flavor int32, into *[rusageSize]byte) int32) {
	library, err := purego.Dlopen("/usr/lib/libSystem.B.dylib", purego.RTLD_LAZY|purego.RTLD_GLOBAL)
	if err != nil {
		return nil
	}
	symbol, err := purego.Dlsym(library, "proc_pid_rusage")
	if err != nil {
		return nil
	}
	purego.RegisterFunc(&call, symbol)
	return call
})

func ofProcess(pid int) (Figure, bool) {
	ask := pidRusage()
	var b [rusageSize]byte
	if ask == nil || ask(int32(pid), rusageInfoV4, &b) != 0 {
		return Figure{}, false
	}
	return footprintIn(&b), true
}

func machine(int) uint64 {
	n, _ := unix.SysctlUint64("hw.memsize")
	return n
}

func now() Pressure {
	level, err := unix.SysctlUint32("kern.memorystatus_vm_pressure_level")
	if err != nil {
		return Pressure{}
	}
	free, _ := unix.SysctlUint32("kern.memorystatus_level")
	return macPressure(level, free)
}

func executable(pid int) string {
	path, _ := (&process.Process{Pid: int32(pid)}).Exe()
	return path
}
