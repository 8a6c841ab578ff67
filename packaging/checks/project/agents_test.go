package project

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/mcp"
)

// agentTools are the tools as a coding agent gets to see them.
func agentTools(t *testing.T) []*sdk.Tool {
	t.Helper()
	here, there := sdk.NewInMemoryTransports()
	server, err := mcp.New(struct{ mcp.Backends }{}, mcp.Options{Version: "test"}).Connect(t.Context(), there, nil)
	require.NoError(t, err)
	client, err := sdk.NewClient(&sdk.Implementation{Name: "test"}, nil).Connect(t.Context(), here, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close(); _ = server.Wait() })
	all, err := client.ListTools(t.Context(), nil)
	require.NoError(t, err)
	return all.Tools
}

// fieldsOf are the properties of a JSON schema with what is said of each, in the order of their names.
func fieldsOf(schema any) string {
	properties, _ := schema.(map[string]any)["properties"].(map[string]any)
	var names []string
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []string
	for _, name := range names {
		text := "`" + name + "`"
		if says, _ := properties[name].(map[string]any)["description"].(string); says != "" {
			text += " (" + says + ")"
		}
		all = append(all, text)
	}
	if all == nil {
		return "–"
	}
	return strings.ReplaceAll(strings.Join(all, ", "), "|", `\|`)
}

func TestThePageOfToolsForCodingAgentsSaysWhatTheCodeSays(t *testing.T) {
	var b strings.Builder
	b.WriteString("# The tools of `vivarium mcp`\n\n" +
		"Coding agents call these by the [Model Context Protocol](https://modelcontextprotocol.io). Every argument may be left out; one that there is not is an error that names those that there are.\n" +
		"Without `backend` the one is meant in whose folder the agent works, or the only one there is. Answers have an output schema, and secrets in them are masked.\n" +
		"This page is written by `go test ./packaging/checks/project -update`, from what the code says.\n\n" +
		"| tool | what it does | changes | arguments | answers |\n|---|---|---|---|---|\n")
	for _, tool := range agentTools(t) {
		changes := "nothing"
		if a := tool.Annotations; !a.ReadOnlyHint {
			changes = "starts"
			if *a.DestructiveHint {
				changes = "ends what runs"
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", tool.Name, tool.Description, changes, fieldsOf(tool.InputSchema), fieldsOf(tool.OutputSchema))
	}
	b.WriteString("\nResources: `vivarium://backends/{backend}/record.md` is the record of the last death, and `record.json` the same as data; those that there are are listed.\n")
	page := filepath.Join(top(t), "packaging/docs/agents.md")
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(b.String()), 0o644))
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err, "run go test ./packaging/checks/project -update")
	require.Equal(t, b.String(), string(got), "run go test ./packaging/checks/project -update")
	require.Contains(t, readme(t), "packaging/docs/agents.md")
}
