package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/mcp"
	"github.com/vivarium-app/vivarium/supervisor"
)

// agent is a coding agent that works in the backend's folder: the SDK's own client, talking to `vivarium mcp`.
type agent struct {
	t       *testing.T
	session *sdk.ClientSession
	said    bytes.Buffer // on stderr
}

func (r *rig) agent() *agent {
	r.t.Helper()
	a := &agent{t: r.t}
	cmd := r.command("mcp")
	cmd.Stderr = &a.said
	session, err := sdk.NewClient(&sdk.Implementation{Name: "agent"}, nil).Connect(r.t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
	require.NoError(r.t, err)
	a.session = session
	return a
}

// call calls a tool and reads its answer into out; an error of the tool is its text.
func (a *agent) call(tool string, args map[string]any, out any) string {
	a.t.Helper()
	got, err := a.session.CallTool(a.t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
	require.NoError(a.t, err, tool)
	text := got.Content[0].(*sdk.TextContent).Text
	if got.IsError {
		return text
	}
	data, err := json.Marshal(got.StructuredContent)
	require.NoError(a.t, err)
	require.NoError(a.t, json.Unmarshal(data, out), tool)
	return ""
}

func TestACodingAgentDrivesALiveBackend(t *testing.T) {
	r := newRig(t)
	a := r.agent()
	var listed struct{ Backends []mcp.Backend }
	require.Empty(t, a.call("list_backends", nil, &listed))
	require.Equal(t, []mcp.Backend{{Name: "brain", Dir: r.dir, State: "stopped", URL: fmt.Sprintf("http://127.0.0.1:%d", r.port)}}, listed.Backends, "the folder in which it works")
	var s mcp.Status
	require.Contains(t, a.call("start", nil, &s), "no Vivarium program keeps brain")

	f := r.run()
	var out mcp.Outcome
	require.Empty(t, a.call("wait_until", map[string]any{"timeout_seconds": 30}, &out))
	require.True(t, out.Reached, out.Reason)
	require.Empty(t, a.call("status", map[string]any{"backend": "brain"}, &s))
	require.Equal(t, "healthy", s.State)
	require.True(t, s.Held)
	require.NotZero(t, s.PID)

	before := s.PID
	require.Empty(t, a.call("restart", nil, &s))
	require.Empty(t, a.call("wait_until", nil, &out))
	require.True(t, out.Reached)
	require.NotEqual(t, before, out.Status.PID, "wait_until does not take the former run for the new one")
	f.row(supervisor.EventHealthy, 2)

	var logs mcp.Logs
	require.Empty(t, a.call("logs", map[string]any{"search": "SERVING"}, &logs))
	require.NotEmpty(t, logs.Lines)
	var stacks mcp.Stacks
	require.Empty(t, a.call("stacks", nil, &stacks))
	require.NotEmpty(t, stacks.Problem)
	var d mcp.Diagnosis
	require.Empty(t, a.call("doctor", nil, &d))
	require.NotEmpty(t, d.Findings)

	require.Empty(t, a.call("stop", nil, &s))
	require.Equal(t, "stopped", s.State)
	require.True(t, r.free())
	f.ended(codeWell)
	require.Empty(t, a.call("wait_until", map[string]any{"for": "stopped"}, &out))
	require.True(t, out.Reached, out.Reason)
	require.Contains(t, a.call("status", map[string]any{"backend": "nobody"}, &s), "there is brain")
	require.NoError(t, a.session.Close())
	require.Empty(t, a.said.String())
}

const dying = `import os
API_TOKEN = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"
def load():
    print("token=" + API_TOKEN, flush=True)
    raise ValueError("no model at /models/x")
load()
`

func TestACrashIsExplainedToAnAgentWithoutASecret(t *testing.T) {
	r := newRig(t)
	write(t, r.dir+"/server.py", dying)
	r.configure("[restart]\ngive_up_after = 1")
	a := r.agent()
	var why mcp.Why
	require.Empty(t, a.call("why", nil, &why))
	require.False(t, why.Found, "nothing has died")

	f := r.run()
	var out mcp.Outcome
	require.Empty(t, a.call("wait_until", map[string]any{"timeout_seconds": 60}, &out))
	require.False(t, out.Reached)
	require.Contains(t, out.Reason, "gave up")
	require.Empty(t, a.call("why", nil, &why))
	require.True(t, why.Found)
	require.Contains(t, why.Verdict.Summary+why.Verdict.Line, "no model at /models/x")
	require.Equal(t, []string{"server.py:5 in load", "server.py:6 in <module>"}, why.Frames)
	require.Equal(t, "code 1", why.Exit)
	require.NotContains(t, strings.Join(why.Tail, "\n"), "abcdefghijklmnop")
	for _, uri := range []string{why.Record, strings.TrimSuffix(why.Record, "md") + "json"} {
		got, err := a.session.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
		require.NoError(t, err)
		require.Contains(t, got.Contents[0].Text, "no model at")
		require.NotContains(t, got.Contents[0].Text, "abcdefghijklmnop")
		if strings.HasSuffix(uri, "json") {
			require.True(t, json.Valid([]byte(got.Contents[0].Text)))
		}
	}
	var logs mcp.Logs
	require.Empty(t, a.call("logs", map[string]any{"level": "error"}, &logs))
	require.Contains(t, strings.Join(logs.Lines, "\n"), "ValueError")
	require.Empty(t, a.call("logs", nil, &logs))
	require.NotContains(t, strings.Join(logs.Lines, "\n"), "abcdefghijklmnop")
	require.NoError(t, a.session.Close())
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
}
