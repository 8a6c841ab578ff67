package openmp

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
)

// elfFile is an ELF file as the dynamic linker sees it: segments and the dynamic section. Section headers may be missing.
type elfFile struct {
	body    bounded
	order   binary.ByteOrder
	wide    bool
	loads   []load
	dynamic map[elf.DynTag]uint64
	strings bounded
}

// load is a stretch of the file that is mapped at an address.
type load struct {
	offset, address, size uint64
	writable, code        bool
}

// words reads the fields of a structure that has words of 4 or of 8 bytes.
type words struct {
	order binary.ByteOrder
	wide  bool
}

func (n words) word(b []byte) uint64 {
	if n.wide {
		return n.order.Uint64(b)
	}
	return uint64(n.order.Uint32(b))
}

func readELF(r io.ReaderAt, size int64) (part, error) {
	e := &elfFile{body: bounded{r, 0, size}, dynamic: map[elf.DynTag]uint64{}}
	head, err := e.body.at(0, 52)
	if err != nil {
		return part{}, errForeign
	}
	switch elf.Data(head[elf.EI_DATA]) {
	case elf.ELFDATA2LSB:
		e.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		e.order = binary.BigEndian
	default:
		return part{}, errForeign
	}
	e.wide = elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64
	if e.wide {
		if head, err = e.body.at(0, 64); err != nil {
			return part{}, err
		}
	}
	p := part{arch: elfArch(elf.Machine(e.order.Uint16(head[18:])), e.wide, e.order), symbols: e}
	switch elf.Type(e.order.Uint16(head[16:])) {
	case elf.ET_DYN:
		p.kind = library // an extension module is one, too, and a program that may lie anywhere
	case elf.ET_EXEC:
		p.kind = program
	default:
		return p, nil // an object file, which nothing loads
	}
	return p, e.segments(&p, head)
}

func (e *elfFile) words() words { return words{e.order, e.wide} }

func elfArch(m elf.Machine, wide bool, order binary.ByteOrder) string {
	switch m {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_386:
		return "386"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_RISCV:
		if wide {
			return "riscv64"
		}
	case elf.EM_S390:
		return "s390x"
	case elf.EM_PPC64:
		if order == binary.LittleEndian {
			return "ppc64le"
		}
		return "ppc64"
	}
	return fmt.Sprintf("machine %d", uint16(m))
}

// segments reads the program headers, then what they point to.
func (e *elfFile) segments(p *part, head []byte) error {
	offset, fields := int64(e.order.Uint32(head[28:])), head[42:]
	if e.wide {
		offset, fields = int64(e.order.Uint64(head[32:])), head[54:]
	}
	size, count := int64(e.order.Uint16(fields)), int64(e.order.Uint16(fields[2:]))
	if least := map[bool]int64{false: 32, true: 56}[e.wide]; count > 0 && size < least {
		return errLies
	}
	table, err := e.body.at(offset, size*count)
	if err != nil {
		return err
	}
	var dynamic, notes []section
	for ; len(table) > 0; table = table[size:] {
		kind, flags := elf.ProgType(e.order.Uint32(table)), elf.ProgFlag(e.order.Uint32(table[4:]))
		words := table[8:] // offset, address, physical address, size in the file
		n, width := e.words(), 8
		if !e.wide {
			words, width, flags = table[4:], 4, elf.ProgFlag(e.order.Uint32(table[24:]))
		}
		l := load{offset: n.word(words), address: n.word(words[width:]), size: n.word(words[3*width:]), writable: flags&elf.PF_W != 0, code: flags&elf.PF_X != 0}
		where := section{int64(l.offset), int64(l.size)}
		switch kind {
		case elf.PT_LOAD:
			e.loads = append(e.loads, l)
		case elf.PT_DYNAMIC:
			dynamic = append(dynamic, where)
		case elf.PT_NOTE:
			notes = append(notes, where)
		}
	}
	for _, where := range notes {
		if id, err := e.buildID(where); err == nil && id != "" {
			p.id = id
		}
	}
	if len(dynamic) == 0 {
		return nil // linked statically
	}
	return e.readDynamic(p, dynamic[0])
}

// buildID finds the note of the linker. A broken note costs only itself.
func (e *elfFile) buildID(where section) (string, error) {
	if where.size > maxCommands {
		return "", errLies
	}
	b, err := e.body.at(where.offset, where.size)
	if err != nil {
		return "", err
	}
	for len(b) >= 12 {
		name, desc, kind := int64(e.order.Uint32(b)), int64(e.order.Uint32(b[4:])), e.order.Uint32(b[8:])
		start := 12 + (name+3)&^3
		end := start + (desc+3)&^3
		if start+desc > int64(len(b)) {
			break
		}
		const gnuBuildID = 3 // NT_GNU_BUILD_ID
		if kind == gnuBuildID && strings.HasPrefix(string(b[12:]), "GNU\x00") {
			return fmt.Sprintf("%X", b[start:start+desc]), nil
		}
		b = b[min(end, int64(len(b))):]
	}
	return "", nil
}

// readDynamic reads the dynamic section and the names in it.
func (e *elfFile) readDynamic(p *part, where section) error {
	if where.size > maxCommands {
		return errLies
	}
	table, err := e.body.at(where.offset, where.size)
	if err != nil {
		return err
	}
	n, width := e.words(), 4
	if e.wide {
		width = 8
	}
	var needed []uint64
	for ; len(table) >= 2*width; table = table[2*width:] {
		tag, value := elf.DynTag(n.word(table)), n.word(table[width:])
		if tag == elf.DT_NULL {
			break
		}
		if tag == elf.DT_NEEDED {
			needed = append(needed, value)
		}
		e.dynamic[tag] = value
	}
	if at, ok := e.dynamic[elf.DT_STRTAB]; ok {
		if e.strings, err = e.mapped(at); err != nil {
			return err
		}
		e.strings = e.strings.part(0, int64(min(e.dynamic[elf.DT_STRSZ], 1<<40)))
	}
	return e.texts(p, needed)
}

// texts reads the names that the dynamic section points to.
func (e *elfFile) texts(p *part, needed []uint64) error {
	table := readNames(e.strings)
	paths, inherit := e.dynamic[elf.DT_RUNPATH], false
	if _, runpath := e.dynamic[elf.DT_RUNPATH]; !runpath {
		paths, inherit = e.dynamic[elf.DT_RPATH], true // which counts only where there is no DT_RUNPATH
	}
	for _, at := range append(slices.Clone(needed), paths, e.dynamic[elf.DT_SONAME]) {
		if at > 0 {
			table.want(int64(at))
		}
	}
	if err := table.load(); err != nil {
		return err
	}
	for _, at := range needed {
		name, err := table.get(int64(at))
		if err != nil {
			return err
		}
		p.asks = append(p.asks, name)
	}
	var err error
	if at := e.dynamic[elf.DT_SONAME]; at > 0 {
		if p.name, err = table.get(int64(at)); err != nil {
			return err
		}
	}
	if paths > 0 {
		list, err := table.get(int64(paths))
		if err != nil {
			return err
		}
		p.rpaths, p.inherit = strings.Split(list, ":"), inherit
	}
	return nil
}

// mapped is what the file holds from an address on.
func (e *elfFile) mapped(address uint64) (bounded, error) {
	for _, l := range e.loads {
		if address >= l.address && address-l.address < l.size {
			skip := address - l.address
			return e.body.part(int64(l.offset+skip), int64(l.size-skip)), nil
		}
	}
	return bounded{}, errLies
}

// constants are the mapped stretches that hold no code; old linkers put constants and code into one.
func (e *elfFile) constants() []section {
	var all []section
	plain := slices.ContainsFunc(e.loads, func(l load) bool { return !l.code && !l.writable && l.offset > 0 })
	for _, l := range e.loads {
		if !l.code || !plain {
			all = append(all, section{int64(l.offset), int64(l.size)})
		}
	}
	return all
}
