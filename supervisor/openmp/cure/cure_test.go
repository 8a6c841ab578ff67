package cure

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// symbolTable is Symbols without files: names by path and architecture.
type symbolTable struct{ defined, wanted map[string]string }

func (t symbolTable) Lacks(path, arch string, symbols []string) ([]string, error) {
	have, err := lookUp(t.defined, path, arch)
	return slices.DeleteFunc(slices.Clone(symbols), func(s string) bool { return slices.Contains(have, s) }), err
}

func (t symbolTable) Needs(u openmp.User, arch string) ([]string, error) {
	return lookUp(t.wanted, u.Path, arch)
}

func lookUp(all map[string]string, path, arch string) ([]string, error) {
	text, ok := all[filepath.Base(path)+" "+arch]
	if !ok {
		text, ok = all[filepath.Base(path)]
	}
	if !ok {
		return nil, errors.New(path + " has no symbols")
	}
	return strings.Fields(text), nil
}

// copyOf is a runtime on disk; its content is its name, so that two of one name have one hash.
func copyOf(t *testing.T, root, path string, flavor openmp.Flavor, archs ...string) openmp.Runtime {
	t.Helper()
	full := filepath.Join(root, path)
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(t, os.WriteFile(full, []byte(path), 0o755))
	hash, err := sumOf(full)
	require.NoError(t, err)
	name, _, _ := strings.Cut(path, "/")
	r := openmp.Runtime{Path: full, Real: full, Flavor: flavor, Hash: hash, Package: name}
	for _, a := range append(archs, "arm64")[:max(1, len(archs))] {
		r.Slices = append(r.Slices, openmp.Slice{Arch: a})
	}
	return r
}

func home(t *testing.T) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "pyvenv.cfg"), nil, 0o644))
	return root
}

func TestOneRuntimeIsKeptAndOnlyWhatIsProvenToFitIsLinkedToIt(t *testing.T) {
	const full = "omp_get_max_threads __kmpc_fork_call __kmpc_barrier malloc"
	for name, c := range map[string]struct {
		change  func(e *openmp.Environment, s symbolTable)
		keep    string
		links   []string // "path -> target"
		refused string
	}{
		"torch's is kept": {
			func(*openmp.Environment, symbolTable) {}, "torch/lib/libomp.dylib",
			[]string{"faiss/.dylibs/libomp.dylib -> ../../torch/lib/libomp.dylib", "sklearn/.dylibs/libomp.dylib -> ../../torch/lib/libomp.dylib"}, "",
		},
		"another is kept where torch's lacks what somebody needs": {
			func(e *openmp.Environment, s symbolTable) {
				e.Runtimes[0].Users = []openmp.User{{Path: "faiss.so"}}
				s.defined["libomp.dylib"] = full // of all three, but torch's has a name of its own
				e.Runtimes[2].Path = strings.Replace(e.Runtimes[2].Path, "libomp", "libold", 1)
				e.Runtimes[2].Real = e.Runtimes[2].Path
				s.defined["libold.dylib"] = "omp_get_max_threads"
			}, "faiss/.dylibs/libomp.dylib", []string{"sklearn/.dylibs/libomp.dylib -> ../../faiss/.dylibs/libomp.dylib", "torch/lib/libold.dylib -> ../../faiss/.dylibs/libomp.dylib"}, "",
		},
		"what users take from elsewhere need not be there": {
			func(e *openmp.Environment, s symbolTable) {
				e.Runtimes[0].Users = []openmp.User{{Path: "faiss.so"}}
				s.wanted["faiss.so"] = "__kmpc_fork_call PyObject_New"
			}, "torch/lib/libomp.dylib", []string{"faiss/.dylibs/libomp.dylib -> ../../torch/lib/libomp.dylib", "sklearn/.dylibs/libomp.dylib -> ../../torch/lib/libomp.dylib"}, "",
		},
		"Intel's counts as one of LLVM's": {
			func(e *openmp.Environment, _ symbolTable) { e.Runtimes[0].Flavor = openmp.Intel }, "torch/lib/libomp.dylib",
			[]string{"faiss/.dylibs/libomp.dylib -> ../../torch/lib/libomp.dylib", "sklearn/.dylibs/libomp.dylib -> ../../torch/lib/libomp.dylib"}, "",
		},
		"GNU's is left alone": {
			func(e *openmp.Environment, _ symbolTable) { e.Runtimes[0].Flavor = openmp.GNU }, "torch/lib/libomp.dylib",
			[]string{"sklearn/.dylibs/libomp.dylib -> ../../torch/lib/libomp.dylib"}, "",
		},
		"a static one stays, and is told": {
			func(e *openmp.Environment, _ symbolTable) { e.Runtimes[0].Static = true }, "torch/lib/libomp.dylib",
			[]string{"sklearn/.dylibs/libomp.dylib -> ../../torch/lib/libomp.dylib"}, "",
		},
		"names of one image are one copy": {
			func(e *openmp.Environment, _ symbolTable) { e.Runtimes[0].File, e.Runtimes[2].File = "1:2", "1:2" }, "torch/lib/libomp.dylib",
			[]string{"sklearn/.dylibs/libomp.dylib -> ../../torch/lib/libomp.dylib"}, "",
		},
		"equal files need no proof": {
			func(e *openmp.Environment, s symbolTable) {
				for i := range e.Runtimes {
					e.Runtimes[i].Hash = "same"
				}
				clear(s.defined)
			}, "torch/lib/libomp.dylib", []string{"faiss/.dylibs/libomp.dylib -> ../../torch/lib/libomp.dylib", "sklearn/.dylibs/libomp.dylib -> ../../torch/lib/libomp.dylib"}, "",
		},
		"of one that is loaded by hand the core must be there": {
			func(e *openmp.Environment, s symbolTable) {
				e.Runtimes = e.Runtimes[1:]
				e.Runtimes[1].Path = strings.Replace(e.Runtimes[1].Path, "libomp", "libnew", 1)
				s.defined["libnew.dylib"] = full + " omp_get_wtime"
				s.defined["libomp.dylib"] = full + " omp_set_num_threads omp_private_to_us_all"
			}, "", nil, "lacks omp_set_num_threads",
		},
		"every architecture must be there": {
			func(e *openmp.Environment, _ symbolTable) {
				e.Runtimes[2].Slices = []openmp.Slice{{Arch: "amd64"}}
			}, "", nil, "is not made for arm64",
		},
		"what cannot be read is not proven": {
			func(e *openmp.Environment, s symbolTable) {
				for i := range e.Runtimes {
					e.Runtimes[i].Users = []openmp.User{{Path: "damaged.so"}}
				}
			}, "", nil, "damaged.so has no symbols",
		},
		"whose users cannot be read is kept itself": {
			func(e *openmp.Environment, s symbolTable) { e.Runtimes[1].Users = []openmp.User{{Path: "damaged.so"}} }, "sklearn/.dylibs/libomp.dylib",
			[]string{"faiss/.dylibs/libomp.dylib -> ../../sklearn/.dylibs/libomp.dylib", "torch/lib/libomp.dylib -> ../../sklearn/.dylibs/libomp.dylib"}, "",
		},
		"without architectures nothing is proven": {
			func(e *openmp.Environment, _ symbolTable) { e.Runtimes[1].Slices = nil; e.Runtimes[0].Slices = nil }, "", nil, "could not be read",
		},
		"only static ones": {
			func(e *openmp.Environment, _ symbolTable) {
				for i := range e.Runtimes {
					e.Runtimes[i].Static = true
				}
			}, "", nil, "faiss, sklearn, torch are part of larger files",
		},
		"outside of the environment nothing is touched": {
			func(e *openmp.Environment, _ symbolTable) { e.Root = filepath.Join(e.Root, "torch") }, "", nil, "do not both lie in",
		},
		"one alone needs no cure": {
			func(e *openmp.Environment, _ symbolTable) { e.Runtimes = e.Runtimes[2:] }, "torch/lib/libomp.dylib", nil, "",
		},
		"one alone that lacks what its users need is told": {
			func(e *openmp.Environment, s symbolTable) {
				e.Runtimes = e.Runtimes[2:]
				e.Runtimes[0].Users = []openmp.User{{Path: "faiss.so"}}
				s.wanted["faiss.so"] = "omp_gone"
				_ = os.Mkdir(filepath.Join(e.Root, storeFolder), 0o700) // by an earlier cure
			}, "", nil, "lacks omp_gone, which faiss.so needs; bring every package's own copy back with `vivarium doctor --undo`",
		},
		"none is nothing to cure": {func(e *openmp.Environment, _ symbolTable) { e.Runtimes = nil }, "", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := home(t)
			env := openmp.Environment{Root: root, Runtimes: []openmp.Runtime{
				copyOf(t, root, "faiss/.dylibs/libomp.dylib", openmp.LLVM), copyOf(t, root, "sklearn/.dylibs/libomp.dylib", openmp.LLVM), copyOf(t, root, "torch/lib/libomp.dylib", openmp.LLVM),
			}}
			s := symbolTable{defined: map[string]string{"libomp.dylib": full}, wanted: map[string]string{"faiss.so": "__kmpc_fork_call __kmpc_barrier malloc"}}
			c.change(&env, s)
			cure, err := Of(env, s)
			if c.refused != "" {
				require.ErrorContains(t, err, c.refused)
				var why *Error
				require.ErrorAs(t, err, &why)
				require.NotEmpty(t, why.Remedy)
				return
			}
			require.NoError(t, err)
			var links []string
			for _, l := range cure.Links {
				rel, err := filepath.Rel(root, l.Path)
				require.NoError(t, err)
				links = append(links, rel+" -> "+l.Target)
			}
			require.Equal(t, c.links, links)
			if c.keep == "" {
				require.Empty(t, cure.Keep)
				return
			}
			require.Equal(t, filepath.Join(root, c.keep), cure.Keep.Path)
			require.Equal(t, len(links) > 0, cure.Why != "")
		})
	}
}

func TestTheNewestIsKeptWhereThereIsNoTorch(t *testing.T) {
	root := home(t)
	old, young := copyOf(t, root, "a/libomp.dylib", openmp.LLVM), copyOf(t, root, "b/libomp.dylib", openmp.LLVM)
	old.Version, young.Version = "5.0.20140926 (9.0.1)", "5.0.20140926 (17.0.6)"
	cure, err := Of(openmp.Environment{Root: root, Runtimes: []openmp.Runtime{old, young}}, symbolTable{defined: map[string]string{"libomp.dylib": "omp_x"}})
	require.NoError(t, err)
	require.Equal(t, young.Path, cure.Keep.Path)
	require.Contains(t, cure.Why, "newest")
}

func TestOnlyAnEnvironmentOfOnesOwnIsChanged(t *testing.T) {
	root := home(t)
	require.NoError(t, os.Mkdir(filepath.Join(root, "lib"), 0o755))
	cure := Plan{Root: root, Links: []Relink{{Path: filepath.Join(root, "lib", "libomp.so")}}}
	require.NoError(t, cure.Changeable(os.Getuid()))
	require.ErrorContains(t, cure.Changeable(os.Getuid()+1), "belongs to another user")
	cure.Links[0].Path = filepath.Join(root, "gone", "libomp.so")
	require.ErrorContains(t, cure.Changeable(os.Getuid()), "cannot be read")
	require.NoError(t, os.Remove(filepath.Join(root, "pyvenv.cfg")))
	require.ErrorContains(t, cure.Changeable(os.Getuid()), "python3 -m venv")
	require.NoError(t, os.Mkdir(filepath.Join(root, "conda-meta"), 0o755))
	require.ErrorContains(t, cure.Changeable(os.Getuid()), "cannot be read", "conda's is one's own, too")
	require.NoError(t, os.Mkdir(filepath.Join(root, "condabin"), 0o755))
	require.ErrorContains(t, cure.Changeable(os.Getuid()), "is a Python that others use", "conda's base is not")
	require.NoError(t, os.Remove(filepath.Join(root, "condabin")))
	if os.Getuid() != 0 {
		require.NoError(t, os.Chmod(filepath.Join(root, "lib"), 0o555))
		cure.Links[0].Path = filepath.Join(root, "lib", "libomp.so")
		require.ErrorContains(t, cure.Changeable(os.Getuid()), "cannot be written")
	}
}
