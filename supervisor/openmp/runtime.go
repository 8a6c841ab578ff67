package openmp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// What only an OpenMP runtime defines: LLVM's and Intel's, and GNU's. LLVM's has both on Linux, so the first decides.
const (
	forkCall = "__kmpc_fork_call"
	parallel = "GOMP_parallel"
)

// maxContents is how much of the contents of all files of an environment is read, in bytes. The largest real one has a fiftieth of that in
// what looks like a runtime; a sparse file has any size for nothing.
const (
	maxContents = 32 << 30
	maxLibrary  = 1 << 30 // of one library; the largest real ones have a third of it
)

var errContents = errors.New("too much was read of this environment already: it was left out")

// allowance is what may be read of all files together.
type allowance struct{ used atomic.Int64 }

// take asks for a stretch of a file.
func (a *allowance) take(path string, size int64) error {
	switch {
	case size > maxLibrary:
		return &safefile.SizeError{Path: path, Limit: maxLibrary}
	case a.used.Add(size) > maxContents:
		return errContents
	}
	return nil
}

// runtime says what runtime a file is or has in it, nil for none. Most files cost one look-up.
func (o *object) runtime(i *image, may *allowance) (*Runtime, error) {
	kmp, gomp := false, false
	for _, p := range o.parts {
		a, err := p.symbols.defines(forkCall)
		b, err2 := p.symbols.defines(parallel)
		if err = errors.Join(err, err2); err != nil {
			return nil, err
		}
		kmp, gomp = kmp || a, gomp || b
	}
	hidden := false
	if !kmp && !gomp {
		if hidden = o.mayHide(); !hidden {
			return nil, nil
		}
	}
	r := &Runtime{Path: i.path, Real: i.real, Link: i.link, Name: i.name()}
	r.Static = !isRuntimeName(filepath.Base(i.real)) && !isRuntimeName(filepath.Base(r.Name))
	for _, p := range o.parts {
		r.Slices = append(r.Slices, Slice{Arch: p.arch, ID: p.id})
	}
	if st, ok := o.info.Sys().(*syscall.Stat_t); ok {
		r.File = fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	if hidden {
		if b, err := o.banner(may); err != nil || b.flavor == "" {
			return nil, err
		}
	}
	if err := may.take(i.path, o.info.Size()); err != nil {
		return nil, err
	}
	return r, o.describe(r, kmp)
}

// describe reads the whole file for its hash, and what the runtime says of itself on the way.
func (o *object) describe(r *Runtime, kmp bool) error {
	var b banner
	sum := sha256.New()
	err := b.read(io.TeeReader(io.NewSectionReader(o.file, 0, o.info.Size()), sum))
	if err != nil {
		return err
	}
	r.Hash = hex.EncodeToString(sum.Sum(nil))
	switch {
	case b.flavor != "" && (kmp || b.flavor != GNU):
		r.Flavor = b.flavor
	case kmp && strings.Contains(filepath.Base(r.Real), "iomp"):
		r.Flavor = Intel
	case kmp:
		r.Flavor = LLVM
	default:
		r.Flavor = GNU
	}
	r.Version = b.version(r.Flavor)
	return nil
}

// mayHide reports whether a file could have a runtime in it whose symbols nobody sees. All runtimes ask the system for the load, or for
// a mixture that hardly anything else asks for; only such files are searched for the runtime's text.
func (o *object) mayHide() bool {
	for _, p := range o.parts {
		all, err := p.symbols.undefined()
		if err != nil {
			continue // a broken table of symbols makes a file unusable, not a runtime
		}
		has := func(name string) bool { return slices.Contains(all, name) }
		if has("getloadavg") && has("pthread_create") || has("pthread_condattr_init") && has("pthread_key_create") && (has("__register_atfork") || has("pthread_atfork")) {
			return true
		}
	}
	return false
}

// banner searches the constants of a file for the text of a runtime.
func (o *object) banner(may *allowance) (banner, error) {
	var b banner
	left := int64(maxLibrary) // of a larger file it is not known what is behind that
	for _, p := range o.parts {
		base := int64(0)
		if m, ok := p.symbols.(*machO); ok {
			base = m.body.start
		}
		for _, s := range p.symbols.constants() {
			if s.offset < 0 || s.size < 0 || base+s.offset > o.info.Size() {
				return b, errLies
			}
			size := min(s.size, o.info.Size()-base-s.offset, left)
			left -= size
			if err := may.take(o.file.Name(), size); err != nil {
				return b, err
			}
			if err := b.read(io.NewSectionReader(o.file, base+s.offset, size)); err != nil {
				return b, err
			}
		}
	}
	return b, nil
}

// isRuntimeName tells a runtime of its own by its file's name: libomp.dylib, libomp.so.5, libiomp5.dylib, libgomp-e985bcbb.so.1.0.0.
func isRuntimeName(name string) bool {
	for _, prefix := range []string{"libomp", "libiomp5", "libgomp"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && isLibrary(name) && (rest[0] == '.' || rest[0] == '-' || rest[0] >= '0' && rest[0] <= '9') {
			return !strings.HasPrefix(name, "libgomp-plugin")
		}
	}
	return false
}

// banner is what a runtime says of itself, with the texts of kmp_version.cpp, or what gives libgomp away.
type banner struct {
	flavor  Flavor
	own     string // the version in the banner
	clang   string // the version of the compiler
	symbols string // libgomp's newest symbol version
}

const (
	chunk   = 256 << 10
	overlap = 128 // bytes that a text may be cut by the end of a chunk
)

var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// read searches a stream.
func (b *banner) read(r io.Reader) error {
	buf := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buf)
	kept := 0
	for {
		n, err := io.ReadFull(r, buf[kept:])
		b.search(buf[:kept+n])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		kept = copy(buf[:], buf[len(buf)-overlap:])
	}
}

var gompVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^GOMP_\d+(\.\d+)*`) })

func (b *banner) search(text []byte) {
	for prefix, flavor := range map[string]Flavor{"LLVM OMP version: ": LLVM, "Intel(R) OMP version: ": Intel} {
		if i := bytes.Index(text, []byte(prefix)); i >= 0 {
			b.flavor, b.own = flavor, word(text[i+len(prefix):])
		}
	}
	if i := bytes.Index(text, []byte("clang version ")); i >= 0 && b.clang == "" {
		b.clang = word(text[i+len("clang version "):])
	}
	if b.flavor == "" && bytes.Contains(text, []byte("GOMP_SPINCOUNT")) && bytes.Contains(text, []byte("libgomp: ")) {
		b.flavor = GNU
	}
	for rest := text; ; {
		i := bytes.Index(rest, []byte("GOMP_"))
		if i < 0 {
			return
		}
		if rest = rest[i:]; len(rest) > 5 && rest[5] >= '0' && rest[5] <= '9' {
			if v := string(gompVersion().Find(rest[:min(len(rest), 32)])); newer(v, b.symbols) {
				b.symbols = v
			}
		}
		rest = rest[5:]
	}
}

// word is the text up to a blank or what cannot be printed.
func word(text []byte) string {
	text = text[:min(len(text), 64)]
	if end := bytes.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }); end >= 0 {
		text = text[:end]
	}
	return string(text)
}

// newer compares versions of symbols, "GOMP_4.5" with "GOMP_4.5.1".
func newer(a, b string) bool {
	var x, y [3]int
	_, _ = fmt.Sscanf(a, "GOMP_%d.%d.%d", &x[0], &x[1], &x[2])
	_, _ = fmt.Sscanf(b, "GOMP_%d.%d.%d", &y[0], &y[1], &y[2])
	return slices.Compare(x[:], y[:]) > 0
}

// version is the banner's, with the compiler's where it is there: LLVM's banner has had the same date since 2014.
func (b banner) version(f Flavor) string {
	switch {
	case f == GNU:
		return b.symbols
	case b.own != "" && b.clang != "" && f == LLVM:
		return b.own + " (" + b.clang + ")"
	}
	return b.own
}
