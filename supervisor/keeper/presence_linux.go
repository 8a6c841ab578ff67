package keeper

import (
	"encoding/binary"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// watchFolder begins to watch a folder. wait returns when the lock or the socket in it is removed or moved, or the folder itself.
func watchFolder(dir string) (wait func() error, err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	f := os.NewFile(uintptr(fd), "inotify") // read through the netpoller: no thread waits
	const what = unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(fd, dir, what); err != nil {
		f.Close()
		return nil, os.NewSyscallError("inotify_add_watch", err)
	}
	return func() error {
		defer f.Close()
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return err
			}
			if concerns(buf[:n]) {
				return nil
			}
		}
	}, nil
}

// concerns reads inotify's events: whether one of them is of the folder itself, of the lock or of the socket. The supervisor replaces files
// of its own in the same folder.
func concerns(b []byte) bool {
	for len(b) >= unix.SizeofInotifyEvent {
		mask, length := binary.NativeEndian.Uint32(b[4:]), int(binary.NativeEndian.Uint32(b[12:]))
		b = b[unix.SizeofInotifyEvent:]
		name := strings.TrimRight(string(b[:min(length, len(b))]), "\x00")
		b = b[min(length, len(b)):]
		if mask&(unix.IN_DELETE|unix.IN_MOVED_FROM) == 0 || name == lockFile || name == sockFile {
			return true
		}
	}
	return false
}
