// Package port answers who listens on a port, and whether that process belongs to a backend. Begin with Claim, which says who has the port
// and which processes an end would concern, and Owners, which only looks. It proves by marks and descent, never by name alone, and ends
// nothing: whether they are ended is decided in supervisor/launch.go, by on_port_conflict. It must not know a supervisor's state.
package port

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// Owner is a process that listens on a backend's port.
type Owner struct {
	PID   int    // 0: a process of another user, which cannot be seen
	Stamp string // the kernel's mark, see keeper.Run
	Name  string // for a person: "python3.12", "node"
	// Copy: it is this backend, started by hand without Vivarium: it may be taken over.
	Copy bool
	// Ours: it carries the VIVARIUM_RUN of this backend, a server that outlived its keeper.
	Ours bool
	// Why is one sentence for a person: why it may not be touched, or what it is.
	Why string
}

// listener is one LISTEN socket. Connections to it are never looked at: who kills by port kills the browser.
type listener struct {
	addr  netip.Addr
	port  int
	uid   int    // who made it; -1: unknown
	inode uint64 // Linux
	pids  []int  // who holds it; none that we may see: a process of another user
}

// Free says whether a server could listen on host and port now, and be the one that answers there. It binds as Python's servers do, with
// SO_REUSEADDR, and never listens: a look must not accept a client's connection, nor be in the way of a server that starts at that moment.
//
// Host and port are tried, and the wildcards, because of macOS: there a server on 127.0.0.1 and another on 0.0.0.0 can share a port. A
// listener on the other of 127.0.0.1 and ::1 counts as well: "localhost" would lead people to either.
func Free(host string, port int) (bool, error) {
	if port <= 0 || port > 65535 {
		return false, fmt.Errorf("looking at port %d: there is no such port", port)
	}
	hosts, err := addresses(host)
	if err != nil {
		return false, err
	}
	for _, a := range hosts {
		switch err := tryBind(a, port); {
		case errors.Is(err, syscall.EADDRINUSE):
			return false, nil
		case errors.Is(err, syscall.EACCES):
			return false, fmt.Errorf("binding port %d: %w: ports below 1024 need an administrator", port, err)
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			return false, fmt.Errorf("binding %s: %w: it is not an address of this computer", a, err)
		case err != nil && !errors.Is(err, syscall.EAFNOSUPPORT):
			return false, fmt.Errorf("binding %s: %w", netip.AddrPortFrom(a, uint16(port)), err)
		}
	}
	return wildcardsFree(hosts, port)
}

// wildcardsFree looks for listeners that a bind to hosts did not run into.
func wildcardsFree(hosts []netip.Addr, port int) (bool, error) {
	free := true
	for _, a := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		free = free && !errors.Is(tryBind(a, port), syscall.EADDRINUSE)
	}
	if free {
		return true, nil
	}
	ls, err := listeners(context.Background(), port)
	if err != nil {
		return false, err
	}
	for _, l := range ls {
		if l.concerns(hosts) {
			return false, nil
		}
	}
	// What remains is a listener on another of this computer's addresses, or one that we cannot see.
	return seesAllListeners || len(ls) > 0, nil
}

// concerns says whether who wants to connect to one of hosts could get this listener.
func (l listener) concerns(hosts []netip.Addr) bool {
	for _, h := range hosts {
		if l.addr == h || l.addr.IsUnspecified() || h.IsUnspecified() || isLocalhost(l.addr) && isLocalhost(h) {
			return true
		}
	}
	return false
}

func isLocalhost(a netip.Addr) bool {
	return a == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || a == netip.IPv6Loopback()
}

// addresses gives the addresses that host stands for.
func addresses(host string) ([]netip.Addr, error) {
	if host == "" || host == "*" {
		return []netip.Addr{netip.IPv4Unspecified()}, nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("finding the address of %s: %w", host, err)
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, nil
}

// tryBind is nil if a and port can be bound.
func tryBind(a netip.Addr, port int) error {
	family := syscall.AF_INET
	var sa syscall.Sockaddr
	if a.Is4() {
		sa = &syscall.SockaddrInet4{Port: port, Addr: a.As4()}
	} else {
		in6 := &syscall.SockaddrInet6{Port: port, Addr: a.As16()}
		if zone, err := net.InterfaceByName(a.Zone()); a.Zone() != "" && err == nil {
			in6.ZoneId = uint32(zone.Index)
		}
		family, sa = syscall.AF_INET6, in6
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if family == syscall.AF_INET6 {
		if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1); err != nil {
			return err
		}
	}
	return syscall.Bind(fd, sa)
}

// Owners are the processes that listen on port, on any address. One that we may not see has PID 0.
func Owners(ctx context.Context, port int) ([]Owner, error) {
	ls, err := listeners(ctx, port)
	if err == nil {
		err = findHolders(ctx, ls)
	}
	if err != nil {
		return nil, fmt.Errorf("looking for who listens on port %d: %w", port, err)
	}
	return ownersOf(ls), nil
}

// ownersOf names every holder once.
func ownersOf(ls []listener) []Owner {
	var owners []Owner
	seen := map[int]bool{}
	for _, l := range ls {
		if len(l.pids) == 0 && !seen[0] {
			seen[0] = true
			owners = append(owners, Owner{Why: "It belongs to " + userName(l.uid) + ", and only an administrator can see which process it is."})
		}
		for _, pid := range l.pids {
			p, err := proc.Find(pid)
			if err != nil || seen[pid] { // ended meanwhile
				continue
			}
			seen[pid] = true
			owners = append(owners, Owner{PID: pid, Stamp: p.Stamp, Name: p.Name})
		}
	}
	return owners
}

func userName(uid int) string {
	if uid < 0 {
		return "another user"
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return "user " + u.Username
	}
	return "user " + strconv.Itoa(uid)
}

// Listening says whether a LISTEN socket on port belongs to the run: to its leader, a descendant, or a carrier of its RunVariable.
func Listening(port int, run keeper.Run) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ls, err := listeners(ctx, port)
	if err != nil || len(ls) == 0 {
		return false, err
	}
	if holdsOne(run.PID, ls) { // nearly always
		p, err := proc.Find(run.PID)
		return err == nil && p.Stamp == run.Stamp, nil
	}
	if err := findHolders(ctx, ls); err != nil {
		return false, fmt.Errorf("looking for who listens on port %d: %w", port, err)
	}
	all, err := proc.Processes()
	if err != nil {
		return false, err
	}
	table := tableOf(all)
	for _, l := range ls {
		for _, pid := range l.pids {
			if run.ID != "" && proc.RunOf(pid) == run.ID || table.descends(pid, run) {
				return true, nil
			}
		}
	}
	return false, nil
}

// Of are the ports on which the run listens, in order, whatever its configuration says: sockets of its leader, of a descendant, or of a
// carrier of its RunVariable. Only sockets that a client on this computer can reach count.
func Of(run keeper.Run) ([]int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ls, err := listeners(ctx, 0)
	if err == nil {
		err = findHolders(ctx, ls)
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the ports of process %d: %w", run.PID, err)
	}
	all, err := proc.Processes()
	if err != nil {
		return nil, fmt.Errorf("looking for the ports of process %d: %w", run.PID, err)
	}
	table := tableOf(all)
	mine := map[int]bool{}
	var ports []int
	for _, l := range ls {
		for _, pid := range l.pids {
			if _, known := mine[pid]; !known {
				mine[pid] = table.descends(pid, run) || run.ID != "" && proc.RunOf(pid) == run.ID
			}
			if mine[pid] && !slices.Contains(ports, l.port) {
				ports = append(ports, l.port)
			}
		}
	}
	slices.Sort(ports)
	return ports, nil
}

// table is the process table by PID.
type table map[int]proc.Process

func tableOf(all []proc.Process) table {
	t := make(table, len(all))
	for _, p := range all {
		t[p.PID] = p
	}
	return t
}

// line is the process with all its ancestors, the nearest first, without the first process of all.
func (t table) line(pid int) []proc.Process {
	var line []proc.Process
	for range 1000 { // the table is no snapshot: reused PIDs may make a circle of it
		p, ok := t[pid]
		if !ok || pid <= 1 {
			break
		}
		line = append(line, p)
		pid = p.PPID
	}
	return line
}

func (t table) descends(pid int, run keeper.Run) bool {
	for _, p := range t.line(pid) {
		if p.PID == run.PID && p.Stamp == run.Stamp {
			return true
		}
	}
	return false
}

// Names names processes for a person: "python3.12 (PID 4711)".
func Names(owners []Owner) string {
	var names []string
	for _, o := range owners {
		if o.PID == 0 {
			names = append(names, "a process of another user")
			continue
		}
		names = append(names, fmt.Sprintf("%s (PID %d)", o.Name, o.PID))
	}
	return strings.Join(names, ", ")
}
