package openmp

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Load commands that debug/macho does not name. See <mach-o/loader.h>.
const (
	cmdReexport     = 0x8000001f
	cmdWeak         = 0x80000018
	cmdUpward       = 0x80000023
	cmdLazy         = 0x20
	cmdID           = 0xd
	cmdUUID         = 0x1b
	cmdSignature    = 0x1d
	cmdInfo         = 0x22
	cmdInfoOnly     = 0x80000022
	cmdTrie         = 0x80000033
	cmdFixups       = 0x80000034
	cmdRpath        = 0x8000001c
	magicFat64      = 0xcafebabf // fat file with 64-bit offsets
	subtypeARM64E   = 2          // pointer authentication: plain arm64 processes do not load it
	sectionZeroFill = 0x1
)

// machO is the part of a file that one Mach-O header describes.
type machO struct {
	body      bounded
	order     binary.ByteOrder
	wide      bool
	libraries []string // by ordinal, from 1
	trie      section
	binds     []section // of LC_DYLD_INFO: bind, weak, lazy
	fixups    section
	signature section
	symtab    section // offset and count
	strings   section
	external  section   // index of the first one and count: what it defines for others
	undef     section   // index and count
	constant  []section // where constant text can stand
	restrict  bool      // it has a segment __RESTRICT
}

// MachO is one architecture of a Mach-O file.
type MachO struct {
	Arch    string // in GOARCH's words where Go has one
	Library bool   // a dylib: it can be inserted and linked against
}

var errNotMachO = errors.New("it is not a Mach-O file")

// ReadMachO reads a file's headers alone: debug/macho would read the whole symbol table of each library, and this runs before every start.
func ReadMachO(path string) ([]MachO, error) {
	o, err := open(path)
	if errors.Is(err, errForeign) {
		return nil, errNotMachO
	}
	if err != nil {
		return nil, err
	}
	defer o.Close()
	var all []MachO
	for _, p := range o.parts {
		if _, ok := p.symbols.(*machO); !ok {
			return nil, errNotMachO
		}
		all = append(all, MachO{p.arch, p.kind == library})
	}
	return all, nil
}

// readMachO reads a thin or a fat file. Fat headers are big-endian, always; a thin one is as its processor is.
func readMachO(r io.ReaderAt, size int64) ([]part, error) {
	all, err := machSlices(r, size)
	if err != nil {
		return nil, err
	}
	parts := make([]part, 0, len(all))
	for _, s := range all {
		p, err := readThin(s)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// machSlices are where the Mach-O headers of a file are.
func machSlices(r io.ReaderAt, size int64) ([]bounded, error) {
	whole := bounded{r, 0, size}
	head, err := whole.at(0, 8)
	if err != nil {
		return nil, errForeign
	}
	magic := binary.BigEndian.Uint32(head)
	if magic != macho.MagicFat && magic != magicFat64 {
		return []bounded{whole}, nil
	}
	count := int64(binary.BigEndian.Uint32(head[4:]))
	if count == 0 || count > maxSlices {
		return nil, errForeign
	}
	entry := int64(20) // cputype, cpusubtype, offset, size, align
	if magic == magicFat64 {
		entry = 32 // offset and size of 8 bytes each, and 4 reserved
	}
	table, err := whole.at(8, count*entry)
	if err != nil {
		return nil, errForeign
	}
	var all []bounded
	for ; len(table) > 0; table = table[entry:] {
		offset, length := uint64(binary.BigEndian.Uint32(table[8:])), uint64(binary.BigEndian.Uint32(table[12:]))
		if magic == magicFat64 {
			offset, length = binary.BigEndian.Uint64(table[8:]), binary.BigEndian.Uint64(table[16:])
		}
		if offset > uint64(size) || length > uint64(size)-offset {
			return nil, errShort
		}
		all = append(all, bounded{r, int64(offset), int64(length)})
	}
	return all, nil
}

func readThin(body bounded) (part, error) {
	head, err := body.at(0, 28)
	if err != nil {
		return part{}, errForeign
	}
	m := &machO{body: body}
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if magic := o.Uint32(head); magic == macho.Magic32 || magic == macho.Magic64 {
			m.order, m.wide = o, magic == macho.Magic64
		}
	}
	if m.order == nil {
		return part{}, errForeign
	}
	p := part{
		arch:    archName(macho.Cpu(m.order.Uint32(head[4:])), m.order.Uint32(head[8:])),
		kind:    machKind(m.order.Uint32(head[12:])),
		inherit: true,
		symbols: m,
	}
	start, length := int64(28), int64(m.order.Uint32(head[20:]))
	if m.wide {
		start = 32
	}
	if length > maxCommands || start+length > body.size {
		return p, errShort
	}
	commands, err := body.at(start, length)
	if err != nil {
		return p, err
	}
	for n := m.order.Uint32(head[16:]); n > 0 && len(commands) >= 8; n-- {
		size := m.order.Uint32(commands[4:])
		if size < 8 || uint64(size) > uint64(len(commands)) {
			return p, errLies
		}
		if err := m.command(&p, commands[:size]); err != nil {
			return p, err
		}
		commands = commands[size:]
	}
	return p, nil
}

func machKind(filetype uint32) kind {
	switch macho.Type(filetype) {
	case macho.TypeDylib:
		return library
	case macho.TypeBundle:
		return module
	case macho.TypeExec:
		return program
	}
	return other
}

// command takes what one load command tells.
func (m *machO) command(p *part, c []byte) error {
	switch m.order.Uint32(c) {
	case cmdID:
		return m.text(c, &p.name)
	case uint32(macho.LoadCmdDylib), cmdWeak, cmdReexport, cmdUpward, cmdLazy:
		var name string
		err := m.text(c, &name)
		p.asks = append(p.asks, name)
		m.libraries = p.asks
		return err
	case cmdRpath:
		var path string
		err := m.text(c, &path)
		p.rpaths = append(p.rpaths, path)
		return err
	case cmdUUID:
		if len(c) < 24 {
			return errLies
		}
		p.id = dashed(c[8:24])
	case uint32(macho.LoadCmdSegment), uint32(macho.LoadCmdSegment64):
		return m.segment(c)
	default:
		return m.linkedit(c)
	}
	return nil
}

// linkedit keeps where the tables at the end of the file are.
func (m *machO) linkedit(c []byte) error {
	at := func(field int) section {
		return section{int64(m.order.Uint32(c[field:])), int64(m.order.Uint32(c[field+4:]))}
	}
	least := map[uint32]int{cmdInfo: 48, cmdInfoOnly: 48, cmdTrie: 16, cmdFixups: 16, cmdSignature: 16, uint32(macho.LoadCmdSymtab): 24, uint32(macho.LoadCmdDysymtab): 80}
	kind := m.order.Uint32(c)
	if len(c) < least[kind] {
		return errLies
	}
	switch kind {
	case cmdInfo, cmdInfoOnly: // rebase, bind, weak bind, lazy bind, export
		m.binds = []section{at(16), at(24), at(32)}
		m.trie = at(40)
	case cmdTrie:
		m.trie = at(8)
	case cmdFixups:
		m.fixups = at(8)
	case cmdSignature:
		m.signature = at(8)
	case uint32(macho.LoadCmdSymtab):
		m.symtab, m.strings = at(8), at(16)
	case uint32(macho.LoadCmdDysymtab): // index and count: local, defined for others, undefined
		m.external, m.undef = at(16), at(24)
	}
	return nil
}

// text reads the lc_str of a load command.
func (m *machO) text(c []byte, into *string) error {
	if len(c) < 12 {
		return errLies
	}
	at := m.order.Uint32(c[8:])
	if at < 12 || uint64(at) > uint64(len(c)) {
		return errLies
	}
	text, _, _ := bytes.Cut(c[at:], []byte{0})
	if len(text) > maxName {
		return errLies
	}
	*into = string(text)
	return nil
}

// segment keeps where text can stand: the sections of __TEXT and __DATA that are in the file and hold no code.
func (m *machO) segment(c []byte) error {
	head, size := 56, 68
	if m.wide {
		head, size = 72, 80
	}
	if len(c) < head {
		return errLies
	}
	if name(c[8:24]) == "__RESTRICT" {
		m.restrict = true
	}
	count := int64(m.order.Uint32(c[head-8:]))
	if count*int64(size) > int64(len(c)-head) {
		return errLies
	}
	for s := c[head:]; count > 0; count, s = count-1, s[size:] {
		length, fields := int64(m.order.Uint32(s[36:])), s[40:]
		if m.wide {
			length, fields = int64(m.order.Uint64(s[40:])), s[48:]
		}
		flags := m.order.Uint32(fields[16:])
		switch name(s[:16]) {
		case "__cstring", "__const", "__data":
			if flags&0xff != sectionZeroFill && length > 0 {
				m.constant = append(m.constant, section{int64(m.order.Uint32(fields)), length})
			}
		}
	}
	return nil
}

func (m *machO) constants() []section { return m.constant }

func name(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}

func archName(cpu macho.Cpu, subtype uint32) string {
	const capabilities = 0xff000000 // the subtype's top byte holds feature bits
	switch cpu {
	case macho.CpuArm64:
		if subtype&^uint32(capabilities) == subtypeARM64E {
			return "arm64e"
		}
		return "arm64"
	case macho.CpuAmd64:
		return "amd64"
	case macho.Cpu386:
		return "386"
	case macho.CpuPpc:
		return "ppc"
	case macho.CpuPpc64:
		return "ppc64"
	}
	return fmt.Sprintf("cpu %d", uint32(cpu))
}
