package openmp

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Bounds of what an ELF file may claim.
const (
	maxPrograms = 1024
	maxChain    = 1 << 16 // symbols of one hash bucket
)

// elfFile is an ELF file as its loader sees it: by program headers, without sections, which may be stripped.
type elfFile struct {
	body    bounded
	order   binary.ByteOrder
	wide    bool
	loads   []elfLoad
	dynamic map[elf.DynTag]uint64 // the last of each tag
	strings bounded
}

// elfLoad is a stretch of memory and where it stands in the file.
type elfLoad struct {
	address, offset, size int64
	flags                 elf.ProgFlag
}

// readELF reads the headers of a shared library or a program.
func readELF(r io.ReaderAt, size int64) (part, error) {
	e := &elfFile{body: bounded{r, 0, size}, order: binary.LittleEndian, dynamic: map[elf.DynTag]uint64{}}
	head, err := e.body.at(0, 52)
	if err != nil {
		return part{}, err
	}
	e.wide = elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		e.order = binary.BigEndian
	}
	p := part{arch: elfArch(elf.Machine(e.order.Uint16(head[18:]))), kind: library, symbols: e}
	if elf.Type(e.order.Uint16(head[16:])) != elf.ET_DYN {
		p.kind = other
		return p, nil
	}
	table, entry, count := int64(e.order.Uint32(head[28:])), int64(e.order.Uint16(head[42:])), int64(e.order.Uint16(head[44:]))
	if e.wide {
		if head, err = e.body.at(0, 64); err != nil {
			return p, err
		}
		table, entry, count = int64(e.order.Uint64(head[32:])), int64(e.order.Uint16(head[54:])), int64(e.order.Uint16(head[56:]))
	}
	least := int64(32)
	if e.wide {
		least = 56
	}
	if entry < least || count > maxPrograms {
		return p, errLies
	}
	headers, err := e.body.at(table, entry*count)
	if err != nil {
		return p, err
	}
	var dynamic, notes []section
	for ; len(headers) > 0; headers = headers[entry:] {
		kind := elf.ProgType(e.order.Uint32(headers))
		offset, address, length := int64(e.order.Uint32(headers[4:])), int64(e.order.Uint32(headers[8:])), int64(e.order.Uint32(headers[16:]))
		if e.wide {
			offset, address, length = int64(e.order.Uint64(headers[8:])), int64(e.order.Uint64(headers[16:])), int64(e.order.Uint64(headers[32:]))
		}
		switch kind {
		case elf.PT_LOAD:
			flags := e.order.Uint32(headers[24:])
			if e.wide {
				flags = e.order.Uint32(headers[4:])
			}
			e.loads = append(e.loads, elfLoad{address, offset, length, elf.ProgFlag(flags)})
		case elf.PT_DYNAMIC:
			dynamic = append(dynamic, section{offset, length})
		case elf.PT_NOTE:
			notes = append(notes, section{offset, length})
		}
	}
	for _, n := range notes {
		if p.id = e.buildID(n); p.id != "" {
			break
		}
	}
	for _, d := range dynamic {
		if err := e.readDynamic(&p, d); err != nil {
			return p, err
		}
	}
	return p, nil
}

func elfArch(m elf.Machine) string {
	switch m {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_386:
		return "386"
	case elf.EM_ARM:
		return "arm"
	}
	return strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
}

// readDynamic takes what the loader is told: names, paths, and where the tables of symbols are.
func (e *elfFile) readDynamic(p *part, d section) error {
	if d.size > maxCommands {
		return errLies
	}
	text, err := e.body.at(d.offset, d.size)
	if err != nil {
		return err
	}
	step := int(e.word()) * 2
	var names []elf.DynTag // in order, with their offsets into the strings
	var offsets []int64
	for ; len(text) >= step; text = text[step:] {
		tag, value := elf.DynTag(int32(e.number(text))), e.number(text[step/2:])
		if tag == elf.DT_NULL {
			break
		}
		switch tag {
		case elf.DT_NEEDED, elf.DT_SONAME, elf.DT_RPATH, elf.DT_RUNPATH:
			names, offsets = append(names, tag), append(offsets, int64(value))
		}
		e.dynamic[tag] = value
	}
	at, ok := e.at(e.dynamic[elf.DT_STRTAB])
	if !ok {
		return nil
	}
	e.strings = e.body.part(at, int64(e.dynamic[elf.DT_STRSZ]))
	for i, tag := range names {
		s, err := e.strings.string(offsets[i])
		if err != nil {
			return err
		}
		switch tag {
		case elf.DT_NEEDED:
			p.asks = append(p.asks, s)
		case elf.DT_SONAME:
			p.name = s
		default: // DT_RUNPATH takes the place of DT_RPATH
			p.rpaths = append(p.rpaths, strings.Split(s, ":")...)
			p.inherit = tag == elf.DT_RPATH
		}
	}
	return nil
}

func (e *elfFile) word() int64 {
	if e.wide {
		return 8
	}
	return 4
}

func (e *elfFile) number(b []byte) uint64 {
	if e.wide {
		return e.order.Uint64(b)
	}
	return uint64(e.order.Uint32(b))
}

// at is where an address stands in the file.
func (e *elfFile) at(address uint64) (int64, bool) {
	for _, l := range e.loads {
		if a := int64(address); address > 0 && a >= l.address && a-l.address < l.size {
			return l.offset + a - l.address, true
		}
	}
	return 0, false
}

// buildID is the one note that names the build.
func (e *elfFile) buildID(n section) string {
	text, err := e.body.at(n.offset, min(n.size, 1<<16))
	for err == nil && len(text) >= 12 {
		name, desc, kind := int(e.order.Uint32(text)), int(e.order.Uint32(text[4:])), e.order.Uint32(text[8:])
		start := 12 + (name+3)&^3
		end := start + (desc+3)&^3
		if name < 0 || desc < 0 || start < 12 || end < start || end > len(text) {
			return ""
		}
		const gnuBuildID = 3
		if kind == gnuBuildID && string(text[12:min(16, len(text))]) == "GNU\x00" {
			return fmt.Sprintf("%X", text[start:start+desc])
		}
		text = text[end:]
	}
	return ""
}

// defines looks a symbol up in the hash table, as ld.so does: a few words are read, however many symbols there are.
func (e *elfFile) defines(symbol string) (bool, error) {
	if at, ok := e.at(e.dynamic[elf.DT_GNU_HASH]); ok {
		return e.inGNU(at, symbol)
	}
	if at, ok := e.at(e.dynamic[elf.DT_HASH]); ok {
		return e.inSysV(at, symbol)
	}
	return false, nil
}

// words reads 32-bit words.
func (e *elfFile) words(at int64, n int64) ([]uint32, error) {
	b, err := e.body.at(at, n*4)
	if err != nil {
		return nil, err
	}
	all := make([]uint32, n)
	for i := range all {
		all[i] = e.order.Uint32(b[i*4:])
	}
	return all, nil
}

// inGNU: a Bloom filter, buckets, and chains of hashes whose last bit marks the end.
func (e *elfFile) inGNU(at int64, symbol string) (bool, error) {
	head, err := e.words(at, 4)
	if err != nil {
		return false, err
	}
	buckets, first, bloom, shift := int64(head[0]), int64(head[1]), int64(head[2]), head[3]
	if buckets == 0 || bloom == 0 {
		return false, nil
	}
	hash := uint32(5381)
	for i := range len(symbol) {
		hash = hash*33 + uint32(symbol[i])
	}
	bits := uint32(e.word() * 8)
	word, err := e.body.at(at+16+int64(hash/bits)%bloom*e.word(), e.word())
	if err != nil {
		return false, err
	}
	if mask := uint64(1)<<(hash%bits) | uint64(1)<<((hash>>(shift%32))%bits); e.number(word)&mask != mask {
		return false, nil
	}
	table := at + 16 + bloom*e.word()
	start, err := e.words(table+int64(hash)%buckets*4, 1)
	if err != nil || int64(start[0]) < first {
		return false, err
	}
	for i := int64(start[0]); i-int64(start[0]) < maxChain; i++ {
		h, err := e.words(table+buckets*4+(i-first)*4, 1)
		if err != nil {
			return false, err
		}
		if h[0]|1 == hash|1 {
			if same, err := e.symbol(i, symbol); same || err != nil {
				return same, err
			}
		}
		if h[0]&1 != 0 {
			return false, nil
		}
	}
	return false, errLies
}

// inSysV: buckets, and chains of the symbols' numbers.
func (e *elfFile) inSysV(at int64, symbol string) (bool, error) {
	head, err := e.words(at, 2)
	if err != nil || head[0] == 0 {
		return false, err
	}
	var hash uint32
	for i := range len(symbol) {
		hash = hash<<4 + uint32(symbol[i])
		high := hash & 0xf0000000
		hash = (hash ^ high>>24) &^ high
	}
	next := at + 8 + int64(hash%head[0])*4
	for range maxChain {
		i, err := e.words(next, 1)
		if err != nil || i[0] == 0 {
			return false, err
		}
		if same, err := e.symbol(int64(i[0]), symbol); same || err != nil {
			return same, err
		}
		next = at + 8 + int64(head[0])*4 + int64(i[0])*4
	}
	return false, errLies
}

// symbol says whether the i-th is a definition of that name.
func (e *elfFile) symbol(i int64, name string) (bool, error) {
	at, ok := e.at(e.dynamic[elf.DT_SYMTAB])
	if !ok {
		return false, nil
	}
	size := int64(16)
	if e.wide {
		size = 24
	}
	b, err := e.body.at(at+i*size, size)
	if err != nil {
		return false, err
	}
	section := e.order.Uint16(b[14:])
	if e.wide {
		section = e.order.Uint16(b[6:])
	}
	if elf.SectionIndex(section) == elf.SHN_UNDEF {
		return false, nil
	}
	w := &window{bounded: e.strings}
	return w.is(int64(e.order.Uint32(b)), name)
}

// texts are the stretches that can only be read, after the first, which holds the tables for the loader.
func (e *elfFile) texts() ([]byte, error) {
	var all []byte
	for i, l := range e.loads {
		n := min(l.size, maxTexts-int64(len(all)))
		if i == 0 || l.flags != elf.PF_R || n <= 0 {
			continue
		}
		part, err := e.body.at(l.offset, n)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}
