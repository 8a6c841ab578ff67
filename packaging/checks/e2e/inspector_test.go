//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// inspectorPackage is the protocol's reference client, from npm.
const inspectorPackage = "@modelcontextprotocol/inspector@2.12.0"

// inspector is the reference client's program, kept in the user's cache folder; "" where there is no npm, or nothing can be fetched.
func inspector() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir := filepath.Join(cache, "vivarium-checks", strings.ReplaceAll(inspectorPackage, "/", "+"))
	program := filepath.Join(dir, "node_modules", ".bin", "mcp-inspector")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	install := exec.Command("npm", "install", "--no-fund", "--no-audit", "--prefix", dir, inspectorPackage)
	if os.MkdirAll(dir, 0o755) != nil || install.Run() != nil {
		return ""
	}
	return program
}

// inspects is the reference client in the backend's folder; each call is a program of its own, with a `vivarium mcp` of its own.
func (r *rig) inspects(program, home string, args ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"--cli", "-e", "VIVARIUM_HOME=" + r.home, vivarium, "mcp"}, args...)...)
	cmd.Dir, cmd.Env = r.dir, append(r.environ(), "HOME="+home) // it keeps a catalogue in the home folder
	out, _ := cmd.CombinedOutput()                              // a tool's error is its exit code, too
	return string(out)
}

func (r *rig) ask(path string) {
	c := http.Client{Timeout: 5 * time.Second}
	if answer, err := c.Get(fmt.Sprintf("http://127.0.0.1:%d%s", r.port, path)); err == nil {
		_ = answer.Body.Close()
	}
}

func TestTheReferenceInspectorCallsEveryToolOnALiveBackend(t *testing.T) {
	program := inspector()
	needs(t, program != "", inspectorPackage+" cannot be fetched from npm")
	r := twin(t, "")
	f := r.run()
	first := f.await("healthy")
	home := t.TempDir()
	listed := r.inspects(program, home, "--method", "tools/list")
	call := func(tool, says string, args ...string) {
		t.Helper()
		require.Contains(t, listed, `"`+tool+`"`)
		words := []string{"--method", "tools/call", "--tool-name", tool}
		for _, a := range args {
			words = append(words, "--tool-arg", a)
		}
		require.Contains(t, r.inspects(program, home, words...), says, "%s %v", tool, args)
	}
	require.Contains(t, listed, "outputSchema")
	require.Contains(t, listed, "readOnlyHint")
	require.Contains(t, listed, "destructiveHint")

	call("list_backends", "twin")
	call("status", fmt.Sprintf(`"pid": %d`, first.PID))
	call("wait_until", `"reached": true`, "timeout_seconds=5")
	call("stacks", "main.py:")
	call("doctor", "VIV012")
	call("why", `"found": false`)
	call("start", "healthy")
	call("restart", `"state"`, "backend=twin")
	f.await("healthy")
	r.ask("/crash?how=SIGSEGV")
	f.await("crashed")
	f.await("healthy")
	call("why", "segfault")
	call("why", "SIGSEGV", "backend="+r.dir)
	call("logs", "Fatal Python error", "tail=50", "search=fatal python")
	call("logs", "Fatal Python error", "level=error")
	call("logs", "no times", "since=10m") // this server writes none
	record := r.inspects(program, home, "--method", "resources/read", "--uri", "vivarium://backends/twin/record.md")
	require.Contains(t, record, "main.py")
	record = r.inspects(program, home, "--method", "resources/read", "--uri", "vivarium://backends/twin/record.json")
	require.Contains(t, record, "SIGSEGV")
	require.Contains(t, r.inspects(program, home, "--method", "resources/list"), "vivarium://backends/twin/record.md")
	require.Contains(t, r.inspects(program, home, "--method", "resources/templates/list"), "record.json")

	call("status", "there is no backend", "backend=nobody")
	call("status", "status takes these arguments, each of which may be left out: backend", "bakend=twin")
	call("logs", "it is 1 to 2000", "tail=99999")
	call("wait_until", "healthy or stopped", "for=happy")

	call("stop", `"state": "stopped"`)
	<-f.done
	call("wait_until", `"reached": true`, "for=stopped")
	call("start", "no Vivarium program keeps twin")
}

// Whatever an agent asks, and whatever the backend does meanwhile, each line on standard output is a message of the protocol.
func TestTheServerOfCodingAgentsWritesNothingButTheProtocol(t *testing.T) {
	r := twin(t, "")
	f := r.run()
	f.await("healthy")
	cmd := exec.Command(vivarium, "mcp")
	cmd.Dir, cmd.Env = r.dir, r.environ()
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill() }()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	asked := 0
	ask := func(method, params string) map[string]any {
		t.Helper()
		asked++
		_, err := fmt.Fprintf(in, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", asked, method, params)
		require.NoError(t, err)
		for lines.Scan() {
			var m map[string]any
			require.NoError(t, json.Unmarshal(lines.Bytes(), &m), lines.Text())
			require.Equal(t, "2.0", m["jsonrpc"], lines.Text())
			if m["id"] == float64(asked) {
				return m
			}
		}
		require.FailNow(t, "it ended", said.String())
		return nil
	}
	ask("initialize", `{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}`)
	_, err = io.WriteString(in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n")
	require.NoError(t, err)
	for _, tool := range []string{"list_backends", "status", "why", "stacks", "logs", "doctor", "restart", "wait_until", "fly", "stop", "start"} {
		ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":{}}`, tool))
	}
	ask("no/such/method", `{}`)
	require.NoError(t, in.Close())
	rest, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Empty(t, string(rest))
	require.NoError(t, cmd.Wait())
	require.Empty(t, said.String())
	<-f.done
}
