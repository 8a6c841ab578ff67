package keeper

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// watchFolder begins to watch a folder. wait returns when something in it is made or removed, or the folder itself.
func watchFolder(dir string) (wait func() error, err error) {
	fd, err := unix.Open(dir, unix.O_EVTONLY|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, os.NewSyscallError("open", err)
	}
	kq, err := unix.Kqueue()
	if err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(kq)
	change := []unix.Kevent_t{{
		Ident: uint64(fd), Filter: unix.EVFILT_VNODE, Flags: unix.EV_ADD | unix.EV_CLEAR,
		Fflags: unix.NOTE_WRITE | unix.NOTE_DELETE | unix.NOTE_RENAME | unix.NOTE_REVOKE,
	}}
	if _, err := unix.Kevent(kq, change, nil, nil); err != nil {
		unix.Close(kq)
		unix.Close(fd)
		return nil, os.NewSyscallError("kevent", err)
	}
	return func() error {
		defer unix.Close(fd)
		defer unix.Close(kq)
		_, err := proc.IgnoringEINTR(func() (int, error) { return unix.Kevent(kq, nil, make([]unix.Kevent_t, 1), nil) })
		return err
	}, nil
}
