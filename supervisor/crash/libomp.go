package crash

import (
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// libompNames are where torch's macOS wheels keep their copy of OpenMP, newest layout first: arm64 since 2.2; before that Intel's
// runtime in the folder that delocate makes, and for 1.13 to 2.2 on x86_64 under functorch, which came in the same wheel.
var libompNames = []string{
	"torch/lib/libomp.dylib",
	"torch/.dylibs/libomp.dylib",
	"torch/.dylibs/libiomp5.dylib",
	"functorch/.dylibs/libiomp5.dylib",
}

// FindLibomp looks for torch's copy of OpenMP in the site-packages folders, for a Python that runs as arch (in GOARCH's words). If
// there is none that can be inserted, path is "" and why says so in one clause for a person.
func FindLibomp(sites []string, arch string) (path, why string) {
	if len(sites) == 0 {
		return "", "no site-packages folder was found"
	}
	torch := false
	for _, site := range sites {
		if st, err := os.Stat(filepath.Join(site, "torch")); err != nil || !st.IsDir() {
			continue
		}
		torch = true
		for _, name := range libompNames {
			file := filepath.Join(site, filepath.FromSlash(name))
			err := CheckDylib(file, arch)
			if err == nil && strings.Contains(file, ":") {
				err = fmt.Errorf("%s has a colon in its path, which %s cannot hold", file, nameInsert)
			}
			switch {
			case err == nil:
				return file, ""
			case errors.Is(err, fs.ErrNotExist):
			case why == "":
				why = err.Error()
			}
		}
	}
	switch {
	case why != "":
		return "", why
	case torch:
		return "", "this torch brings no copy of OpenMP"
	}
	return "", "torch is not installed in this environment"
}

// CheckDylib says why dyld could not insert the library into a process of the architecture arch (in GOARCH's words), or nil. A
// file that is not there is fs.ErrNotExist. dyld ends a process before its first instruction when an inserted library cannot be
// loaded ("terminating because inserted dylib '…' could not be loaded"), so what is doubtful is not insertable.
func CheckDylib(path, arch string) error {
	found, err := readMachO(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not there: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be used: %w", path, err)
	}
	for _, s := range found {
		if s.arch != arch {
			continue
		}
		if s.kind != macho.TypeDylib {
			return fmt.Errorf("%s is not a library", path)
		}
		return nil
	}
	return fmt.Errorf("%s is made for another architecture (have %s, need %s)", path, macNames(archs(found)), macNames([]string{arch}))
}

// MachArchs are the architectures of a Mach-O file, in GOARCH's words where Go has one.
func MachArchs(path string) ([]string, error) {
	s, err := readMachO(path)
	return archs(s), err
}

// RunsAs is the architecture a process of the program at path has when a process of architecture parent starts it: the
// parent's own if the program offers it, else what it has. An unreadable program is taken to be as its parent.
func RunsAs(path, parent string) string {
	have, err := MachArchs(path)
	if err != nil || len(have) == 0 || slices.Contains(have, parent) {
		return parent
	}
	return have[0]
}

// macNames are architectures as a Mac's messages name them.
func macNames(all []string) string {
	return strings.ReplaceAll(strings.Join(all, " and "), "amd64", "x86_64")
}

// machSlice is one architecture of a Mach-O file.
type machSlice struct {
	arch string
	kind macho.Type
}

func archs(all []machSlice) []string {
	var names []string
	for _, s := range all {
		if !slices.Contains(names, s.arch) {
			names = append(names, s.arch)
		}
	}
	return names
}

const (
	machHeaderSize = 28         // of a 32-bit file; the fields read here are at the same place in both
	magicFat64     = 0xcafebabf // fat file with 64-bit offsets
	maxFatSlices   = 32         // Java's class files have the same magic as fat files, and a version number above 44 here
	subtypeARM64E  = 2          // pointer authentication: plain arm64 processes do not load it
)

var errNotMachO = errors.New("it is not a Mach-O file")

// readMachO reads headers alone: debug/macho would read the whole symbol table of each library, and this runs before every start.
func readMachO(path string) ([]machSlice, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	return readSlices(f, st.Size())
}

func readSlices(r io.ReaderAt, size int64) ([]machSlice, error) {
	var head [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, errNotMachO
	}
	magic := binary.BigEndian.Uint32(head[:])
	if magic != macho.MagicFat && magic != magicFat64 {
		s, err := readThin(r, 0, size)
		return []machSlice{s}, err
	}
	count := binary.BigEndian.Uint32(head[4:])
	if count == 0 || count > maxFatSlices {
		return nil, errNotMachO
	}
	entry := 20 // cputype, cpusubtype, offset, size, align
	if magic == magicFat64 {
		entry = 32 // offset and size of 8 bytes each, and 4 reserved
	}
	buf := make([]byte, int(count)*entry)
	if _, err := r.ReadAt(buf, 8); err != nil {
		return nil, errNotMachO
	}
	all := make([]machSlice, 0, count)
	for ; len(buf) > 0; buf = buf[entry:] {
		offset, length := uint64(binary.BigEndian.Uint32(buf[8:])), uint64(binary.BigEndian.Uint32(buf[12:]))
		if magic == magicFat64 {
			offset, length = binary.BigEndian.Uint64(buf[8:]), binary.BigEndian.Uint64(buf[16:])
		}
		if offset > uint64(size) || length > uint64(size)-offset {
			return nil, errors.New("it is cut short")
		}
		s, err := readThin(r, int64(offset), int64(length))
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func readThin(r io.ReaderAt, offset, size int64) (machSlice, error) {
	var b [machHeaderSize]byte
	if size < machHeaderSize {
		return machSlice{}, errNotMachO
	}
	if _, err := r.ReadAt(b[:], offset); err != nil {
		return machSlice{}, errNotMachO
	}
	var order binary.ByteOrder
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if m := o.Uint32(b[:]); m == macho.Magic32 || m == macho.Magic64 {
			order = o
		}
	}
	if order == nil {
		return machSlice{}, errNotMachO
	}
	if commands := int64(order.Uint32(b[20:])); machHeaderSize+commands > size {
		return machSlice{}, errors.New("it is cut short")
	}
	return machSlice{
		arch: archName(macho.Cpu(order.Uint32(b[4:])), order.Uint32(b[8:])),
		kind: macho.Type(order.Uint32(b[12:])),
	}, nil
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
