package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The addresses of a backend's record.
const (
	markdownTemplate = "vivarium://backends/{backend}/record.md"
	jsonTemplate     = "vivarium://backends/{backend}/record.json"
)

// RecordURI is the address of the record of the backend with this name, as Markdown.
func RecordURI(name string) string {
	return "vivarium://backends/" + url.PathEscape(name) + "/record.md"
}

func (t tools) addResources(s *mcp.Server) {
	s.AddResourceTemplate(&mcp.ResourceTemplate{Name: "record", Title: "The record of the last death or stall", Description: "All that is known of it, as a page to read or to paste into an issue.", MIMEType: "text/markdown", URITemplate: markdownTemplate}, t.record)
	s.AddResourceTemplate(&mcp.ResourceTemplate{Name: "record-json", Title: "The same as data", Description: "The record of the last death or stall as JSON.", MIMEType: "application/json", URITemplate: jsonTemplate}, t.record)
}

// listRecords lists the records that there are: a client shows a person what is listed, and not what could be asked for.
func (t tools) listRecords(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		result, err := next(ctx, method, req)
		list, ok := result.(*mcp.ListResourcesResult)
		if err != nil || !ok {
			return result, err
		}
		all, err := t.b.List(ctx)
		if err != nil {
			return nil, errors.New(t.o.Mask(err.Error()))
		}
		for _, b := range all {
			if markdown, _, err := t.b.Record(ctx, b.Dir); err != nil || markdown == "" {
				continue
			}
			uri := RecordURI(reference(all, b))
			list.Resources = append(list.Resources,
				&mcp.Resource{Name: b.Name + " record", Title: "Why " + b.Name + " last died or stood still", MIMEType: "text/markdown", URI: uri},
				&mcp.Resource{Name: b.Name + " record as data", Title: "The same as data", MIMEType: "application/json", URI: strings.TrimSuffix(uri, "md") + "json"})
		}
		return list, nil
	}
}

func (t tools) record(ctx context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	uri := r.Params.URI
	rest := strings.TrimPrefix(uri, "vivarium://backends/")
	escaped, file, ok := strings.Cut(rest, "/")
	name, err := url.PathUnescape(escaped)
	if !ok || err != nil || name == "" {
		return nil, mcp.ResourceNotFoundError(uri)
	}
	dir, err := t.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	markdown, data, err := t.b.Record(ctx, dir)
	if err != nil {
		return nil, errors.New(t.o.Mask(err.Error()))
	}
	c := &mcp.ResourceContents{URI: uri, MIMEType: "text/markdown", Text: t.o.Mask(markdown)}
	if file == "record.json" {
		c.MIMEType, c.Text = "application/json", maskedJSON(data, t.o.Mask)
	}
	if c.Text == "" {
		return nil, mcp.ResourceNotFoundError(uri)
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{c}}, nil
}

// maskedJSON hides secrets in the texts of a JSON document, so that it stays one: a mask over the whole might take a quotation mark with it.
func maskedJSON(data string, hide func(string) string) string {
	var v any
	if json.Unmarshal([]byte(data), &v) != nil {
		return hide(data)
	}
	text, err := json.MarshalIndent(maskedValue(v, hide), "", "  ")
	if err != nil {
		return hide(data)
	}
	return string(text)
}

func maskedValue(v any, hide func(string) string) any {
	switch v := v.(type) {
	case string:
		return hide(v)
	case []any:
		for i := range v {
			v[i] = maskedValue(v[i], hide)
		}
	case map[string]any:
		for name := range v {
			v[name] = maskedValue(v[name], hide)
		}
	}
	return v
}

// masked hides secrets in every text of an answer, whichever field it is in: a new field cannot be forgotten. Names and paths pass as well; the
// mask finds nothing in them.
func masked[T any](t tools, v T) T {
	out := reflect.New(reflect.TypeOf(&v).Elem()).Elem()
	out.Set(reflect.ValueOf(&v).Elem())
	mask(out, t.o.Mask)
	return out.Interface().(T)
}

func mask(v reflect.Value, hide func(string) string) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.SetString(hide(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() && v.CanSet() {
			inner := reflect.New(v.Type().Elem())
			inner.Elem().Set(v.Elem())
			mask(inner.Elem(), hide)
			v.Set(inner)
		}
	case reflect.Slice:
		if v.IsNil() || !v.CanSet() {
			return
		}
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(own, v)
		if lines, ok := own.Interface().([]string); ok {
			if hidden, ok := maskLines(lines, hide); ok {
				v.Set(reflect.ValueOf(hidden))
				return
			}
		}
		for i := range own.Len() {
			mask(own.Index(i), hide)
		}
		v.Set(own)
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			return
		}
		for i := range v.NumField() {
			mask(v.Field(i), hide)
		}
	}
}

// maskLines hides secrets in lines that belong together: a private key is one only as a whole, and there are fewer lines without it. false: they
// are no lines, one by one.
func maskLines(lines []string, hide func(string) string) (hidden []string, ok bool) {
	if len(lines) == 0 || slices.ContainsFunc(lines, func(s string) bool { return strings.Contains(s, "\n") }) {
		return nil, false
	}
	hidden = strings.Split(hide(strings.Join(lines, "\n")), "\n")
	return hidden, len(hidden) <= len(lines)
}
