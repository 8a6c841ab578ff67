package process

import (
	"bytes"
	"strconv"
	"strings"
)

// parseMaps reads /proc/PID/maps: "7f01-7f02 r-xp 00001000 08:01 1311   /a path/libomp.so". What has no file (inode 0) is left out; a file
// that was removed or replaced since is still mapped, and counts. A library has five lines or so, one after the other: the first is enough.
func parseMaps(maps []byte) []image {
	var all []image
	var last inode
	for line := range bytes.Lines(maps) {
		var fields [5][]byte // address, permissions, offset, device, inode
		rest := bytes.TrimSuffix(line, []byte("\n"))
		for i := range fields {
			fields[i], rest, _ = bytes.Cut(rest, []byte(" "))
		}
		device, number, name := fields[3], fields[4], bytes.TrimLeft(rest, " ")
		if !bytes.HasPrefix(name, []byte("/")) || string(number) == "0" || last.device == string(device) && last.number == string(number) {
			continue
		}
		last = inode{string(device), string(number)}
		all = append(all, image{mapsPath(string(name)), last})
	}
	return all
}

// mapsPath undoes what the kernel does to a path: a newline is written \012, and a file that is gone is marked.
func mapsPath(s string) string {
	return strings.ReplaceAll(strings.TrimSuffix(s, " (deleted)"), `\012`, "\n")
}

// lsofArgs ask for the program text and the libraries of the processes, in fields for programs: p process, f descriptor, D device, i
// inode, n name. No host, port or user names are looked up, and no file system is asked that might not answer.
func lsofArgs(pids []int) []string {
	list := make([]string, len(pids))
	for i, pid := range pids {
		list[i] = strconv.Itoa(pid)
	}
	return []string{"-w", "-n", "-P", "-l", "-a", "-d", "txt", "-p", strings.Join(list, ","), "-F", "pfDin"}
}

// parseLsof reads lsof's fields, a line each; those of a file follow its "f". A file whose inode is not told is known by its path.
func parseLsof(out []byte) map[int][]image {
	all := map[int][]image{}
	pid, now := 0, image{}
	end := func() {
		if pid > 0 && strings.HasPrefix(now.path, "/") {
			if now.file.number == "" {
				now.file = inode{number: now.path}
			}
			all[pid] = append(all[pid], now)
		}
		now = image{}
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		switch value := line[1:]; line[0] {
		case 'p':
			end()
			pid, _ = strconv.Atoi(value)
		case 'f':
			end()
		case 'D':
			now.file.device = value
		case 'i':
			now.file.number = value
		case 'n':
			now.path = lsofPath(value)
		}
	}
	end()
	return all
}

// lsofPath undoes lsof's escapes: what its locale cannot print is \xNN, byte by byte, so that UTF-8 comes as several of them; a backslash is
// doubled, and the usual control characters are written as in C.
func lsofPath(s string) string {
	if !strings.ContainsRune(s, '\\') {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if c, ok := lsofEscapes[s[i]]; ok {
			b.WriteByte(c)
			continue
		}
		if s[i] == 'x' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteString(s[i-1 : i+1])
	}
	return b.String()
}

var lsofEscapes = map[byte]byte{'\\': '\\', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
