package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/wait"
)

// inMemory are backends that live in this process: they start, stop, crash and write logs as real ones do, at once.
type inMemory struct {
	mu    sync.Mutex
	order []string
	state map[string]*Status
	logs  map[string][]string
	query LogQuery
	list  error // why they cannot be listed
}

func newInMemory(names ...string) *inMemory {
	m := &inMemory{state: map[string]*Status{}, logs: map[string][]string{}}
	for _, n := range names {
		dir := "/p/" + n
		m.order = append(m.order, dir)
		m.state[dir] = &Status{Backend: Backend{Name: n, Dir: dir, State: "stopped", Held: true}}
	}
	return m
}

func (m *inMemory) List(context.Context) ([]Backend, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Backend
	for _, dir := range m.order {
		all = append(all, m.state[dir].Backend)
	}
	return all, m.list
}

func (m *inMemory) Status(_ context.Context, dir string) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.state[dir], nil
}

func (m *inMemory) become(dir, state string) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state[dir]
	if !s.Held {
		return Status{}, errors.New("no Vivarium program keeps this backend: start the app, or `vivarium run` in its folder")
	}
	s.State, s.Want, s.Since = state, state != "stopped", time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	m.logs[dir] = append(m.logs[dir], "it is "+state)
	return *s, nil
}

func (m *inMemory) Start(_ context.Context, dir string) (Status, error) {
	return m.become(dir, "healthy")
}
func (m *inMemory) Stop(_ context.Context, dir string) (Status, error) {
	return m.become(dir, "stopped")
}
func (m *inMemory) Restart(_ context.Context, dir string) (Status, error) {
	return m.become(dir, "healthy")
}

func (m *inMemory) WaitUntil(ctx context.Context, dir string, g wait.Goal) (Outcome, error) {
	for {
		s, _ := m.Status(ctx, dir)
		sight := wait.Sight{Held: s.Held, Runs: s.State == "healthy", State: s.State}
		if s.Verdict != nil {
			sight.Summary, sight.Remedy = s.Verdict.Summary, s.Verdict.Remedy
		}
		answer, reason := wait.Judge(g, sight)
		if answer != wait.Continue {
			return Outcome{answer == wait.Done, reason, s}, nil
		}
		select {
		case <-ctx.Done():
			return Outcome{false, reason, s}, nil
		case <-time.After(time.Millisecond):
		}
	}
}

func (m *inMemory) Logs(_ context.Context, dir string, q LogQuery) (Logs, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.query = q
	return Logs{Lines: m.logs[dir], File: dir + "/logs/server.log"}, nil
}

func (m *inMemory) crash(dir string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state[dir]
	s.State, s.Verdict = "gave-up", &Verdict{Kind: "missing-module", Summary: "the module torch is missing (token=hunter2)", Remedy: "pip install torch", Line: "ModuleNotFoundError: No module named 'torch'"}
}

func (m *inMemory) Why(_ context.Context, dir string) (Why, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state[dir]
	if s.Verdict == nil {
		return Why{}, nil
	}
	return Why{Found: true, Verdict: *s.Verdict, Frames: []string{"main.py:3 in <module>"}, Exit: "code 1", Tail: m.logs[dir], Record: RecordURI(s.Name)}, nil
}

func (m *inMemory) Stacks(_ context.Context, dir string) (Stacks, error) {
	return Stacks{Processes: []Process{{PID: 7, Threads: []Thread{{"MainThread", []string{"main.py:9 in slow"}}}}}}, nil
}

func (m *inMemory) Doctor(context.Context, string) (Diagnosis, error) {
	return Diagnosis{Findings: []Finding{{Code: "VIV001", Status: "pass", Summary: "the interpreter is there"}}}, nil
}

func (m *inMemory) Record(_ context.Context, dir string) (string, string, error) {
	if m.state[dir].Verdict == nil {
		return "", "", nil
	}
	return "# It died\ntoken=hunter2\n", `{"kind":"missing-module"}`, nil
}

func hide(s string) string { return strings.ReplaceAll(s, "hunter2", "•••") }

// connect is a client of the SDK, connected to a server that works in dir.
func connect(t *testing.T, m *inMemory, dir string) *mcp.ClientSession {
	t.Helper()
	here, there := mcp.NewInMemoryTransports()
	server, err := New(m, Options{Version: "test", Dir: dir, Mask: hide}).Connect(t.Context(), there, nil)
	require.NoError(t, err)
	client, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), here, nil)
	require.NoError(t, err)
	t.Cleanup(func() { client.Close(); server.Wait() })
	return client
}

func use(t *testing.T, c *mcp.ClientSession, tool string, args map[string]any) (text string, out map[string]any, failed bool) {
	t.Helper()
	r, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return err.Error(), nil, true
	}
	if len(r.Content) > 0 {
		text = r.Content[0].(*mcp.TextContent).Text
	}
	out, _ = r.StructuredContent.(map[string]any)
	return text, out, r.IsError
}

func TestEveryToolSaysWhatItDoesAndWhatItMayChange(t *testing.T) {
	c := connect(t, newInMemory("shop"), "/")
	r, err := c.ListTools(t.Context(), nil)
	require.NoError(t, err)
	changes := map[string]bool{}
	for _, tool := range r.Tools {
		require.NotEmpty(t, tool.Description)
		require.NotEmpty(t, tool.Annotations.Title)
		require.NotNil(t, tool.OutputSchema, tool.Name)
		require.NotNil(t, tool.InputSchema)
		require.False(t, *tool.Annotations.OpenWorldHint)
		require.Equal(t, false, tool.InputSchema.(map[string]any)["additionalProperties"] == nil, tool.Name)
		if !tool.Annotations.ReadOnlyHint {
			changes[tool.Name] = *tool.Annotations.DestructiveHint
		}
	}
	require.Len(t, r.Tools, 10)
	require.Equal(t, map[string]bool{"start": false, "stop": true, "restart": true}, changes)
	require.Contains(t, c.InitializeResult().Instructions, "wait_until")
}

func TestAListThatCannotBeReadIsAnErrorWithoutSecrets(t *testing.T) {
	m := newInMemory("shop")
	m.list = errors.New("reading /p/hunter2/backends.json: denied")
	text, _, failed := use(t, connect(t, m, "/"), "list_backends", nil)
	require.True(t, failed)
	require.Equal(t, "reading /p/•••/backends.json: denied", text)
}

func TestALifeOfABackend(t *testing.T) {
	m := newInMemory("shop")
	c := connect(t, m, "/elsewhere")
	_, out, failed := use(t, c, "list_backends", nil)
	require.False(t, failed)
	require.Equal(t, "shop", out["backends"].([]any)[0].(map[string]any)["name"])

	_, out, failed = use(t, c, "start", nil)
	require.False(t, failed)
	require.Equal(t, "healthy", out["state"])
	_, out, _ = use(t, c, "wait_until", map[string]any{"backend": "shop"})
	require.Equal(t, true, out["reached"])
	_, out, _ = use(t, c, "restart", map[string]any{"backend": "/p/shop"})
	require.Equal(t, "healthy", out["state"])
	_, out, _ = use(t, c, "logs", map[string]any{"tail": 5, "since": "10m", "search": "It", "level": "ERROR"})
	require.Len(t, out["lines"], 2)
	require.Equal(t, LogQuery{Tail: 5, Since: 10 * time.Minute, Search: "It", Level: "error"}, m.query)
	_, out, _ = use(t, c, "stacks", nil)
	require.Len(t, out["processes"], 1)
	_, out, _ = use(t, c, "doctor", nil)
	require.Len(t, out["findings"], 1)
	_, out, _ = use(t, c, "why", nil)
	require.Equal(t, false, out["found"])

	m.crash("/p/shop")
	_, out, _ = use(t, c, "wait_until", map[string]any{"timeout_seconds": 5})
	require.Equal(t, false, out["reached"])
	require.Contains(t, out["reason"], "pip install torch")
	_, out, _ = use(t, c, "why", nil)
	require.Equal(t, "missing-module", out["verdict"].(map[string]any)["kind"])
	r, err := c.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: out["record"].(string)})
	require.NoError(t, err)
	require.Equal(t, "# It died\ntoken=•••\n", r.Contents[0].Text)
	r, err = c.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "vivarium://backends/shop/record.json"})
	require.NoError(t, err)
	require.JSONEq(t, `{"kind":"missing-module"}`, r.Contents[0].Text)
	listed, err := c.ListResources(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, listed.Resources, 2)
	require.Equal(t, out["record"], listed.Resources[0].URI)
	require.Equal(t, "application/json", listed.Resources[1].MIMEType)

	_, out, _ = use(t, c, "stop", nil)
	require.Equal(t, "stopped", out["state"])
	_, out, _ = use(t, c, "wait_until", map[string]any{"for": "stopped"})
	require.Equal(t, true, out["reached"])
	_, out, _ = use(t, c, "wait_until", map[string]any{"timeout_seconds": 0.05})
	require.Equal(t, false, out["reached"])
	require.Contains(t, out["reason"], "it is stopped")
}

func TestAWrongArgumentIsAnsweredWithWhatIsRight(t *testing.T) {
	m := newInMemory("shop", "chat")
	m.state["/p/chat"].Held = false
	c := connect(t, m, "/elsewhere")
	for _, x := range []struct {
		tool, says string
		args       map[string]any
	}{
		{"status", "Name one of shop, chat", nil},
		{"status", `there is no backend "web"; there is shop, chat`, map[string]any{"backend": "web"}},
		{"status", `unexpected additional properties ["bakend"]; status takes these arguments, each of which may be left out: backend`, map[string]any{"bakend": "shop"}},
		{"logs", `want "integer"; logs takes these arguments, each of which may be left out: backend, tail, since, search, level`, map[string]any{"tail": "ten"}},
		{"list_backends", `["all"]; list_backends takes no arguments`, map[string]any{"all": true}},
		{"logs", "1 to 2000", map[string]any{"backend": "shop", "tail": 5000}},
		{"logs", "1 to 2000", map[string]any{"backend": "shop", "tail": -1}},
		{"logs", "10m", map[string]any{"backend": "shop", "since": "yesterday"}},
		{"logs", "error or warning", map[string]any{"backend": "shop", "level": "loud"}},
		{"wait_until", "healthy or stopped", map[string]any{"backend": "shop", "for": "happy"}},
		{"wait_until", "at most 600", map[string]any{"backend": "shop", "timeout_seconds": 6000}},
		{"start", "vivarium run", map[string]any{"backend": "chat"}},
		{"fly", "fly", nil},
	} {
		text, _, failed := use(t, c, x.tool, x.args)
		require.True(t, failed, "%s %v", x.tool, x.args)
		require.Contains(t, text, x.says)
	}
}

func TestWhichBackendIsMeant(t *testing.T) {
	all := []Backend{{Name: "shop", Dir: "/p/shop"}, {Name: "api", Dir: "/p/shop/api"}, {Name: "api", Dir: "/q/api"}}
	for _, c := range []struct{ named, cwd, dir, says string }{
		{"", "/p/shop", "/p/shop", ""},
		{"", "/p/shop/src", "/p/shop", ""},
		{"", "/p/shop/api/routes", "/p/shop/api", ""},
		{"", "/p/shopping", "", "which backend"},
		{"shop", "/x", "/p/shop", ""},
		{"api", "/x", "", "several backends"},
		{"/q/api/", "/x", "/q/api", ""},
		{"../api", "/q/web", "/q/api", ""},
		{"none", "/p/shop", "", "there is no backend"},
	} {
		dir, err := Choose(all, c.named, c.cwd)
		require.Equal(t, c.dir, dir, "%+v", c)
		if c.says != "" {
			require.ErrorContains(t, err, c.says)
		}
	}
	_, err := Choose(nil, "", "/")
	require.ErrorContains(t, err, "vivarium init")
	dir, err := Choose(all[:1], "", "/x")
	require.NoError(t, err)
	require.Equal(t, "/p/shop", dir)
}

func TestTheRecordsOfTwoBackendsOfOneNameAreToldApart(t *testing.T) {
	m := newInMemory("a/shop", "b/shop")
	for _, s := range m.state {
		s.Name = "shop"
	}
	m.crash("/p/b/shop")
	c := connect(t, m, "/p/b/shop")
	_, out, _ := use(t, c, "why", nil)
	require.Equal(t, RecordURI("/p/b/shop"), out["record"])
	r, err := c.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: out["record"].(string)})
	require.NoError(t, err)
	require.Contains(t, r.Contents[0].Text, "# It died")
	listed, err := c.ListResources(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, listed.Resources, 2, "the other one has none")
	_, err = c.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: RecordURI("shop")})
	require.ErrorContains(t, err, "several backends are called")
	_, err = c.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: RecordURI("/p/a/shop")})
	require.Error(t, err, "it has no record")
}

func TestNoSecretLeavesInAnyAnswer(t *testing.T) {
	m := newInMemory("shop")
	m.logs["/p/shop"] = []string{"token=hunter2"}
	m.crash("/p/shop")
	c := connect(t, m, "/")
	for _, tool := range []string{"status", "why", "logs", "wait_until"} {
		text, out, _ := use(t, c, tool, nil)
		b, err := json.Marshal(out)
		require.NoError(t, err)
		require.NotContains(t, text+string(b), "hunter2", tool)
		require.Contains(t, text, "•••", tool)
	}
	require.Contains(t, m.state["/p/shop"].Verdict.Summary, "hunter2", "the backend's own value is not changed")
}

func TestSecretsOfSeveralLinesAreHiddenAsOne(t *testing.T) {
	hide := func(s string) string {
		lines := strings.Split(s, "\n")
		for i := range lines {
			if i > 0 && lines[i-1] == "BEGIN" {
				lines[i] = "•••"
			}
		}
		return strings.Join(lines, "\n")
	}
	got := masked(tools{o: Options{Mask: hide}}, Logs{Lines: []string{"a", "BEGIN", "hunter2"}})
	require.Equal(t, []string{"a", "BEGIN", "•••"}, got.Lines)
	grows := func(s string) string { return strings.ReplaceAll(s, "b", "b\nc") }
	require.Equal(t, []string{"a", "b\nc"}, masked(tools{o: Options{Mask: grows}}, Logs{Lines: []string{"a", "b"}}).Lines)
	require.Equal(t, []string{}, masked(tools{o: Options{Mask: hide}}, Logs{Lines: []string{}}).Lines)
}

func TestAVeryLongLogIsCutAtItsBeginning(t *testing.T) {
	l := Logs{}
	for range 300 {
		l.Lines = append(l.Lines, strings.Repeat("x", 9000))
	}
	l.Lines = append(l.Lines, "the last")
	got := bounded(l)
	require.True(t, got.Truncated)
	require.Equal(t, "the last", got.Lines[len(got.Lines)-1])
	size := 0
	for _, line := range got.Lines {
		size += len(line)
	}
	require.LessOrEqual(t, size, maxLogBytes)
	require.NotNil(t, bounded(Logs{}).Lines)
}

// Whatever comes in, each line that goes out is a JSON-RPC message.
func TestNothingButTheProtocolIsWritten(t *testing.T) {
	in, client := io.Pipe()
	answers, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Serve(t.Context(), in, out, newInMemory("shop"), Options{Version: "test"})
		out.Close()
	}()
	go func() {
		for _, line := range []string{
			`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`,
			`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
			`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"start","arguments":{}}}`,
			`{"jsonrpc":"2.0","id":3,"method":"no/such","params":{}}`,
			`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"status","arguments":{"x":1}}}`,
		} {
			_, _ = io.WriteString(client, line+"\n")
		}
	}()
	lines := bufio.NewScanner(answers)
	seen := map[float64]bool{}
	for len(seen) < 4 && lines.Scan() {
		var m map[string]any
		require.NoError(t, json.Unmarshal(lines.Bytes(), &m), lines.Text())
		require.Equal(t, "2.0", m["jsonrpc"])
		if id, ok := m["id"].(float64); ok {
			seen[id] = true
		}
	}
	require.Len(t, seen, 4)
	client.Close()
	go io.Copy(io.Discard, answers)
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the server outlives its client")
	}
}

func TestAMaskedDocumentStaysOne(t *testing.T) {
	hide := func(s string) string { return strings.ReplaceAll(s, "hunter2", `"***`) }
	got := maskedJSON(`{"a": ["hunter2", {"b": "x hunter2", "n": 1}]}`, hide)
	require.True(t, json.Valid([]byte(got)), got)
	require.NotContains(t, got, "hunter2")
	require.Equal(t, "no json \"***", maskedJSON("no json hunter2", hide))
}
