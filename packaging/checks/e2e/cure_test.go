//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ownEnvironment is a rig with the user's backend and an environment of its own, which may be changed.
func ownEnvironment(t *testing.T) *rig {
	t.Helper()
	dir, err := openmpEnvironment()
	needs(t, err == nil, fmt.Sprintf("no virtual environment with FastAPI and FAISS: %v", err))
	r := newRig(t, "fastapi", "")
	out, err := exec.Command("cp", "-a", dir, filepath.Join(r.dir, ".venv")).CombinedOutput()
	require.NoError(t, err, string(out))
	return r
}

// tree is every file of a folder, with its mode, its time and its content, or where it links to.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() != "__pycache__" {
			return err
		}
		if d.IsDir() {
			return fs.SkipDir // Python's own, written whenever it runs
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		if d.Type() == fs.ModeSymlink {
			target, err := os.Readlink(path)
			all[path] = "-> " + target
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = fmt.Sprintf("%s %s %x", st.Mode(), st.ModTime(), sha256.Sum256(text))
		return err
	}))
	return all
}

// answers are what FAISS finds for a few questions.
func (r *rig) answers() []string {
	r.t.Helper()
	var all []string
	for seed := range 10 {
		faiss, _, _ := strings.Cut(r.get(fmt.Sprintf("/search?k=10&seed=%d", seed)), `"numpy"`)
		all = append(all, faiss)
	}
	return all
}

// serveBare starts the server without Vivarium and without any crash environment, and returns what ends it.
func (r *rig) serveBare() (end func()) {
	r.t.Helper()
	argv := r.uvicorn()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = r.dir
	require.NoError(r.t, cmd.Start())
	r.t.Cleanup(func() { _ = cmd.Process.Kill() })
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	eventually(r.t, "the bare server answers", func() bool {
		select {
		case err := <-gone:
			require.FailNow(r.t, "the bare server died", "%v", err)
		default:
		}
		answer, err := http.Get("http://" + r.address() + "/health")
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
	return func() {
		require.NoError(r.t, cmd.Process.Signal(syscall.SIGINT))
		select {
		case <-gone:
		case <-time.After(patience):
			require.FailNow(r.t, "the bare server does not end")
		}
	}
}

func TestTheCureLetsTheUsersServerRunBareAndUndoBringsTheCrashBack(t *testing.T) {
	t.Parallel()
	r := ownEnvironment(t)
	venv := filepath.Join(r.dir, ".venv")
	aborts := func() {
		t.Helper()
		out, state := r.bare(patience, r.uvicorn()...)
		require.Equal(t, syscall.SIGABRT, state.Sys().(syscall.WaitStatus).Signal(), out)
		require.Contains(t, out, "OMP: Error #15")
	}
	aborts()
	f := r.run()
	f.await("healthy")
	hidden := r.answers()
	out, code := r.do("doctor", "--fix", "--yes", r.dir)
	require.Equal(t, 1, code, "not while the server runs: %s", out)
	require.Contains(t, out, "the server runs")
	f.stop()

	before := tree(t, venv)
	out, code = r.do("doctor", "--fix", r.dir)
	require.Equal(t, 2, code, "there is nobody to ask: %s", out)
	out, code = r.do("doctor", "--fix", "--dry-run", r.dir)
	require.Zero(t, code, out)
	t.Logf("the plan:\n%s", out)
	require.Contains(t, out, "torch/lib/libomp")
	require.Contains(t, out, "faiss_cpu.libs")
	require.Equal(t, before, tree(t, venv), "a dry run changes nothing")

	out, code = r.do("doctor", "--fix", "--yes", r.dir)
	require.Zero(t, code, out)
	end := r.serveBare()
	require.Equal(t, hidden, r.answers(), "with one runtime FAISS finds what it found with two")
	out, code = r.do("doctor", "--undo", "--yes", r.dir)
	require.Equal(t, 1, code, "not while somebody has it loaded: %s", out)
	end()
	out, code = r.do("doctor", "--fix", "--yes", r.dir)
	require.Zero(t, code, "a second time there is nothing to do: %s", out)
	require.Contains(t, out, "nothing to cure")

	out, code = r.do("doctor", "--undo", "--yes", r.dir)
	require.Zero(t, code, out)
	require.Equal(t, before, tree(t, venv), "every byte is as before")
	aborts()
}

func TestAStartSaysThatAnUpgradeBroughtACopyBack(t *testing.T) {
	t.Parallel()
	r := ownEnvironment(t)
	out, code := r.do("doctor", "--fix", "--yes", r.dir)
	require.Zero(t, code, out)
	linked, err := filepath.Glob(filepath.Join(r.dir, ".venv", "lib", "python*", "site-packages", "faiss_cpu.libs", "libgomp*"))
	require.NoError(t, err)
	require.Len(t, linked, 1)
	text, err := os.ReadFile(linked[0])
	require.NoError(t, err)
	require.NoError(t, os.Remove(linked[0])) // as pip does: it removes what is there, then writes what comes
	require.NoError(t, os.WriteFile(linked[0], text, 0o755))
	f := r.run()
	f.await("healthy")
	out, code = r.do("status", r.dir)
	require.Zero(t, code, out)
	require.Contains(t, out, "has its own copy of OpenMP again")
	f.stop()
	out, code = r.do("doctor", "--fix", "--yes", r.dir)
	require.Zero(t, code, out)
	st, err := os.Lstat(linked[0])
	require.NoError(t, err)
	require.Equal(t, fs.ModeSymlink, st.Mode().Type())
}
