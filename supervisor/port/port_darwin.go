package port

import (
	"context"
	"slices"

	"github.com/shirou/gopsutil/v4/net"
)

// seesAllListeners: lsof shows the sockets of our own user only.
const (
	seesAllListeners = false
	unseenText       = "It belongs to another user, and only an administrator can see which process it is."
)

func listeners(ctx context.Context, port int) ([]listener, error) {
	all, err := net.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return nil, err
	}
	return listenersAmong(all, port), nil
}

// findHolders has nothing to do: lsof names the process with the socket.
func findHolders(context.Context, []listener) error { return nil }

func holdsOne(pid int, ls []listener) bool {
	return slices.ContainsFunc(ls, func(l listener) bool { return slices.Contains(l.pids, pid) })
}
