package openmp

import (
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
