package desktop

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
)

// bins is a command line to link to, and two folders for the link: the system's, and the person's own, which is not there yet.
func bins(t *testing.T) (l ToolLink, system, own string) {
	t.Helper()
	top := testkit.RealTemp(t)
	program := filepath.Join(top, "Vivarium.app", "Contents", "Helpers", "vivarium")
	require.NoError(t, os.MkdirAll(filepath.Dir(program), 0o755))
	require.NoError(t, os.WriteFile(program, nil, 0o755))
	system, own = filepath.Join(top, "usr", "bin"), filepath.Join(top, "home", "bin")
	require.NoError(t, os.MkdirAll(system, 0o755))
	return ToolLink{Program: program, Folders: []string{system, own}, Path: "/bin:" + system}, system, own
}

func TestTheLinkIsMadeSeenAndRemoved(t *testing.T) {
	l, system, own := bins(t)
	require.Empty(t, l.Status())
	path, onPath, err := l.Install()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(system, "vivarium"), path)
	require.True(t, onPath)
	require.Equal(t, path, l.Status())
	again, _, err := l.Install()
	require.NoError(t, err, "twice is once")
	require.Equal(t, path, again)
	require.NoDirExists(t, own)
	require.NoError(t, l.Remove())
	require.NoFileExists(t, path)
	require.FileExists(t, l.Program, "the link alone")
	require.NoError(t, l.Remove(), "what is not there can be removed")
}

func TestWithoutTheSystemsFolderTheLinkIsInThePersonsOwn(t *testing.T) {
	l, system, own := bins(t)
	require.NoError(t, os.Remove(system))
	path, onPath, err := l.Install()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(own, "vivarium"), path)
	require.False(t, onPath)
	require.NoDirExists(t, system, "it is not ours to make")
	require.Contains(t, ToolText(path, onPath), `export PATH="`+own+`:$PATH"`)
	require.NotContains(t, ToolText(path, true), "export")
}

func TestAFolderThatOnlyTheSystemMayWriteIsPassedOver(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	l, system, own := bins(t)
	require.NoError(t, os.Chmod(system, 0o555))
	t.Cleanup(func() { _ = os.Chmod(system, 0o755) })
	path, _, err := l.Install()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(own, "vivarium"), path)
}

func TestAStrangerIsNeverOverwritten(t *testing.T) {
	for name, make := range map[string]func(path, elsewhere string) error{
		"a program":           func(path, _ string) error { return os.WriteFile(path, []byte("theirs"), 0o755) },
		"a link":              func(path, elsewhere string) error { return os.Symlink(elsewhere, path) },
		"a link that dangles": func(path, _ string) error { return os.Symlink("/opt/other/vivarium", path) },
		"a folder":            func(path, _ string) error { return os.Mkdir(path, 0o755) },
	} {
		l, system, own := bins(t)
		path, elsewhere := filepath.Join(system, "vivarium"), filepath.Join(system, "other")
		require.NoError(t, os.WriteFile(elsewhere, nil, 0o755))
		require.NoError(t, make(path, elsewhere))
		before, err := os.Lstat(path)
		require.NoError(t, err)
		_, _, err = l.Install()
		require.ErrorContains(t, err, path+" is there already, and is not Vivarium's", name)
		require.ErrorContains(t, err, l.Program, "the error says what to do instead")
		after, err := os.Lstat(path)
		require.NoError(t, err)
		require.True(t, os.SameFile(before, after), name)
		require.NoFileExists(t, filepath.Join(own, "vivarium"), "a shell would find the stranger first")
		require.Empty(t, l.Status())
		require.NoError(t, l.Remove())
		_, err = os.Lstat(path)
		require.NoError(t, err, "%s: removing what we did not make", name)
	}
}

func TestALinkToAnAppThatMovedIsMended(t *testing.T) {
	l, system, _ := bins(t)
	path := filepath.Join(system, "vivarium")
	require.NoError(t, os.Symlink("/Users/alice/Downloads/Vivarium.app/Contents/Helpers/vivarium", path))
	require.Empty(t, l.Status())
	got, _, err := l.Install()
	require.NoError(t, err)
	require.Equal(t, path, got)
	require.Equal(t, path, l.Status())
	left, err := os.ReadDir(system)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing half done is left")
}

func TestAnAppInATemporaryPlaceIsLinkedNowhere(t *testing.T) {
	l, system, own := bins(t)
	l.Program = "/private/var/folders/xy/T/AppTranslocation/0E9D/d/Vivarium.app/Contents/Helpers/vivarium"
	_, _, err := l.Install()
	require.ErrorIs(t, err, ErrTranslocated)
	require.ErrorContains(t, err, "Applications")
	require.NoFileExists(t, filepath.Join(system, "vivarium"))
	require.NoDirExists(t, own)
}

func TestALinkThatLeadsNowhereIsReplacedAlsoAfterAnAttemptThatWasCutOff(t *testing.T) {
	for name, at := range map[string]struct {
		left string // what an attempt left beside it, "" nothing
		done bool
	}{
		"nothing was left":                      {"", true},
		"a link to this program":                {"here", true},
		"a link to one that is gone":            {"/gone/Vivarium.app/Contents/Helpers/vivarium", true},
		"a link of somebody else's stays there": {"/bin/sh", false},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			program, path := filepath.Join(folder, "Vivarium.app", "vivarium"), filepath.Join(folder, CommandProgram)
			require.NoError(t, os.MkdirAll(filepath.Dir(program), 0o755))
			require.NoError(t, os.WriteFile(program, nil, 0o755))
			require.NoError(t, os.Symlink("/former/Vivarium.app/Contents/Helpers/vivarium", path))
			switch at.left {
			case "":
			case "here":
				require.NoError(t, os.Symlink(program, path+".vivarium-new"))
			default:
				require.NoError(t, os.Symlink(at.left, path+".vivarium-new"))
			}
			got, onPath, err := ToolLink{Program: program, Folders: []string{folder}, Path: "/bin:" + folder}.Install()
			if !at.done {
				require.Error(t, err)
				target, err := os.Readlink(path + ".vivarium-new")
				require.NoError(t, err)
				require.Equal(t, at.left, target)
				return
			}
			require.NoError(t, err)
			require.Equal(t, path, got)
			require.True(t, onPath)
			target, err := os.Readlink(path)
			require.NoError(t, err)
			require.Equal(t, program, target)
			_, err = os.Lstat(path + ".vivarium-new")
			require.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}
