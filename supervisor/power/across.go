package power

import (
	"regexp"
	"strconv"
	"strings"
)

// broke are the shapes in which Python and its servers tell that the other end of a connection is gone, or that the time for an answer was
// over: exceptions by their names, and errno 32, 54, 60, 104 and 110, which are EPIPE, ECONNRESET and ETIMEDOUT on macOS and Linux.
var broke = regexp.MustCompile(`\b(ConnectionResetError|BrokenPipeError|ConnectionAbortedError|ClientDisconnect(ed)?|IncompleteRead(Error)?|RemoteProtocolError|` +
	`ServerDisconnectedError|ClientConnectionResetError|(Read|Write|Connect|Pool)Timeout|TimeoutError)\b|\[Errno (32|54|60|104|110)\]`)

// Broken counts the lines that tell of a connection which broke off. The frames of a traceback and the exceptions that a library raises from
// one another tell of one: only lines that begin with the exception count, or that are no part of a traceback.
func Broken(lines []string) (n int) {
	chained := false
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l, " ") || strings.HasPrefix(l, "\t"): // a frame, or a line of source
		case strings.HasPrefix(l, "During handling of the above exception") || strings.HasPrefix(l, "The above exception was the direct cause"):
			chained = true
		case broke.MatchString(l):
			if !chained {
				n++
			}
			chained = false
		case l != "" && !strings.HasPrefix(l, "Traceback "): // the chain ended with another exception
			chained = false
		}
	}
	return n
}

// Across says what a sleep broke off: a health probe that was under way, and the connections of which the log tells afterwards. "": nothing
// is known to have been.
func Across(probe bool, connections int) string {
	var parts []string
	switch {
	case connections == 1:
		parts = append(parts, "a request broke off across it")
	case connections > 1:
		parts = append(parts, strconv.Itoa(connections)+" requests broke off across it")
	}
	if probe {
		parts = append(parts, "a health probe was under way")
	}
	return strings.Join(parts, ", ")
}
