package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/supervisor/crash"
)

func explainCommand(c console) *cobra.Command {
	var asJSON bool
	var log, sig string
	var exit int
	cmd := &cobra.Command{
		Use: "explain", Short: "Say why a Python server died, also one that Vivarium did not run", Args: atMostOne("nothing"),
		Long:    "Judges the end of a server by its output and by its exit code or signal, as far as they are known.",
		Example: "  vivarium explain --log logs/server.log --signal SIGSEGV\n  ./serve 2>&1 | vivarium explain --log - --exit 1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("explain takes no arguments: name the log with --log")
			}
			e := crash.Evidence{Code: exit, Known: true, Uptime: time.Minute}
			switch hasExit, hasSignal := cmd.Flags().Changed("exit"), sig != ""; {
			case hasExit && hasSignal:
				return usage("either --exit or --signal: a process ends one way")
			case !hasExit && !hasSignal && log == "":
				return usage("there is nothing to judge: give --log, --exit or --signal")
			case !hasExit && !hasSignal:
				e.Known = false // the output is the only witness
			case hasSignal:
				name, err := signalName(sig)
				if err != nil {
					return err
				}
				e.Signal = name
			case exit < 0 && unix.SignalName(unix.Signal(-exit)) != "": // what Python's subprocess makes of a signal
				e.Code, e.Signal = 0, unix.SignalName(unix.Signal(-exit))
			case exit > 128 && unix.SignalName(unix.Signal(exit-128)) != "": // and what a shell makes of it
				e.Code, e.Signal = 0, unix.SignalName(unix.Signal(exit-128))
			}
			tail, err := readTail(c.in, log)
			if err != nil {
				return err
			}
			e.Tail = tail
			if !e.Known {
				return printVerdict(c.out, judgeOutput(tail), asJSON)
			}
			return printVerdict(c.out, crash.Judge(e), asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().StringVar(&log, "log", "", "the server's output; - is the standard input")
	cmd.Flags().IntVar(&exit, "exit", 0, "its exit code; 139 and the like are taken as a shell's word for a signal")
	cmd.Flags().StringVar(&sig, "signal", "", "the signal that ended it, as SIGSEGV, SEGV or 11")
	return cmd
}

// endings are the ways in which servers end, with what Python's faulthandler says of them.
var endings = []struct {
	code   int
	signal string
	fault  string
}{
	{code: 1}, {code: 3},
	{signal: "SIGSEGV", fault: "Fatal Python error: Segmentation fault"}, {signal: "SIGBUS", fault: "Fatal Python error: Bus error"},
	{signal: "SIGILL", fault: "Fatal Python error: Illegal instruction"}, {signal: "SIGFPE", fault: "Fatal Python error: Floating"},
	{signal: "SIGABRT", fault: "Fatal Python error"},
}

// judgeOutput judges by the output alone: of the ways in which servers end, the first one that a line of the output bears out.
func judgeOutput(tail []string) crash.Verdict {
	for _, e := range endings {
		v := crash.Judge(crash.Evidence{Code: e.code, Signal: e.signal, Known: true, Tail: tail, Uptime: time.Minute})
		certain := e.signal == "" || v.Kind == crash.KindOpenMP || strings.Contains(v.Line, e.fault)
		if v.Line != "" && v.Kind != crash.KindExitCode && certain {
			return v
		}
	}
	return crash.Verdict{Kind: crash.KindUnknown, Summary: "the output does not say why it ended", Remedy: "Say how it ended with --exit or --signal."}
}

func signalName(text string) (string, error) {
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if unix.SignalNum(name) != 0 {
		return name, nil
	}
	var n int
	if _, err := fmt.Sscan(text, &n); err == nil {
		if name := unix.SignalName(unix.Signal(n)); name != "" {
			return name, nil
		}
	}
	return "", usage("%q is no signal: write it as SIGSEGV", text)
}

// maxTail is how much of the end of an output is judged, as much as a keeper keeps.
const maxTail = 64 << 10

func readTail(in io.Reader, name string) ([]string, error) {
	if name == "" {
		return nil, nil
	}
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, usage("reading the log: %w", err)
		}
		defer f.Close()
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() && st.Size() > maxTail {
			if _, err := f.Seek(-maxTail, io.SeekEnd); err != nil {
				return nil, fmt.Errorf("reading the log: %w", err)
			}
		}
		in = f
	}
	var tail []byte
	part := make([]byte, 32<<10)
	for {
		n, err := in.Read(part)
		tail = append(tail, part[:n]...)
		if over := len(tail) - maxTail; over > maxTail { // it may be endless: keep twice the end at most
			tail = append(tail[:0], tail[over:]...)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, usage("reading the log: %w", reason(err))
		}
	}
	tail = tail[max(0, len(tail)-maxTail):]
	tail = bytes.TrimRight(tail, "\n")
	return strings.Split(string(tail), "\n"), nil
}

func printVerdict(w io.Writer, v crash.Verdict, asJSON bool) error {
	if asJSON {
		return printJSON(w, v)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", v.Summary, v.Kind)
	if v.Remedy != "" {
		fmt.Fprintf(&b, "  remedy  %s\n", v.Remedy)
	}
	if v.Line != "" {
		fmt.Fprintf(&b, "  line    %s\n", v.Line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
