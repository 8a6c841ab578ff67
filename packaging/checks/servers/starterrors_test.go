//go:build servers

package servers

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/setup"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/ready"
)

const fastapi = "from fastapi import FastAPI\n\napp = FastAPI()\n\n@app.get(\"/health\")\ndef health():\n    return {}\n"

// Each reason for which a start fails, through the whole program: `init`, Add Backend and `run` say the same, `run` within a second, and it
// is what the end itself is told with.
func TestAStartThatFailsIsExplainedInTheSameWordsEverywhere(t *testing.T) {
	programs := built(t)
	for name, c := range map[string]struct {
		files       map[string]string
		config      string // "" for what init writes
		bare        bool   // without an environment
		empty       bool   // with one in which nothing is installed
		says, mends string
	}{
		"no environment":       {files: map[string]string{"main.py": fastapi, "requirements.txt": "fastapi\nuvicorn\n"}, bare: true, says: "Python module uvicorn is missing", mends: "python3 -m venv .venv && .venv/bin/python -m pip install -r requirements.txt"},
		"the environment gone": {files: map[string]string{"main.py": fastapi, "requirements.txt": "fastapi\nuvicorn\n"}, bare: true, config: "python = \".venv\"\n", says: "the environment is gone", mends: "python3 -m venv .venv && .venv/bin/python -m pip install -r requirements.txt"},
		"no server":            {files: map[string]string{"main.py": fastapi, "requirements.txt": "fastapi\nuvicorn\n"}, empty: true, says: "Python module uvicorn is missing", mends: ".venv/bin/python -m pip install -r requirements.txt"},
		"a package missing":    {files: map[string]string{"main.py": "import not_there_at_all\n" + fastapi}, says: "Python module not_there_at_all is missing", mends: "not_there_at_all (unless it is a file of your own"},
		"a syntax error":       {files: map[string]string{"main.py": fastapi + "def broken(:\n"}, says: "SyntaxError", mends: "main.py, line 8"},
		"one in a module":      {files: map[string]string{"main.py": "import lib.models\n" + fastapi, "lib/models.py": "x = [\n"}, says: "SyntaxError", mends: "lib/models.py, line 1"},
		"the wrong folder":     {files: map[string]string{"backend/main.py": fastapi}, config: "command = [\"{python}\", \"-m\", \"uvicorn\", \"main:app\", \"--port\", \"{port}\"]\n", says: "the application was not found", mends: "main:app"},
		"a model file":         {files: map[string]string{"main.py": fastapi + "weights = open(\"models/small.gguf\", \"rb\")\n"}, says: "models/small.gguf", mends: "main.py, line 8"},
		"a missing script":     {files: map[string]string{"other.py": fastapi}, config: "command = [\"{python}\", \"serve.py\"]\n", says: "can't open file", mends: "command in vivarium.toml"},
	} {
		t.Run(name, func(t *testing.T) {
			b := backend{row: "fastapi", packages: []string{"fastapi[standard]"}, files: c.files}
			r := newRig(t, programs, b)
			if c.bare || c.empty {
				require.NoError(t, os.Remove(filepath.Join(r.dir, ".venv")))
			}
			if c.empty {
				command(t, r.dir, "python3", "-m", "venv", "--without-pip", ".venv")
			}
			said := r.start(c.config)
			require.Contains(t, said, c.says)
			require.Contains(t, said, c.mends)
			require.Eventually(t, func() bool {
				found, err := setup.Inspect(r.dir, false)
				return err == nil && strings.Contains(found.Question(), said)
			}, time.Minute, 10*time.Millisecond, "Add Backend")

			began := time.Now()
			f := r.run()
			if c.bare && c.config != "" { // there is nothing to start, and nothing else to be said
				gave := f.await(30*time.Second, "gave-up")
				require.Less(t, gave.At.UnixNano()-began.UnixNano(), int64(time.Second*loaded(t, r.env)/100), "within a second")
				require.Equal(t, said, ready.Line(crash.Verdict{Summary: gave.Verdict.Summary, Remedy: gave.Verdict.Remedy}))
				return
			}
			crashed := f.await(30*time.Second, "crashed")
			slow := loaded(t, r.env)
			if slow < 300 || f.said() != "" { // on a very busy computer Python is not waited for
				require.Contains(t, f.said(), said)
				require.Less(t, f.ready-began.UnixNano(), int64(time.Second*slow/100), "within a second")
			}
			require.Equal(t, said, ready.Line(crash.Verdict{Summary: crashed.Verdict.Summary, Remedy: crashed.Verdict.Remedy}))
			r.do("stop")
		})
	}
}

// start sets the backend up, and gives the line with which init says why it would not start.
func (r *rig) start(config string) string {
	r.t.Helper()
	r.port = freePort(r.t)
	if config != "" {
		require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, "vivarium.toml"), []byte("port = "+strconv.Itoa(r.port)+"\n"+config), 0o644))
	}
	r.do("init", "--force", "--port", strconv.Itoa(r.port))
	said := ""
	require.Eventually(r.t, func() bool { // on a busy computer Python is not waited for each time
		for line := range strings.Lines(r.do("init", "--dry-run", "--port", strconv.Itoa(r.port))) {
			if strings.HasPrefix(line, "It would not start: ") {
				said = strings.TrimSpace(line)
			}
		}
		return said != ""
	}, time.Minute, 10*time.Millisecond, "init does not say that it would not start")
	return said
}

func TestATakenPortIsToldAlikeByInitAndRun(t *testing.T) {
	r := newRig(t, built(t), backend{row: "fastapi", packages: []string{"fastapi[standard]"}, files: map[string]string{"main.py": fastapi}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	r.port = l.Addr().(*net.TCPAddr).Port
	said := r.do("init", "--force", "--port", strconv.Itoa(r.port))
	gave := r.run().await(30*time.Second, "gave-up")
	require.Equal(t, "port-taken", gave.Verdict.Kind)
	require.Contains(t, said, "It would not start: "+gave.Verdict.Summary+". "+gave.Verdict.Remedy)
	require.Contains(t, said, "End it yourself")
}

// said is what run told on stderr so far.
func (f *follower) said() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.errors.String()
}

// told keeps what run says on stderr, and when it said the first of it.
type told struct{ f *follower }

func (w told) Write(b []byte) (int, error) {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if w.f.ready == 0 {
		w.f.ready = time.Now().UnixNano()
	}
	return w.f.errors.Write(bytes.ToValidUTF8(b, nil))
}
