package stall

import (
	"bufio"
	"encoding/hex"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// StateOf is the state of a process.
func StateOf(pid int) (State, error) { return stateOf(pid) }

// Peers are the addresses to which a process has TCP connections of its own making: not those that came to a port on which it listens. They
// are sorted, and each is there once. On macOS they are not known yet.
func Peers(pid int) ([]string, error) { return peers(pid) }

// tcp is a line of /proc/net/tcp.
type tcp struct {
	local, remote netip.AddrPort
	listens, open bool
	inode         string
}

const (
	tcpEstablished = "01"
	tcpSynSent     = "02"
	tcpListen      = "0A"
)

// parseTCP reads /proc/net/tcp or tcp6, at most as many lines as a machine may reasonably have.
func parseTCP(r io.Reader) []tcp {
	var all []tcp
	lines := bufio.NewScanner(r)
	for n := 0; lines.Scan() && n < 100_000; n++ {
		f := strings.Fields(lines.Text())
		if len(f) < 10 {
			continue
		}
		local, ok := parseAddress(f[1])
		remote, also := parseAddress(f[2])
		if ok && also {
			all = append(all, tcp{local, remote, f[3] == tcpListen, f[3] == tcpEstablished || f[3] == tcpSynSent, f[9]})
		}
	}
	return all
}

// parseAddress reads 0100007F:1F90, an address in the machine's order of bytes, which is little-endian wherever Go and Linux run a desktop.
func parseAddress(text string) (netip.AddrPort, bool) {
	address, port, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	n, perr := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || perr != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	ip, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), true
}

// outgoing are the remote addresses of connections that the process made.
func outgoing(all []tcp, has func(inode string) bool) []string {
	served := map[uint16]bool{}
	for _, c := range all {
		if c.listens && has(c.inode) {
			served[c.local.Port()] = true
		}
	}
	seen := map[string]bool{}
	var peers []string
	for _, c := range all {
		if name := c.remote.String(); c.open && has(c.inode) && !served[c.local.Port()] && !seen[name] {
			seen[name] = true
			peers = append(peers, name)
		}
	}
	return peers
}
