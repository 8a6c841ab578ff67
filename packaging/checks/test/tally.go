package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"
	"time"
)

// event is a line of `go test -json` (`go doc test2json`), as far as it is used here.
type event struct {
	Action     string
	Package    string
	ImportPath string // build-output and build-fail have this instead of Package
	Test       string
	Output     string
	Elapsed    float64 // seconds
}

// name is what identifies a test.
type name struct{ pkg, test string }

func (n name) String() string { return n.pkg + "." + n.test }

// test is one that has begun; a parent of subtests is not counted itself, unless it fails alone.
type test struct {
	output []string
	parent bool
	failed bool // it, or one below it
}

// tally counts a run. Its fields out, stream, mustRun and tests are set by whoever makes it.
type tally struct {
	out     io.Writer
	stream  bool
	mustRun *regexp.Regexp
	tests   map[name]*test

	passed, failed int
	skipped        []string // "package.Test: reason"
}

// add takes one line. A line that is no JSON is passed on: `go` prints some of its own errors so.
func (t *tally) add(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		_, _ = t.out.Write(line)
		return
	}
	switch {
	case strings.HasPrefix(e.Action, "build-"):
		_, _ = io.WriteString(t.out, e.Output)
	case e.Test == "":
		t.addPackage(e)
	default:
		t.addTest(e)
	}
}

func (t *tally) addPackage(e event) {
	n := name{e.Package, ""}
	p := t.tests[n]
	if p == nil {
		p = &test{}
		t.tests[n] = p
	}
	switch e.Action {
	case "output":
		p.output = append(p.output, e.Output)
		if t.stream {
			_, _ = io.WriteString(t.out, e.Output)
		}
	case "pass":
		fmt.Fprintf(t.out, "ok    %s  %s\n", e.Package, elapsed(e))
	case "fail":
		if !p.failed { // it did not build, or died outside a test: that is a failure, too
			t.failed++
			if !t.stream {
				_, _ = io.WriteString(t.out, strings.Join(p.output, ""))
			}
		}
		fmt.Fprintf(t.out, "FAIL  %s  %s\n", e.Package, elapsed(e))
	}
}

func (t *tally) addTest(e event) {
	n := name{e.Package, e.Test}
	one := t.tests[n]
	if one == nil {
		one = &test{}
		t.tests[n] = one
	}
	switch e.Action {
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i > 0 {
			if p := t.tests[name{e.Package, e.Test[:i]}]; p != nil {
				p.parent = true
			}
		}
	case "output":
		one.output = append(one.output, e.Output)
		if t.stream && !strings.HasPrefix(e.Output, "=== ") {
			_, _ = io.WriteString(t.out, e.Output)
		}
	case "pass":
		if !one.parent {
			t.passed++
		}
		one.output = nil
	case "skip":
		t.skip(n, reason(one.output))
	case "fail":
		if !one.failed { // no subtest of it was counted
			t.failed++
		}
		t.blame(n)
		if !t.stream {
			_, _ = io.WriteString(t.out, strings.Join(one.output, ""))
		}
	}
}

// blame marks a failure in every parent and in the package, so that it is counted once.
func (t *tally) blame(n name) {
	for up := n.test; up != ""; {
		up = up[:max(0, strings.LastIndexByte(up, '/'))]
		if p := t.tests[name{n.pkg, up}]; p != nil {
			p.failed = true
		} else {
			t.tests[name{n.pkg, up}] = &test{failed: true}
		}
	}
}

func (t *tally) skip(n name, why string) {
	// What measures memory cannot do so under the race detector, and runs without it elsewhere.
	if t.mustRun != nil && t.mustRun.MatchString(n.String()) && !strings.Contains(why, "race detector") {
		t.failed++
		t.blame(n)
		fmt.Fprintf(t.out, "FAIL  %s was skipped, and here it may not be: %s\n", n, why)
		return
	}
	t.skipped = append(t.skipped, n.String()+": "+why)
}

// end prints what a reader wants last. err is how `go test` itself ended.
func (t *tally) end(err error) {
	if err != nil && t.failed == 0 {
		t.failed++
		fmt.Fprintf(t.out, "FAIL  go test: %v\n", err)
	}
	sort.Strings(t.skipped)
	for _, s := range t.skipped {
		fmt.Fprintln(t.out, "skipped:", s)
	}
	fmt.Fprintln(t.out, t.sum())
}

func (t *tally) sum() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.passed, t.failed, len(t.skipped))
}

// reason is the text of t.Skip: the last indented "file.go:12: text" of a test's output.
func reason(output []string) string {
	why := "no reason given"
	for _, line := range output {
		if m := skipLine.FindStringSubmatch(line); m != nil {
			why = strings.TrimSpace(m[1])
		}
	}
	return why
}

var skipLine = regexp.MustCompile(`^\s+\S+\.go:\d+: (.*)`)

func elapsed(e event) string {
	return time.Duration(e.Elapsed * float64(time.Second)).Round(10 * time.Millisecond).String()
}
