//go:build wheels

// Package wheels tries the scan of an environment on what people really install: wheels for macOS and for Linux, unpacked side by side, and
// read once more by readers that share nothing with Vivarium: delocate and auditwheel, LLVM's objdump and nm. `make wheels` runs it on all,
// `make wheels small=yes` on two packages.
package wheels

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

const (
	small  = "VIVARIUM_WHEELS_SMALL" // if set, the two packages alone
	scanIn = "VIVARIUM_WHEELS_SCAN"  // in a child that only scans: the root
	site   = "lib/python3.11/site-packages"
)

var platforms = []string{"macosx_14_0_arm64", "macosx_13_0_x86_64", "manylinux_2_28_x86_64"}

func wanted(platform string) []string {
	switch {
	case os.Getenv(small) == "":
		return []string{"torch", "faiss-cpu", "scikit-learn", "lightgbm", "xgboost", "ctranslate2", "numba", "onnxruntime", "opencv-python-headless", "scipy"}
	case platform == "macosx_13_0_x86_64":
		return nil
	}
	return []string{"faiss-cpu", "scikit-learn"}
}

// TestMain is also the child that scans, so that its memory is the scan's.
func TestMain(m *testing.M) {
	root := os.Getenv(scanIn)
	if root == "" {
		os.Exit(m.Run())
	}
	best := time.Hour
	files := 0
	for range 5 {
		start := time.Now()
		env, err := openmp.Scan(context.Background(), root, []string{filepath.Join(root, site)}, nil)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		best, files = min(best, time.Since(start)), env.Files
	}
	status, _ := os.ReadFile("/proc/self/status")
	peak := ""
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			peak = strings.TrimSpace(rest)
		}
	}
	fmt.Printf("%d %d %s\n", best.Microseconds(), files, peak)
}

// cache keeps what was downloaded for the next run; everything else of a run is thrown away.
func cache(t *testing.T, parts ...string) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	require.NoError(t, err)
	dir = filepath.Join(append([]string{dir, "vivarium-wheels"}, parts...)...)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	return dir
}

// wheel is the file of a package for a platform, "" if there is none: not every package is made for Intel Macs any more.
func wheel(t *testing.T, platform, name string) string {
	t.Helper()
	dir := cache(t, platform)
	pattern := filepath.Join(dir, strings.ReplaceAll(name, "-", "_")+"-*.whl")
	if found, _ := filepath.Glob(pattern); len(found) > 0 {
		return found[len(found)-1]
	}
	out, err := exec.Command("python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
		"--platform", platform, "--python-version", "3.11", "--dest", dir, name).CombinedOutput()
	if err != nil && strings.Contains(string(out), "No matching distribution") && platform == "macosx_13_0_x86_64" {
		return ""
	}
	require.NoError(t, err, string(out))
	found, _ := filepath.Glob(pattern)
	require.NotEmpty(t, found, pattern)
	return found[0]
}

// environment unpacks the wheels of a platform into one site-packages folder.
func environment(t *testing.T, platform string) (root string, names []string) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for _, name := range wanted(platform) {
		if file := wheel(t, platform, name); file != "" {
			unpack(t, file, filepath.Join(root, site))
			names = append(names, name)
		}
	}
	return root, names
}

func unpack(t *testing.T, file, dir string) {
	t.Helper()
	z, err := zip.OpenReader(file)
	require.NoError(t, err)
	defer z.Close()
	for _, f := range z.File {
		require.True(t, filepath.IsLocal(f.Name), f.Name)
		path := filepath.Join(dir, f.Name)
		if f.FileInfo().IsDir() {
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		in, err := f.Open()
		require.NoError(t, err)
		out, err := os.Create(path)
		require.NoError(t, err)
		_, err = io.Copy(out, in)
		require.NoError(t, err)
		require.NoError(t, out.Close())
		require.NoError(t, in.Close())
	}
}

// tools is a virtual environment with the other readers.
var tools = sync.OnceValues(func() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "vivarium-wheels", "tools")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir, nil
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", "--clear", dir},
		{filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "delocate==0.13.0", "auditwheel==6.8.2"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", args[0], err, out)
		}
	}
	return dir, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
})

// edges are who asks for whom: "runtime<TAB>user", below site-packages, sorted.
func edges(root string, all []string) []string {
	for i, e := range all {
		all[i] = strings.ReplaceAll(e, filepath.Join(root, site)+"/", "")
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// delocated is delocate's list of who asks for which runtime.
func delocated(t *testing.T, root string) []string {
	t.Helper()
	dir, err := tools()
	require.NoError(t, err)
	shim, err := filepath.Abs("testdata")
	require.NoError(t, err)
	cmd := exec.Command(filepath.Join(dir, "bin", "delocate-listdeps"), "--all", "--depending", filepath.Join(root, site))
	cmd.Env = append(os.Environ(), "PATH="+shim+":"+os.Getenv("PATH"))
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []string
	library := ""
	for line := range strings.Lines(string(out)) {
		name := strings.TrimSpace(line)
		if !strings.HasPrefix(line, " ") {
			library = strings.TrimSuffix(name, ":")
		} else if !strings.HasSuffix(name, ".so") && !strings.HasSuffix(name, ".dylib") {
			continue // a program, as torch's torch_shm_manager, has a process of its own
		} else if base := filepath.Base(library); strings.HasPrefix(base, "libomp.") || strings.HasPrefix(base, "libiomp5.") {
			all = append(all, absolute(t, library)+"\t"+absolute(t, name))
		}
	}
	return edges(root, all)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}

// audited is auditwheel's.
func audited(t *testing.T, root string) []string {
	t.Helper()
	dir, err := tools()
	require.NoError(t, err)
	out, err := exec.Command(filepath.Join(dir, "bin", "python"), "testdata/needs.py", filepath.Join(root, site)).Output()
	require.NoError(t, err)
	return edges(root, strings.Split(strings.TrimSpace(string(out)), "\n"))
}

// scanned is Vivarium's.
func scanned(root string, env openmp.Environment) []string {
	var all []string
	for _, r := range env.Runtimes {
		for _, u := range r.Users {
			if u.Via == "" && u.Asks != "" {
				all = append(all, r.Real+"\t"+u.Path)
			}
		}
	}
	return edges(root, all)
}

// definers are the files in which LLVM's nm finds what only a runtime defines.
func definers(t *testing.T, root string, mac bool) []string {
	t.Helper()
	var all []string
	require.NoError(t, filepath.WalkDir(filepath.Join(root, site), func(path string, d os.DirEntry, err error) error {
		name := filepath.Base(path)
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".so") && !strings.HasSuffix(name, ".dylib") && !strings.Contains(name, ".so.") {
			return err
		}
		args := []string{"--extern-only", "--defined-only", "--format=just-symbols"}
		if !mac {
			args = append(args, "--dynamic")
		}
		out, _ := exec.Command("llvm-nm", append(args, path)...).Output()
		for symbol := range strings.FieldsSeq(string(out)) {
			symbol, _, _ = strings.Cut(symbol, "@")
			if strings.TrimPrefix(symbol, "___") == "kmpc_fork_call" || symbol == "__kmpc_fork_call" || strings.TrimPrefix(symbol, "_") == "GOMP_parallel" {
				all = append(all, path)
				break
			}
		}
		return nil
	}))
	return all
}

// ids are a file's UUIDs or build id, by LLVM's readers.
func ids(t *testing.T, path string, mac bool) string {
	t.Helper()
	tool, args := "llvm-objdump", []string{"--macho", "--arch=all", "--private-headers", path}
	if !mac {
		tool, args = "llvm-readelf", []string{"--notes", path}
	}
	out, err := exec.Command(tool, args...).Output()
	require.NoError(t, err)
	return strings.ToUpper(string(out))
}

func TestTheScanAgreesWithReadersThatShareNothingWithIt(t *testing.T) {
	for _, platform := range platforms {
		if len(wanted(platform)) == 0 {
			continue
		}
		t.Run(platform, func(t *testing.T) {
			root, names := environment(t, platform)
			env, err := openmp.Scan(t.Context(), root, []string{filepath.Join(root, site)}, nil)
			require.NoError(t, err)
			require.Zero(t, env.Skipped, "%v", env.Problems)
			for _, name := range names {
				p, ok := env.Package(name)
				require.True(t, ok, name)
				require.NotEmpty(t, p.Modules, name)
			}
			mac := strings.HasPrefix(platform, "macosx")
			var paths []string
			for _, r := range env.Runtimes {
				if strings.HasPrefix(r.Path, root) {
					paths = append(paths, r.Path)
					require.NotEmpty(t, r.Package, r.Path)
					require.NotEmpty(t, r.Version, r.Path)
					for _, s := range r.Slices {
						require.Contains(t, ids(t, r.Path, mac), s.ID, r.Path)
					}
				}
			}
			require.NotEmpty(t, paths)
			require.Equal(t, definers(t, root, mac), paths)
			theirs := audited
			if mac {
				theirs = delocated
			}
			compare(t, theirs(t, root), scanned(root, env))
			if platform == platforms[0] {
				signed(t, paths)
			}
			fits(t, env)
		})
	}
}

// signed: macOS runs no arm64 code without a signature, and these have nobody's: the reader of signatures must find that in every one.
func signed(t *testing.T, paths []string) {
	t.Helper()
	for _, path := range paths {
		p, err := openmp.InspectPython(path, "darwin", "arm64")
		require.NoError(t, err)
		require.True(t, p.Signature.Signed, path)
		require.Empty(t, p.Drops+p.Refuses, path)
	}
}

// compare: every edge of the other reader has to be ours. It may know fewer: it does not see that a loaded library serves one without a
// path of its own, which it gives by the bare name.
func compare(t *testing.T, theirs, ours []string) {
	t.Helper()
	require.NotEmpty(t, theirs)
	users := func(all []string) (users []string) {
		for _, e := range all {
			_, user, _ := strings.Cut(e, "\t")
			users = append(users, user)
		}
		slices.Sort(users)
		return slices.Compact(users)
	}
	for _, e := range theirs {
		if strings.Contains(strings.Split(e, "\t")[0], "/") {
			require.Contains(t, ours, e)
		}
	}
	require.Subset(t, users(theirs), users(ours), "nobody is said to ask for a runtime who does not")
}

// fits: what a user needs of a runtime is there, in the wheel as its maker linked it. A wrong reader of either side would miss some.
func fits(t *testing.T, env openmp.Environment) {
	t.Helper()
	checked := 0
	for _, r := range env.Runtimes {
		for _, u := range r.Users {
			if u.Via != "" || u.Asks == "" {
				continue
			}
			needs, err := openmp.Needs(u, r.Slices[0].Arch)
			require.NoError(t, err, u.Path)
			missing, err := openmp.Defines(r.Path, r.Slices[0].Arch, needs)
			require.NoError(t, err, r.Path)
			require.Empty(t, missing, "%s needs %v of %s", u.Path, missing, r.Path)
			checked += len(needs)
		}
	}
	require.Positive(t, checked)
}

func TestAScanIsTimedAgainstDelocate(t *testing.T) {
	root, _ := environment(t, platforms[0])
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), scanIn+"="+root, "GOMAXPROCS=2")
	out, err := child.Output()
	require.NoError(t, err)
	var best, files int
	var peak string
	_, err = fmt.Sscan(string(out), &best, &files, &peak)
	require.NoError(t, err, string(out))
	start := time.Now()
	delocated(t, root)
	theirs := time.Since(start)
	require.Positive(t, files)
	fmt.Printf("a scan of %d files, warm, 2 processors: %.1f ms, at most %s KiB of memory; delocate-listdeps: %.1f s, %.0f times as long\n",
		files, float64(best)/1000, peak, theirs.Seconds(), theirs.Seconds()*1e6/float64(best))
}
