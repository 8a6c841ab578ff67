package openmp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// kind is what a file is for.
type kind uint8

const (
	other   kind = iota
	library      // a dylib, or any shared ELF file
	module       // a Mach-O bundle: an extension module, which nothing can link against
	program
)

// part is one architecture of a file, as far as its headers tell.
type part struct {
	arch    string
	kind    kind
	id      string
	name    string   // install name or SONAME
	asks    []string // the libraries it names, in order
	rpaths  []string
	inherit bool // its rpaths serve what its libraries ask for, too: LC_RPATH and DT_RPATH, not DT_RUNPATH
	symbols table
}

// table looks symbols up without reading all of them.
type table interface {
	defines(symbol string) (bool, error)    // as C writes it; in ELF "name@VERSION" asks for that version
	undefined() ([]string, error)           // what has to come from elsewhere, as C writes it
	needs(library string) ([]string, error) // what comes from the library that it asks for by that name; an ELF file does not say, so all that can
	constants() []section                   // where constant text can stand
}

// section is a stretch of a file, in bytes.
type section struct{ offset, size int64 }

// Bounds for what a file may claim. Real ones are far below, a hostile one is refused before memory is taken for it.
const (
	maxCommands  = 1 << 20 // bytes of load commands, of a dynamic section, of notes
	maxSlices    = 32      // of a fat file. Java's class files have its magic, too, and a version number above 44 here
	maxName      = 4096    // bytes of a path or a symbol
	maxUndefined = 1 << 17 // symbols that a file may take from elsewhere
)

var (
	errForeign = errors.New("it is neither a Mach-O nor an ELF file")
	errShort   = errors.New("it is cut short")
	errLies    = errors.New("its headers contradict themselves")
)

// object is an open file with what its headers say. It reads on demand: whoever opened it closes it.
type object struct {
	file  *os.File
	info  fs.FileInfo
	parts []part
}

func (o *object) Close() error { return o.file.Close() }

// open reads a file's headers.
func open(path string) (*object, error) {
	f, err := safefile.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	var parts []part
	if err == nil {
		parts, err = read(f, st.Size())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &object{f, st, parts}, nil
}

// read tells the format by the magic.
func read(r io.ReaderAt, size int64) ([]part, error) {
	var head [4]byte
	if n, err := r.ReadAt(head[:], 0); n < len(head) {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, errForeign
	}
	if string(head[:]) == "\x7fELF" {
		p, err := readELF(r, size)
		return []part{p}, err
	}
	return readMachO(r, size)
}

// bounded is a stretch of a file: reads beyond its end fail, whatever the headers claim.
type bounded struct {
	r     io.ReaderAt
	start int64
	size  int64
}

// at reads exactly n bytes.
func (b bounded) at(offset, n int64) ([]byte, error) {
	if offset < 0 || n < 0 || offset > b.size || n > b.size-offset {
		return nil, errShort
	}
	buf := make([]byte, n)
	if _, err := b.r.ReadAt(buf, b.start+offset); err != nil {
		return nil, short(err)
	}
	return buf, nil
}

// into reads what is there, at most all of buf.
func (b bounded) into(buf []byte, offset int64) (int, error) {
	if offset < 0 || offset >= b.size {
		return 0, errShort
	}
	n, err := b.r.ReadAt(buf[:min(int64(len(buf)), b.size-offset)], b.start+offset)
	if n > 0 {
		return n, nil
	}
	return 0, short(err)
}

// string reads a text that ends with a zero byte.
func (b bounded) string(offset int64) (string, error) {
	var text []byte
	var buf [128]byte
	for len(text) < maxName {
		n, err := b.into(buf[:], offset)
		if err != nil {
			return "", err
		}
		if i := bytes.IndexByte(buf[:n], 0); i >= 0 {
			return string(append(text, buf[:i]...)), nil
		}
		text, offset = append(text, buf[:n]...), offset+int64(n)
	}
	return "", errLies
}

func (b bounded) part(offset, size int64) bounded {
	if offset < 0 || offset > b.size {
		return bounded{r: b.r}
	}
	return bounded{b.r, b.start + offset, max(0, min(size, b.size-offset))}
}

// short makes one word of the ways in which a file can end too early.
func short(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errShort
	}
	return err
}

// dashed writes an LC_UUID as Apple prints it.
func dashed(id []byte) string {
	return fmt.Sprintf("%X-%X-%X-%X-%X", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
