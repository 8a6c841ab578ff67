package openmp

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// Bounds of the code that is read.
const (
	maxSource  = 4 << 20 // bytes of a file
	maxSources = 2000    // files
	maxNames   = 100_000 // imported names of all files; the largest real programs have a tenth of it
	maxPath    = 4096    // bytes of a file's path: systems take no longer ones
)

// Imports are the top-level names that a backend's code imports: of its first module, which lies in dir, and of every module of its own that
// this one leads to, whether at its top or in a function, because what may be imported counts. Names of its own are not among them. A module
// that is not in dir is an installed one, and itself the answer: `python -m litellm`.
func Imports(dir, module string) []string {
	foreign, seen := map[string]bool{}, map[string]bool{}
	if top := topOf(module); len(sourcesOf(dir, top)) == 0 && !isFolder(filepath.Join(dir, top)) {
		foreign[top] = top != ""
	}
	names := 0
	for queue := []string{module, module + ".__main__"}; len(queue) > 0 && len(seen) < maxSources; queue = queue[1:] {
		for _, file := range sourcesOf(dir, queue[0]) {
			if seen[file] {
				continue
			}
			seen[file] = true
			package_ := strings.Split(strings.TrimSuffix(filepath.ToSlash(strings.TrimPrefix(file, dir+string(filepath.Separator))), ".py"), "/")
			package_ = package_[:len(package_)-1]
			for _, name := range importsIn(readSource(file), package_) {
				if names++; names > maxNames {
					break
				}
				top := topOf(name)
				own := len(sourcesOf(dir, top)) > 0
				if own || isFolder(filepath.Join(dir, top)) {
					queue = append(queue, name)
				}
				if !own && top != "" { // a folder without code of its own, "faiss" with an index in it, does not hide the package of that name
					foreign[top] = true
				}
			}
		}
	}
	maps.DeleteFunc(foreign, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(foreign))
}

func topOf(module string) string {
	top, _, _ := strings.Cut(module, ".")
	return top
}

// sourcesOf are the files that are run when a dotted name is imported: those of its packages, and its own.
func sourcesOf(dir, module string) []string {
	var files []string
	path := dir
	for _, part := range strings.Split(module, ".") {
		if path = filepath.Join(path, part); len(path) > maxPath {
			break
		}
		for _, f := range []string{filepath.Join(path, "__init__.py"), path + ".py"} {
			if st, err := os.Stat(f); err == nil && st.Mode().IsRegular() {
				files = append(files, f)
			}
		}
	}
	return files
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func readSource(path string) string {
	f, err := safefile.Open(path)
	if err != nil {
		return "" // nothing is known of it
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSource))
	if err != nil {
		return ""
	}
	return string(text)
}

// importsIn are the dotted names that a source imports. in is the package that it belongs to, for relative imports. Of "from a import b"
// both a and a.b are meant: b may be a module.
func importsIn(source string, in []string) []string {
	var all []string
	for line := range logicalLines(source) {
		for statement := range strings.SplitSeq(line, ";") {
			statement = statement[strings.LastIndexByte(statement, ':')+1:] // "if x: import a"
			words := strings.Fields(strings.NewReplacer("(", " ", ")", " ", ",", " , ").Replace(statement))
			if len(words) < 2 {
				continue
			}
			switch words[0] {
			case "import":
				all = append(all, listOf(words[1:], "")...)
			case "from":
				all = append(all, fromImport(words[1:], in)...)
			}
		}
	}
	return all
}

// listOf reads "a.b as c , d".
func listOf(words []string, prefix string) []string {
	var all []string
	first := true
	for _, w := range words {
		switch {
		case w == ",":
			first = true
		case first && isDotted(w):
			all = append(all, prefix+w)
			first = false
		default:
			first = false
		}
	}
	return all
}

func fromImport(words, in []string) []string {
	i := slices.Index(words, "import")
	if i < 1 {
		return nil
	}
	name := strings.Join(words[:i], "")
	if dots := len(name) - len(strings.TrimLeft(name, ".")); dots > 0 {
		if dots-1 > len(in) {
			return nil
		}
		parts := slices.Clone(in[:len(in)-(dots-1)])
		if rest := name[dots:]; rest != "" {
			parts = append(parts, rest)
		}
		name = strings.Join(parts, ".")
	}
	if name != "" && !isDotted(name) {
		return nil
	}
	if name == "" {
		return listOf(words[i+1:], "")
	}
	return append([]string{name}, listOf(words[i+1:], name+".")...)
}

func isDotted(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		for i, r := range part {
			if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r < 0x80 && (i == 0 || r < '0' || r > '9') {
				return false
			}
		}
		if part == "" {
			return false
		}
	}
	return true
}

// logicalLines are Python's: without comments, with every string emptied, and with what brackets and backslashes hold together on one line.
func logicalLines(source string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var line strings.Builder
		depth := 0
		for i := 0; i < len(source); {
			switch c := source[i]; {
			case c == '#':
				for i < len(source) && source[i] != '\n' {
					i++
				}
				continue
			case c == '"' || c == '\'':
				i = afterString(source, i)
				line.WriteByte('\'') // a word of its own that is no name
				continue
			case c == '\\' && i+1 < len(source) && (source[i+1] == '\n' || source[i+1] == '\r'):
				i += 2
				if source[i-1] == '\r' && i < len(source) && source[i] == '\n' {
					i++
				}
				line.WriteByte(' ')
				continue
			case c == '\n' && depth > 0:
				line.WriteByte(' ')
			case c == '\n':
				if !yield(line.String()) {
					return
				}
				line.Reset()
			default:
				switch c {
				case '(', '[', '{':
					depth++
				case ')', ']', '}':
					depth = max(0, depth-1)
				}
				line.WriteByte(c)
			}
			i++
		}
		yield(line.String())
	}
}

// afterString is where the string that begins at i is over: at its quotes, for a short one at the end of the line at the latest.
func afterString(s string, i int) int {
	quote := s[i : i+1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(s[i:], long) {
		for j := i + 3; j < len(s); j++ {
			if s[j] == '\\' {
				j++
			} else if strings.HasPrefix(s[j:], long) {
				return j + 3
			}
		}
		return len(s)
	}
	for j := i + 1; j < len(s); j++ {
		switch {
		case s[j] == '\\':
			j++
		case s[j] == '\n':
			return j
		case s[j] == quote[0]:
			return j + 1
		}
	}
	return len(s)
}
