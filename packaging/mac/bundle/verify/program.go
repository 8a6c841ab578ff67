// Package verify reads a bundle back and says what is wrong with it. It shares no code and no Mach-O library with package seal,
// which writes it: what one gets wrong the other must find.
package verify

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// Slice is one architecture of a program.
type Slice struct {
	Arch      string // as Go calls it
	MinOS     string // "12.0"
	SDK       string
	Libraries []string // of each LC_LOAD_DYLIB, in order
	Imports   []Import
	PIE       bool
	Rpaths    int

	content []byte
}

// Import is a symbol that the system provides.
type Import struct {
	Library string // install name, as in Libraries
	Symbol  string // "_open", "_OBJC_CLASS_$_NSMenu"
}

var arches = map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}

// Program reads the slices of a universal file.
func Program(path string) ([]Slice, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fat, err := macho.NewFatFile(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer fat.Close()
	var all []Slice
	for _, a := range fat.Arches {
		if a.Offset%(1<<a.Align) != 0 || uint64(a.Offset)+uint64(a.Size) > uint64(len(content)) {
			return nil, fmt.Errorf("%s: the %s slice is not aligned or not complete", path, arches[a.Cpu])
		}
		s, err := readSlice(a.File, content[a.Offset:a.Offset+a.Size])
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", path, arches[a.Cpu], err)
		}
		all = append(all, s)
	}
	return all, nil
}

const pie = 0x200000 // MH_PIE

// sizes are the least bytes of the load commands that are looked into.
var sizes = map[uint32]int{0x32: 24, 0xc: 24, 0x80000018: 24, 0x8000001f: 24, 0x22: 48, 0x80000022: 48, 0x80000034: 16}

func readSlice(m *macho.File, content []byte) (Slice, error) {
	s := Slice{Arch: arches[m.Cpu], PIE: m.Flags&pie != 0, content: content}
	if m.Type != macho.TypeExec {
		return s, errors.New("not a program")
	}
	for _, l := range m.Loads {
		raw := l.Raw()
		command := m.ByteOrder.Uint32(raw)
		if len(raw) < sizes[command] {
			return s, fmt.Errorf("load command %#x has only %d bytes", command, len(raw))
		}
		switch command {
		case 0x32: // LC_BUILD_VERSION
			if platform := m.ByteOrder.Uint32(raw[8:]); platform != 1 || s.MinOS != "" {
				return s, fmt.Errorf("made for platform %d, or for two", platform)
			}
			s.MinOS, s.SDK = version(m.ByteOrder, raw[12:]), version(m.ByteOrder, raw[16:])
		case 0x8000001c: // LC_RPATH
			s.Rpaths++
		case 0xc, 0x80000018, 0x8000001f: // LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB
			at := m.ByteOrder.Uint32(raw[8:])
			if uint64(at) > uint64(len(raw)) {
				return s, errors.New("the name of a library stands outside of its load command")
			}
			name, _, _ := bytes.Cut(raw[at:], []byte{0})
			s.Libraries = append(s.Libraries, string(name))
		}
	}
	imports, err := readImports(m, bytes.NewReader(content), s.Libraries)
	s.Imports = imports
	return s, err
}

// version is xxxx.yy.zz packed in nibbles; a zero at the end is left out.
func version(order binary.ByteOrder, raw []byte) string {
	v := order.Uint32(raw)
	text := fmt.Sprintf("%d.%d", v>>16, v>>8&0xff)
	if v&0xff != 0 {
		text += fmt.Sprintf(".%d", v&0xff)
	}
	return text
}

// Contains reports whether any of the texts is somewhere in the slice.
func (s Slice) Contains(texts ...string) (string, bool) {
	for _, t := range texts {
		if bytes.Contains(s.content, []byte(t)) {
			return t, true
		}
	}
	return "", false
}
