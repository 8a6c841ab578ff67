// Command test runs `go test` and says at the end what a plain run leaves unsaid: which tests were skipped, and why. Its
// last line is "N passed, N failed, N skipped"; its exit status is that of the tests.
//
//	go run ./packaging/checks/test [-stream] [-must-run REGEXP] [-total FILE] [go test flags and packages]
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"syscall"
)

// options are this program's own flags; everything else goes to `go test`.
type options struct {
	stream  bool           // print what the tests print while they run
	mustRun *regexp.Regexp // a test whose "package.Test" matches may not be skipped. If nil, any may
	total   string         // a file that gets the last line appended, "" for none
}

func parse(args []string) (options, []string, error) {
	var o options
	for len(args) > 0 {
		switch flag := args[0]; flag {
		case "-stream":
			o.stream, args = true, args[1:]
			continue
		case "-must-run", "-total":
			if len(args) < 2 {
				return o, nil, errors.New(flag + " needs a value")
			}
			if flag == "-total" {
				o.total = args[1]
			} else if args[1] != "" {
				re, err := regexp.Compile(args[1])
				if err != nil {
					return o, nil, fmt.Errorf("reading %s: %w", flag, err)
				}
				o.mustRun = re
			}
			args = args[2:]
			continue
		}
		break
	}
	return o, args, nil
}

func main() {
	o, args, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(2)
	}
	t, err := run(o, args, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(1)
	}
	if t.failed > 0 {
		os.Exit(1)
	}
}

// run starts `go test -json` and follows it to its end.
func run(o options, args []string, out io.Writer) (*tally, error) {
	// An interrupt goes to the whole foreground group: `go test` ends by itself and its last words are still counted.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM)
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("opening a pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting go test: %w", err)
	}
	t := &tally{out: out, stream: o.stream, mustRun: o.mustRun, tests: map[name]*test{}}
	lines := bufio.NewReaderSize(pipe, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			t.add(line)
		}
		if err != nil {
			break
		}
	}
	t.end(cmd.Wait())
	if o.total == "" {
		return t, nil
	}
	f, err := os.OpenFile(o.total, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("writing the total: %w", err)
	}
	fmt.Fprintln(f, t.sum())
	return t, f.Close()
}
