package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxAfter is how many backends one may wait for: more is a list of something else.
const maxAfter = 16

// takeAfter checks what can be seen without the other backends: whether they are there, and whether they wait for this one, is for those
// to say who know them. See AfterError.
func (r *reading) takeAfter(raw configText) error {
	const key = "after"
	if len(raw.After) > maxAfter {
		return r.fail(key, fmt.Sprintf("has %d names", len(raw.After)), fmt.Sprintf("name at most %d", maxAfter))
	}
	r.afterLine = r.lines[key]
	for _, name := range raw.After {
		n := strings.TrimSpace(name)
		switch {
		case n == "":
			return r.fail(key, "has an empty name in it", "write it like this: "+keyRules[key].example)
		case len([]rune(n)) > maxName, strings.ContainsFunc(n, func(c rune) bool { return !unicode.IsPrint(c) }):
			return r.fail(key, Quoted(name)+" is no name of a backend", "write it like this: "+keyRules[key].example)
		case n == r.Name:
			return r.fail(key, Quoted(n)+" is this backend itself", "name another one, or remove it")
		case slices.Contains(r.After, n):
			return r.fail(key, Quoted(n)+" is there twice", "keep one of the two")
		}
		r.After = append(r.After, n)
	}
	return nil
}

// AfterError is a mistake in the key after that shows only beside the other backends, with its place in the file.
func (c Config) AfterError(problem, remedy string) *Error {
	return &Error{File: c.File, Line: c.afterLine, Key: "after", Problem: problem, Remedy: remedy}
}

// EventNames are the events that on_event can be told of, by the names of the command line's JSON.
var EventNames = []string{
	"amended", "attached", "busy", "crashed", "ended", "env-missing", "gave-up", "healthy", "keeper-lost", "memory-high", "misconfigured", "permission",
	"port-taken", "restarting", "stalled", "started", "stopped", "stopping", "took-over", "unhealthy", "worker-died", "worker-loop",
}

// troubles are the events that on_event is told of by default: what a person would want to know at once.
var troubles = []string{"crashed", "ended", "gave-up", "port-taken", "stalled", "unhealthy", "worker-loop"}

const maxWords = 64 // of a command

func (r *reading) takeOnEvent(raw configText) (err error) {
	const key = "on_event.command"
	example := "write it like this: " + keyRules[key].example
	if r.has(key) {
		switch c := raw.OnEvent.Command; {
		case len(c) == 0 || strings.TrimSpace(c[0]) == "":
			return r.fail(key, "is empty", example)
		case len(c) > maxWords:
			return r.fail(key, fmt.Sprintf("has %d words", len(c)), "put them into a script")
		case slices.ContainsFunc(c, func(w string) bool { return strings.ContainsRune(w, 0) }):
			return r.fail(key, "has a NUL character in it", "remove it")
		case len(c) == 1 && strings.ContainsAny(c[0], " \t") && !Exists(r.inDir(c[0])):
			return r.fail(key, "is one word with spaces in it: no shell splits it", "make every word a text of its own: "+example)
		default:
			r.OnEvent.Command = slices.Clone(c)
			r.OnEvent.Command[0] = atHome(c[0])
		}
	}
	if r.has("on_event.events") {
		if r.OnEvent.Events, err = r.events(raw.OnEvent.Events); err != nil {
			return err
		}
	}
	r.OnEvent.Timeout, err = r.duration("on_event.timeout", raw.OnEvent.Timeout, r.OnEvent.Timeout, 100*time.Millisecond, 5*time.Minute)
	return err
}

func (r *reading) events(names []string) ([]string, error) {
	const key = "on_event.events"
	if len(names) == 0 {
		return nil, r.fail(key, "is empty", "write it like this: "+keyRules[key].example+", or remove the line: troubles are told then")
	}
	var all []string
	for _, n := range names {
		switch {
		case !slices.Contains(EventNames, n):
			remedy := "there are " + strings.Join(EventNames, ", ")
			if near := nearest(n, EventNames...); near != "" {
				remedy = "did you mean " + strconv.Quote(near) + "?"
			}
			return nil, r.fail(key, Quoted(n)+" is no event", remedy)
		case !slices.Contains(all, n):
			all = append(all, n)
		}
	}
	return all, nil
}
