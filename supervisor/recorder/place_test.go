package recorder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheRecorderIsPlacedWhereOnlyItsOwnerMayRead(t *testing.T) {
	state := t.TempDir()
	t.Cleanup(func() { remove(filepath.Join(state, "recorder")) })
	folder, err := Place(state)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(state, "recorder"), filepath.Dir(folder))
	info, err := os.Lstat(folder)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o500), info.Mode().Perm())
	text, err := os.ReadFile(filepath.Join(folder, fileName))
	require.NoError(t, err)
	require.Equal(t, Source(), string(text))
	require.NotContains(t, Source(), "@late@")
	again, err := Place(state)
	require.NoError(t, err)
	require.Equal(t, folder, again)
}

func TestWhatIsNotAsItWasWrittenIsWrittenAnew(t *testing.T) {
	harm := map[string]func(t *testing.T, folder string){
		"another text": func(t *testing.T, folder string) {
			require.NoError(t, os.Chmod(filepath.Join(folder, fileName), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(folder, fileName), []byte("import evil\n"), 0o600))
		},
		"compiled code beside it": func(t *testing.T, folder string) {
			require.NoError(t, os.Chmod(folder, 0o700))
			require.NoError(t, os.Mkdir(filepath.Join(folder, "__pycache__"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "__pycache__", "sitecustomize.cpython-311.pyc"), nil, 0o600))
			require.NoError(t, os.Chmod(folder, 0o500))
		},
		"a folder that others may write to": func(t *testing.T, folder string) { require.NoError(t, os.Chmod(folder, 0o777)) },
		"a link to another file": func(t *testing.T, folder string) {
			require.NoError(t, os.Chmod(folder, 0o700))
			require.NoError(t, os.Rename(filepath.Join(folder, fileName), filepath.Join(folder, "../elsewhere")))
			require.NoError(t, os.Symlink("../elsewhere", filepath.Join(folder, fileName)))
			require.NoError(t, os.Chmod(folder, 0o500))
		},
		"no file": func(t *testing.T, folder string) {
			require.NoError(t, os.Chmod(folder, 0o700))
			require.NoError(t, os.Remove(filepath.Join(folder, fileName)))
		},
	}
	for name, do := range harm {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			t.Cleanup(func() { remove(filepath.Join(state, "recorder")) })
			folder, err := Place(state)
			require.NoError(t, err)
			do(t, folder)
			again, err := Place(state)
			require.NoError(t, err)
			require.Equal(t, folder, again)
			text, err := os.ReadFile(filepath.Join(folder, fileName))
			require.NoError(t, err)
			require.Equal(t, Source(), string(text))
			entries, err := os.ReadDir(folder)
			require.NoError(t, err)
			require.Len(t, entries, 1)
		})
	}
}

func TestAStateFolderWithAColonHasNoRecorder(t *testing.T) {
	_, err := Place(filepath.Join(t.TempDir(), "a:b"))
	require.ErrorIs(t, err, ErrColon)
}

func TestTheFolderStandsInFrontOfThePersonsPath(t *testing.T) {
	for name, c := range map[string]struct {
		env  []string
		path string
	}{
		"none":                            {nil, "/r"},
		"empty":                           {[]string{"PYTHONPATH="}, "/r"},
		"one":                             {[]string{"PYTHONPATH=/a"}, "/r:/a"},
		"the last counts":                 {[]string{"PYTHONPATH=/a", "PYTHONPATH=/b"}, "/r:/b"},
		"once":                            {[]string{"PYTHONPATH=/r:/a:/r"}, "/r:/a"},
		"alone":                           {[]string{"PYTHONPATH=/r"}, "/r"},
		"the person's own current folder": {[]string{"PYTHONPATH=/a:"}, "/r:/a:"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Environ(append([]string{"A=1", FolderVariable + "=/foreign"}, c.env...), "/r", "/runs")
			require.Equal(t, []string{"A=1", "PYTHONPATH=" + c.path, FolderVariable + "=/runs"}, got)
		})
	}
	require.Equal(t, []string{"PYTHONPATH=/a"}, Environ([]string{FolderVariable + "=/foreign", "PYTHONPATH=/a"}, "", ""), "no recorder, and none that is inherited")
}

func FuzzEnviron(f *testing.F) {
	f.Add("/a:/b", "/r")
	f.Add("", "/r")
	f.Fuzz(func(t *testing.T, path, folder string) {
		if folder == "" || strings.ContainsAny(folder, ":") {
			t.Skip()
		}
		env := Environ([]string{"PYTHONPATH=" + path}, folder, "/runs")
		value := strings.TrimPrefix(env[0], "PYTHONPATH=")
		first, _, _ := strings.Cut(value, ":")
		if first != folder {
			t.Fatalf("%q", value)
		}
		for _, e := range strings.Split(value, ":") {
			if e == "" && path != "" && !strings.Contains(":"+path+":", "::") {
				t.Fatalf("an empty element: %q from %q", value, path)
			}
		}
	})
}

func TestRecordingsOfRunsThatAreGoneAreSwept(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	require.NoError(t, Sweep(runs, nil), "nothing is there yet")
	require.NoError(t, Prepare(runs))
	for _, run := range []string{"aa", "bb", "not-a-run"} {
		require.NoError(t, os.Mkdir(filepath.Join(runs, run), 0o700))
	}
	require.NoError(t, Sweep(runs, func(run string) bool { return run == "bb" }))
	require.NoDirExists(t, filepath.Join(runs, "aa"))
	require.DirExists(t, filepath.Join(runs, "bb"))
	require.DirExists(t, filepath.Join(runs, "not-a-run"), "what is not ours stays")
}

func TestARunsFilesAreBounded(t *testing.T) {
	folder := t.TempDir()
	for pid := 1; pid <= 300; pid++ {
		require.NoError(t, os.WriteFile(filepath.Join(folder, strings.Repeat("1", 1+pid%3)+pad(pid)+stacksSuffix), nil, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "README"), nil, 0o600))
	kept := 0
	require.NoError(t, Tidy(folder, func(int) bool { kept++; return kept <= 10 }))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, mostFiles)
	require.FileExists(t, filepath.Join(folder, "README"))
}

func pad(n int) string {
	return string([]byte{'0' + byte(n/100%10), '0' + byte(n/10%10), '0' + byte(n%10)})
}
