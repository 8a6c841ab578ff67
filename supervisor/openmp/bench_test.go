package openmp

import (
	"fmt"
	"path/filepath"
	"testing"
)

// BenchmarkScan walks 20,000 files, 400 of them modules that ask for one of three runtimes. `make wheels` times a real environment.
func BenchmarkScan(b *testing.B) {
	files := map[string][]byte{}
	for pkg := range 20 {
		dir := fmt.Sprintf("%spkg%d/", site, pkg)
		for n := range 980 {
			files[fmt.Sprintf("%ssub%d/m%d.py", dir, n%20, n)] = nil
		}
		for n := range 20 {
			files[fmt.Sprintf("%ssub%d/_m.so", dir, n)] = machoSpec{cpu: cpuARM64, kind: 8, asks: []string{fmt.Sprintf("@loader_path/../../pkg%d/.dylibs/libomp.dylib", pkg%3), "/usr/lib/libSystem.B.dylib"}}.bytes()
		}
		if pkg < 3 {
			files[dir+".dylibs/libomp.dylib"] = libomp.bytes()
		}
	}
	root := tree(b, files)
	b.ReportAllocs()
	for b.Loop() {
		env, err := Scan(b.Context(), root, []string{filepath.Join(root, site)}, nil)
		if err != nil || len(env.Runtimes) != 3 {
			b.Fatal(err, len(env.Runtimes))
		}
	}
}
