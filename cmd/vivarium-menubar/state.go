package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/vivarium-app/vivarium/app/login"
)

// askTime is how long macOS may take for an answer.
const askTime = 10 * time.Second

// tellLoginItem does what is asked, and prints what macOS says of the item then. The command line has no Objective-C, and macOS answers an
// app about itself alone: so the app's own program is asked.
func tellLoginItem(s login.Items, what string, out io.Writer) error {
	var state login.State
	var problem error
	switch what {
	case "status":
		state, problem = s.State()
	case "register":
		state, problem = s.Register()
	case "unregister":
		state, problem = s.Unregister()
	default:
		state, problem = s.Legacy(what)
	}
	said := map[string]any{"state": int(state), "means": meaning(state)}
	if problem != nil {
		said["problem"] = problem.Error()
	}
	return line(out, said)
}

func meaning(s login.State) string {
	switch s {
	case login.NotRegistered:
		return "off"
	case login.Enabled:
		return "on"
	case login.RequiresApproval:
		return "switched off in System Settings"
	case login.NotFound:
		return "unknown to macOS"
	case login.Unavailable:
		return "not available"
	}
	return "failed"
}

// tellNotices prints whether notices are allowed. allowed is nil where there is no notification center.
func tellNotices(ctx context.Context, allowed func(context.Context) error, out io.Writer) error {
	if allowed == nil {
		return line(out, map[string]any{"allowed": false, "problem": "this program is not in an app"})
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err := allowed(ctx)
	said := map[string]any{"allowed": err == nil}
	if err != nil {
		said["problem"] = err.Error()
	}
	return line(out, said)
}

func line(out io.Writer, said map[string]any) error {
	text, err := json.Marshal(said)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, string(text))
	return err
}
