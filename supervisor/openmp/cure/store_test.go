package cure

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// fingerprint is everything of a tree that a cure may not change for good: names, types, modes, times, contents and links.
func fingerprint(t testing.TB, root string) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s", path, st.Mode())
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " -> %s", target)
		case d.Type().IsRegular():
			sum, err := sumOf(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %d %s %s", st.Size(), st.ModTime(), sum)
		}
		b.WriteByte('\n')
		return nil
	}))
	return b.String()
}

func sumOf(path string) (string, error) {
	text, err := os.ReadFile(path)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// manifestOf reads what a cure has written down.
func manifestOf(t testing.TB, root string) manifest {
	t.Helper()
	s, err := lookAtStore(root)
	require.NoError(t, err)
	defer s.close()
	m, err := s.load()
	require.NoError(t, err)
	return m
}

// sick is an environment with three copies, and the plan that cures it.
func sick(t testing.TB) (root string, cure Plan) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	fill(t, root)
	return root, planned(t, root)
}

// fill makes the environment in root.
func fill(t testing.TB, root string) {
	t.Helper()
	long := time.Date(2024, 2, 3, 4, 5, 6, 789, time.UTC)
	for i, path := range []string{"pyvenv.cfg", "torch/lib/libomp.dylib", "faiss/.dylibs/libomp.dylib", "sklearn/.dylibs/libomp.dylib"} {
		full := filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		require.NoError(t, os.WriteFile(full, []byte("content of "+path), 0o755))
		require.NoError(t, os.Chmod(full, os.FileMode(0o744+i)))
		require.NoError(t, os.Chtimes(full, long, long.Add(time.Duration(i)*time.Hour)))
	}
}

// planned is what the doctor would plan for the environment as it is now.
func planned(t testing.TB, root string) Plan {
	t.Helper()
	env := openmp.Environment{Root: root}
	for _, path := range []string{"faiss/.dylibs/libomp.dylib", "sklearn/.dylibs/libomp.dylib", "torch/lib/libomp.dylib"} {
		full := filepath.Join(root, path)
		st, err := os.Lstat(full)
		require.NoError(t, err)
		r := openmp.Runtime{Path: full, Link: st.Mode().Type() == fs.ModeSymlink, Flavor: openmp.LLVM, Slices: []openmp.Slice{{Arch: "arm64"}}, Package: strings.Split(path, "/")[0]}
		r.Real, err = filepath.EvalSymlinks(full)
		require.NoError(t, err)
		r.Hash, err = sumOf(full)
		require.NoError(t, err)
		env.Runtimes = append(env.Runtimes, r)
	}
	c, err := Of(env, symbolTable{defined: map[string]string{"libomp.dylib": "omp_get_max_threads"}})
	require.NoError(t, err)
	return c
}

// working: behind every name there is a whole runtime, its own or the one that is kept.
func working(t testing.TB, root string) {
	t.Helper()
	for _, path := range []string{"torch/lib/libomp.dylib", "faiss/.dylibs/libomp.dylib", "sklearn/.dylibs/libomp.dylib"} {
		text, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		require.Contains(t, []string{"content of " + path, "content of torch/lib/libomp.dylib"}, string(text))
	}
}

func one(t testing.TB, root string) {
	t.Helper()
	kept, err := os.Stat(filepath.Join(root, "torch/lib/libomp.dylib"))
	require.NoError(t, err)
	for _, path := range []string{"faiss/.dylibs/libomp.dylib", "sklearn/.dylibs/libomp.dylib"} {
		st, err := os.Stat(filepath.Join(root, path))
		require.NoError(t, err)
		require.True(t, os.SameFile(kept, st), path)
	}
	require.NoError(t, Check(root))
}

func TestACureMakesOneFileOfManyAndUndoTakesItBackToTheByte(t *testing.T) {
	root, cure := sick(t)
	before := fingerprint(t, root)
	_, err := Undo(root)
	require.ErrorIs(t, err, ErrNotCured)
	require.NoError(t, cure.Apply())
	one(t, root)
	target, err := os.Readlink(filepath.Join(root, "faiss/.dylibs/libomp.dylib"))
	require.NoError(t, err)
	require.Equal(t, "../../torch/lib/libomp.dylib", target, "relative, so that the environment can be moved")
	cured := fingerprint(t, root)
	again := planned(t, root)
	require.Empty(t, again.Links)
	require.NoError(t, again.Apply())
	require.Equal(t, strings.Count(cured, "\n"), strings.Count(fingerprint(t, root), "\n"), "a second cure adds nothing")

	done, err := Undo(root)
	require.NoError(t, err)
	require.Len(t, done.Restored, 2)
	require.Empty(t, done.Newer)
	require.Equal(t, before, fingerprint(t, root))
	_, err = Undo(root)
	require.ErrorIs(t, err, ErrNotCured)
}

func TestACuredEnvironmentCanBeMoved(t *testing.T) {
	root, cure := sick(t)
	require.NoError(t, cure.Apply())
	elsewhere := filepath.Join(t.TempDir(), "moved")
	require.NoError(t, os.Rename(root, elsewhere))
	one(t, elsewhere)
	done, err := Undo(elsewhere)
	require.NoError(t, err)
	require.Len(t, done.Restored, 2)
	working(t, elsewhere)
}

func TestWhatPipDoesToACuredEnvironmentIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		pip  func(t *testing.T, root string)
		says string
		do   string
		// after the remedy
		restored, newer int
	}{
		"an upgrade brings a copy back": {
			func(t *testing.T, root string) {
				path := filepath.Join(root, "faiss/.dylibs/libomp.dylib")
				require.NoError(t, os.Remove(path))
				require.NoError(t, os.WriteFile(path, []byte("content of faiss/.dylibs/libomp.dylib"), 0o755))
			}, "faiss has its own copy of OpenMP again", "doctor --fix", 2, 0,
		},
		"torch is upgraded": {
			func(t *testing.T, root string) {
				require.NoError(t, os.WriteFile(filepath.Join(root, "torch/lib/libomp.dylib"), []byte("content of torch/lib/libomp.dylib"), 0o755))
			}, "was replaced since", "doctor --fix", 2, 0,
		},
		"torch is removed": {
			func(t *testing.T, root string) { require.NoError(t, os.RemoveAll(filepath.Join(root, "torch"))) }, "is gone, and other packages link to it", "doctor --undo", 2, 0,
		},
		"what was linked is removed": {
			func(t *testing.T, root string) { require.NoError(t, os.RemoveAll(filepath.Join(root, "faiss"))) }, "", "", 1, 0,
		},
		"somebody breaks the manifest": {
			func(t *testing.T, root string) {
				require.NoError(t, os.WriteFile(filepath.Join(root, storeFolder, manifestName), []byte("{"), 0o600))
			}, "reading what was cured", "reinstall the packages", -1, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			root, cure := sick(t)
			require.NoError(t, cure.Apply())
			c.pip(t, root)
			err := Check(root)
			if c.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.says)
				require.ErrorContains(t, err, c.do)
			}
			if c.do == "doctor --fix" && c.restored >= 0 {
				require.NoError(t, planned(t, root).Apply())
				one(t, root)
			}
			done, err := Undo(root)
			if c.restored < 0 {
				require.Error(t, err)
				working(t, root)
				return
			}
			require.NoError(t, err)
			require.Len(t, done.Restored, c.restored)
			require.Len(t, done.Newer, c.newer)
			require.NoDirExists(t, filepath.Join(root, storeFolder))
		})
	}
}

func TestAnUndoLeavesWhatPipBroughtMeanwhile(t *testing.T) {
	root, cure := sick(t)
	require.NoError(t, cure.Apply())
	path := filepath.Join(root, "sklearn/.dylibs/libomp.dylib")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, []byte("newer"), 0o755))
	done, err := Undo(root)
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(root, "faiss/.dylibs/libomp.dylib")}, done.Restored)
	require.Equal(t, []string{path}, done.Newer)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "newer", string(text))
}

func TestADamagedOriginalStopsAnUndoBeforeAnythingIsChanged(t *testing.T) {
	root, cure := sick(t)
	require.NoError(t, cure.Apply())
	m := manifestOf(t, root)
	require.NoError(t, os.WriteFile(filepath.Join(root, storeFolder, m.Links[1].Original), []byte("damaged"), 0o755))
	before := fingerprint(t, root)
	_, err := Undo(root)
	require.ErrorContains(t, err, "is damaged: reinstall sklearn")
	require.Equal(t, before, fingerprint(t, root))
	require.ErrorContains(t, planned(t, root).Apply(), "is damaged: reinstall sklearn")
	require.Equal(t, before, fingerprint(t, root), "a further cure does not sweep it away")
}

func TestAPlanThatIsOutOfDateChangesNothing(t *testing.T) {
	root, cure := sick(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, "faiss/.dylibs/libomp.dylib"), []byte("upgraded meanwhile"), 0o755))
	require.ErrorContains(t, cure.Apply(), "it is not what it was when the plan was made")
	text, err := os.ReadFile(filepath.Join(root, "faiss/.dylibs/libomp.dylib"))
	require.NoError(t, err)
	require.Equal(t, "upgraded meanwhile", string(text))
	_, err = Undo(root)
	require.NoError(t, err)
}

func TestAManifestCannotLeadOutOfTheEnvironment(t *testing.T) {
	for _, text := range []string{
		`{"v":1,"links":[{"path":"../../etc/passwd","target":"x","original":"0-x","hash":""}]}`,
		`{"v":1,"links":[{"path":"/etc/passwd","target":"x","original":"0-x","hash":""}]}`,
		`{"v":1,"links":[{"path":"lib/x","target":"x","original":"../0-x","hash":""}]}`,
		`{"v":1,"links":[{"path":"lib/x","target":"x","original":"sub/0-x","hash":""}]}`,
		`{"v":2}`, `{`, ``,
	} {
		root := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(root, storeFolder), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(root, storeFolder, manifestName), []byte(text), 0o600))
		_, err := Undo(root)
		require.Error(t, err, text)
		require.Error(t, Check(root), text)
	}
}

func TestTwoCannotChangeAnEnvironmentAtOnce(t *testing.T) {
	root, cure := sick(t)
	s, err := openStore(root, nil)
	require.NoError(t, err)
	var why *Error
	require.ErrorAs(t, cure.Apply(), &why)
	_, err = Undo(root)
	require.ErrorAs(t, err, &why)
	s.close()
	require.NoError(t, cure.Apply())
}

// interrupted stops an act at its nth step, as a full stop of the machine would.
type interrupted struct{ n int }

func stopAt(n int) func(string) {
	return func(string) {
		if n--; n < 0 {
			panic(interrupted{n})
		}
	}
}

// attempt says whether the act came to its end.
func attempt(act func() error) (whole bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(interrupted); !ok {
				panic(p)
			}
		}
	}()
	err = act()
	return true, err
}

// notTakenForPips: a start after an interruption says that there was one, where a copy stands in its place, and blames no upgrade.
func notTakenForPips(t testing.TB, root string) {
	t.Helper()
	if err := Check(root); err != nil {
		require.ErrorContains(t, err, "was interrupted; all packages work")
		require.ErrorContains(t, err, "doctor --undo")
	}
}

func TestAStartAfterAnInterruptedCureOrUndoSaysSo(t *testing.T) {
	for _, undoing := range []bool{false, true} {
		told := 0
		for n, whole := 0, false; !whole; n++ {
			root, cure := sick(t)
			act := func() error { return cure.apply(stopAt(n)) }
			if undoing {
				require.NoError(t, cure.Apply())
				act = func() error { _, err := undo(root, stopAt(n)); return err }
			}
			var err error
			whole, err = attempt(act)
			require.NoError(t, err)
			if Check(root) != nil {
				told++
				notTakenForPips(t, root)
			}
		}
		require.Positive(t, told, "undoing %v", undoing)
	}
}

func TestAnInterruptionAtAnyStepLeavesAWorkingEnvironmentThatCanBeCuredAndRestored(t *testing.T) {
	for _, undoing := range []bool{false, true} {
		for n, whole := 0, false; !whole; n++ {
			root, cure := sick(t)
			before := fingerprint(t, root)
			act := func() error { return cure.apply(stopAt(n)) }
			if undoing {
				require.NoError(t, cure.Apply())
				act = func() error { _, err := undo(root, stopAt(n)); return err }
			}
			var err error
			whole, err = attempt(act)
			require.NoError(t, err)
			working(t, root)
			notTakenForPips(t, root)
			require.Less(t, n, 100)
			if n%2 == 0 { // on with it
				require.NoError(t, planned(t, root).Apply())
				working(t, root)
				one(t, root)
			}
			if _, err = Undo(root); !errors.Is(err, ErrNotCured) {
				require.NoError(t, err)
			}
			require.Equal(t, before, fingerprint(t, root), "step %d, undoing %v", n, undoing)
		}
	}
}

// What TestMain of a re-executed test does: it changes the environment and is killed before the nth step.
const (
	envDies = "VIVARIUM_TEST_DIES_AT"
	envRoot = "VIVARIUM_TEST_ROOT"
	envUndo = "VIVARIUM_TEST_UNDO"
)

func TestKillingTheProgramAtAnyStepLeavesAWorkingEnvironmentThatCanBeCuredAndRestored(t *testing.T) {
	if at := os.Getenv(envDies); at != "" {
		n, err := strconv.Atoi(at)
		require.NoError(t, err)
		root, die := os.Getenv(envRoot), func(string) {
			if n--; n < 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
		if os.Getenv(envUndo) != "" {
			_, err = undo(root, die)
		} else {
			err = planned(t, root).apply(die)
		}
		require.NoError(t, err)
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	for _, undoing := range []string{"", "yes"} {
		for n, whole := 0, false; !whole; n++ {
			root, cure := sick(t)
			before := fingerprint(t, root)
			if undoing != "" {
				require.NoError(t, cure.Apply())
			}
			cmd := exec.Command(self, "-test.run", "^"+t.Name()+"$")
			cmd.Env = append(os.Environ(), envDies+"="+strconv.Itoa(n), envRoot+"="+root, envUndo+"="+undoing)
			out, err := cmd.CombinedOutput()
			if whole = err == nil; !whole {
				require.Equal(t, syscall.SIGKILL, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), string(out))
			}
			working(t, root)
			require.Less(t, n, 100)
			if n%2 == 0 {
				require.NoError(t, planned(t, root).Apply(), "the lock died with its holder")
				one(t, root)
			}
			if _, err = Undo(root); !errors.Is(err, ErrNotCured) {
				require.NoError(t, err)
			}
			require.Equal(t, before, fingerprint(t, root), "step %d, undoing %q", n, undoing)
		}
	}
}
