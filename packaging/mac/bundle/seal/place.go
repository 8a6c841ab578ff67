package seal

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
)

// Load commands that debug/macho does not name.
const (
	codeSignature = 0x1d
	buildVersion  = 0x32
)

// place is where the signature of a file goes: behind everything else, at the end of its __LINKEDIT segment.
type place struct {
	unsigned []byte // the file, cut or padded to where the signature begins
	text     macho.SegmentHeader
	sdk      uint32 // of LC_BUILD_VERSION, as xxxx.yy.zz

	linkedit macho.SegmentHeader
	segment  int    // offset of __LINKEDIT's load command
	command  int    // offset of LC_CODE_SIGNATURE
	page     uint64 // bytes
}

// makeRoom cuts an old signature off or adds the load command for a first one. It works on a copy.
func makeRoom(file []byte) (place, error) {
	m, err := macho.NewFile(bytes.NewReader(file))
	if err != nil {
		return place{}, err
	}
	defer m.Close()
	text, linkedit := m.Segment("__TEXT"), m.Segment("__LINKEDIT")
	if m.Magic != macho.Magic64 || m.ByteOrder != binary.LittleEndian || text == nil || linkedit == nil {
		return place{}, errors.New("not a 64-bit program")
	}
	p := place{text: text.SegmentHeader, linkedit: linkedit.SegmentHeader, page: 1 << 12}
	if m.Cpu == macho.CpuArm64 {
		p.page = 1 << 14
	}
	end := linkedit.Offset + linkedit.Filesz
	if end != uint64(len(file)) {
		return place{}, fmt.Errorf("the file ends at %d and its __LINKEDIT at %d", len(file), end)
	}
	at, err := p.find(m)
	if err != nil {
		return place{}, err
	}
	if p.command != 0 {
		end = uint64(binary.LittleEndian.Uint32(file[p.command+8:]))
		if end < linkedit.Offset || end > uint64(len(file)) {
			return place{}, errors.New("LC_CODE_SIGNATURE points out of __LINKEDIT")
		}
	}
	p.unsigned = append(make([]byte, 0, len(file)+1<<20), file[:end]...)
	p.unsigned = append(p.unsigned, make([]byte, -end&15)...)
	if p.command == 0 {
		return p, p.add(m, at)
	}
	return p, nil
}

// find looks through the load commands and returns where they end.
func (p *place) find(m *macho.File) (int, error) {
	at := 32
	for _, l := range m.Loads {
		raw := l.Raw()
		command := binary.LittleEndian.Uint32(raw)
		if command == codeSignature && len(raw) != 16 || command == buildVersion && len(raw) < 24 {
			return 0, fmt.Errorf("load command %#x has %d bytes", command, len(raw))
		}
		switch command {
		case codeSignature:
			p.command = at
		case buildVersion:
			p.sdk = binary.LittleEndian.Uint32(raw[16:])
		case uint32(macho.LoadCmdSegment64):
			if s, ok := l.(*macho.Segment); ok && s.Name == "__LINKEDIT" {
				p.segment = at
			}
		}
		at += len(raw)
	}
	return at, nil
}

// add writes an LC_CODE_SIGNATURE behind the other load commands, into the padding that linkers leave there.
func (p *place) add(m *macho.File, at int) error {
	const size = 16
	for _, s := range m.Sections {
		if s.Offset != 0 && s.Offset < uint32(at+size) {
			return fmt.Errorf("no room for a load command before section %s", s.Name)
		}
	}
	for _, b := range p.unsigned[at : at+size] {
		if b != 0 {
			return errors.New("something stands behind the load commands")
		}
	}
	p.command = at
	binary.LittleEndian.PutUint32(p.unsigned[at:], codeSignature)
	binary.LittleEndian.PutUint32(p.unsigned[at+4:], size)
	binary.LittleEndian.PutUint32(p.unsigned[16:], m.Ncmd+1)
	binary.LittleEndian.PutUint32(p.unsigned[20:], m.Cmdsz+size)
	return nil
}

// reserve writes the size of the signature into the load commands.
func (p *place) reserve(size uint32) {
	start := uint64(len(p.unsigned))
	binary.LittleEndian.PutUint32(p.unsigned[p.command+8:], uint32(start))
	binary.LittleEndian.PutUint32(p.unsigned[p.command+12:], size)
	filesz := start + uint64(size) - p.linkedit.Offset
	memsz := max(p.linkedit.Memsz, (filesz+p.page-1)/p.page*p.page)
	binary.LittleEndian.PutUint64(p.unsigned[p.segment+32:], memsz)
	binary.LittleEndian.PutUint64(p.unsigned[p.segment+48:], filesz)
}
