package app

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
)

func makeDirs(t *testing.T, root string, names ...string) []string {
	t.Helper()
	var out []string
	for _, n := range names {
		dir := filepath.Join(root, n)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		out = append(out, dir)
	}
	return out
}

func openBackends(t *testing.T) *Backends {
	t.Helper()
	b, err := OpenBackends(filepath.Join(testkit.RealTemp(t), "state"))
	require.NoError(t, err)
	return b
}

func listed(t *testing.T, b *Backends) []string {
	t.Helper()
	list, err := b.List()
	require.NoError(t, err)
	return list
}

func TestAListKeepsItsOrderAndOutlivesItsProgram(t *testing.T) {
	b := openBackends(t)
	require.Empty(t, listed(t, b))
	dirs := makeDirs(t, testkit.RealTemp(t), "c", "a", "ünïcode with space", "b")
	for _, d := range dirs {
		require.NoError(t, b.Add(d))
	}
	require.Equal(t, dirs, listed(t, b))
	again, err := OpenBackends(filepath.Dir(b.Path))
	require.NoError(t, err)
	require.Equal(t, dirs, again.All())
	require.NoError(t, again.Remove(dirs[1]))
	require.Equal(t, []string{dirs[0], dirs[2], dirs[3]}, listed(t, b))
	st, err := os.Stat(b.Path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
}

func TestOneFolderUnderSeveralNamesIsOneBackend(t *testing.T) {
	b := openBackends(t)
	root := testkit.RealTemp(t)
	dir := makeDirs(t, root, "backend")[0]
	link := filepath.Join(root, "link")
	require.NoError(t, os.Symlink(dir, link))
	require.NoError(t, b.Add(link))
	require.NoError(t, b.Add(dir))
	require.NoError(t, b.Add(dir+"/"))
	require.NoError(t, b.Add(filepath.Join(dir, "..", "backend")))
	t.Chdir(root)
	require.NoError(t, b.Add("backend"))
	require.Equal(t, []string{dir}, listed(t, b))
	require.NoError(t, b.Remove(link))
	require.Empty(t, listed(t, b))
}

func TestAVanishedFolderStaysUntilItIsRemoved(t *testing.T) {
	b := openBackends(t)
	dirs := makeDirs(t, testkit.RealTemp(t), "gone", "there")
	for _, d := range dirs {
		require.NoError(t, b.Add(d))
	}
	require.NoError(t, os.Remove(dirs[0]))
	require.Equal(t, dirs, listed(t, b))
	require.NoError(t, b.Remove(dirs[0]))
	require.Equal(t, dirs[1:], listed(t, b))
	require.NoError(t, b.Remove(dirs[0]), "what is not there need not be removed")
}

func TestOnlyFoldersBecomeBackends(t *testing.T) {
	b := openBackends(t)
	root := testkit.RealTemp(t)
	file := filepath.Join(root, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	require.ErrorContains(t, b.Add(file), "is not a folder")
	require.ErrorContains(t, b.Add(filepath.Join(root, "missing")), "missing")
	bad := filepath.Join(root, "\xff")
	if err := os.Mkdir(bad, 0o755); err == nil {
		require.ErrorContains(t, b.Add(bad), "UTF-8")
	}
	require.Empty(t, listed(t, b))
}

func TestABrokenListIsPutAsideAndNeverLost(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"backends": 3}`, `{"backends": ["relative"]}`, "\x00\x01", strings.Repeat("x", maxBackendsBytes+1)} {
		b := openBackends(t)
		require.NoError(t, os.MkdirAll(filepath.Dir(b.Path), 0o700))
		require.NoError(t, os.WriteFile(b.Path, []byte(text), 0o600))
		_, err := b.List()
		var broken *BrokenListError
		require.True(t, errors.As(err, &broken), "%.20q: %v", text, err)
		require.ErrorContains(t, err, b.Path)
		kept, err := os.ReadFile(broken.Aside)
		require.NoError(t, err)
		require.Equal(t, text, string(kept))
		require.Empty(t, listed(t, b), "the next call finds an empty list")
	}
}

func TestSeveralBrokenListsAreAllKept(t *testing.T) {
	b := openBackends(t)
	dir := makeDirs(t, testkit.RealTemp(t), "backend")[0]
	require.NoError(t, os.MkdirAll(filepath.Dir(b.Path), 0o700))
	for i := range 3 {
		require.NoError(t, os.WriteFile(b.Path, fmt.Appendf(nil, "garbage %d", i), 0o600))
		if i == 1 { // a change meets it first
			require.NoError(t, b.Add(dir))
			require.Equal(t, []string{dir}, listed(t, b))
			continue
		}
		opened, err := OpenBackends(filepath.Dir(b.Path))
		require.NoError(t, err, "the app starts all the same")
		require.NotNil(t, opened.Broken)
	}
	for i, name := range []string{".broken", ".broken-2", ".broken-3"} {
		kept, err := os.ReadFile(b.Path + name)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("garbage %d", i), string(kept))
	}
}

func TestAFolderInPlaceOfTheListIsAnErrorThatNamesIt(t *testing.T) {
	state := testkit.RealTemp(t)
	require.NoError(t, os.Mkdir(filepath.Join(state, backendsFile), 0o700))
	_, err := OpenBackends(state)
	require.ErrorContains(t, err, backendsFile)
}

// The test binary is also the other programs that change a list at the same time.
func init() {
	if path := os.Getenv("VIVARIUM_TEST_ADD"); path != "" {
		b := &Backends{Path: path}
		for _, dir := range os.Args[1:] {
			if err := b.Add(dir); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
}

func TestProgramsThatAddAtTheSameTimeLoseNothing(t *testing.T) {
	b := openBackends(t)
	root := testkit.RealTemp(t)
	const programs, each = 4, 10
	var want []string
	var done sync.WaitGroup
	for p := range programs {
		var names []string
		for i := range each {
			names = append(names, fmt.Sprintf("%d-%d", p, i))
		}
		dirs := makeDirs(t, root, names...)
		want = append(want, dirs...)
		done.Go(func() {
			cmd := exec.Command(os.Args[0], dirs...)
			cmd.Env = append(os.Environ(), "VIVARIUM_TEST_ADD="+b.Path)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	done.Wait()
	got := listed(t, b)
	slices.Sort(got)
	slices.Sort(want)
	require.Equal(t, want, got)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(b.Path), ".backends*"))
	require.NoError(t, err)
	require.Empty(t, left, "no half-written file stays")
}

func FuzzAnyFileIsAListOrIsPutAside(f *testing.F) {
	f.Add([]byte(`{"backends": ["/a", "/b", "/a/../a"]}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := &Backends{Path: filepath.Join(t.TempDir(), backendsFile)}
		require.NoError(t, os.WriteFile(b.Path, text, 0o600))
		list, err := b.List()
		if err == nil {
			for _, d := range list {
				require.True(t, filepath.IsAbs(d))
			}
			return
		}
		var broken *BrokenListError
		require.ErrorAs(t, err, &broken)
		kept, err := os.ReadFile(broken.Aside)
		require.NoError(t, err)
		require.Equal(t, text, kept)
	})
}
