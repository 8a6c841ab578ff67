package power

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/godbus/dbus/v5"
)

// logind's manager, see org.freedesktop.login1(5).
const (
	login1     = "org.freedesktop.login1"
	login1Path = "/org/freedesktop/login1"
	manager    = "org.freedesktop.login1.Manager"
)

// busTime is how long the bus may take to answer.
const busTime = 5 * time.Second

// Take takes an inhibitor of logind's against idle sleep. It is a file descriptor: the kernel closes it with this process, however that ends,
// and no child has it. A person who closes the lid or chooses Suspend is not held up.
func Take(why string) (io.Closer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), busTime)
	defer cancel()
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("connecting to the system bus: %w", err)
	}
	defer bus.Close()
	var fd dbus.UnixFD
	call := bus.Object(login1, login1Path).CallWithContext(ctx, manager+".Inhibit", 0, "idle", "Vivarium", why, "block")
	if err := call.Store(&fd); err != nil {
		return nil, fmt.Errorf("asking logind for an inhibitor: %w", err)
	}
	if fd < 0 {
		return nil, errors.New("asking logind for an inhibitor: it gave none")
	}
	return os.NewFile(uintptr(fd), "inhibitor"), nil
}

// Watch tells when the computer is about to sleep (true) and when it is back (false), until ctx ends or the bus does. Without a bus it
// returns at once.
func Watch(ctx context.Context, told func(sleeps bool)) {
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return
	}
	defer bus.Close()
	signals := make(chan *dbus.Signal, 8)
	bus.Signal(signals)
	if bus.AddMatchSignalContext(ctx, dbus.WithMatchSender(login1), dbus.WithMatchObjectPath(login1Path),
		dbus.WithMatchInterface(manager), dbus.WithMatchMember("PrepareForSleep")) != nil {
		return
	}
	for {
		select {
		case s, ok := <-signals:
			if !ok {
				return
			}
			if s.Name != manager+".PrepareForSleep" || len(s.Body) != 1 {
				continue
			}
			if sleeps, ok := s.Body[0].(bool); ok {
				told(sleeps)
			}
		case <-ctx.Done():
			return
		}
	}
}
