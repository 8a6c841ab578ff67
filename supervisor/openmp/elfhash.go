package openmp

import (
	"debug/elf"
	"slices"
	"strings"
)

// symbol is an entry of the dynamic symbol table.
type symbol struct {
	name    uint32
	section uint16 // 0: it is undefined
	index   int64
}

func (e *elfFile) symbolSize() int64 {
	if e.wide {
		return 24
	}
	return 16
}

func (e *elfFile) symbol(b []byte, index int64) symbol {
	at := 14
	if e.wide {
		at = 6
	}
	return symbol{e.order.Uint32(b), e.order.Uint16(b[at:]), index}
}

// defines looks a symbol up in the hash table, as ld.so does. "name@VERSION" has to be defined in that version.
func (e *elfFile) defines(name string) (bool, error) {
	name, version, _ := strings.Cut(name, "@")
	var found int64
	var err error
	if at, ok := e.dynamic[elf.DT_GNU_HASH]; ok {
		found, err = e.gnu(at, name, version)
	} else if at, ok := e.dynamic[elf.DT_HASH]; ok {
		found, err = e.sysv(at, name, version)
	}
	return found > 0, err
}

// is reports whether the symbol of an index defines the name, in the version if one is asked for.
func (e *elfFile) is(index int64, name, version string) (bool, error) {
	table, err := e.mapped(e.dynamic[elf.DT_SYMTAB])
	if err != nil {
		return false, err
	}
	entry, err := table.at(index*e.symbolSize(), e.symbolSize())
	if err != nil {
		return false, err
	}
	s := e.symbol(entry, index)
	if s.section == 0 {
		return false, nil
	}
	text, err := e.strings.string(int64(s.name))
	if err != nil || text != name || version == "" {
		return text == name && err == nil, err
	}
	return e.hasVersion(index, version)
}

// maxChain bounds the symbols of one bucket. A table with longer ones was made to waste time.
const maxChain = 1 << 16

// gnu looks into DT_GNU_HASH: a bloom filter, then the bucket's chain, whose hashes end with the lowest bit set.
func (e *elfFile) gnu(at uint64, name, version string) (int64, error) {
	table, err := e.mapped(at)
	if err != nil {
		return 0, err
	}
	head, err := table.at(0, 16)
	if err != nil {
		return 0, err
	}
	buckets, first, bloom := e.order.Uint32(head), e.order.Uint32(head[4:]), e.order.Uint32(head[8:])
	word := int64(4)
	if e.wide {
		word = 8
	}
	if buckets == 0 || bloom == 0 {
		return 0, errLies
	}
	h := gnuHash(name)
	bits, err := table.at(16+word*int64(h/uint32(8*word)%bloom), word)
	if err != nil {
		return 0, err
	}
	filter, size := e.words().word(bits), uint32(8*word)
	if filter>>(h%size)&(filter>>(h>>(e.order.Uint32(head[12:])&31)%size))&1 == 0 {
		return 0, nil
	}
	start := 16 + word*int64(bloom)
	b, err := table.at(start+4*int64(h%buckets), 4)
	if err != nil {
		return 0, err
	}
	index := int64(e.order.Uint32(b))
	if index < int64(first) {
		return 0, nil
	}
	chains := start + 4*int64(buckets)
	for range maxChain {
		c, err := table.at(chains+4*(index-int64(first)), 4)
		if err != nil {
			return 0, err
		}
		hash := e.order.Uint32(c)
		if hash|1 == h|1 {
			if ok, err := e.is(index, name, version); ok || err != nil {
				return index, err
			}
		}
		if hash&1 != 0 {
			return 0, nil
		}
		index++
	}
	return 0, errLies
}

func gnuHash(name string) uint32 {
	h := uint32(5381)
	for i := range len(name) {
		h = h*33 + uint32(name[i])
	}
	return h
}

// sysv looks into DT_HASH: buckets, and chains that end with 0.
func (e *elfFile) sysv(at uint64, name, version string) (int64, error) {
	table, err := e.mapped(at)
	if err != nil {
		return 0, err
	}
	head, err := table.at(0, 8)
	if err != nil {
		return 0, err
	}
	buckets := e.order.Uint32(head)
	if buckets == 0 {
		return 0, errLies
	}
	next := 8 + 4*int64(sysvHash(name)%buckets)
	for range maxChain {
		b, err := table.at(next, 4)
		if err != nil {
			return 0, err
		}
		index := int64(e.order.Uint32(b))
		if index == 0 {
			return 0, nil
		}
		if ok, err := e.is(index, name, version); ok || err != nil {
			return index, err
		}
		next = 8 + 4*int64(buckets) + 4*index
	}
	return 0, errLies
}

func sysvHash(name string) uint32 {
	var h uint32
	for i := range len(name) {
		h = h<<4 + uint32(name[i])
		h = (h ^ h>>24&0xf0) & 0x0fffffff
	}
	return h
}

// undefined are the symbols that have to come from elsewhere. The table of a file with DT_GNU_HASH begins with them; DT_HASH says how
// many symbols there are.
func (e *elfFile) undefined() ([]string, error) {
	list, err := e.wanted()
	if err != nil {
		return nil, err
	}
	var all []string
	names := readNames(e.strings)
	for _, s := range list {
		names.want(int64(s.name))
	}
	if err := names.load(); err != nil {
		return nil, err
	}
	for _, s := range list {
		name, err := names.get(int64(s.name))
		if err != nil {
			return nil, err
		}
		all = append(all, name)
	}
	return all, nil
}

func (e *elfFile) wanted() ([]symbol, error) {
	var count int64
	if at, ok := e.dynamic[elf.DT_GNU_HASH]; ok {
		table, err := e.mapped(at)
		if err != nil {
			return nil, err
		}
		head, err := table.at(0, 16)
		if err != nil {
			return nil, err
		}
		count = int64(e.order.Uint32(head[4:]))
	} else if at, ok := e.dynamic[elf.DT_HASH]; ok {
		table, err := e.mapped(at)
		if err != nil {
			return nil, err
		}
		head, err := table.at(0, 8)
		if err != nil {
			return nil, err
		}
		count = int64(e.order.Uint32(head[4:]))
	}
	if count == 0 {
		return nil, nil
	}
	if count > maxUndefined {
		return nil, errLies
	}
	table, err := e.mapped(e.dynamic[elf.DT_SYMTAB])
	if err != nil {
		return nil, err
	}
	size := e.symbolSize()
	entries, err := table.at(0, count*size)
	if err != nil {
		return nil, err
	}
	var all []symbol
	for i := int64(1); i < count; i++ {
		if s := e.symbol(entries[i*size:], i); s.section == 0 && s.name != 0 {
			all = append(all, s)
		}
	}
	return all, nil
}

// needs are all undefined symbols with the version that they ask a library for, "GOMP_parallel@GOMP_4.0": an ELF file does not say which
// library each comes from, unless they have a version, and then only those of the library are given.
func (e *elfFile) needs(library string) ([]string, error) {
	list, err := e.wanted()
	if err != nil {
		return nil, err
	}
	versions, err := e.versionsNeeded()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, s := range list {
		name, err := e.strings.string(int64(s.name))
		if err != nil {
			return nil, err
		}
		version, err := e.versionOf(s.index)
		if err != nil {
			return nil, err
		}
		switch from, ok := versions[version]; {
		case ok && from.library == library:
			all = append(all, name+"@"+from.version)
		case !ok && isOpenMP(name):
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
