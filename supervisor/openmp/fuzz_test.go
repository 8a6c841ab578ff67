package openmp

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func readerOf(b []byte) io.ReaderAt { return bytes.NewReader(b) }

// FuzzFile asks everything of a file that a scan or a cure asks.
func FuzzFile(f *testing.F) {
	for _, file := range []string{"/proc/self/exe"} {
		if b, err := os.ReadFile(file); err == nil {
			f.Add(b[:min(len(b), 4096)])
		}
	}
	for _, m := range machos() {
		f.Add(m)
	}
	f.Add(sharedObject(nil, "libgomp.so.1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, err := read(readerOf(b), int64(len(b)))
		if err != nil {
			return
		}
		for _, p := range parts {
			require.LessOrEqual(t, len(p.asks), maxCommands/8)
			_, _ = p.symbols.defines(forkCall)
			_, _ = p.symbols.defines("GOMP_parallel@GOMP_4.0")
			_, _ = p.symbols.undefined()
			for _, name := range append(p.asks, "x") {
				_, _ = p.symbols.needs(name)
			}
			_ = p.symbols.constants()
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte("Metadata-Version: 2.1\nName: faiss-cpu\nVersion: 1.9\nRequires-Dist: numpy<3,>=1.25\nRequires-Dist: x; extra == 'y'\n\nName: no\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readMetadata(bytes.NewReader(b))
		require.True(t, err != nil || p.Name != "")
		for _, r := range p.Requires {
			require.Equal(t, Normal(r), r)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte("faiss/__init__.py,sha256=x,1\n\"a,b/c.py\",,\n../../bin/x,,\nsix.py,,\n_x.cpython-311-darwin.so,,\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		require.NoError(t, lines(bytes.NewReader(b), func(line []byte) bool {
			if m := moduleOf(recordPath(line)); m != "" {
				require.True(t, isIdentifier(m))
			}
			return true
		}))
	})
}
