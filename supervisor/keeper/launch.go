package keeper

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// What a keeper says on its standard output, once, before it turns it to /dev/null.
const (
	sayReady  = "ready"
	sayLocked = "locked"
)

// maxKeeperLog is the size above which a keeper's own log begins anew.
const maxKeeperLog = 1 << 20

// Launch starts a keeper for the folder dir, which is <state>/b/<name>, and attaches to it. exe is the program to start; it
// runs from a copy in <state>/bin, so that a replaced, translocated or ejected app cannot take it away. If there is a
// keeper already, Launch attaches to that one.
func Launch(ctx context.Context, exe, dir string) (*Conn, error) {
	c, err := launch(ctx, exe, dir)
	if err != nil {
		return nil, fmt.Errorf("launching a keeper: %w", err)
	}
	return c, nil
}

func launch(ctx context.Context, exe, dir string) (*Conn, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := MakeFolder(dir); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	bin := filepath.Join(dir, "..", "..", "bin")
	for tries := 0; ; tries++ {
		program, err := install(exe, bin)
		if err != nil {
			return nil, err
		}
		err = start(ctx, program, dir)
		// Another version's launch may have removed the copy before it ran; a child of another thread may for a moment
		// hold a copy open that is being written.
		if (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ETXTBSY)) && tries < 10 {
			time.Sleep(retry)
			continue
		}
		if err != nil {
			return nil, err
		}
		removeUnused(bin, program)
		c, err := attach(ctx, dir)
		gone := errors.Is(err, ErrNone) || err == nil && !c.Live() // the one that held the lock was just leaving
		if !gone || tries >= 10 {
			return c, err
		}
	}
}

// start starts the program and returns when it listens, or when another keeper holds the lock.
func start(ctx context.Context, program, dir string) error {
	said, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer said.Close()
	defer out.Close()
	stderr, err := openKeeperLog(filepath.Join(dir, logFile))
	if err != nil {
		return err
	}
	defer stderr.Close()
	cmd := exec.Command(program, dir)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, keeperEnv(os.Environ()), out, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() // no zombie while we live; it may well outlive us
	out.Close()
	stop := context.AfterFunc(ctx, func() { said.SetReadDeadline(time.Now()) })
	defer stop()
	word, _ := bufio.NewReader(said).ReadString('\n') // without a word it has ended, or ctx has
	switch word = strings.TrimSpace(word); {
	case word == sayReady || word == sayLocked:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case word != "":
		return errors.New(word)
	}
	return fmt.Errorf("it ended at once: see %s", filepath.Join(dir, logFile))
}

func openKeeperLog(path string) (*os.File, error) {
	f, err := safefile.OpenState(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err == nil && st.Size() > maxKeeperLog {
		_ = f.Truncate(0)
	}
	return f, nil
}

// keeperEnv is what a keeper gets of our environment: next to nothing. The child's comes with its Spec; DYLD_* would be
// inserted into the keeper itself, and RunVariable would make it a member of a run.
func keeperEnv(env []string) []string {
	kept := []string{}
	for _, v := range env {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "HOME", "PATH", "TMPDIR", "USER", "LOGNAME", "LANG", "TZ", "GORACE", "GOCOVERDIR":
			kept = append(kept, v)
		}
	}
	return kept
}

// install copies exe to bin under the name of its content. A copy that is there is used only if it is the same to the byte and nobody else
// can change it; anything else at its place is replaced.
func install(exe, bin string) (string, error) {
	b, err := os.ReadFile(exe)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	program := filepath.Join(bin, binName+hex.EncodeToString(sum[:6]))
	if isCopy(program, b) {
		return program, nil
	}
	if err := safefile.Folder(bin); err != nil {
		return "", err
	}
	syscall.ForkLock.RLock() // a child forked now would hold the file open for writing, and it could not be executed
	defer syscall.ForkLock.RUnlock()
	tmp, err := os.CreateTemp(bin, ".new-")
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Chmod(0o700), tmp.Close())
	if err != nil {
		return "", err
	}
	return program, os.Rename(tmp.Name(), program)
}

// isCopy: the file at path is this program, complete, and may be started.
func isCopy(path string, program []byte) bool {
	f, err := safefile.OpenState(path, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() != int64(len(program)) || st.Mode().Perm()&0o100 == 0 || st.Mode().Perm()&0o022 != 0 {
		return false
	}
	there, err := io.ReadAll(io.LimitReader(f, st.Size()+1))
	return err == nil && bytes.Equal(there, program)
}

// removeUnused removes the copies of other versions that no keeper runs from: each holds a shared lock on its own program.
func removeUnused(bin, program string) {
	old, _ := filepath.Glob(filepath.Join(bin, binName+"*"))
	for _, path := range old {
		if path == program {
			continue
		}
		f, err := safefile.Open(path)
		if err != nil {
			continue
		}
		if flock(f, syscall.LOCK_EX) == nil {
			os.Remove(path)
		}
		f.Close()
	}
}
