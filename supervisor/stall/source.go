package stall

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

const maxSource = 1 << 20

// ReadSource gives the lines of source files that are not newer than started: an edited file has other lines than the running program. It never
// waits for a writer, and reads plain files only.
func ReadSource(started time.Time) func(file string) []string {
	read := map[string][]string{}
	return func(file string) []string {
		lines, ok := read[file]
		if !ok && len(read) < 64 {
			lines = readLines(file, started)
			read[file] = lines
		}
		return lines
	}
}

func readLines(file string, started time.Time) []string {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSource || info.ModTime().After(started) {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSource))
	if err != nil {
		return nil
	}
	return strings.Split(string(text), "\n")
}

// text is the line of a frame without its comment and indentation, "" if it is not known.
func (s *scene) text(f Frame) string {
	if s.Source == nil || f.Line < 1 {
		return ""
	}
	lines := s.Source(f.File)
	if f.Line > len(lines) {
		return ""
	}
	return clean(lines[f.Line-1])
}

func clean(line string) string {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") {
		return ""
	}
	if i := strings.Index(line, " #"); i >= 0 && !strings.ContainsAny(line[i:], `"'`) {
		line = strings.TrimSpace(line[:i])
	}
	return line
}

var (
	call      = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*|\)\.[A-Za-z_][A-Za-z0-9_]*)\(`)
	importAs  = regexp.MustCompile(`^\s*import\s+([\w.]+)\s+as\s+(\w+)`)
	importOf  = regexp.MustCompile(`^\s*from\s+([\w.]+)\s+import\s+\(?([^#)]+)`)
	withLock  = regexp.MustCompile(`^with\s+([A-Za-z_][\w.]*(?:\[[^\]]*\])?)\s*(?:as\s+\w+\s*)?:`)
	acquired  = regexp.MustCompile(`([A-Za-z_][\w.]*(?:\[[^\]]*\])?)\.acquire\(`)
	released  = regexp.MustCompile(`([A-Za-z_][\w.]*(?:\[[^\]]*\])?)\.release\(`)
	everyday  = []string{"print", "len", "range", "str", "int", "float", "list", "dict", "set", "tuple", "bool", "isinstance", "super", "enumerate", "zip", "min", "max", "sorted", "if", "while", "return", "not", "and", "or", "in", "await", "def", "class", "with", "elif", "for", "lambda", "yield", "assert", "del", "raise", "except"}
	literalIn = regexp.MustCompile(`https?://([A-Za-z0-9.-]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)`)
)

// calls are the names of what a line calls, as the program's imports resolve them, in the order of the line.
func (s *scene) calls(f Frame) []string {
	text := s.text(f)
	if strings.HasPrefix(text, "def ") || strings.HasPrefix(text, "async def ") || strings.HasPrefix(text, "class ") {
		return nil
	}
	var names []string
	for _, m := range call.FindAllStringSubmatch(text, 20) {
		name := strings.TrimPrefix(m[1], ").")
		if !slices.Contains(everyday, name) {
			names = append(names, s.resolve(f.File, name))
		}
	}
	return names
}

// resolve replaces the alias of an import: np.dot is numpy.dot, and sleep may be time.sleep.
func (s *scene) resolve(file, name string) string {
	first, rest, dotted := strings.Cut(name, ".")
	for _, line := range s.Source(file) {
		if m := importAs.FindStringSubmatch(line); m != nil && m[2] == first && dotted {
			return m[1] + "." + rest
		}
		m := importOf.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		for _, part := range strings.Split(m[2], ",") {
			original, alias, renamed := strings.Cut(strings.TrimSpace(part), " as ")
			if !renamed {
				alias = original
			}
			if strings.TrimSpace(alias) == first && !strings.HasPrefix(m[1], ".") {
				if dotted {
					return strings.TrimSpace(original) + "." + rest
				}
				return m[1] + "." + strings.TrimSpace(original)
			}
		}
	}
	return name
}
