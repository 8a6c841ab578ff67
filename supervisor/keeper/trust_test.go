package keeper

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// planted is a program that leaves a mark where it should never have run.
const planted = "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\n"

// installed starts a keeper once, and ends it, so that its copy is in the state folder.
func installed(t *testing.T) (dir, program string) {
	t.Helper()
	dir = stateDir(t)
	bin := filepath.Join(dir, "..", "..", "bin")
	program, err := install(keeperProgram, bin)
	require.NoError(t, err)
	return dir, program
}

func TestAStateFolderThatOthersOwnOrCanWriteIntoIsRefused(t *testing.T) {
	ways := map[string]func(folder string) error{"writable by others": func(f string) error { return os.Chmod(f, 0o777) }}
	if os.Getuid() == 0 {
		ways["of another owner"] = func(f string) error { return os.Chown(f, 12345, -1) }
	}
	for way, open := range ways {
		for _, folder := range []string{".", "b", "bin"} {
			t.Run(folder+" "+way, func(t *testing.T) {
				dir := stateDir(t)
				state := filepath.Clean(filepath.Join(dir, "..", ".."))
				require.NoError(t, os.MkdirAll(filepath.Join(state, "bin"), 0o700))
				require.NoError(t, os.MkdirAll(filepath.Join(state, "b"), 0o700))
				require.NoError(t, open(filepath.Join(state, folder)))
				c, err := Launch(soon(t), keeperProgram, dir)
				if c != nil {
					pid, _ := c.Keeper()
					p, _ := proc.Find(pid)
					endKeeper(t, dir, p)
				}
				require.ErrorContains(t, err, filepath.Join(state, folder))
				require.ErrorContains(t, err, "other user")
				require.NoDirExists(t, dir, "nothing is made in it")
			})
		}
	}
}

func TestACopyOfTheKeeperThatIsNotTheSameToTheByteIsReplaced(t *testing.T) {
	content, err := os.ReadFile(keeperProgram)
	require.NoError(t, err)
	for name, spoil := range map[string]func(t *testing.T, program string){
		"another program of the same size": func(t *testing.T, program string) {
			text := planted + strings.Repeat("#", len(content)-len(planted))
			require.NoError(t, os.Remove(program))
			require.NoError(t, os.WriteFile(program, []byte(text), 0o700))
		},
		"one byte is wrong": func(t *testing.T, program string) {
			f, err := os.OpenFile(program, os.O_WRONLY, 0)
			require.NoError(t, err)
			defer f.Close()
			_, err = f.WriteAt([]byte{^content[len(content)/2]}, int64(len(content)/2))
			require.NoError(t, err)
		},
		"it is cut short": func(t *testing.T, program string) { require.NoError(t, os.Truncate(program, 100)) },
		"a link to another copy": func(t *testing.T, program string) {
			elsewhere := filepath.Join(t.TempDir(), "elsewhere")
			require.NoError(t, os.WriteFile(elsewhere, content, 0o700))
			require.NoError(t, os.Remove(program))
			require.NoError(t, os.Symlink(elsewhere, program))
		},
		"others can write to it": func(t *testing.T, program string) { require.NoError(t, os.Chmod(program, 0o777)) },
		"a named pipe": func(t *testing.T, program string) {
			require.NoError(t, os.Remove(program))
			require.NoError(t, syscall.Mkfifo(program, 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, program := installed(t)
			spoil(t, program)
			c := launched(t, dir)
			require.True(t, c.Live())
			require.NoFileExists(t, filepath.Join(filepath.Dir(program), "ran"))
			st, err := os.Lstat(program)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o700), st.Mode(), "a file of its own that nobody else may touch")
			now, err := os.ReadFile(program)
			require.NoError(t, err)
			require.Equal(t, content, now)
		})
	}
}

func TestAGoodCopyOfTheKeeperIsLeftAsItIs(t *testing.T) {
	dir, program := installed(t)
	before, err := os.Stat(program)
	require.NoError(t, err)
	launched(t, dir)
	after, err := os.Stat(program)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
}

func TestTheKeepersFilesNeverFollowALink(t *testing.T) {
	for name, write := range map[string]func(t *testing.T, dir string){
		lockFile: func(t *testing.T, dir string) {
			f, err := Lock(filepath.Join(dir, lockFile))
			require.ErrorContains(t, err, "is a link")
			require.Nil(t, f)
		},
		logFile: func(t *testing.T, dir string) {
			_, err := openKeeperLog(filepath.Join(dir, logFile))
			require.ErrorContains(t, err, "is a link")
		},
		runFile: func(t *testing.T, dir string) { require.Error(t, records{dir}.started(Run{ID: "a"})) },
		exitFile + ".tmp": func(t *testing.T, dir string) {
			r := records{dir}
			fd := r.begin()
			require.NotEqual(t, noFile, fd, "the link is replaced")
			require.NoError(t, r.ended(fd, []byte("{}")))
			require.NoError(t, os.Symlink(filepath.Join(dir, "victim"), r.path(exitFile+".tmp")))
			require.NoError(t, r.ended(noFile, []byte("{}")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			victim := filepath.Join(dir, "victim")
			for _, content := range []string{"precious", ""} { // "": there is no file yet
				_ = os.Remove(victim)
				_ = os.Remove(filepath.Join(dir, name))
				if content != "" {
					require.NoError(t, os.WriteFile(victim, []byte(content), 0o600))
				}
				require.NoError(t, os.Symlink(victim, filepath.Join(dir, name)))
				write(t, dir)
				if content == "" {
					require.NoFileExists(t, victim)
					continue
				}
				text, err := os.ReadFile(victim)
				require.NoError(t, err)
				require.Equal(t, content, string(text))
			}
		})
	}
}

func TestARecordThatIsANamedPipeIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, runFile), 0o600))
	done := make(chan error, 1)
	go func() { done <- records{dir}.started(Run{ID: "a"}) }()
	eventually(t, func() bool { return len(done) == 1 })
	require.Error(t, <-done)
}

func TestARecordThatCannotBeReadIsNoRecordAndNothingIsWaitedFor(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a named pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a device":       func(path string) error { return os.Symlink("/dev/zero", path) },
		"a folder":       func(path string) error { return os.Mkdir(path, 0o700) },
		"without an end": func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)) },
		"garbage":        func(path string) error { return os.WriteFile(path, []byte("{\"run\":"), 0o600) },
		"the first PID": func(path string) error {
			return os.WriteFile(path, []byte(`{"run":{"id":"a","pid":1,"stamp":"1"}}`), 0o600)
		},
		"a negative PID":  func(path string) error { return os.WriteFile(path, []byte(`{"run":{"id":"a","pid":-1}}`), 0o600) },
		"a path as an ID": func(path string) error { return os.WriteFile(path, []byte(`{"run":{"id":"../../x"}}`), 0o600) },
		"a long ID": func(path string) error {
			return os.WriteFile(path, []byte(`{"run":{"id":"`+strings.Repeat("a", 300)+`"}}`), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := stateDir(t)
			require.NoError(t, os.MkdirAll(dir, 0o700))
			require.NoError(t, put(filepath.Join(dir, runFile)))
			_, err := Attach(soon(t), dir)
			require.ErrorIs(t, err, ErrNone)
			_, ok := records{dir}.last()
			require.False(t, ok)

			require.NoError(t, os.RemoveAll(filepath.Join(dir, runFile)))
			require.NoError(t, records{dir}.started(Run{ID: "a", PID: 4194303, Stamp: "1"}))
			require.NoError(t, put(filepath.Join(dir, exitFile)))
			c, err := Attach(soon(t), dir)
			require.NoError(t, err)
			e, err := c.Wait(soon(t))
			require.NoError(t, err)
			require.False(t, e.Known, "it is not known how it ended")
			require.Equal(t, 4194303, e.Run.PID)
		})
	}
}

func TestALockThatIsALinkOrAPipeIsAnErrorOfAttachAndNotWaitedFor(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a link":       func(path string) error { return os.Symlink("/etc/hostname", path) },
		"a named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		dir := stateDir(t)
		require.NoError(t, os.MkdirAll(dir, 0o700))
		require.NoError(t, put(filepath.Join(dir, lockFile)))
		_, err := Attach(soon(t), dir)
		require.ErrorContains(t, err, "not a regular file", name)
	}
}
