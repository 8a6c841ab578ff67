package openmp

import "strings"

// maxTrieSteps bounds the walk down a trie whose nodes point in a circle.
const maxTrieSteps = maxName

// defines looks a symbol up in the trie of exports, as dyld does: a few nodes are read, however many symbols there are. A file
// without one, which no linker of the last ten years makes, is looked through.
func (m *machO) defines(symbol string) (bool, error) {
	symbol, _, _ = strings.Cut(symbol, "@") // Mach-O has no versions
	symbol = "_" + symbol
	if m.trie.size == 0 {
		return m.defined(symbol)
	}
	w := &window{bounded: m.body.part(m.trie.offset, m.trie.size)}
	node, rest := int64(0), symbol
	for range maxTrieSteps {
		next, tail, terminal, err := w.step(node, rest)
		if err != nil {
			return false, err
		}
		if rest == "" && terminal {
			return true, nil
		}
		if next == 0 {
			return false, nil
		}
		node, rest = next, tail
	}
	return false, errLies
}

// defined looks through the symbols that are there for others.
func (m *machO) defined(symbol string) (bool, error) {
	if m.symtab.size == 0 {
		return false, nil
	}
	found := false
	err := m.each(m.external, func(name string, _ uint16) bool {
		found = name == symbol
		return !found
	})
	return found, err
}

// window reads a table at any place through one small buffer.
type window struct {
	bounded
	buf   [1024]byte
	start int64
	n     int
}

func (w *window) byte(at int64) (byte, error) {
	if at < w.start || at >= w.start+int64(w.n) {
		n, err := w.into(w.buf[:], at)
		if err != nil {
			return 0, err
		}
		w.start, w.n = at, n
	}
	return w.buf[at-w.start], nil
}

// uleb reads a LEB128 number and says where it ends.
func (w *window) uleb(at int64) (uint64, int64, error) {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := w.byte(at)
		if err != nil {
			return 0, 0, err
		}
		at++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, at, nil
		}
	}
	return 0, 0, errLies
}

// step looks at one node: whether a symbol ends there, and which child goes on with what rest begins with. The root is no child, so
// 0 is none. An edge may be empty: some linkers end a symbol that others go on from so.
func (w *window) step(node int64, rest string) (next int64, tail string, terminal bool, err error) {
	size, at, err := w.uleb(node)
	if err != nil || size > uint64(w.size) {
		return 0, "", false, firstError(err, errLies)
	}
	terminal = size > 0
	if rest == "" && terminal {
		return 0, "", true, nil
	}
	at += int64(size)
	children, err := w.byte(at)
	if err != nil {
		return 0, "", false, err
	}
	at++
	for range children {
		edge, matches := 0, true
		for {
			b, err := w.byte(at)
			if err != nil {
				return 0, "", false, err
			}
			at++
			if b == 0 {
				break
			}
			if edge++; edge > maxName {
				return 0, "", false, errLies
			}
			matches = matches && edge <= len(rest) && rest[edge-1] == b
		}
		child, end, err := w.uleb(at)
		if err != nil || child > uint64(w.size) {
			return 0, "", false, firstError(err, errLies)
		}
		if at = end; matches && edge <= len(rest) {
			return int64(child), rest[edge:], terminal, nil
		}
	}
	return 0, "", terminal, nil
}

func firstError(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// each tells of the symbols of a stretch of the symbol table: the name, and n_desc, whose upper byte is the number of the library for
// one that is undefined. It ends when tell returns false.
func (m *machO) each(which section, tell func(name string, desc uint16) bool) error {
	entry := int64(12)
	if m.wide {
		entry = 16
	}
	if which.size > maxUndefined || which.offset+which.size > m.symtab.size {
		return errLies
	}
	list, err := m.body.at(m.symtab.offset+which.offset*entry, which.size*entry)
	if err != nil {
		return err
	}
	names := readNames(m.body.part(m.strings.offset, m.strings.size))
	for i := int64(0); i < which.size; i++ {
		names.want(int64(m.order.Uint32(list[i*entry:])))
	}
	if err := names.load(); err != nil {
		return err
	}
	for ; len(list) > 0; list = list[entry:] {
		name, err := names.get(int64(m.order.Uint32(list)))
		if err != nil {
			return err
		}
		if !tell(name, m.order.Uint16(list[6:])) {
			return nil
		}
	}
	return nil
}

// undefined is what has to come from elsewhere. The linker keeps it together in the symbol table.
func (m *machO) undefined() ([]string, error) {
	if m.symtab.size == 0 {
		return nil, nil
	}
	var all []string
	err := m.each(m.undef, func(name string, _ uint16) bool {
		all = append(all, strings.TrimPrefix(name, "_"))
		return true
	})
	return all, err
}
