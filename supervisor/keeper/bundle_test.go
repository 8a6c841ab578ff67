package keeper

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	bundleName   = "A Keeper.app"
	bundleWithin = "Contents/MacOS/a-keeper"
)

// bundled makes a bundle of a version, and returns it and its program.
func bundled(t *testing.T, version string) (bundle, exe string) {
	t.Helper()
	bundle = filepath.Join(t.TempDir(), bundleName)
	for name, mode := range map[string]os.FileMode{
		"Contents/Info.plist": 0o644, bundleWithin: 0o755, "Contents/_CodeSignature/CodeResources": 0o644,
	} {
		path := filepath.Join(bundle, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(name+" of "+version), mode))
	}
	return bundle, filepath.Join(bundle, bundleWithin)
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestABundleIsKnownByWhereItsProgramStands(t *testing.T) {
	const exe = "/Applications/V.app/Contents/Helpers/A Keeper.app/Contents/MacOS/a-keeper"
	bundle, ok := bundleOf("darwin", exe)
	require.True(t, ok)
	require.Equal(t, "/Applications/V.app/Contents/Helpers/A Keeper.app", bundle)
	for _, c := range [][2]string{
		{"linux", exe}, {"darwin", "/opt/v/vivarium-keeper"}, {"darwin", "/V.app/Contents/Helpers/vivarium-keeper"},
		{"darwin", "/V/Contents/MacOS/vivarium-keeper"}, {"darwin", "vivarium-keeper"}, {"darwin", "/a"},
	} {
		_, ok := bundleOf(c[0], c[1])
		require.False(t, ok, c)
	}
}

func TestABundleHasOnePlaceWhateverItsVersion(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "bin")
	one, exe := bundled(t, "1")
	program, err := installBundle(one, exe, bin)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(bin, bundleName, bundleWithin), program)
	st, err := os.Stat(program)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), st.Mode().Perm())
	require.Equal(t, []string{bundleName}, names(t, bin))

	again, err := installBundle(one, exe, bin)
	require.NoError(t, err)
	require.Equal(t, program, again)
	same, err := os.Stat(program)
	require.NoError(t, err)
	require.True(t, os.SameFile(st, same), "what is there already is left alone: a keeper runs from it")

	two, exe := bundled(t, "2")
	program, err = installBundle(two, exe, bin)
	require.NoError(t, err)
	require.Equal(t, again, program)
	b, err := os.ReadFile(program)
	require.NoError(t, err)
	require.Equal(t, bundleWithin+" of 2", string(b))
	require.Len(t, names(t, bin), 2, "the former one waits for its keeper to leave")
	removeFormer(bin, time.Now())
	require.Equal(t, []string{bundleName}, names(t, bin))
}

func TestABundleThatAKeeperRunsFromStays(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "bin")
	one, exe := bundled(t, "1")
	program, err := installBundle(one, exe, bin)
	require.NoError(t, err)
	f, err := os.Open(program)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, flock(f, syscall.LOCK_SH))

	two, exe := bundled(t, "2")
	_, err = installBundle(two, exe, bin)
	require.NoError(t, err)
	removeFormer(bin, time.Now())
	former, err := filepath.Glob(filepath.Join(bin, oldPrefix+"*", bundleName, bundleWithin))
	require.NoError(t, err)
	require.Len(t, former, 1)
	b, err := os.ReadFile(former[0])
	require.NoError(t, err)
	require.Equal(t, bundleWithin+" of 1", string(b), "whole, so that its signature holds")

	require.NoError(t, f.Close())
	removeFormer(bin, time.Now())
	require.Equal(t, []string{bundleName}, names(t, bin))
}

// Whatever was done to the copy, what is started is what the app holds.
func TestACopyThatIsNotTheBundleIsReplaced(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, place string){
		"another program, as long": func(t *testing.T, place string) {
			path := filepath.Join(place, bundleWithin)
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			b[0] ^= 1
			require.NoError(t, os.WriteFile(path, b, 0o700))
		},
		"a file too few": func(t *testing.T, place string) {
			require.NoError(t, os.Remove(filepath.Join(place, "Contents", "Info.plist")))
		},
		"a file too many": func(t *testing.T, place string) {
			require.NoError(t, os.WriteFile(filepath.Join(place, "Contents", "more"), nil, 0o600))
		},
		"a program that may not run": func(t *testing.T, place string) {
			require.NoError(t, os.Chmod(filepath.Join(place, bundleWithin), 0o600))
		},
		"a program that others may change": func(t *testing.T, place string) {
			require.NoError(t, os.Chmod(filepath.Join(place, bundleWithin), 0o722))
		},
		"a folder that others may change": func(t *testing.T, place string) {
			require.NoError(t, os.Chmod(filepath.Join(place, "Contents"), 0o777))
		},
		"a link to a program": func(t *testing.T, place string) {
			path := filepath.Join(place, bundleWithin)
			require.NoError(t, os.Rename(path, filepath.Join(filepath.Dir(place), "elsewhere")))
			require.NoError(t, os.Symlink(filepath.Join(filepath.Dir(place), "elsewhere"), path))
		},
		"a link to a bundle": func(t *testing.T, place string) {
			require.NoError(t, os.Rename(place, place+"-elsewhere"))
			require.NoError(t, os.Symlink(place+"-elsewhere", place))
		},
		"a file": func(t *testing.T, place string) {
			require.NoError(t, os.RemoveAll(place))
			require.NoError(t, os.WriteFile(place, nil, 0o600))
		},
		"half of it": func(t *testing.T, place string) {
			require.NoError(t, os.RemoveAll(filepath.Join(place, "Contents", "MacOS")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bin := filepath.Join(t.TempDir(), "bin")
			bundle, exe := bundled(t, "1")
			program, err := installBundle(bundle, exe, bin)
			require.NoError(t, err)
			change(t, filepath.Join(bin, bundleName))
			again, err := installBundle(bundle, exe, bin)
			require.NoError(t, err)
			require.Equal(t, program, again)
			want, err := readBundle(bundle, false)
			require.NoError(t, err)
			got, err := readBundle(filepath.Join(bin, bundleName), true)
			require.NoError(t, err)
			require.True(t, sameFiles(want, got))
		})
	}
}

func TestABundleThatIsNoneIsRefused(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "bin")
	bundle, exe := bundled(t, "1")
	require.NoError(t, os.Symlink("Info.plist", filepath.Join(bundle, "Contents", "link")))
	_, err := installBundle(bundle, exe, bin)
	require.ErrorContains(t, err, "does not belong in a bundle of a keeper")

	bundle, exe = bundled(t, "1")
	for i := range maxBundleFiles {
		require.NoError(t, os.WriteFile(filepath.Join(bundle, "Contents", string(rune('a'+i))), nil, 0o600))
	}
	_, err = installBundle(bundle, exe, bin)
	require.ErrorContains(t, err, "does not belong")

	bundle, exe = bundled(t, "1")
	require.NoError(t, os.Truncate(filepath.Join(bundle, "Contents", "Info.plist"), maxBundleSize+1))
	_, err = installBundle(bundle, exe, bin)
	require.ErrorContains(t, err, "does not belong")

	_, err = installBundle(bundle+"none", exe, bin)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoDirExists(t, bin, "nothing was written")
}

func TestAtItsPlaceABundleIsAlwaysWhole(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "bin")
	var bundles [][2]string
	for _, version := range []string{"1", "2", "3"} {
		bundle, exe := bundled(t, version)
		bundles = append(bundles, [2]string{bundle, exe})
	}
	_, err := installBundle(bundles[0][0], bundles[0][1], bin)
	require.NoError(t, err)
	var writers sync.WaitGroup
	done := make(chan struct{})
	for _, b := range bundles {
		writers.Go(func() {
			for range 30 {
				if _, err := installBundle(b[0], b[1], bin); err != nil {
					t.Error(err)
				}
				removeFormer(bin, time.Now())
			}
		})
	}
	go func() { writers.Wait(); close(done) }()
	looks := 0
	for over := false; !over; looks++ {
		select {
		case <-done:
			over = true
		default:
		}
		b, err := os.ReadFile(filepath.Join(bin, bundleName, bundleWithin))
		require.NoError(t, err)
		require.Contains(t, string(b), bundleWithin+" of ")
	}
	require.Greater(t, looks, 10)
	removeFormer(bin, time.Now())
	require.Equal(t, []string{bundleName}, names(t, bin))
}

func TestAFileSystemThatCannotExchangeGetsTheBundleInTwoSteps(t *testing.T) {
	cannot := func(string, string) error { return syscall.ENOTSUP }
	dir := t.TempDir()
	made, place := filepath.Join(dir, "made"), filepath.Join(dir, "place")
	for path, text := range map[string]string{made: "new", place: "old"} {
		require.NoError(t, os.MkdirAll(path, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(path, "version"), []byte(text), 0o600))
	}
	require.NoError(t, swapIn(made, place, cannot))
	for path, want := range map[string]string{place: "new", made: "old"} {
		b, err := os.ReadFile(filepath.Join(path, "version"))
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
	require.Error(t, swapIn(filepath.Join(dir, "none"), place, cannot))
	require.DirExists(t, place, "what cannot be replaced stays")
	require.Equal(t, []string{"made", "place"}, names(t, dir))
}

func TestWhatAKilledInstallLeftIsRemovedOnceItIsOld(t *testing.T) {
	bin := t.TempDir()
	left := filepath.Join(bin, newPrefix+"123", bundleName)
	require.NoError(t, os.MkdirAll(left, 0o700))
	removeFormer(bin, time.Now())
	require.DirExists(t, left, "somebody may be writing it")
	removeFormer(bin, time.Now().Add(2*newAge))
	require.Empty(t, names(t, bin))
}
