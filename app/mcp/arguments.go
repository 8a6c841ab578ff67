package mcp

import (
	"context"
	"reflect"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// addTool adds a tool, and remembers the names of its arguments for whoever gets one wrong.
func addTool[In, Out any](t tools, s *mcp.Server, tool *mcp.Tool, do mcp.ToolHandlerFor[In, Out]) {
	t.arguments[tool.Name] = namesIn(reflect.TypeFor[In]())
	mcp.AddTool(s, tool, do)
}

// namesIn are the names of a struct's fields in JSON, those of embedded ones first.
func namesIn(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, namesIn(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// explainArguments puts what is right behind the library's word that an argument is wrong: an agent mends its call by it.
func (t tools) explainArguments(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		result, err := next(ctx, method, req)
		call, isCall := req.(*mcp.CallToolRequest)
		answer, isAnswer := result.(*mcp.CallToolResult)
		if err != nil || !isCall || !isAnswer || !answer.IsError || len(answer.Content) == 0 {
			return result, err
		}
		names, known := t.arguments[call.Params.Name]
		text, isText := answer.Content[0].(*mcp.TextContent)
		if !known || !isText || !strings.HasPrefix(text.Text, `validating "arguments"`) {
			return result, err
		}
		right := call.Params.Name + " takes no arguments"
		if len(names) > 0 {
			right = call.Params.Name + " takes these arguments, each of which may be left out: " + strings.Join(names, ", ")
		}
		answer.Content[0] = &mcp.TextContent{Text: text.Text + "; " + right}
		return answer, nil
	}
}
