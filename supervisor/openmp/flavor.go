package openmp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// flavorOf tells a runtime by its name, as it is or as auditwheel and delocate rename it: "libgomp-a34b3233.so.1.0.0". Its kin,
// libomptarget and libompd, are none.
func flavorOf(name string) Flavor {
	for _, f := range []struct {
		stem   string
		flavor Flavor
	}{{"libomp", LLVM}, {"libiomp5", Intel}, {"libgomp", GNU}} {
		if rest, ok := strings.CutPrefix(name, f.stem); ok && rest != "" && (rest[0] == '.' || rest[0] == '-') {
			return f.flavor
		}
	}
	return ""
}

// The symbols by which a runtime is known: every program that was compiled with OpenMP calls one of them.
const (
	symbolLLVM = "__kmpc_fork_call" // by clang, and by Intel's compilers
	symbolGNU  = "GOMP_parallel"    // by gcc; LLVM's runtime has it, too
)

// banner is the text by which LLVM's and Intel's runtimes name themselves and their version.
var banner = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(LLVM|Intel\(R\)) OMP (?:performance|performance/profiling|profiling|stubs)? ?library \(\w+\) ver\. ([\w.]+)`)
})

var bannerWords = [][]byte{[]byte("LLVM OMP performance library"), []byte("Intel(R) OMP performance library"), []byte("LLVM OMP API version"), []byte("Intel(R) OMP API version")}

// runtime describes the file as one, or says nil. Its name alone proves nothing, and a copy inside of another library has no name: so it
// is asked for the symbols that only a runtime defines, and, where those are hidden, for the banner in its constant text.
func (o *object) runtime(path string) (*Runtime, error) {
	p := o.parts[0]
	kmp, err := p.symbols.defines(symbolLLVM)
	if err != nil {
		return nil, err
	}
	gnu, err := p.symbols.defines(symbolGNU)
	if err != nil {
		return nil, err
	}
	hidden := false
	if !kmp && !gnu && !asksForOpenMP(p.asks) && o.info.Size() < maxHidden {
		text, err := p.symbols.texts()
		if err != nil {
			return nil, err
		}
		for _, w := range bannerWords {
			hidden = hidden || bytes.Contains(text, w)
		}
	}
	if !kmp && !gnu && !hidden {
		return nil, nil
	}
	r := &Runtime{Path: path, Name: p.name, Flavor: flavorOf(filepath.Base(path))}
	r.Static = r.Flavor == "" && flavorOf(filepath.Base(p.name)) == ""
	return r, o.identify(r, kmp || hidden)
}

// maxHidden is the largest file that is searched for a hidden copy: a runtime is small, and what it is built into mostly as well.
const maxHidden = 64 << 20

func asksForOpenMP(names []string) bool {
	for _, n := range names {
		if flavorOf(filepath.Base(n)) != "" {
			return true
		}
	}
	return false
}

// identify reads the whole file, once: its hash, and the words that a runtime says of itself. kmp: it is of LLVM's family, whatever it is
// called.
func (o *object) identify(r *Runtime, kmp bool) error {
	sum, text := sha256.New(), &searcher{}
	if _, err := io.Copy(io.MultiWriter(sum, text), io.NewSectionReader(o.file, 0, o.info.Size())); err != nil {
		return err
	}
	r.Hash = hex.EncodeToString(sum.Sum(nil))
	switch {
	case !kmp:
		r.Flavor = GNU
	case text.family == "Intel(R)" || text.family == "" && r.Flavor == Intel:
		r.Flavor = Intel
	default:
		r.Flavor = LLVM
	}
	r.Version = text.version
	return nil
}

// searcher finds the banner in what is written to it, whatever the pieces are.
type searcher struct {
	rest            []byte
	family, version string
}

func (s *searcher) Write(p []byte) (int, error) {
	if s.family == "" {
		s.rest = append(s.rest, p...)
		if i := bytes.Index(s.rest, []byte(" library (")); i >= 0 {
			if m := banner().FindSubmatch(s.rest); m != nil {
				s.family, s.version = string(m[1]), string(m[2])
			}
		}
		const overlap = 256
		s.rest = append(s.rest[:0], s.rest[max(0, len(s.rest)-overlap):]...)
	}
	return len(p), nil
}

// fileID is what a loader takes for one file, whatever its names are.
func fileID(st fs.FileInfo) string {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d:%d", s.Dev, s.Ino)
	}
	return ""
}
