package openmp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// inTime fails where something waits for ever, or takes as good as that.
func inTime(t *testing.T, act func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); act() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		require.FailNow(t, "it takes for ever")
	}
}

// traps put something in the place of a file that must neither be waited for nor be read to its end.
var traps = map[string]func(path string) error{
	"a named pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
	"a device":       func(path string) error { return os.Symlink("/dev/zero", path) },
	"without an end": func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)) },
}

func TestNoFileOfAnEnvironmentIsWaitedForOrReadWithoutAnEnd(t *testing.T) {
	for name, put := range traps {
		for _, file := range []string{
			site + "torch-2.9.0.dist-info/METADATA", site + "torch-2.9.0.dist-info/RECORD", site + "torch-2.9.0.dist-info/top_level.txt",
			site + "torch/_C.cpython-311-darwin.so", site + "faiss/.dylibs/libomp.dylib", "conda-meta/torch.json", "pyvenv.cfg",
		} {
			t.Run(name+" "+filepath.Base(file), func(t *testing.T) {
				root := tree(t, macEnvironment())
				path := filepath.Join(root, file)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				_ = os.Remove(path)
				require.NoError(t, put(path))
				inTime(t, func() {
					env := scan(t, root)
					_, ok := env.Package("faiss-cpu")
					require.True(t, ok, "the rest is read all the same")
				})
			})
		}
	}
}

func TestALibraryThatALinkerAsksForIsNotWaitedFor(t *testing.T) {
	root := tree(t, map[string][]byte{"a.so": sharedObject([]string{"/nowhere"}, "")})
	pipe := filepath.Join(root, "pipe.so")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(root, "b.so"), sharedObject([]string{pipe}, ""), 0o644))
	inTime(t, func() {
		env := scanIn(t, root, root)
		require.Empty(t, env.Runtimes)
		_, err := Defines(pipe, "", nil)
		require.ErrorContains(t, err, "named pipe")
		_, err = InspectPython(pipe, "linux", "amd64")
		require.ErrorContains(t, err, "named pipe")
	})
}

// scanIn scans with one site.
func scanIn(t *testing.T, root, folder string) Environment {
	t.Helper()
	env, err := Scan(t.Context(), root, []string{folder}, nil)
	require.NoError(t, err)
	return env
}

func TestARuntimeWithoutAnEndIsNotHashedAndNamed(t *testing.T) {
	root := tree(t, macEnvironment())
	path := filepath.Join(root, site, "torch/lib/libomp.dylib")
	require.NoError(t, os.Truncate(path, 1<<40)) // its headers stay as they were
	inTime(t, func() {
		env := scan(t, root)
		require.Contains(t, env.Problems, path+" is larger than 1024 MiB, the most that is read of it")
		for _, r := range env.Runtimes {
			require.NotEqual(t, path, r.Path)
		}
		find(t, env, "faiss/.dylibs/libomp.dylib")
	})
}

func TestWhatIsReadOfAllFilesTogetherHasAnEnd(t *testing.T) {
	a := &allowance{}
	for range maxContents / maxLibrary {
		require.NoError(t, a.take("x", maxLibrary))
	}
	require.ErrorIs(t, a.take("x", 1), errContents)
	require.ErrorContains(t, new(allowance).take("x", maxLibrary+1), "x is larger than")
}

// cpu is the processor time of this process.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What takes the square of a number takes minutes here.
func TestTheTimeForManyEntriesGrowsWithTheirNumber(t *testing.T) {
	const many = 150_000
	var metadata, record, source strings.Builder
	metadata.Write(info("torch", "2.9.0")[:len("Metadata-Version: 2.1\nName: torch\nVersion: 2.9.0\n")])
	for i := range many {
		fmt.Fprintf(&metadata, "Requires-Dist: p%d\n", i)
	}
	for i := range maxRecorded {
		fmt.Fprintf(&record, "m%d/__init__.py,,\nm%d/a.so,,\n", i, i)
	}
	for i := range maxNames + 10 {
		fmt.Fprintf(&source, "import n%d\n", i)
	}
	source.WriteString("import " + strings.Repeat("a.", 1<<20) + "a\n")
	files := map[string][]byte{
		site + "torch-2.9.0.dist-info/METADATA": []byte(metadata.String()),
		site + "torch-2.9.0.dist-info/RECORD":   []byte(record.String()),
		site + "torch/_C.so":                    libomp.bytes(),
		"main.py":                               []byte(source.String()),
	}
	for i := range 2000 {
		files[fmt.Sprintf("%sp%d-1.dist-info/METADATA", site, i)] = info(fmt.Sprintf("p%d", i), "1", fmt.Sprintf("Requires-Dist: p%d", i+1))
	}
	root := tree(t, files)
	before := cpu(t)
	env := scan(t, root)
	p, ok := env.Package("torch")
	require.True(t, ok)
	require.Len(t, p.Requires, many)
	require.Len(t, p.Modules, maxRecorded)
	imports := Imports(root, "main")
	require.Len(t, imports, maxNames)
	require.Equal(t, "no OpenMP runtime", Predict(env, imports, "linux").Summary)
	require.Len(t, env.closure([]string{"m0"}), many+1)
	require.Less(t, cpu(t)-before, 40*time.Second, "by the processor's clock: the machine may be busy")
}

func TestADistributionThatClaimsTooMuchIsNamedAndTheRestIsRead(t *testing.T) {
	var record strings.Builder
	for i := range maxRecorded + 10 {
		fmt.Fprintf(&record, "m%d.so,,\n", i)
	}
	root := tree(t, map[string][]byte{
		site + "a-1.dist-info/METADATA": info("a", "1"), site + "a-1.dist-info/RECORD": []byte(record.String()),
		site + "b-1.dist-info/METADATA": info("b", "1"),
	})
	env := scan(t, root)
	require.Len(t, env.Packages, 2)
	require.Contains(t, env.Problems, filepath.Join(root, site, "a-1.dist-info")+": it claims more files than any package has")
}

func TestManyLinksToFoldersAreFollowedOnceEach(t *testing.T) {
	const many = 1000
	root := tree(t, map[string][]byte{site + "six.py": nil})
	for i := range many {
		outside := filepath.Join(root, "far", fmt.Sprint(i), "below")
		require.NoError(t, os.MkdirAll(outside, 0o755))
		require.NoError(t, os.Symlink(outside, filepath.Join(root, site, fmt.Sprintf("link%d", i))))
		require.NoError(t, os.Symlink(filepath.Dir(outside), filepath.Join(root, site, fmt.Sprintf("up%d", i))))
	}
	w := &walk{seen: map[string]bool{}, above: map[string]bool{}, roots: []string{filepath.Join(root, site)}}
	inTime(t, func() {
		for i := range many {
			require.True(t, w.enter(filepath.Join(root, site, fmt.Sprintf("link%d", i))))
			require.False(t, w.enter(filepath.Join(root, site, fmt.Sprintf("link%d", i))), "the same again")
			require.False(t, w.enter(filepath.Join(root, site, fmt.Sprintf("up%d", i))), "a folder around it")
		}
	})
	other := filepath.Join(root, "around")
	require.NoError(t, os.MkdirAll(filepath.Join(other, "x"), 0o755))
	require.True(t, w.enter(other))
	require.False(t, w.enter(filepath.Join(other, "x")), "a folder below it")
}

func TestALibraryInAFolderThatTwoPackagesShareBelongsToNeither(t *testing.T) {
	record := func(module string) []byte { return []byte(module + "/__init__.py,,\n") }
	lib := elfSpec{name: "libgomp.so.1", defines: []string{parallel}, text: "GOMP_SPINCOUNT libgomp: "}.bytes()
	root := tree(t, map[string][]byte{
		site + "a-1.dist-info/METADATA": info("a", "1"), site + "a-1.dist-info/RECORD": record("shared"),
		site + "b-1.dist-info/METADATA": info("b", "1"), site + "b-1.dist-info/RECORD": record("shared"),
		site + "C.d-1.dist-info/METADATA": info("C.d", "1"), site + "C.d-1.dist-info/RECORD": record("own"),
		site + "shared/libgomp.so.1":   lib,
		site + "own/x/libgomp.so.1":    lib,
		site + "c_d.libs/libgomp.so.1": lib,
		site + "none/libgomp.so.1":     lib,
	})
	env := scan(t, root)
	for path, owner := range map[string]string{"shared/libgomp.so.1": "", "own/x/libgomp.so.1": "C.d", "c_d.libs/libgomp.so.1": "C.d", "none/libgomp.so.1": ""} {
		require.Equal(t, owner, find(t, env, path).Package, path)
	}
}
