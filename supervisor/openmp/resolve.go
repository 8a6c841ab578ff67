package openmp

import (
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// resolve finds the file that a name stands for in an image, as dyld or ld.so would; "" if there is none. rpaths are those of the images
// that load it, expanded. fresh is true if the file lies outside of the walk and was read now.
func (g *graph) resolve(i *image, name string, rpaths []string) (path string, fresh bool) {
	for _, candidate := range g.candidates(i, name, rpaths) {
		if path, fresh = g.exists(candidate, i); path != "" {
			return path, fresh
		}
	}
	return "", false
}

func (g *graph) candidates(i *image, name string, rpaths []string) []string {
	var own []string
	for _, p := range i.parts {
		own = append(own, g.expandAll(i, p.rpaths)...)
	}
	own = append(own, rpaths...)
	if i.mac() {
		return g.dyld(i, name, own)
	}
	if strings.Contains(name, "/") {
		return []string{g.expand(i, name)}
	}
	return under(append(own, systemFolders()...), name)
}

// dyld gives what dyld would try: the rpaths of the image and of those that load it; for a path that is not there also the two fallback
// folders. An rpath that does not begin at the root or with one of the two words is relative to nothing.
func (g *graph) dyld(i *image, name string, rpaths []string) []string {
	leaf, relative := strings.CutPrefix(name, "@rpath/")
	if relative {
		return under(slices.DeleteFunc(rpaths, func(p string) bool { return !filepath.IsAbs(p) }), leaf)
	}
	path := g.expand(i, name)
	if strings.HasPrefix(path, "@") || !filepath.IsAbs(path) {
		return nil
	}
	if path != name || runtime.GOOS != "darwin" {
		return []string{path}
	}
	return []string{path, filepath.Join("/usr/local/lib", filepath.Base(name))}
}

func under(dirs []string, name string) []string {
	var all []string
	for _, dir := range dirs {
		if dir != "" {
			all = append(all, filepath.Join(dir, name))
		}
	}
	return all
}

func (g *graph) expandAll(i *image, paths []string) []string {
	var all []string
	for _, p := range paths {
		all = append(all, g.expand(i, p))
	}
	return all
}

// expand puts folders for the words that a path may begin with.
func (g *graph) expand(i *image, path string) string {
	dir := filepath.Dir(i.path)
	if !i.mac() {
		for _, word := range []string{"$ORIGIN", "${ORIGIN}"} {
			path = strings.ReplaceAll(path, word, dir)
		}
		return path
	}
	for word, folder := range map[string]string{"@loader_path": dir, "@executable_path": g.executable} {
		if rest, ok := strings.CutPrefix(path, word); ok && (rest == "" || rest[0] == '/') && folder != "" {
			return folder + rest
		}
	}
	return path
}

// systemFolders are where ld.so looks last: what ld.so.conf names, and the folders that are built into it.
var systemFolders = sync.OnceValue(func() []string {
	if runtime.GOOS != "linux" {
		return nil
	}
	dirs := loaderFolders("/etc/ld.so.conf", 0)
	for _, dir := range []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"} {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
})

// loaderFolders reads ld.so.conf: a folder a line, and include lines with patterns.
func loaderFolders(file string, depth int) []string {
	text, err := safefile.Read(file, maxMetadata)
	if err != nil || depth > 4 {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "include":
			pattern := words[1]
			if !filepath.IsAbs(pattern) {
				pattern = filepath.Join(filepath.Dir(file), pattern)
			}
			files, _ := filepath.Glob(pattern)
			for _, f := range files {
				dirs = append(dirs, loaderFolders(f, depth+1)...)
			}
		case len(words) == 1 && filepath.IsAbs(words[0]):
			dirs = append(dirs, words[0])
		}
	}
	return dirs
}
