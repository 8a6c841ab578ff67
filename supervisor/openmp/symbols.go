package openmp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Defines says which of the symbols a library does not define for others, for one architecture or, if arch is "", for all of those that it
// has. Symbols are as C writes them, without Mach-O's underscore; "GOMP_parallel@GOMP_4.0" has to be there in that version.
func Defines(path, arch string, symbols []string) (missing []string, err error) {
	o, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	defer o.Close()
	parts, err := o.of(path, arch)
	if err != nil {
		return nil, err
	}
	gone := map[string]bool{}
	for _, p := range parts {
		for _, symbol := range symbols {
			ok, err := p.symbols.defines(symbol)
			if err != nil {
				return nil, fmt.Errorf("looking for %s in %s: %w", symbol, path, err)
			}
			if !ok && !gone[symbol] {
				gone[symbol] = true
				missing = append(missing, symbol)
			}
		}
	}
	return missing, nil
}

// Needs are the symbols that a user takes from the runtime that it asks for itself (not Via another), for one architecture or, if arch is
// "", for all of those that it has; sorted, in the form that Defines takes. A Mach-O file says which library each symbol comes from; an ELF
// file says so of symbols with a version, and of the others those count that an OpenMP runtime could provide.
func Needs(u User, arch string) ([]string, error) {
	o, err := open(u.Path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", u.Path, err)
	}
	defer o.Close()
	parts, err := o.of(u.Path, arch)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, p := range parts {
		needs, err := p.symbols.needs(u.Asks)
		if err != nil {
			return nil, fmt.Errorf("reading what %s needs: %w", u.Path, err)
		}
		all = append(all, needs...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// isOpenMP knows what a program may call: the language's own functions, and those that compilers call for it. symbol is as C writes it, or
// as Mach-O does.
func isOpenMP(symbol string) bool {
	symbol = strings.TrimPrefix(symbol, "_")
	for _, prefix := range []string{"omp_", "kmp_", "__kmpc_", "_kmpc_", "GOMP_"} {
		if strings.HasPrefix(symbol, prefix) {
			return true
		}
	}
	return false
}

// of are the parts of an architecture, all for "".
func (o *object) of(path, arch string) ([]part, error) {
	if arch == "" {
		return o.parts, nil
	}
	for _, p := range o.parts {
		if p.arch == arch {
			return []part{p}, nil
		}
	}
	return nil, fmt.Errorf("%s has nothing for %s", path, arch)
}

// Symbols tells what libraries offer and take, for one architecture, in the form of Defines and Needs.
type Symbols interface {
	Lacks(path, arch string, symbols []string) ([]string, error) // which of them the library does not define
	Needs(u User, arch string) ([]string, error)                 // what the user takes from the runtime it asks for
}

// DiskSymbols reads the files.
type DiskSymbols struct{}

// Lacks is Defines.
func (DiskSymbols) Lacks(path, arch string, symbols []string) ([]string, error) {
	return Defines(path, arch, symbols)
}

// Needs is the function of that name.
func (DiskSymbols) Needs(u User, arch string) ([]string, error) { return Needs(u, arch) }

// mostNames is how much of a string table is read at once. Names that lie farther apart are read one by one.
const mostNames = 1 << 20

// nameTable reads some of the names of a string table: those of a few symbols mostly lie together.
type nameTable struct {
	table  bounded
	lo, hi int64
	buf    []byte
}

func readNames(table bounded) *nameTable { return &nameTable{table: table, lo: table.size} }

// want says that the name at an offset will be asked for.
func (n *nameTable) want(offset int64) { n.lo, n.hi = min(n.lo, offset), max(n.hi, offset) }

func (n *nameTable) load() error {
	end := min(n.table.size, n.hi+256)
	if end <= n.lo || end-n.lo > mostNames {
		return nil
	}
	var err error
	n.buf, err = n.table.at(n.lo, end-n.lo)
	return err
}

func (n *nameTable) get(offset int64) (string, error) {
	if i := offset - n.lo; i >= 0 && i < int64(len(n.buf)) {
		if end := bytes.IndexByte(n.buf[i:], 0); end >= 0 {
			return string(n.buf[i : i+int64(end)]), nil
		}
	}
	return n.table.string(offset)
}
