package port

import (
	"net/netip"
	"slices"
	"syscall"

	"github.com/shirou/gopsutil/v4/net"
)

// listenersAmong picks the LISTEN sockets on port, or all if it is 0, out of what lsof tells, as it is asked on macOS. Sockets that several processes share
// have a line for each.
func listenersAmong(all []net.ConnectionStat, port int) []listener {
	var ls []listener
	for _, c := range all {
		if c.Status != "LISTEN" || port != 0 && int(c.Laddr.Port) != port || c.Pid <= 0 {
			continue
		}
		addr, err := netip.ParseAddr(c.Laddr.IP)
		switch {
		case c.Laddr.IP == "*" && c.Family == syscall.AF_INET6:
			addr = netip.IPv6Unspecified()
		case c.Laddr.IP == "*":
			addr = netip.IPv4Unspecified()
		case err != nil:
			continue
		}
		pid := int(c.Pid)
		i := slices.IndexFunc(ls, func(l listener) bool { return l.addr == addr.Unmap() && l.port == int(c.Laddr.Port) })
		if i < 0 {
			ls, i = append(ls, listener{addr: addr.Unmap(), port: int(c.Laddr.Port), uid: -1}), len(ls)
		}
		if !slices.Contains(ls[i].pids, pid) {
			ls[i].pids = append(ls[i].pids, pid)
		}
	}
	return ls
}
