package stall

import (
	"path"
	"strconv"
	"strings"
)

// module is a frame's file as its package knows it: "requests/api.py", "threading.py", "<frozen importlib._bootstrap>". It is empty for files
// that belong to neither a package nor Python.
func module(file string) string {
	for _, mark := range []string{"/site-packages/", "/dist-packages/"} {
		if i := strings.LastIndex(file, mark); i >= 0 {
			return file[i+len(mark):]
		}
	}
	if strings.HasPrefix(file, "<") {
		return strings.TrimSuffix(strings.TrimPrefix(file, "<frozen "), ">")
	}
	for _, mark := range []string{"/lib/python3", "/lib64/python3", "/lib/python2", "/Python.framework/"} {
		if i := strings.LastIndex(file, mark); i >= 0 {
			rest := file[i+len(mark):]
			if j := strings.IndexByte(rest, '/'); j >= 0 {
				return rest[j+1:]
			}
		}
	}
	return ""
}

// foreign: the file is a package's, Python's or a program's of the environment, not the person's.
func (s *scene) foreign(file string) bool {
	if file == "" || module(file) != "" || strings.HasPrefix(file, "<") {
		return true
	}
	for _, p := range s.Places {
		if p != "" && within(p, file) {
			return true
		}
	}
	// A console script: bin/uvicorn.
	dir := path.Base(path.Dir(file))
	return path.Ext(file) == "" && (dir == "bin" || dir == "Scripts")
}

func within(dir, file string) bool {
	return strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/")
}

// own is the place of the innermost frame that is the person's: in the backend's folder if there is one, else of no package; -1 if there is
// none.
func (s *scene) own(frames []Frame) int {
	outside := -1
	for i, f := range frames {
		if s.foreign(f.File) {
			continue
		}
		if s.Dir == "" || !path.IsAbs(f.File) || within(s.Dir, f.File) {
			return i
		}
		if outside < 0 {
			outside = i
		}
	}
	return outside
}

// name is a file for a person: by its path in the backend's folder, any other by its last part.
func (s *scene) name(file string) string {
	if s.Dir != "" && within(s.Dir, file) && !s.foreign(file) {
		return strings.TrimPrefix(file, strings.TrimSuffix(s.Dir, "/")+"/")
	}
	base := path.Base(file)
	if strings.HasPrefix(base, "__") { // __init__.py and __main__.py say nothing alone
		return path.Join(path.Base(path.Dir(file)), base)
	}
	return base
}

// where is a frame for a person: "main.py line 17".
func (s *scene) where(f Frame) string {
	return s.name(f.File) + " line " + strconv.Itoa(f.Line)
}

// bare is a function without what it is nested in: "make.<locals>.Store.add" becomes "Store.add".
func bare(function string) string {
	if i := strings.LastIndex(function, "<locals>."); i >= 0 {
		return function[i+len("<locals>."):]
	}
	return function
}

// last is the last word of a function's name: "Store.add" becomes "add".
func last(function string) string {
	return function[strings.LastIndexByte(function, '.')+1:]
}

// pkg is the package of a file that is not the person's: "requests", "faiss", "queue".
func pkg(file string) string {
	m := module(file)
	if strings.HasPrefix(file, "<") && !strings.HasPrefix(file, "<frozen ") { // text that was compiled
		return ""
	}
	first, _, _ := strings.Cut(m, "/")
	return strings.TrimSuffix(first, ".py")
}

// Own tells the person's own files from those of packages, of Python and of the environment, whose folders places are.
func Own(dir string, places []string) func(file string) bool {
	s := &scene{Case: Case{Dir: dir, Places: places}}
	return func(file string) bool { return !s.foreign(file) }
}
