package mcp

import (
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

// hideKeys hides what lies between two lines, as one line, and "hunter2" anywhere.
func hideKeys(s string) string {
	var out []string
	inside := false
	for line := range strings.SplitSeq(hide(s), "\n") {
		switch {
		case line == "BEGIN KEY":
			inside = true
			out = append(out, "[a key]")
		case line == "END KEY":
			inside = false
		case !inside:
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// connectHiding is connect with a mask that takes lines out.
func connectHiding(t *testing.T, m *inMemory) *mcp.ClientSession {
	t.Helper()
	here, there := mcp.NewInMemoryTransports()
	server, err := New(m, Options{Version: "test", Dir: "/", Mask: hideKeys}).Connect(t.Context(), there, nil)
	require.NoError(t, err)
	client, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), here, nil)
	require.NoError(t, err)
	t.Cleanup(func() { client.Close(); server.Wait() })
	return client
}

func TestASecretOfSeveralLinesLeavesByNoTool(t *testing.T) {
	m := newInMemory("shop")
	m.logs["/p/shop"] = []string{"before", "BEGIN KEY", "first half", "second half", "END KEY", "after hunter2"}
	m.crash("/p/shop")
	c := connectHiding(t, m)
	for tool, field := range map[string]string{"logs": "lines", "why": "tail"} {
		text, out, failed := use(t, c, tool, nil)
		require.False(t, failed, text)
		require.Equal(t, []any{"before", "[a key]", "after •••"}, out[field], tool)
		require.NotContains(t, text, "half", tool)
		require.NotContains(t, text, "hunter2", tool)
	}
}

func TestTextsThatAreNoLinesKeepTheirNumber(t *testing.T) {
	m := newInMemory("shop")
	m.logs["/p/shop"] = []string{"two\nlines hunter2", "one"}
	_, out, _ := use(t, connectHiding(t, m), "logs", nil)
	require.Equal(t, []any{"two\nlines •••", "one"}, out["lines"])
	m.logs["/p/shop"] = nil
	_, out, _ = use(t, connectHiding(t, m), "logs", nil)
	require.Equal(t, []any{}, out["lines"])
}

func TestAWrongArgumentIsAnErrorThatSaysWhatIsRight(t *testing.T) {
	m := newInMemory("shop", "db")
	c := connect(t, m, "/")
	for _, w := range []struct {
		tool string
		args map[string]any
		want string
	}{
		{"logs", map[string]any{"backend": "shop", "tail": -1}, "it is 1 to 2000"},
		{"logs", map[string]any{"backend": "shop", "tail": 2001}, "it is 1 to 2000"},
		{"logs", map[string]any{"backend": "shop", "tail": 1.5}, "which may be left out"},
		{"logs", map[string]any{"backend": "shop", "since": "-5m"}, "such as 30s, 10m or 2h"},
		{"logs", map[string]any{"backend": "shop", "since": "9999999h"}, "such as 30s, 10m or 2h"},
		{"logs", map[string]any{"backend": "shop", "level": "info"}, "it is error or warning"},
		{"wait_until", map[string]any{"backend": "shop", "for": "happy"}, "healthy or stopped"},
		{"wait_until", map[string]any{"backend": "shop", "timeout_seconds": -1}, "more than 0 and at most 600"},
		{"wait_until", map[string]any{"backend": "shop", "timeout_seconds": 1e300}, "more than 0 and at most 600"},
		{"start", map[string]any{"backend": "../shop/../../etc"}, "there is shop, db"},
		{"stop", map[string]any{"backend": []string{"shop"}}, "which may be left out: backend"},
		{"restart", nil, "Name one of shop, db"},
		{"list_backends", map[string]any{"all": true}, "list_backends takes no arguments"},
	} {
		text, _, failed := use(t, c, w.tool, w.args)
		require.True(t, failed, "%s %v", w.tool, w.args)
		require.Contains(t, text, w.want, "%s %v", w.tool, w.args)
	}
	for _, s := range m.state {
		require.Equal(t, "stopped", s.State, "nothing was done")
	}
	require.Zero(t, m.query, "and no log was read")
}
