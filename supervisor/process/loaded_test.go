package process

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return text
}

func TestOfTheMapsOnlyRuntimesAreRuntimes(t *testing.T) {
	images := parseMaps(fixture(t, "maps.txt"))
	require.Len(t, images, 7, "a line for each file, none for what has no file")
	const site = "/home/alice/my backend/.venv/lib/python3.11/site-packages/"
	require.Equal(t, []string{
		site + "faiss_cpu.libs/libomp.so.5", site + "torch/lib/libgomp-a34b3233.so.1", "/home/alice/my backend/lib\nnew/libiomp5.so", "/opt/b端/libomp.so",
	}, runtimesAmong(images, nil), "with spaces, escapes, deleted files and the same inode on another device; libomptarget is none")
	require.Contains(t, runtimesAmong(images, []string{"/home/alice/.venv/bin/python3.11"}), "/home/alice/.venv/bin/python3.11",
		"a file that is known to have a runtime inside")
}

func TestOfLsofsFieldsEachProcessHasItsOwn(t *testing.T) {
	all := parseLsof(fixture(t, "lsof.txt"))
	const site = "/Users/alice/My Backend/.venv/lib/python3.11/site-packages/"
	require.Equal(t, []string{site + "faiss/.dylibs/libomp.dylib", site + "torch/lib/libomp.dylib"}, runtimesAmong(all[4711], nil),
		"scikit-learn's is a hard link to torch's: one image")
	require.Equal(t, []string{"/Users/alice/Büro/odd\\name\nA\\xzz/libiomp5.dylib"}, runtimesAmong(all[4712], nil))
	require.Len(t, all, 2)
	require.Empty(t, parseLsof(nil))
	require.Empty(t, parseLsof([]byte("ftxt\nn/libomp.dylib\n")), "a file of no process")
}

func TestARuntimeIsKnownByItsName(t *testing.T) {
	for _, name := range []string{"libomp.dylib", "libomp.so", "libomp.so.5", "libomp-14.so.5", "libomp-7c1d.so", "libiomp5.dylib", "libiomp5-a1.so", "libgomp.so.1", "libgomp-a34b3233.so.1.0.0", "libgomp.1.dylib"} {
		require.True(t, isRuntime("/x/"+name), name)
	}
	for _, name := range []string{"libomp", "libompd.so", "libomptarget.so.14", "libomp.dylib.before", "libomp.py", "libgomp.spec", "libiomp5md.dll", "notlibomp.so", "libomp.so.5/other", ""} {
		require.False(t, isRuntime("/x/"+name), name)
	}
}

func TestALibraryIsNamedByThePackageThatBringsIt(t *testing.T) {
	for path, want := range map[string]string{
		"/e/lib/python3.11/site-packages/torch/lib/libomp.dylib":                     "torch",
		"/e/lib/python3.11/site-packages/faiss_cpu.libs/libgomp-a34b3233.so.1.0.0":   "faiss_cpu",
		"/usr/lib/python3/dist-packages/sklearn/x.so":                                "sklearn",
		"/a/site-packages/b/lib/python3.11/site-packages/faiss/.dylibs/libomp.dylib": "faiss",
		"/opt/homebrew/opt/libomp/lib/libomp.dylib":                                  "libomp",
		"/usr/lib/x86_64-linux-gnu/libgomp.so.1":                                     "libgomp",
	} {
		require.Equal(t, want, BroughtBy(path), path)
	}
}

// mapFile maps a file of that name into this process, until the test ends.
func mapFile(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte("not really a library"), 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	m, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Munmap(m) })
}

func TestWhatThisProcessMapsIsSeen(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	before, err := Loaded(os.Getpid())
	require.NoError(t, err)
	require.Empty(t, before)
	one, two, ext := filepath.Join(dir, "libomp.so"), filepath.Join(dir, "libgomp.so.1"), filepath.Join(dir, "_swigfaiss.so")
	for _, path := range []string{one, two, ext} {
		mapFile(t, path)
	}
	require.NoError(t, os.Remove(two))
	found, err := Loaded(os.Getpid())
	require.NoError(t, err)
	require.Equal(t, []string{two, one}, found, "one that was removed is mapped all the same")
	found, err = Loaded(os.Getpid(), ext)
	require.NoError(t, err)
	require.Len(t, found, 3)
}

func TestTheProcessOfTheTreeWithMostRuntimesCounts(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	mapFile(t, filepath.Join(dir, "libomp.so"))
	child := exec.Command(testkit.RealPython(t), "-c", `import mmap, sys
files = [open(name, "r+b") for name in sys.argv[1:]]
kept = [mmap.mmap(f.fileno(), 0) for f in files]
print("up", flush=True)
sys.stdin.read()`, filepath.Join(dir, "libiomp5.so"), filepath.Join(dir, "libgomp.so"))
	for _, name := range child.Args[3:] {
		require.NoError(t, os.WriteFile(name, []byte("x"), 0o600))
	}
	in, err := child.StdinPipe()
	require.NoError(t, err)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	t.Cleanup(func() { _ = in.Close(); _ = child.Wait() })
	_, err = out.Read(make([]byte, 8))
	require.NoError(t, err)
	found, err := Loaded(os.Getpid())
	require.NoError(t, err)
	require.Len(t, found, 2, "two meet in the child; this process's own one is in another process")
	require.Equal(t, filepath.Join(dir, "libgomp.so"), found[0])
}

func TestWhatIsGoneHasNothingLoaded(t *testing.T) {
	cmd := exec.Command("true")
	require.NoError(t, cmd.Run())
	_, err := Loaded(cmd.Process.Pid)
	require.Error(t, err)
}

func TestLsofIsAskedForNoNames(t *testing.T) {
	args := lsofArgs([]int{4711, 4712})
	require.Contains(t, args, "4711,4712")
	for _, flag := range []string{"-n", "-P", "-l", "-w", "-a"} {
		require.Contains(t, args, flag)
	}
}

// A real lsof, which Linux has, too: its libraries are "mem" there, and "txt" on a Mac.
func TestARealLsofIsRead(t *testing.T) {
	lsof, err := exec.LookPath("lsof")
	if err != nil {
		t.Skip("there is no lsof here")
	}
	dir := filepath.Join(t.TempDir(), `a "büro"\here`)
	require.NoError(t, os.Mkdir(dir, 0o700))
	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	mapFile(t, filepath.Join(dir, "libomp.so"))
	args := lsofArgs([]int{os.Getpid()})
	args[slices.Index(args, "txt")] = "txt,mem"
	for _, locale := range []string{"C", "C.UTF-8"} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, lsof, args...)
		cmd.Env = append(os.Environ(), "LC_ALL="+locale)
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Equal(t, []string{filepath.Join(dir, "libomp.so")}, runtimesAmong(parseLsof(out)[os.Getpid()], nil), locale)
	}
}

func FuzzMapsAndLsof(f *testing.F) {
	f.Add(fixture(f, "maps.txt"))
	f.Add(fixture(f, "lsof.txt"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, i := range parseMaps(text) {
			require.Regexp(t, "^/", i.path)
		}
		for pid := range parseLsof(text) {
			require.Positive(t, pid)
		}
	})
}

func BenchmarkMapsOfAServerWithTorch(b *testing.B) {
	var text []byte
	for range 100 { // 1,600 lines
		text = append(text, fixture(b, "maps.txt")...)
	}
	b.ReportAllocs()
	for b.Loop() {
		runtimesAmong(parseMaps(text), nil)
	}
}
