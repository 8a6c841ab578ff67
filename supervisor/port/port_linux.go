package port

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// seesAllListeners: /proc/net/tcp lists the sockets of every user. A port that is taken without any has only been bound.
const (
	seesAllListeners = true
	unseenText       = "It is reserved by a process that does not listen on it."
)

// listeners are the LISTEN sockets on port, or on every port if it is 0. Their holders are found by findHolders, which costs more.
func listeners(_ context.Context, port int) ([]listener, error) {
	var all []listener
	for _, path := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
			continue
		}
		if err != nil {
			return nil, err
		}
		ls, err := parseSockets(f, port)
		_ = f.Close()
		if err != nil {
			return nil, err
		}
		all = append(all, ls...)
	}
	return all, nil
}

// parseSockets reads /proc/net/tcp: "sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode".
func parseSockets(r io.Reader, port int) ([]listener, error) {
	const listen = " 0A "
	suffix := ""
	if port != 0 {
		suffix = ":" + strings.ToUpper(hex.EncodeToString(binary.BigEndian.AppendUint16(nil, uint16(port))))
	}
	var ls []listener
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if !strings.Contains(line, listen) || !strings.Contains(line, suffix) {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != "0A" || !strings.HasSuffix(f[1], suffix) {
			continue
		}
		host, number, _ := strings.Cut(f[1], ":")
		addr, ok := kernelAddr(host)
		on, err := strconv.ParseUint(number, 16, 16)
		if err != nil {
			continue
		}
		inode, err := strconv.ParseUint(f[9], 10, 64)
		if !ok || err != nil || inode == 0 {
			continue
		}
		uid, err := strconv.Atoi(f[7])
		if err != nil {
			uid = -1
		}
		ls = append(ls, listener{addr: addr, port: int(on), uid: uid, inode: inode})
	}
	return ls, lines.Err()
}

// kernelAddr reads an address as the kernel prints it: hexadecimal, in words of the machine's byte order.
func kernelAddr(s string) (netip.Addr, bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 4 && len(b) != 16 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	return a.Unmap(), ok
}

// findHolders fills in who holds the sockets, by looking at every descriptor that we may see.
func findHolders(ctx context.Context, ls []listener) error {
	if len(ls) == 0 {
		return nil
	}
	d, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, i := range held(pid, ls) {
			ls[i].pids = append(ls[i].pids, pid)
		}
	}
	return nil
}

// holdsOne says whether the process holds one of the sockets.
func holdsOne(pid int, ls []listener) bool { return len(held(pid, ls)) > 0 }

// held are the indexes of the sockets that the process holds. It reads thousands of links where many processes run, so it makes no
// string of any.
func held(pid int, ls []listener) []int {
	dir, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(dir)
	var entries [4096]byte
	var link [64]byte
	var names []string
	var found []int
	for {
		n, err := unix.ReadDirent(dir, entries[:])
		if err != nil || n <= 0 {
			return found
		}
		_, _, names = unix.ParseDirent(entries[:n], -1, names[:0])
		for _, name := range names {
			n, err := unix.Readlinkat(dir, name, link[:])
			number, ok := bytes.CutPrefix(link[:max(n, 0)], []byte("socket:["))
			if err != nil || !ok {
				continue
			}
			inode, _ := strconv.ParseUint(string(bytes.TrimSuffix(number, []byte("]"))), 10, 64)
			for i, l := range ls {
				if l.inode == inode && !slices.Contains(found, i) {
					found = append(found, i)
				}
			}
		}
	}
}
