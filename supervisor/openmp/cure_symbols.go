package openmp

import (
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"strings"
)

// Symbols reads what a library offers and takes. Arch is in GOARCH's words.
type Symbols interface {
	Defined(path, arch string) (SymbolSet, error)
	Wanted(path, arch string) (SymbolSet, error)
}

// SymbolSet are names, as a linker knows them; where ELF has versions, "name@VERSION".
type SymbolSet map[string]bool

// has follows the loader: a name without a version is content with any, and a library that has no versions is taken at its word.
func (s SymbolSet) has(symbol string) bool {
	name, _, versioned := strings.Cut(symbol, "@")
	return s[symbol] || s[name] && versioned && !s[versionsMark] || !versioned && s[anyVersion+name]
}

const (
	versionsMark = "@"  // in the set of a library that has versions
	anyVersion   = "@@" // and a name: it is there in some version
)

// DiskSymbols reads files. It is for the handful that a cure is about: it reads whole symbol tables.
type DiskSymbols struct{}

// Defined are the symbols that others can bind to.
func (DiskSymbols) Defined(path, arch string) (SymbolSet, error) {
	return symbolsOf(path, arch, definedELF, definedMachO)
}

// Wanted are the symbols that are taken from other libraries.
func (DiskSymbols) Wanted(path, arch string) (SymbolSet, error) {
	return symbolsOf(path, arch, wantedELF, wantedMachO)
}

func symbolsOf(path, arch string, fromELF func(*elf.File) (SymbolSet, error), fromMachO func(*macho.File) (SymbolSet, error)) (set SymbolSet, err error) {
	defer func() { // of a file that lies about its own tables
		if p := recover(); p != nil {
			set, err = nil, fmt.Errorf("reading the symbols of %s: its tables make no sense", path)
		}
	}()
	if f, err := elf.Open(path); err == nil {
		defer f.Close()
		set, err = fromELF(f)
		return named(path, set, err)
	}
	if fat, err := macho.OpenFat(path); err == nil {
		defer fat.Close()
		for _, a := range fat.Arches {
			if goArch(a.Cpu) == arch {
				set, err = fromMachO(a.File)
				return named(path, set, err)
			}
		}
		return nil, fmt.Errorf("reading the symbols of %s: it is not made for %s", path, arch)
	}
	f, err := macho.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the symbols of %s: it is no library", path)
	}
	defer f.Close()
	set, err = fromMachO(f)
	return named(path, set, err)
}

func named(path string, set SymbolSet, err error) (SymbolSet, error) {
	if err == nil && len(set) == 0 {
		err = errors.New("it has none")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the symbols of %s: %w", path, err)
	}
	return set, nil
}

func goArch(cpu macho.Cpu) string {
	switch cpu {
	case macho.CpuArm64:
		return "arm64"
	case macho.CpuAmd64:
		return "amd64"
	}
	return cpu.String()
}

func definedELF(f *elf.File) (SymbolSet, error) {
	all, err := f.DynamicSymbols()
	if err != nil {
		return nil, err
	}
	set := SymbolSet{}
	for _, s := range all {
		if s.Section == elf.SHN_UNDEF || elf.ST_BIND(s.Info) == elf.STB_LOCAL {
			continue
		}
		if s.Version == "" {
			set[s.Name] = true
			continue
		}
		set[s.Name+"@"+s.Version] = true
		set[anyVersion+s.Name], set[versionsMark] = true, true
	}
	return set, nil
}

func wantedELF(f *elf.File) (SymbolSet, error) {
	all, err := f.ImportedSymbols()
	if err != nil {
		return nil, err
	}
	set := SymbolSet{}
	for _, s := range all {
		if s.Version != "" {
			s.Name += "@" + s.Version
		}
		set[s.Name] = true
	}
	return set, nil
}

func definedMachO(f *macho.File) (SymbolSet, error) {
	if f.Dysymtab == nil || f.Symtab == nil {
		return nil, errors.New("it has no symbol table")
	}
	return names(f, f.Dysymtab.Iextdefsym, f.Dysymtab.Nextdefsym)
}

func wantedMachO(f *macho.File) (SymbolSet, error) {
	if f.Dysymtab == nil || f.Symtab == nil {
		return nil, errors.New("it has no symbol table")
	}
	return names(f, f.Dysymtab.Iundefsym, f.Dysymtab.Nundefsym)
}

func names(f *macho.File, first, n uint32) (SymbolSet, error) {
	if uint64(first)+uint64(n) > uint64(len(f.Symtab.Syms)) {
		return nil, errors.New("its symbol table is cut short")
	}
	set := SymbolSet{}
	for _, s := range f.Symtab.Syms[first : first+n] {
		set[s.Name] = true
	}
	return set, nil
}
