package openmp

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const site = "lib/python3.11/site-packages/"

func info(name, version string, more ...string) []byte {
	text := "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"
	for _, m := range more {
		text += m + "\n"
	}
	return []byte(text + "\nName: of the description\n")
}

var libomp = machoSpec{cpu: cpuARM64, name: "/DLC/x/libomp.dylib", defines: []string{forkCall}, text: "\x00LLVM OMP version: 5.0.20140926\x00"}

// macEnvironment is what pip makes of a few wheels on a Mac.
func macEnvironment() map[string][]byte {
	module := func(asks ...string) []byte { return machoSpec{cpu: cpuARM64, kind: 8, asks: asks}.bytes() }
	return map[string][]byte{
		site + "torch/lib/libomp.dylib":                  libomp.bytes(),
		site + "torch/lib/libtorch_cpu.dylib":            machoSpec{cpu: cpuARM64, name: "@rpath/libtorch_cpu.dylib", asks: []string{"@rpath/libomp.dylib"}, rpaths: []string{"@loader_path"}}.bytes(),
		site + "torch/_C.cpython-311-darwin.so":          machoSpec{cpu: cpuARM64, kind: 8, asks: []string{"@rpath/libtorch_cpu.dylib"}, rpaths: []string{"@loader_path/lib"}}.bytes(),
		site + "torch-2.9.0.dist-info/METADATA":          info("torch", "2.9.0", "Requires-Dist: typing_extensions>=4.10", "Requires-Dist: optree; extra == 'optree'"),
		site + "torch-2.9.0.dist-info/RECORD":            []byte("torch/__init__.py,sha256=x,1\ntorch/_C.cpython-311-darwin.so,,\ntorch/lib/libomp.dylib,,\ntorch/lib/libtorch_cpu.dylib,,\nfunctorch/__init__.py,,\n../../../bin/torchrun,,\n"),
		site + "torchvision/_C.so":                       module("@rpath/libtorch_cpu.dylib"),
		site + "faiss/.dylibs/libomp.dylib":              machoSpec{cpu: cpuARM64, name: "/DLC/faiss/.dylibs/libomp.dylib", defines: []string{forkCall}, text: "\x00Intel(R) OMP version: 5.0.20230118\x00"}.bytes(),
		site + "faiss/_swigfaiss.so":                     module("@loader_path/.dylibs/libomp.dylib", "/usr/lib/libc++.1.dylib"),
		site + "faiss_cpu-1.9.0.dist-info/METADATA":      info("faiss_cpu", "1.9.0"),
		site + "faiss_cpu-1.9.0.dist-info/RECORD":        []byte("faiss/__init__.py,,\nfaiss/_swigfaiss.so,,\n"),
		site + "old/_old.so":                             machoSpec{cpu: cpuARM64, kind: 8, defines: []string{forkCall, "PyInit__old"}}.bytes(),
		site + "lightgbm/lib/lib_lightgbm.dylib":         module("@rpath/libomp.dylib"),
		site + "lightgbm-4.7.0.dist-info/METADATA":       info("lightgbm", "4.7.0"),
		site + "lightgbm-4.7.0.dist-info/RECORD":         []byte("lightgbm/__init__.py,,\nlightgbm/lib/lib_lightgbm.dylib,,\n"),
		site + "broken/_x.so":                            []byte("not a library"),
		site + "six.py":                                  nil,
		site + "six-1.17.0.egg-info":                     info("six", "1.17.0"),
		"lib/libunused.dylib":                            machoSpec{cpu: cpuARM64}.bytes(),
		"lib/python3.11/lib-dynload/_ctypes.txt":         nil,
		site + "setuptools/_vendor/a.dist-info/METADATA": info("vendored", "1"),
	}
}

func scan(t *testing.T, root string) Environment {
	t.Helper()
	env, err := Scan(context.Background(), root, []string{filepath.Join(root, site)}, nil)
	require.NoError(t, err)
	return env
}

func find(t *testing.T, env Environment, path string) Runtime {
	t.Helper()
	for _, r := range env.Runtimes {
		if r.Path == filepath.Join(env.Root, site, path) {
			return r
		}
	}
	require.Failf(t, "no such runtime", "%s in %v", path, env.Runtimes)
	return Runtime{}
}

// askers are the users of a runtime, below site-packages, each with what it asks for and through whom.
func askers(env Environment, r Runtime) map[string][2]string {
	all := map[string][2]string{}
	below := func(path string) string {
		rel, err := filepath.Rel(filepath.Join(env.Root, site), path)
		if err != nil || path == "" {
			return ""
		}
		return rel
	}
	for _, u := range r.Users {
		all[below(u.Path)] = [2]string{u.Asks, below(u.Via)}
	}
	return all
}

func TestEveryRuntimeOfAMacsEnvironmentIsFoundWithItsUsers(t *testing.T) {
	env := scan(t, tree(t, macEnvironment()))
	require.Len(t, env.Runtimes, 3)

	torch := find(t, env, "torch/lib/libomp.dylib")
	require.Equal(t, []any{LLVM, "5.0.20140926", "torch", "2.9.0", false}, []any{torch.Flavor, torch.Version, torch.Package, torch.PackageVersion, torch.Static})
	require.Equal(t, []Slice{{"arm64", "ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB"}}, torch.Slices)
	require.Len(t, torch.Hash, 64)
	require.Equal(t, map[string][2]string{
		"torch/lib/libtorch_cpu.dylib":   {"@rpath/libomp.dylib", ""},
		"torch/_C.cpython-311-darwin.so": {"@rpath/libtorch_cpu.dylib", "torch/lib/libtorch_cpu.dylib"},
		"torchvision/_C.so":              {"@rpath/libtorch_cpu.dylib", "torch/lib/libtorch_cpu.dylib"}, // it has no rpath: torch is loaded by that name
	}, askers(env, torch))

	faiss := find(t, env, "faiss/.dylibs/libomp.dylib")
	require.Equal(t, Intel, faiss.Flavor, "by what it says, whatever it is called")
	require.Equal(t, "faiss_cpu", faiss.Package, "by the folder: no RECORD has it")
	require.Equal(t, map[string][2]string{"faiss/_swigfaiss.so": {"@loader_path/.dylibs/libomp.dylib", ""}}, askers(env, faiss))

	static := find(t, env, "old/_old.so")
	require.True(t, static.Static)
	require.Equal(t, map[string][2]string{"old/_old.so": {"", ""}}, askers(env, static))
}

func TestAskingForARuntimeThatIsNowhereIsTold(t *testing.T) {
	env := scan(t, tree(t, macEnvironment()))
	require.Len(t, env.Missing, 1)
	require.Equal(t, "@rpath/libomp.dylib", env.Missing[0].Asks)
	require.Equal(t, "lightgbm", env.Missing[0].Package)
	require.Equal(t, 1, env.Skipped)
	require.Len(t, env.Problems, 2)
	require.Contains(t, env.Problems[0], "broken/_x.so: it is neither")
}

func TestPackagesAreReadWithModulesRequirementsAndArchitectures(t *testing.T) {
	env := scan(t, tree(t, macEnvironment()))
	torch, ok := env.Package("torch")
	require.True(t, ok)
	require.Equal(t, Package{Name: "torch", Version: "2.9.0", Modules: []string{"functorch", "torch"}, Requires: []string{"typing-extensions"}, Archs: []string{"arm64"}}, torch)
	six, ok := env.Package("six")
	require.True(t, ok)
	require.Equal(t, "1.17.0", six.Version)
	_, ok = env.Package("vendored")
	require.False(t, ok, "what another package carries in it is not installed")
}

func TestLinksAreFollowedOnceAndLoopsEnd(t *testing.T) {
	root := tree(t, macEnvironment())
	outside := tree(t, map[string][]byte{"pkg/libomp.dylib": libomp.bytes()})
	require.NoError(t, os.Symlink(filepath.Join(outside, "pkg"), filepath.Join(root, site, "linked")))
	require.NoError(t, os.Symlink(filepath.Join(outside, "pkg"), filepath.Join(root, site, "again")))
	require.NoError(t, os.Symlink("..", filepath.Join(root, site, "torch", "loop")))
	require.NoError(t, os.Symlink("/", filepath.Join(root, site, "everything")))
	require.NoError(t, os.Symlink("nowhere.so", filepath.Join(root, site, "dangling.so")))
	require.NoError(t, os.Symlink("../../torch/lib/libomp.dylib", filepath.Join(root, site, "faiss/.dylibs/libiomp5.dylib")))
	require.NoError(t, os.Link(filepath.Join(root, site, "torch/lib/libomp.dylib"), filepath.Join(root, site, "faiss/libomp.dylib")))
	env := scan(t, root)
	require.Len(t, env.Runtimes, 6)
	torch := find(t, env, "torch/lib/libomp.dylib")
	link := find(t, env, "faiss/.dylibs/libiomp5.dylib")
	require.True(t, link.Link)
	require.Equal(t, torch.Path, link.Real)
	require.True(t, link.Same(torch))
	require.True(t, find(t, env, "faiss/libomp.dylib").Same(torch), "a hard link")
	require.Equal(t, 2, env.Skipped, "the dangling link and the broken file")
}

func TestALinuxEnvironmentIsResolvedAsLdSoDoes(t *testing.T) {
	gomp := elfSpec{name: "libgomp-e985bcbb.so.1.0.0", defines: []string{"GOMP_parallel", "omp_get_wtime"}, text: "GOMP_SPINCOUNT\x00libgomp: \x00GOMP_4.5\x00GOMP_5.0.1\x00GOMP_1.0\x00"}.bytes()
	env := scan(t, tree(t, map[string][]byte{
		site + "x.libs/libgomp-e985bcbb.so.1.0.0": gomp,
		site + "x/_x.so":                elfSpec{rpath: "$ORIGIN/../x.libs", asks: []string{"libopenblas.so", "libc.so.6"}}.bytes(),
		site + "x.libs/libopenblas.so":  elfSpec{asks: []string{"libgomp-e985bcbb.so.1.0.0"}}.bytes(), // no rpath of its own
		site + "y/_y.so":                elfSpec{rpath: "/wrong", runpath: "/nowhere:$ORIGIN/../x.libs", asks: []string{"libgomp-e985bcbb.so.1.0.0"}}.bytes(),
		site + "x-1.dist-info/METADATA": info("x", "1"),
	}))
	require.Len(t, env.Runtimes, 1)
	r := env.Runtimes[0]
	require.Equal(t, []any{GNU, "GOMP_5.0.1", "x", false}, []any{r.Flavor, r.Version, r.Package, r.Static})
	require.Equal(t, map[string][2]string{
		"x.libs/libopenblas.so": {"libgomp-e985bcbb.so.1.0.0", ""},
		"y/_y.so":               {"libgomp-e985bcbb.so.1.0.0", ""},
		"x/_x.so":               {"libopenblas.so", "x.libs/libopenblas.so"},
	}, askers(env, r))
	missing, err := Defines(r.Path, "amd64", []string{"GOMP_parallel", "omp_get_wtime", "omp_no"})
	require.NoError(t, err)
	require.Equal(t, []string{"omp_no"}, missing)
}

func TestTwoWheelsWithOneSONAMEBringOneRuntimeOnLinux(t *testing.T) {
	gomp := func(soname, text string) []byte {
		return elfSpec{name: soname, defines: []string{"GOMP_parallel", "omp_get_wtime"}, text: text + "GOMP_SPINCOUNT\x00libgomp: \x00GOMP_4.5\x00GOMP_5.0.1\x00GOMP_1.0\x00"}.bytes()
	}
	const name = "libgomp-e985bcbb.so.1.0.0"
	files := map[string][]byte{}
	for _, x := range []string{"x", "y"} {
		files[site+x+".libs/"+name] = gomp(name, x)
		files[site+x+"/_"+x+".so"] = elfSpec{rpath: "$ORIGIN/../" + x + ".libs", asks: []string{name}}.bytes()
		files[site+x+"/__init__.py"] = nil
		files[site+x+"-1.dist-info/METADATA"] = info(x, "1")
		files[site+x+"-1.dist-info/RECORD"] = []byte(x + "/__init__.py,,\n" + x + "/_" + x + ".so,,\n" + x + ".libs/" + name + ",,\n")
	}
	env := scan(t, tree(t, files))
	require.Len(t, env.Runtimes, 2)
	require.Equal(t, Harmless, Predict(env, []string{"x", "y"}, "linux").Outcome, "ld.so takes the one that is there")
	require.Len(t, Predict(env, []string{"x", "y"}, "linux").Together, 1)
	require.Len(t, Predict(env, []string{"x", "y"}, "darwin").Together, 2, "dyld goes by the path")

	const another = "libgomp-00000000.so.1.0.0"
	delete(files, site+"y.libs/"+name)
	files[site+"y.libs/"+another] = gomp(another, "y")
	files[site+"y/_y.so"] = elfSpec{rpath: "$ORIGIN/../y.libs", asks: []string{another}}.bytes()
	files[site+"y-1.dist-info/RECORD"] = []byte("y/__init__.py,,\ny/_y.so,,\ny.libs/" + another + ",,\n")
	require.Len(t, Predict(scan(t, tree(t, files)), []string{"x", "y"}, "linux").Together, 2)
}

func TestHeadersAreReadInEveryForm(t *testing.T) {
	arm, intel := libomp.bytes(), machoSpec{cpu: cpuAMD64, name: "x", defines: []string{forkCall}}.bytes()
	big := machoSpec{cpu: 0x01000012, defines: []string{forkCall}, order: binary.BigEndian}.bytes()
	for name, c := range map[string]struct {
		file  []byte
		archs []string
	}{
		"thin": {arm, []string{"arm64"}}, "big-endian": {big, []string{"ppc64"}}, "fat": {fatOf(false, intel, arm), []string{"amd64", "arm64"}}, "fat64": {fatOf(true, arm, intel), []string{"arm64", "amd64"}},
	} {
		t.Run(name, func(t *testing.T) {
			parts, err := read(readerOf(c.file), int64(len(c.file)))
			require.NoError(t, err)
			var archs []string
			for _, p := range parts {
				archs = append(archs, p.arch)
				found, err := p.symbols.defines(forkCall)
				require.NoError(t, err)
				require.True(t, found)
				found, err = p.symbols.defines("__kmpc_fork")
				require.NoError(t, err)
				require.False(t, found, "a beginning is no symbol")
			}
			require.Equal(t, c.archs, archs)
			for n := range len(c.file) {
				_, _ = read(readerOf(c.file[:n]), int64(n)) // no panic wherever it is cut
			}
		})
	}
}

func TestAnEnvironmentThatIsNotThereIsAnError(t *testing.T) {
	_, err := Scan(context.Background(), filepath.Join(t.TempDir(), "gone"), nil, nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Scan(ctx, tree(t, macEnvironment()), nil, nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestBindsAreReadPerLibrary(t *testing.T) {
	got := map[int][]string{}
	take := func(ordinal int, symbol string) { got[ordinal] = append(got[ordinal], symbol) }
	require.NoError(t, runBinds([]byte("\x11\x40_a\x00\x51\x72\x08\x90\x12\x40_b\x00\xa0\x10\x3e\x40_c\x00\xc0\x05\x08\x20\x02\x40_d\x00\xb1"), take))
	require.Equal(t, map[int][]string{1: {"_a"}, 2: {"_b", "_d"}, flatLookup: {"_c"}}, got)
	require.ErrorIs(t, runBinds([]byte("\x40_a"), take), errShort)
	require.ErrorIs(t, runBinds([]byte("\xe0"), take), errLies)
}

func TestASymbolMayEndOnAnEmptyEdge(t *testing.T) {
	// "_f" leads to a node where nothing ends, whose children are "_hint" and "": dyld takes the first that fits.
	trie := []byte("\x00\x01_f\x00\x06" + "\x00\x02_hint\x00\x11\x00\x15" + "\x02\x00\x00\x00" + "\x02\x00\x00\x00")
	m := &machO{body: bounded{readerOf(trie), 0, int64(len(trie))}, trie: section{0, int64(len(trie))}}
	for symbol, want := range map[string]bool{"f": true, "f_hint": true, "f_h": false, "g": false, "": false} {
		found, err := m.defines(symbol)
		require.NoError(t, err, symbol)
		require.Equal(t, want, found, symbol)
	}
}

func TestCondasLibrariesHaveTheirOwnRecords(t *testing.T) {
	root := tree(t, map[string][]byte{
		"lib/libomp.dylib":                        libomp.bytes(),
		"lib/libopenblas.0.dylib":                 machoSpec{cpu: cpuARM64, name: "@rpath/libopenblas.0.dylib", asks: []string{"@rpath/libomp.dylib"}, rpaths: []string{"@loader_path/"}}.bytes(),
		"conda-meta/llvm-openmp-20.1.8-h.json":    []byte(`{"name": "llvm-openmp", "version": "20.1.8", "files": ["lib/libomp.dylib"]}`),
		"conda-meta/python-3.11.9-h.json":         []byte(`{"name": "python", "version": "3.11.9", "files": ["bin/python3.11", "share/lib/libomp.dylib.txt"]}`),
		"conda-meta/history":                      []byte("lib/libomp.dylib"),
		site + "numpy/_core/_multiarray_umath.so": machoSpec{cpu: cpuARM64, kind: 8, asks: []string{"@rpath/libcblas.3.dylib"}, rpaths: []string{"@loader_path/../../../../"}}.bytes(),
		site + "numpy-2.3.0.dist-info/METADATA":   info("numpy", "2.3.0"),
		site + "numpy-2.3.0.dist-info/RECORD":     []byte("numpy/_core/_multiarray_umath.so,,\n"),
	})
	require.NoError(t, os.Symlink("libopenblas.0.dylib", filepath.Join(root, "lib/libcblas.3.dylib")))
	require.NoError(t, os.Symlink("libomp.dylib", filepath.Join(root, "lib/libiomp5.dylib")))
	env := scan(t, root)
	require.Len(t, env.Runtimes, 2, "the file, and the link to it")
	r := env.Runtimes[1]
	require.Equal(t, filepath.Join(root, "lib/libomp.dylib"), r.Path)
	require.Equal(t, []string{"llvm-openmp", "20.1.8"}, []string{r.Package, r.PackageVersion})
	require.True(t, env.Runtimes[0].Link && env.Runtimes[0].Same(r))
	var users []string
	for _, u := range r.Users {
		users = append(users, u.Package+" "+filepath.Base(u.Path))
	}
	require.Equal(t, []string{" libopenblas.0.dylib", "numpy _multiarray_umath.so"}, users)
}
