package memory

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func realSystem() System { return System{Of: ofProcess, Fair: fairOfProcess, Now: time.Now} }

func ofProcess(pid int) (Figure, bool) {
	text := readProc("/proc/"+strconv.Itoa(pid)+"/status", 8<<10)
	return statusFigure(text), len(text) > 0
}

func fairOfProcess(pid int) (Figure, bool) {
	return rollupFigure(readProc("/proc/"+strconv.Itoa(pid)+"/smaps_rollup", 8<<10))
}

// readProc reads what the kernel writes in one go, without the netpoller that os.ReadFile tries first; nil if it cannot.
func readProc(path string, most int) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	b := make([]byte, most)
	n, err := unix.Read(fd, b)
	if err != nil || n <= 0 {
		return nil
	}
	return b[:n]
}

func machine(pid int) uint64 { return linuxMachine("/", pid) }

func now() Pressure { return linuxPressure(string(readProc("/proc/pressure/memory", 1<<10))) }

func executable(pid int) string {
	path, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return strings.TrimSuffix(path, " (deleted)")
}
