package verify

import (
	"bytes"
	"cmp"
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// readImports takes what dyld will bind when the program starts or first calls: the opcodes of LC_DYLD_INFO, or the table of
// LC_DYLD_CHAINED_FIXUPS, which Apple's linker writes. The symbol table is no help: Go's linker names no library in it.
func readImports(m *macho.File, linkedit io.ReaderAt, libraries []string) ([]Import, error) {
	var all []Import
	found := false
	for _, l := range m.Loads {
		raw := l.Raw()
		switch m.ByteOrder.Uint32(raw) {
		case 0x22, 0x80000022: // LC_DYLD_INFO, LC_DYLD_INFO_ONLY: rebase, bind, weak bind, lazy bind, export
			found = true
			for _, field := range []int{16, 24, 32} {
				table, err := part(linkedit, m.ByteOrder, raw[field:])
				if err != nil {
					return nil, err
				}
				if all, err = bound(all, table, libraries); err != nil {
					return nil, err
				}
			}
		case 0x80000034: // LC_DYLD_CHAINED_FIXUPS
			found = true
			table, err := part(linkedit, m.ByteOrder, raw[8:])
			if err != nil {
				return nil, err
			}
			if all, err = chained(all, table, libraries); err != nil {
				return nil, err
			}
		}
	}
	if !found {
		return nil, errors.New("says nowhere what it imports")
	}
	slices.SortFunc(all, func(a, b Import) int {
		return cmp.Or(cmp.Compare(a.Library, b.Library), cmp.Compare(a.Symbol, b.Symbol))
	})
	return slices.Compact(all), nil
}

// part reads what an offset and a size point to.
func part(r io.ReaderAt, order binary.ByteOrder, raw []byte) ([]byte, error) {
	content := make([]byte, min(order.Uint32(raw[4:]), 1<<26))
	if _, err := r.ReadAt(content, int64(order.Uint32(raw))); err != nil && len(content) > 0 {
		return nil, fmt.Errorf("reading a table of imports: %w", err)
	}
	return content, nil
}

func library(libraries []string, ordinal int, symbol string) (Import, error) {
	if ordinal < 1 || ordinal > len(libraries) {
		return Import{}, fmt.Errorf("%s is to be looked for in library %d of %d", symbol, ordinal, len(libraries))
	}
	return Import{Library: libraries[ordinal-1], Symbol: symbol}, nil
}

// bound runs the opcodes of a bind table, as dyld does, and keeps each symbol where it is bound. See <mach-o/loader.h>.
func bound(all []Import, table []byte, libraries []string) ([]Import, error) {
	r := bytes.NewReader(table)
	symbol, ordinal := "", 0
	bind := func() error {
		i, err := library(libraries, ordinal, symbol)
		all = append(all, i)
		return err
	}
	for {
		b, err := r.ReadByte()
		if err != nil {
			return all, nil
		}
		low := int(b & 0x0f)
		switch b & 0xf0 {
		case 0x00, 0x50: // DONE, which in the lazy table only ends one symbol; SET_TYPE
		case 0x10: // SET_DYLIB_ORDINAL_IMM
			ordinal = low
		case 0x20: // SET_DYLIB_ORDINAL_ULEB
			err = leb(r, func(v uint64) { ordinal = int(v) })
		case 0x30: // SET_DYLIB_SPECIAL_IMM: this program itself, or wherever it is found
			ordinal = -low
		case 0x40: // SET_SYMBOL_TRAILING_FLAGS_IMM
			symbol, err = untilZero(r)
		case 0x60, 0x70, 0x80: // SET_ADDEND, SET_SEGMENT_AND_OFFSET, ADD_ADDR
			err = leb(r, nil)
		case 0x90, 0xb0: // DO_BIND, DO_BIND_ADD_ADDR_IMM_SCALED
			err = bind()
		case 0xa0: // DO_BIND_ADD_ADDR
			err = errors.Join(bind(), leb(r, nil))
		case 0xc0: // DO_BIND_ULEB_TIMES_SKIPPING_ULEB
			err = errors.Join(bind(), leb(r, nil), leb(r, nil))
		default:
			err = fmt.Errorf("unknown opcode %#x in a bind table", b)
		}
		if err != nil {
			return nil, err
		}
	}
}

// leb reads a LEB128 number; signed or not is the same to one who only passes over it.
func leb(r *bytes.Reader, use func(uint64)) error {
	v, err := binary.ReadUvarint(r)
	if use != nil && err == nil {
		use(v)
	}
	return err
}

func untilZero(r *bytes.Reader) (string, error) {
	var text []byte
	for {
		b, err := r.ReadByte()
		if err != nil || b == 0 {
			return string(text), err
		}
		text = append(text, b)
	}
}

// chained reads the imports of dyld_chained_fixups_header, in their plain format: library in 8 bits, weak in 1, name in 23.
func chained(all []Import, table []byte, libraries []string) ([]Import, error) {
	order := binary.LittleEndian
	if len(table) < 28 || order.Uint32(table[20:]) != 1 {
		return nil, errors.New("chained fixups of an unknown format")
	}
	at, names, count := uint64(order.Uint32(table[8:])), uint64(order.Uint32(table[12:])), uint64(order.Uint32(table[16:]))
	if at+4*count > uint64(len(table)) {
		return nil, errors.New("the imports of the chained fixups reach out of them")
	}
	for i := range count {
		entry := order.Uint32(table[at+4*i:])
		start := names + uint64(entry>>9)
		if start >= uint64(len(table)) {
			return nil, errors.New("the name of an import stands outside of the chained fixups")
		}
		name, _, _ := bytes.Cut(table[start:], []byte{0})
		imported, err := library(libraries, int(int8(entry)), string(name))
		if err != nil {
			return nil, err
		}
		all = append(all, imported)
	}
	return all, nil
}
