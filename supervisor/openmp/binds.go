package openmp

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

// maxTable bounds the tables of binds in bytes. That of torch's largest library has 4 MiB.
const maxTable = 64 << 20

// needs are the symbols that dyld binds to one library: by the opcodes of LC_DYLD_INFO, the imports of LC_DYLD_CHAINED_FIXUPS or,
// where a file has neither, by its symbol table. A name that is looked for in every image counts, too, if OpenMP would know it.
func (m *machO) needs(library string) ([]string, error) {
	var all []string
	take := func(ordinal int, symbol string) {
		named := ordinal >= 1 && ordinal <= len(m.libraries) && m.libraries[ordinal-1] == library
		if symbol = strings.TrimPrefix(symbol, "_"); named || ordinal == flatLookup && isOpenMP(symbol) {
			all = append(all, symbol)
		}
	}
	var err error
	switch {
	case m.fixups.size > 0:
		err = m.chained(take)
	case len(m.binds) > 0:
		err = m.bound(take)
	case m.symtab.size > 0:
		err = m.each(m.undef, func(name string, desc uint16) bool {
			take(int(int8(desc>>8)), name)
			return true
		})
	}
	slices.Sort(all)
	return slices.Compact(all), err
}

// flatLookup is the ordinal of a symbol that is looked for in every image of the process.
const flatLookup = -2

func (m *machO) table(s section) ([]byte, error) {
	if s.size > maxTable {
		return nil, errLies
	}
	return m.body.at(s.offset, s.size)
}

// bound runs the opcodes of the bind tables as far as symbols and libraries go. See <mach-o/loader.h>.
func (m *machO) bound(take func(ordinal int, symbol string)) error {
	for _, s := range m.binds {
		table, err := m.table(s)
		if err != nil {
			return err
		}
		if err := runBinds(table, take); err != nil {
			return err
		}
	}
	return nil
}

func runBinds(table []byte, take func(ordinal int, symbol string)) error {
	symbol, ordinal := "", 0
	for len(table) > 0 {
		op, low := table[0]&0xf0, int(table[0]&0x0f)
		table = table[1:]
		numbers := 0 // LEB128 numbers that follow, to be passed over
		switch op {
		case 0x00, 0x50: // DONE, which in the lazy table only ends one symbol; SET_TYPE
		case 0x10: // SET_DYLIB_ORDINAL_IMM
			ordinal = low
		case 0x20: // SET_DYLIB_ORDINAL_ULEB
			v, n := binary.Uvarint(table)
			if n <= 0 {
				return errShort
			}
			ordinal, table = int(min(v, 1<<20)), table[n:]
		case 0x30: // SET_DYLIB_SPECIAL_IMM: the program itself, or every image
			if ordinal = 0; low != 0 {
				ordinal = int(int8(0xf0 | low))
			}
		case 0x40: // SET_SYMBOL_TRAILING_FLAGS_IMM
			end := bytes.IndexByte(table, 0)
			if end < 0 {
				return errShort
			}
			symbol, table = string(table[:end]), table[end+1:]
		case 0x60, 0x70, 0x80: // SET_ADDEND_SLEB, SET_SEGMENT_AND_OFFSET_ULEB, ADD_ADDR_ULEB
			numbers = 1
		case 0x90, 0xb0: // DO_BIND, DO_BIND_ADD_ADDR_IMM_SCALED
			take(ordinal, symbol)
		case 0xa0: // DO_BIND_ADD_ADDR_ULEB
			take(ordinal, symbol)
			numbers = 1
		case 0xc0: // DO_BIND_ULEB_TIMES_SKIPPING_ULEB
			take(ordinal, symbol)
			numbers = 2
		case 0xd0: // THREADED: the first kind of chains, of arm64e alone; its subcommand 0 has the size of its table
			if low == 0 {
				numbers = 1
			}
		default:
			return errLies
		}
		for ; numbers > 0; numbers-- {
			_, n := binary.Uvarint(table)
			if n <= 0 {
				return errShort
			}
			table = table[n:]
		}
	}
	return nil
}

// chained reads the imports of dyld_chained_fixups_header, in its three formats. See <mach-o/fixup-chains.h>.
func (m *machO) chained(take func(ordinal int, symbol string)) error {
	table, err := m.table(m.fixups)
	if err != nil {
		return err
	}
	if len(table) < 28 {
		return errShort
	}
	word := func(at uint64) uint64 { return uint64(m.order.Uint32(table[at:])) }
	start, texts, count, format := word(8), word(12), word(16), word(20)
	size, ok := map[uint64]uint64{1: 4, 2: 8, 3: 16}[format]
	if !ok || word(24) != 0 || start > uint64(len(table)) || count > (uint64(len(table))-start)/size {
		return errLies // also names that are compressed, which no linker was seen to write
	}
	for at := start; count > 0; count, at = count-1, at+size {
		var ordinal int
		var name uint64
		if format == 3 { // DYLD_CHAINED_IMPORT_ADDEND64: library 16 bits, weak 1, reserved 15, name 32
			ordinal, name = int(int16(m.order.Uint16(table[at:]))), word(at+4)
		} else { // library 8 bits, weak 1, name 23
			ordinal, name = int(int8(table[at])), word(at)>>9
		}
		if texts+name >= uint64(len(table)) {
			return errLies
		}
		symbol, _, ended := bytes.Cut(table[texts+name:], []byte{0})
		if !ended || len(symbol) > maxName {
			return errLies
		}
		take(ordinal, string(symbol))
	}
	return nil
}
