package verify

import (
	_ "embed"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed imports.txt
var list string

// imports are what the programs may ask the system for.
type imports struct {
	programs map[string][]string // library → the programs that may load it, by name; "*" for all
	symbols  map[Import]string   // → the framework in whose documentation it stands
}

// readList reads imports.txt: a line with a library and the programs that may load it, below it, indented, its symbols, each
// with the framework in whose documentation it stands, if that is another.
func readList(text string) (imports, error) {
	all := imports{programs: map[string][]string{}, symbols: map[Import]string{}}
	library := ""
	for number, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(line, "#"):
		case !strings.HasPrefix(line, "\t") && len(words) > 1:
			library = words[0]
			all.programs[library] = words[1:]
		case strings.HasPrefix(line, "\t") && library != "" && len(words) <= 2:
			home := path.Base(library)
			if len(words) == 2 {
				home = words[1]
			}
			i := Import{Library: library, Symbol: words[0]}
			if _, twice := all.symbols[i]; twice {
				return all, fmt.Errorf("imports.txt:%d: %s stands there twice", number+1, words[0])
			}
			all.symbols[i] = home
		default:
			return all, fmt.Errorf("imports.txt:%d: %q is neither a library nor a symbol of one", number+1, line)
		}
	}
	return all, nil
}

// check compares what a slice of a program loads and imports with the list. Apple's own linker has the real list of each
// library, so that after it only the libraries count, and among those only where a program has no business with one.
func (l imports) check(program string, s Slice, by Signed) []error {
	var wrong []error
	for _, library := range s.Libraries {
		allowed, known := l.programs[library]
		if known && !slices.Contains(allowed, "*") && !slices.Contains(allowed, path.Base(program)) || !known && by == Own {
			wrong = append(wrong, fmt.Errorf("loads %s", library))
		}
	}
	for _, i := range s.Imports {
		if _, known := l.symbols[i]; !known && by == Own {
			wrong = append(wrong, fmt.Errorf("imports %s from %s, which is not on the list in verify/imports.txt", i.Symbol, i.Library))
		}
	}
	return wrong
}

// Unused is what stands on the list and no program of a bundle imports.
func Unused(bundle string) ([]Import, error) {
	all, err := readList(list)
	if err != nil {
		return nil, err
	}
	for name := range programNames {
		slicesOf, err := Program(filepath.Join(bundle, "Contents", name))
		if err != nil {
			return nil, err
		}
		for _, s := range slicesOf {
			for _, i := range s.Imports {
				delete(all.symbols, i)
			}
		}
	}
	return slices.Collect(maps.Keys(all.symbols)), nil
}
