package dashboard

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
)

func TestARequestThatMakesNoSenseIsRefusedInOneLineAndDoesNothing(t *testing.T) {
	h := newHouse(t, "search-api")
	c := serving(t, h)
	require.NoError(t, os.WriteFile(h.backends[h.dirs[0]].Log, []byte("a line\n"), 0o600))
	b := c.about(0)
	for _, one := range []struct {
		method, path string
		code         int
	}{
		{"GET", b + "/log?before=x", 400}, {"GET", b + "/log?after=0:0", 400}, {"GET", b + "/log?around=1:-1", 400}, {"GET", b + "/log?around=1", 400},
		{"GET", b + "/log?before=99999999999999999999:0", 400}, {"GET", b + "/log?before=1:9223372036854775808", 400}, {"GET", b + "/log?around=77:0", 410},
		{"GET", b + "/log?level=loud", 400}, {"GET", b + "/log?q=%5B", 400}, {"GET", b + "/log?q=" + strings.Repeat("%28", 2000), 400},
		{"GET", b + "/search?q=%28", 400}, {"GET", b + "/search", 400}, {"GET", b + "/search?q=a&before=b", 400},
		{"GET", b + "/locate/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404}, {"GET", b + "/locate/.d1", 404}, {"GET", b + "/locate/d2", 404}, {"GET", b + "/locate/d1", 410},
		{"GET", b + "/locate/" + strings.Repeat("d", 300), 404}, {"GET", b + "/report/..%2f..%2fd1", 404}, {"GET", b + "/report/d1%00", 404}, {"GET", b + "/report/%5cd1", 404},
		{"GET", b + "/view/everything", 404}, {"GET", "/api/b/%2e%2e/view/log", 404}, {"GET", "/api/b/nobody/log", 404}, {"GET", "/api/b/nobody/search?q=a", 404},
		{"GET", "/api/b/nobody/locate/d1", 404}, {"GET", "/api/b/nobody/report/d1", 404}, {"GET", "/api/b/nobody/view/deaths", 404},
		{"POST", "/api/b/nobody/ticket", 404}, {"POST", "/api/b/nobody/stacks", 404}, {"POST", "/api/b/nobody/doctor", 404}, {"POST", b + "/do/STOP", 404}, {"POST", b + "/do/stop%2f", 404},
		{"GET", "/hello", 400}, {"GET", "/hello?nonce=" + strings.Repeat("n", 201), 400}, {"GET", "/download/%2e%2e", 404}, {"DELETE", b + "/log", 405}, {"PUT", b + "/do/stop", 405},
	} {
		answer := c.ask(one.method, one.path, nil)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.Equal(t, one.code, answer.StatusCode, "%s %s: %s", one.method, one.path, text)
		require.NotContains(t, answer.Header.Get("Content-Type"), "html", one.path)
		require.LessOrEqual(t, strings.Count(string(text), "\n"), 1, "%s: %s", one.path, text)
		require.NotContains(t, string(text), h.dirs[0], one.path)
	}
	require.Empty(t, h.did)
	for _, n := range []string{"", "0", "-1", "many", "99999999999999999999"} { // how many rows is no reason to refuse
		var part logPart
		c.json(b+"/log?n="+n, &part)
		require.Len(t, part.Rows, 1, n)
	}
}

func TestALogThatIsNoFileIsAnErrorInItsViewAndNotWaitedFor(t *testing.T) {
	h := newHouse(t, "search-api")
	path := h.backends[h.dirs[0]].Log
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	c := serving(t, h)
	for _, view := range []string{"/log", "/search?q=a"} {
		answer := c.ask("GET", c.about(0)+view, nil)
		require.Equal(t, http.StatusConflict, answer.StatusCode, view)
	}
	b := h.backends[h.dirs[0]]
	b.Log = "relative.log"
	h.mu.Lock()
	h.backends[h.dirs[0]] = b
	h.mu.Unlock()
	require.Equal(t, http.StatusNotFound, serving(t, h).ask("GET", c.about(0)+"/log", nil).StatusCode, "a path that is relative to nothing is none")
}

func TestBytesThatAreNoHTTPEndTheirConnectionAlone(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	for name, text := range map[string]string{
		"no HTTP":             "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
		"HTTP/1.0, no host":   "GET /api/stream HTTP/1.0\r\n\r\n",
		"two hosts":           "GET / HTTP/1.1\r\nHost: " + c.host + "\r\nHost: evil.test\r\n\r\n",
		"a host in the line":  "GET http://evil.test/ HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n",
		"another's tunnel":    "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n",
		"headers without end": "GET / HTTP/1.1\r\nHost: " + c.host + "\r\nX: " + strings.Repeat("x", 2<<20) + "\r\n\r\n",
		"two lengths":         "POST / HTTP/1.1\r\nHost: " + c.host + "\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
	} {
		conn, err := net.Dial("tcp", c.host)
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
		go func() { _, _ = io.WriteString(conn, text) }()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil { // one that is cut off in the middle may not even read it
			require.GreaterOrEqual(t, answer.StatusCode, 400, name)
		} else {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, name)
		}
		conn.Close()
		require.Equal(t, http.StatusOK, c.ask("GET", "/", nil).StatusCode, name)
	}
}

func TestADoorThatCannotBeOpenedOrAskedIsAnError(t *testing.T) {
	top := testkit.ShortDir(t)
	file := filepath.Join(top, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := OpenDoor(filepath.Join(file, "state"))
	require.ErrorContains(t, err, "making the state folder")
	_, err = Redirect(filepath.Join(top, "gone"), "http://127.0.0.1:1/")
	require.ErrorContains(t, err, "writing the way to the dashboard")
	_, err = Find(t.Context(), top, "")
	require.ErrorIs(t, err, ErrNone)

	long := filepath.Join(top, strings.Repeat("long", 40))
	require.NoError(t, os.Mkdir(long, 0o700))
	_, err = Find(t.Context(), long, "")
	require.Error(t, err, "a socket's path has a bound")
	require.NotErrorIs(t, err, ErrNone)
	_, err = OpenDoor(long)
	require.Error(t, err)
	left, err := os.ReadDir(long)
	require.NoError(t, err)
	for _, f := range left {
		require.Equal(t, lockName, f.Name(), "nothing is left behind but the lock")
	}
}

func TestADashboardThatGoesWhileItIsAskedIsNone(t *testing.T) {
	for name, says := range map[string]string{"nothing": "", "an empty line": "\n", "half a line": "http://127.0.0.1:8"} {
		state := testkit.ShortDir(t)
		ln, err := net.Listen("unix", filepath.Join(state, socketName))
		require.NoError(t, err)
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = bufio.NewReader(conn).ReadString('\n')
			_, _ = fmt.Fprint(conn, says)
		}()
		_, err = Find(t.Context(), state, "/srv/shop")
		require.ErrorIs(t, err, ErrNone, name)
		require.NoError(t, ln.Close())
	}
}
