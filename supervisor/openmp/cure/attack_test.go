package cure

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// victim is a folder outside of every environment, with files of all names that a cure uses.
func victim(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for _, name := range []string{lockName, manifestName, manifestName + newSuffix, "0-libomp.dylib", "1-libomp.dylib", "libomp.dylib", "libomp.dylib" + newSuffix, ".bashrc", "precious"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("the user's own "+name), 0o644))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "lib"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lib", "libomp.dylib"), []byte("the user's own library"), 0o644))
	return dir
}

// single is an environment with one copy, so that there is nothing to cure.
func single(t testing.TB) (root string, cure Plan) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	keep := filepath.Join(root, "torch/lib/libomp.dylib")
	require.NoError(t, os.MkdirAll(filepath.Dir(keep), 0o755))
	require.NoError(t, os.WriteFile(keep, []byte("content"), 0o755))
	return root, Plan{Root: root, Keep: openmp.Runtime{Path: keep, Real: keep, Flavor: openmp.LLVM}}
}

func forge(t testing.TB, root string, m manifest) {
	t.Helper()
	m.Version = 1
	text, err := json.Marshal(m)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(root, storeFolder), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(root, storeFolder, manifestName), text, 0o600))
}

func TestAFolderThatIsALinkIsNeverSweptNorWrittenInto(t *testing.T) {
	for name, target := range map[string]func(root, dir string) string{
		"out of the environment": func(_, dir string) string { return dir },
		"within it": func(root, dir string) string {
			within := filepath.Join(root, "share")
			require.NoError(t, os.Rename(dir, within))
			require.NoError(t, os.Symlink(within, dir))
			return "share"
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, links := range []bool{false, true} {
				dir := victim(t)
				root, cure := single(t)
				if links {
					root, cure = sick(t)
				}
				require.NoError(t, os.Symlink(target(root, dir), filepath.Join(root, storeFolder)))
				before, outside := fingerprint(t, root), fingerprint(t, dir)
				var why *Error
				require.ErrorAs(t, cure.Apply(), &why)
				require.ErrorContains(t, why, "is not a folder")
				_, err := cure.Pending()
				require.ErrorAs(t, err, &why)
				_, err = Undo(root)
				require.ErrorAs(t, err, &why)
				require.ErrorAs(t, Check(root), &why)
				require.Equal(t, outside, fingerprint(t, dir))
				require.Equal(t, before, fingerprint(t, root))
			}
		})
	}
}

func TestFilesInARealFolderThatNoCureHasMadeAreLeft(t *testing.T) {
	root, cure := single(t)
	dir := filepath.Join(root, storeFolder)
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "precious"), []byte("mine"), 0o644))
	before := fingerprint(t, root)
	require.NoError(t, cure.Apply())
	require.Equal(t, before, fingerprint(t, root))

	root, cure = sick(t)
	require.NoError(t, cure.Apply())
	mine := filepath.Join(root, storeFolder, "9-libomp.dylib")
	require.NoError(t, os.WriteFile(mine, []byte("mine"), 0o644))
	require.NoError(t, planned(t, root).Apply())
	require.FileExists(t, mine)
	done, err := Undo(root)
	require.NoError(t, err)
	require.Equal(t, []string{mine}, done.Left)
	require.FileExists(t, mine)
	working(t, root)
}

func TestTheFolderOfAnotherUserOrForAllToWriteIsRefused(t *testing.T) {
	ways := []func(string) error{func(dir string) error { return os.Chmod(dir, 0o777) }}
	if os.Getuid() == 0 {
		ways = append(ways, func(dir string) error { return os.Chown(dir, 12345, -1) })
	}
	for _, open := range ways {
		root, cure := sick(t)
		require.NoError(t, cure.Apply())
		require.NoError(t, open(filepath.Join(root, storeFolder)))
		before := fingerprint(t, root)
		var why *Error
		_, err := Undo(root)
		require.ErrorAs(t, err, &why)
		require.ErrorAs(t, planned(t, root).Apply(), &why)
		require.Equal(t, before, fingerprint(t, root))
	}
}

func TestLinksInTheFolderAreNeverWrittenThrough(t *testing.T) {
	for _, name := range []string{lockName, manifestName, manifestName + newSuffix, "0-libomp.dylib"} {
		for _, there := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s to a file: %v", name, there), func(t *testing.T) {
				dir := victim(t)
				if !there { // a link to nowhere makes a file where it leads
					require.NoError(t, os.Remove(filepath.Join(dir, name)))
				}
				root, cure := sick(t)
				require.NoError(t, os.Mkdir(filepath.Join(root, storeFolder), 0o700))
				require.NoError(t, os.Symlink(filepath.Join(dir, name), filepath.Join(root, storeFolder, name)))
				outside := fingerprint(t, dir)
				require.Error(t, cure.Apply())
				require.Equal(t, outside, fingerprint(t, dir))
				_, _ = Undo(root)
				require.Equal(t, outside, fingerprint(t, dir))
				working(t, root)
			})
		}
	}
}

func TestAPathInTheManifestCannotLeadOutThroughALinkedFolder(t *testing.T) {
	dir := victim(t)
	root, _ := sick(t)
	require.NoError(t, os.Remove(filepath.Join(dir, ".bashrc")))
	require.NoError(t, os.Symlink("elsewhere", filepath.Join(dir, ".bashrc"))) // as dotfiles are
	require.NoError(t, os.Symlink(dir, filepath.Join(root, "x")))
	require.NoError(t, os.Mkdir(filepath.Join(root, storeFolder), 0o700))
	original := filepath.Join(root, storeFolder, "0-libomp.dylib")
	require.NoError(t, os.WriteFile(original, []byte("evil"), 0o644))
	sum, err := sumOf(original)
	require.NoError(t, err)
	forge(t, root, manifest{Links: []replaced{{Path: "x/.bashrc", Target: "y", Original: "0-libomp.dylib", Hash: sum}}})
	outside := fingerprint(t, dir)
	_, err = Undo(root)
	require.ErrorContains(t, err, "escapes")
	require.Error(t, planned(t, root).Apply())
	require.ErrorContains(t, Check(root), "escapes")
	require.Equal(t, outside, fingerprint(t, dir))
	working(t, root)
}

func TestAManifestThatNoCureHasWrittenIsRefused(t *testing.T) {
	for _, m := range []manifest{
		{Links: []replaced{{Path: ".", Original: "0-x"}}},
		{Links: []replaced{{Path: "", Original: "0-x"}}},
		{Links: []replaced{{Path: "a/../../b", Original: "0-x"}}},
		{Links: []replaced{{Path: "a/../b", Original: "0-x"}}},
		{Links: []replaced{{Path: storeFolder + "/lock", Original: "0-x"}}},
		{Links: []replaced{{Path: strings.ToUpper(storeFolder) + "/lock", Original: "0-x"}}},
		{Links: []replaced{{Path: "a", Original: lockName}}},
		{Links: []replaced{{Path: "a", Original: manifestName}}},
		{Links: []replaced{{Path: "a", Original: ""}}},
		{Links: []replaced{{Path: "a", Original: ".."}}},
		{Links: []replaced{{Path: "a", Original: "0-x"}, {Path: "b", Original: "0-x"}}},
		{Links: []replaced{{Path: "a", Original: "0-x"}}, Stale: []string{"0-x"}},
		{Stale: []string{"../precious"}},
		{Stale: []string{"0-../../precious"}},
		{Keep: keptFile{Path: "/etc/passwd"}},
		{Keep: keptFile{Path: "../x"}},
	} {
		root, _ := sick(t)
		forge(t, root, m)
		before := fingerprint(t, root)
		_, err := Undo(root)
		require.Error(t, err, "%+v", m)
		require.Error(t, planned(t, root).Apply(), "%+v", m)
		require.Error(t, Check(root), "%+v", m)
		require.Equal(t, before, fingerprint(t, root))
	}
}

func TestNothingIsWaitedForAndNothingWithoutAnEndIsRead(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a device":     func(path string) error { return os.Symlink("/dev/zero", path) },
		"without end":  func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)) },
	} {
		for _, at := range []string{manifestName, lockName, "0-libomp.dylib"} {
			t.Run(name+" "+at, func(t *testing.T) {
				root, cure := sick(t)
				require.NoError(t, cure.Apply())
				path := filepath.Join(root, storeFolder, at)
				require.NoError(t, os.Remove(path))
				require.NoError(t, put(path))
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, _ = Undo(root)
					_ = Check(root)
				}()
				select {
				case <-done:
				case <-time.After(30 * time.Second):
					require.Fail(t, "it waits for ever")
				}
			})
		}
	}
}

func TestWhatIsNoLongerNeededIsRemovedOnlyWhenSomebodyAgreed(t *testing.T) {
	root, cure := sick(t)
	require.NoError(t, cure.Apply())
	pending, err := planned(t, root).Pending()
	require.NoError(t, err)
	require.Empty(t, pending, "a cure that stands needs nothing")

	require.NoError(t, os.RemoveAll(filepath.Join(root, "faiss"))) // pip uninstall
	original := filepath.Join(root, storeFolder, manifestOf(t, root).Links[0].Original)
	keep := filepath.Join(root, "torch/lib/libomp.dylib")
	hash, err := sumOf(keep)
	require.NoError(t, err)
	now := Plan{Root: root, Keep: openmp.Runtime{Path: keep, Real: keep, Hash: hash}}
	before := fingerprint(t, root)
	pending, err = now.Pending()
	require.NoError(t, err)
	require.Len(t, pending, 1)
	require.Contains(t, pending[0], "remove "+original)
	require.Equal(t, before, fingerprint(t, root), "to ask changes nothing")
	require.NoError(t, now.Apply())
	require.NoFileExists(t, original)
	pending, err = now.Pending()
	require.NoError(t, err)
	require.Empty(t, pending)

	require.NoError(t, os.Chtimes(keep, time.Now(), time.Now()))
	pending, err = now.Pending()
	require.NoError(t, err)
	require.Len(t, pending, 1)
	require.Contains(t, pending[0], "still fits")
}

// intruder changes an environment from within: with an os.Root of its own, so that it is not the one who changes something outside.
type intruder struct {
	root *os.Root
	dir  string // of the victim
}

func newIntruder(t *testing.T, root, dir string) intruder {
	t.Helper()
	r, err := os.OpenRoot(root)
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	return intruder{r, dir}
}

// swap puts a link in the place of what is there, which moves aside.
func (i intruder) swap(path, target string) {
	_ = i.root.RemoveAll(path + ".aside")
	_ = i.root.Rename(path, path+".aside")
	_ = i.root.Symlink(target, path)
}

// back puts what moved aside in its place again.
func (i intruder) back(path string) {
	if _, err := i.root.Lstat(path + ".aside"); err == nil {
		_ = i.root.Remove(path)
		_ = i.root.Rename(path+".aside", path)
	}
}

func (i intruder) out(name string) string { return filepath.Join(i.dir, name) }

// swaps are what somebody else may do to an environment between two steps.
var swaps = map[string]func(i intruder){
	"the folder becomes a link out":          func(i intruder) { i.swap(storeFolder, i.dir) },
	"the folder becomes a link within":       func(i intruder) { i.swap(storeFolder, "torch/lib") },
	"a package's folder becomes a link out":  func(i intruder) { i.swap("faiss/.dylibs", i.dir) },
	"a package becomes a link out":           func(i intruder) { i.swap("sklearn", i.dir) },
	"what stays becomes a link out":          func(i intruder) { i.swap("torch", i.dir) },
	"the file becomes a link out":            func(i intruder) { i.swap("faiss/.dylibs/libomp.dylib", i.out("libomp.dylib")) },
	"the next link becomes another":          func(i intruder) { i.swap("faiss/.dylibs/libomp.dylib"+newSuffix, i.out("precious")) },
	"the manifest's next becomes a link out": func(i intruder) { i.swap(in(manifestName+newSuffix), i.out(manifestName+newSuffix)) },
	"the manifest becomes a link out":        func(i intruder) { i.swap(in(manifestName), i.out(manifestName)) },
	"the lock becomes a link out":            func(i intruder) { i.swap(in(lockName), i.out(lockName)) },
	"the first original becomes a link out":  func(i intruder) { i.swap(in("0-libomp.dylib"), i.out("0-libomp.dylib")) },
	"the other original becomes a link out":  func(i intruder) { i.swap(in("1-libomp.dylib"), i.out("1-libomp.dylib")) },
}

// Whatever somebody does between two steps of a cure or of an undo: not one byte outside of the environment changes.
func TestASwapBetweenAnyTwoStepsChangesNothingOutsideOfTheEnvironment(t *testing.T) {
	for name, swap := range swaps {
		for _, undoing := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, undoing %v", name, undoing), func(t *testing.T) {
				t.Parallel()
				for at, whole := 0, false; !whole; at++ {
					require.Less(t, at, 100)
					dir := victim(t)
					root, cure := sick(t)
					if undoing {
						require.NoError(t, cure.Apply())
					}
					outside := fingerprint(t, dir)
					n, reached, who := at, false, newIntruder(t, root, dir)
					hook := func(string) {
						if n--; n < 0 && !reached {
							reached = true
							swap(who)
						}
					}
					if undoing {
						_, _ = undo(root, hook)
					} else {
						_ = cure.apply(hook)
					}
					require.Equal(t, outside, fingerprint(t, dir), "swapped at step %d", at)
					_, _ = Undo(root) // and whatever a further attempt makes of it
					_ = cure.Apply()
					require.Equal(t, outside, fingerprint(t, dir), "after step %d", at)
					whole = !reached
				}
			})
		}
	}
}

func TestSwapsAtAnyMomentChangeNothingOutsideOfTheEnvironment(t *testing.T) {
	dir := victim(t)
	outside := fingerprint(t, dir)
	root, _ := sick(t)
	who := newIntruder(t, root, dir)
	stop := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for {
			for _, swap := range swaps {
				select {
				case <-stop:
					return
				default:
				}
				swap(who)
				for _, path := range []string{storeFolder, "faiss/.dylibs", "sklearn", "torch", "faiss/.dylibs/libomp.dylib", in(lockName), in(manifestName), in("0-libomp.dylib"), in("1-libomp.dylib")} {
					who.back(path)
				}
			}
		}
	})
	done := 0
	for until := time.Now().Add(3 * time.Second); time.Now().Before(until); {
		_ = who.root.RemoveAll(storeFolder)
		for _, name := range []string{"torch/lib", "faiss/.dylibs", "sklearn/.dylibs"} {
			_ = who.root.MkdirAll(name, 0o755)
			_ = who.root.Remove(name + "/libomp.dylib")
			_ = who.root.WriteFile(name+"/libomp.dylib", []byte("content of "+name), 0o755)
		}
		c := Plan{Root: root, Keep: openmp.Runtime{Real: filepath.Join(root, "torch/lib/libomp.dylib"), Path: filepath.Join(root, "torch/lib/libomp.dylib")}}
		for _, p := range []string{"faiss", "sklearn"} {
			sum := sha256.Sum256([]byte("content of " + p + "/.dylibs"))
			c.Links = append(c.Links, Relink{Path: filepath.Join(root, p, ".dylibs/libomp.dylib"), Target: "../../torch/lib/libomp.dylib", Hash: hex.EncodeToString(sum[:]), Package: p})
		}
		if c.Apply() == nil {
			done++
		}
		_, _ = Undo(root)
	}
	close(stop)
	swapper.Wait()
	t.Log("cures that came to their end", done)
	require.Equal(t, outside, fingerprint(t, dir))
}
