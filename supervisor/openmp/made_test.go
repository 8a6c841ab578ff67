package openmp

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// machoSpec is a Mach-O file to be made.
type machoSpec struct {
	cpu     uint32
	kind    uint32 // 0: a dylib
	name    string
	asks    []string
	rpaths  []string
	defines []string // none begins with another
	text    string   // in __TEXT,__cstring
	order   binary.ByteOrder
}

func (s machoSpec) bytes() []byte {
	o := s.order
	if o == nil {
		o = binary.LittleEndian
	}
	command := func(kind uint32, body []byte) []byte {
		for len(body)%8 != 0 {
			body = append(body, 0)
		}
		c := make([]byte, 8, 8+len(body))
		o.PutUint32(c, kind)
		o.PutUint32(c[4:], uint32(8+len(body)))
		return append(c, body...)
	}
	words := func(all ...uint32) []byte {
		b := make([]byte, 4*len(all))
		for i, v := range all {
			o.PutUint32(b[4*i:], v)
		}
		return b
	}
	var commands [][]byte
	if s.name != "" {
		commands = append(commands, command(cmdID, append(words(24, 0, 0, 0), s.name+"\x00"...)))
	}
	for _, a := range s.asks {
		commands = append(commands, command(0xc, append(words(24, 0, 0, 0), a+"\x00"...)))
	}
	for _, r := range s.rpaths {
		commands = append(commands, command(cmdRpath, append(words(12), r+"\x00"...)))
	}
	commands = append(commands, command(cmdUUID, bytes.Repeat([]byte{0xab}, 16)))
	trie := trieOf(s.defines)
	size := 32 + 16 + 72 + 80
	for _, c := range commands {
		size += len(c)
	}
	commands = append(commands, command(cmdTrie, words(uint32(size), uint32(len(trie)))))
	segment := make([]byte, 64+80)
	copy(segment, "__TEXT")
	o.PutUint32(segment[56:], 1)
	copy(segment[64:], "__cstring")
	o.PutUint64(segment[64+40:], uint64(len(s.text)))
	o.PutUint32(segment[64+48:], uint32(size+len(trie)))
	commands = append(commands, command(0x19, segment))
	body := bytes.Join(commands, nil)
	kind := s.kind
	if kind == 0 {
		kind = 6
	}
	head := words(0xfeedfacf, s.cpu, 0, kind, uint32(len(commands)), uint32(len(body)), 0, 0)
	return append(append(append(head, body...), trie...), s.text...)
}

// trieOf has each symbol on an edge of its own.
func trieOf(symbols []string) []byte {
	size := 2
	for _, s := range symbols {
		size += len(s) + 2 + 2
	}
	root, leaves := []byte{0, byte(len(symbols))}, []byte(nil)
	for _, s := range symbols {
		at := size + len(leaves)
		root = append(root, "_"+s+"\x00"...)
		root = append(root, byte(at)|0x80, byte(at>>7))
		leaves = append(leaves, 2, 0, 0, 0)
	}
	return append(root, leaves...)
}

// fatOf joins files, with 32-bit or with 64-bit offsets.
func fatOf(wide bool, files ...[]byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, 0xcafebabe)
	entry := 20
	if wide {
		head, entry = binary.BigEndian.AppendUint32(nil, magicFat64), 32
	}
	head = binary.BigEndian.AppendUint32(head, uint32(len(files)))
	at := 8 + entry*len(files)
	var body []byte
	for _, f := range files {
		head = binary.BigEndian.AppendUint32(head, binary.LittleEndian.Uint32(f[4:]))
		head = binary.BigEndian.AppendUint32(head, 0)
		if wide {
			head = binary.BigEndian.AppendUint64(head, uint64(at+len(body)))
			head = binary.BigEndian.AppendUint64(head, uint64(len(f)))
			head = binary.BigEndian.AppendUint64(head, 0)
		} else {
			head = binary.BigEndian.AppendUint32(head, uint32(at+len(body)))
			head = binary.BigEndian.AppendUint32(head, uint32(len(f)))
			head = binary.BigEndian.AppendUint32(head, 0)
		}
		body = append(body, f...)
	}
	return append(head, body...)
}

func machos() [][]byte {
	arm := machoSpec{cpu: cpuARM64, name: "@rpath/libomp.dylib", asks: []string{"/usr/lib/libSystem.B.dylib"}, rpaths: []string{"@loader_path"}, defines: []string{forkCall, "omp_get_wtime"}, text: "LLVM OMP version: 5.0.20140926\x00"}.bytes()
	intel := machoSpec{cpu: cpuAMD64, defines: []string{"x"}}.bytes()
	return [][]byte{arm, intel, fatOf(false, arm, intel), fatOf(true, arm, intel)}
}

// elfSpec is a shared library to be made, of 64 bits and with DT_HASH.
type elfSpec struct {
	name, rpath, runpath string
	asks, defines        []string
	text                 string
}

func sharedObject(asks []string, name string) []byte { return elfSpec{asks: asks, name: name}.bytes() }

func (s elfSpec) bytes() []byte {
	o := binary.LittleEndian
	texts := []byte{0}
	text := func(t string) uint64 {
		at := len(texts)
		texts = append(append(texts, t...), 0)
		return uint64(at)
	}
	var dynamic []uint64
	for _, a := range s.asks {
		dynamic = append(dynamic, uint64(elf.DT_NEEDED), text(a))
	}
	for tag, t := range map[elf.DynTag]string{elf.DT_SONAME: s.name, elf.DT_RPATH: s.rpath, elf.DT_RUNPATH: s.runpath} {
		if t != "" {
			dynamic = append(dynamic, uint64(tag), text(t))
		}
	}
	symbols := make([]byte, 24)
	hash := []uint32{1, uint32(len(s.defines) + 1), 0, 0} // one bucket, then the chain
	for i, d := range s.defines {
		entry := make([]byte, 24)
		o.PutUint32(entry, uint32(text(d)))
		o.PutUint16(entry[6:], 1)
		symbols = append(symbols, entry...)
		hash[2] = 1
		next := uint32(0)
		if i+1 < len(s.defines) {
			next = uint32(i + 2)
		}
		hash = append(hash, next)
	}
	const start = 64 + 2*56
	at := map[elf.DynTag]uint64{elf.DT_SYMTAB: start}
	at[elf.DT_HASH] = start + uint64(len(symbols))
	at[elf.DT_STRTAB] = at[elf.DT_HASH] + uint64(4*len(hash))
	for tag, v := range at {
		dynamic = append(dynamic, uint64(tag), v)
	}
	dynamic = append(dynamic, uint64(elf.DT_STRSZ), uint64(len(texts)), 0, 0)
	table := at[elf.DT_STRTAB] + uint64(len(texts))
	size := table + uint64(8*len(dynamic)) + uint64(len(s.text))
	b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, start-7)...)
	o.PutUint16(b[16:], uint16(elf.ET_DYN))
	o.PutUint16(b[18:], uint16(elf.EM_X86_64))
	o.PutUint64(b[32:], 64)
	o.PutUint16(b[54:], 56)
	o.PutUint16(b[56:], 2)
	for i, h := range [][4]uint64{{uint64(elf.PT_LOAD), 0, 0, size}, {uint64(elf.PT_DYNAMIC), table, table, uint64(8 * len(dynamic))}} {
		p := b[64+56*i:]
		o.PutUint32(p, uint32(h[0]))
		o.PutUint64(p[8:], h[1])
		o.PutUint64(p[16:], h[2])
		o.PutUint64(p[32:], h[3])
	}
	b = append(b, symbols...)
	for _, v := range hash {
		b = o.AppendUint32(b, v)
	}
	b = append(b, texts...)
	for _, v := range dynamic {
		b = o.AppendUint64(b, v)
	}
	return append(b, s.text...)
}

// tree writes files below a new folder and gives its real path.
func tree(t testing.TB, files map[string][]byte) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for name, content := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content, 0o644))
	}
	return root
}
