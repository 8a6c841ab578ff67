package openmp

// maxTrieSteps bounds the walk down a trie whose nodes point in a circle.
const maxTrieSteps = maxName

// defines looks a symbol up in the trie of exports, as dyld does: a few nodes are read, however many symbols there are. A file
// without one, which no linker of the last ten years makes, is looked through.
func (m *machO) defines(symbol string) (bool, error) {
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
		if rest == "" {
			return terminal, nil
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
	entry := int64(12)
	if m.wide {
		entry = 16
	}
	if m.external.size > maxSymbols || m.external.offset+m.external.size > m.symtab.size {
		return false, errLies
	}
	list, err := m.body.at(m.symtab.offset+m.external.offset*entry, m.external.size*entry)
	if err != nil {
		return false, err
	}
	names := &window{bounded: m.body.part(m.strings.offset, m.strings.size)}
	for ; len(list) > 0; list = list[entry:] {
		same, err := names.is(int64(m.order.Uint32(list)), symbol)
		if same || err != nil {
			return same, err
		}
	}
	return false, nil
}

// is says whether the text that begins there is this one.
func (w *window) is(at int64, text string) (bool, error) {
	for i := range len(text) + 1 {
		b, err := w.byte(at + int64(i))
		if err != nil {
			return false, err
		}
		if i == len(text) {
			return b == 0, nil
		}
		if b != text[i] {
			return false, nil
		}
	}
	return false, nil
}

// texts are the sections for constant text.
func (m *machO) texts() ([]byte, error) {
	var all []byte
	for _, s := range m.constant {
		part, err := m.body.at(s.offset, min(s.size, maxTexts-int64(len(all))))
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
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
// 0 is none.
func (w *window) step(node int64, rest string) (next int64, tail string, terminal bool, err error) {
	size, at, err := w.uleb(node)
	if err != nil || size > uint64(w.size) {
		return 0, "", false, firstError(err, errLies)
	}
	terminal = size > 0
	if rest == "" {
		return 0, "", terminal, nil
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
		if at = end; matches && edge > 0 {
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
