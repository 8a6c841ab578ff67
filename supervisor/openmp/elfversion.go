package openmp

import "debug/elf"

// maxVersions bounds the versions that a file may name.
const maxVersions = 4096

// need is a version that a file wants of a library.
type need struct{ library, version string }

// versionOf is the number of a symbol's version in DT_VERSYM, 0 or 1 for none.
func (e *elfFile) versionOf(index int64) (uint16, error) {
	at, ok := e.dynamic[elf.DT_VERSYM]
	if !ok {
		return 0, nil
	}
	table, err := e.mapped(at)
	if err != nil {
		return 0, err
	}
	b, err := table.at(2*index, 2)
	if err != nil {
		return 0, err
	}
	const hidden = 0x8000
	return e.order.Uint16(b) &^ hidden, nil
}

// versionsNeeded reads DT_VERNEED: which library each number stands for, and the name of the version.
func (e *elfFile) versionsNeeded() (map[uint16]need, error) {
	all := map[uint16]need{}
	at, ok := e.dynamic[elf.DT_VERNEED]
	if !ok {
		return all, nil
	}
	table, err := e.mapped(at)
	if err != nil {
		return nil, err
	}
	for entry := int64(0); len(all) < maxVersions; {
		b, err := table.at(entry, 16) // version, count, file, aux, next
		if err != nil {
			return nil, err
		}
		library, err := e.strings.string(int64(e.order.Uint32(b[4:])))
		if err != nil {
			return nil, err
		}
		aux := entry + int64(e.order.Uint32(b[8:]))
		for range min(e.order.Uint16(b[2:]), maxVersions) {
			a, err := table.at(aux, 16) // hash, flags, other, name, next
			if err != nil {
				return nil, err
			}
			version, err := e.strings.string(int64(e.order.Uint32(a[8:])))
			if err != nil {
				return nil, err
			}
			all[e.order.Uint16(a[6:])] = need{library, version}
			aux += int64(e.order.Uint32(a[12:]))
		}
		next := int64(e.order.Uint32(b[12:]))
		if next == 0 {
			return all, nil
		}
		entry += next
	}
	return nil, errLies
}

// hasVersion reports whether a symbol is defined in a version. A library without versions serves every one: ld.so only warns.
func (e *elfFile) hasVersion(index int64, version string) (bool, error) {
	at, ok := e.dynamic[elf.DT_VERDEF]
	if !ok {
		return true, nil
	}
	number, err := e.versionOf(index)
	if err != nil {
		return false, err
	}
	table, err := e.mapped(at)
	if err != nil {
		return false, err
	}
	entry := int64(0)
	for range maxVersions {
		b, err := table.at(entry, 20) // version, flags, number, count, hash, aux, next
		if err != nil {
			return false, err
		}
		if e.order.Uint16(b[4:]) == number {
			a, err := table.at(entry+int64(e.order.Uint32(b[12:])), 8)
			if err != nil {
				return false, err
			}
			text, err := e.strings.string(int64(e.order.Uint32(a)))
			return text == version, err
		}
		next := int64(e.order.Uint32(b[16:]))
		if next == 0 {
			return false, nil
		}
		entry += next
	}
	return false, errLies
}
