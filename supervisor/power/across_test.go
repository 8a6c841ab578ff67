package power

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRequestsThatBrokeOffAreCountedFromTheLog(t *testing.T) {
	for name, c := range map[string]struct {
		log  string
		want int
	}{
		"nothing":       {"", 0},
		"usual lines":   {"INFO:     127.0.0.1:50123 - \"GET /health HTTP/1.1\" 200 OK\nINFO timeout is 30 s", 0},
		"a traceback":   {"Traceback (most recent call last):\n  File \"server.py\", line 4, in f\n    raise ConnectionResetError\nConnectionResetError: [Errno 54] Connection reset by peer", 1},
		"a logged line": {"ERROR 2026-05-01 socket.send() raised: [Errno 32] Broken pipe", 1},
		"a chain of one cause": {"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nTimeoutError: timed out\n\nThe above exception was the direct cause of the following exception:\n\n" +
			"Traceback (most recent call last):\n  File \"b.py\", line 1, in g\nhttpx.ReadTimeout: timed out", 1},
		"two":           {"starlette.requests.ClientDisconnect\nh11._util.RemoteProtocolError: peer closed connection without sending complete message body", 2},
		"another errno": {"OSError: [Errno 48] address already in use", 0},
	} {
		require.Equal(t, c.want, Broken(strings.Split(c.log, "\n")), name)
	}
}

func TestWhatASleepBrokeOffIsSaid(t *testing.T) {
	require.Empty(t, Across(false, 0))
	require.Equal(t, "a health probe was under way", Across(true, 0))
	require.Equal(t, "a request broke off across it", Across(false, 1))
	require.Equal(t, "3 requests broke off across it, a health probe was under way", Across(true, 3))
}

// One exception that a library raises from another is one broken request; what breaks off after it is the next.
func TestAChainOfExceptionsThatEndsOtherwiseHidesNoLaterOne(t *testing.T) {
	chain := []string{
		"Traceback (most recent call last):", `  File "a.py", line 1, in f`, "ConnectionResetError: [Errno 104] Connection reset by peer", "",
		"During handling of the above exception, another exception occurred:", "", "Traceback (most recent call last):", `  File "b.py", line 2, in g`,
	}
	require.Equal(t, 1, Broken(append(chain, "ClientDisconnect")))
	require.Equal(t, 1, Broken(append(chain, "ValueError: no body")))
	require.Equal(t, 2, Broken(append(chain, "ValueError: no body", "INFO: ready", "BrokenPipeError: [Errno 32] Broken pipe")))
	require.Equal(t, 2, Broken(append(chain, "ClientDisconnect", "BrokenPipeError: [Errno 32] Broken pipe")))
	require.Zero(t, Broken([]string{"  TimeoutError", "\tConnectionResetError", "INFO: a timeout of 104 s"}))
}
