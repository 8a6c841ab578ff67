//go:build servers

package mcp

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// inspectorVersion is the protocol's reference client, from npm.
const inspectorVersion = "2.12.0"

// inspector is the reference client's program, kept in the user's cache folder.
func inspector(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not there: the reference client cannot be had")
	}
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	dir := filepath.Join(cache, "vivarium", "servers", "inspector-"+inspectorVersion)
	program := filepath.Join(dir, "node_modules", ".bin", "mcp-inspector")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	cmd := exec.Command(npm, "install", "--prefix", dir, "--no-audit", "--no-fund", "@modelcontextprotocol/inspector@"+inspectorVersion)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

func TestTheReferenceInspectorCallsEveryTool(t *testing.T) {
	program := inspector(t)
	self, err := os.Executable()
	require.NoError(t, err)
	home := t.TempDir() // it keeps a catalogue in the home folder
	call := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, append([]string{"--cli", "-e", "MCP_SERVER=yes", self}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+home)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := call("--method", "tools/list")
	require.NoError(t, err, out)
	for _, c := range []struct {
		tool string
		args []string
		says string
	}{
		{"list_backends", nil, "shop"},
		{"status", nil, "gave-up"},
		{"why", nil, "ModuleNotFoundError"},
		{"wait_until", []string{"timeout_seconds=1"}, "pip install torch"},
		{"logs", []string{"tail=5"}, "server.log"},
		{"stacks", nil, "main.py:9 in slow"},
		{"doctor", nil, "VIV001"},
		{"start", []string{"backend=shop"}, "healthy"},
		{"restart", nil, "healthy"},
		{"stop", nil, "stopped"},
		{"status", []string{"backend=web"}, "there is no backend"},
	} {
		require.Contains(t, out, c.tool)
		args := []string{"--method", "tools/call", "--tool-name", c.tool}
		for _, a := range c.args {
			args = append(args, "--tool-arg", a)
		}
		answer, _ := call(args...)
		require.Contains(t, answer, c.says, c.tool)
		require.NotContains(t, answer, "hunter2", c.tool)
	}
	answer, err := call("--method", "resources/read", "--uri", RecordURI("shop"))
	require.NoError(t, err, answer)
	require.Contains(t, answer, "# It died")
}
