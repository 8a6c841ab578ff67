// Package probe asks a backend for its health, once, and looks around where it does not answer as it should. Begin with Backend; FindPath and
// SpeaksTLS look around. It knows nothing of phases, of failures in a row, or of what follows from an answer: the supervisor decides that.
package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

const (
	maxBody   = 64 << 10 // bytes of an answer's body that are read; what follows says nothing about health
	maxHeader = 64 << 10
)

// Agent is how every probe names itself. A probe of a run has the run's ID behind it, see Options.
const Agent = "Vivarium-Health-Probe"

// Options are what a probe may have besides its target.
type Options struct {
	Timeout time.Duration // over all of it; 0: the context alone limits it
	Run     string        // the run's ID, put into the User-Agent: whoever reads an access log knows the line as a probe of this run
	// Connected is told the local port of the connection before the request is sent. It may be nil; it is not called for a Unix socket.
	Connected func(port int)
}

// AnswerError is an answer that is no success.
type AnswerError struct {
	Status   int
	Location string // of a redirect, without what may be a secret in it
}

func (e *AnswerError) Error() string {
	if e.Location != "" {
		return fmt.Sprintf("redirects to %s: name the final path", e.Location)
	}
	return fmt.Sprintf("answered %d", e.Status)
}

// What keeps a server from giving an answer, as the end of a sentence for a person.
var (
	ErrRefused   = errors.New("connection refused")
	ErrNoSocket  = errors.New("the socket is not there")
	ErrBroken    = errors.New("broke the connection off")
	ErrClosed    = errors.New("closed the connection without an answer")
	ErrCut       = errors.New("broke off in the middle of its answer")
	ErrHeader    = errors.New("answered with an endless header")
	ErrNoHTTP    = errors.New("answered, but not in HTTP")
	ErrSpeaksTLS = errors.New("speaks https, not http")
	ErrNoTLS     = errors.New("speaks http, not https")
)

// way is how a request gets to its server.
type way struct {
	socket    string
	connected func(port int)
}

// connect makes one connection for each probe. A connection that is kept open would take one of a small server's few (a server that
// handles one connection at a time would serve nobody else), and would not show whether the server still accepts. It would save little:
// uvicorn and hypercorn close a connection after 5 s of silence, gunicorn after 2 s, which is the usual interval or less, and each such end
// wakes this program once more between two probes.
//
// Certificates are not checked, because only addresses of this computer are probed: see config. Whoever could answer there instead of the
// server can do so without a certificate, too.
func connect(ctx context.Context, u *url.URL, w way) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: false}, KeepAlive: -1}
	var conn net.Conn
	var err error
	if w.socket != "" {
		conn, err = d.DialContext(ctx, "unix", w.socket)
	} else {
		conn, err = d.DialContext(ctx, "tcp", hostPort(u))
	}
	if err != nil {
		return nil, err
	}
	if local, ok := localPort(conn); ok && w.connected != nil {
		w.connected(local)
	}
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	if u.Scheme != "https" {
		return conn, nil
	}
	secured := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func localPort(conn net.Conn) (int, bool) {
	a, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		return 0, false
	}
	return a.Port, true
}

// Get asks the target, and is without error if the answer is 2xx. Redirects are refused, at most 64 KiB of the body are read, no proxy is
// asked, nothing is kept open. The error is a sentence's end for a person: an *AnswerError, one of the errors of this package, or another.
func Get(ctx context.Context, t config.Target, o Options) (latency time.Duration, err error) {
	started := time.Now()
	limited, cancel := ctx, context.CancelFunc(func() {})
	if o.Timeout > 0 {
		limited, cancel = context.WithDeadline(ctx, started.Add(o.Timeout))
	}
	defer cancel()
	err = exchange(limited, t.URL, o.Run, way{t.Socket, o.Connected})
	latency = time.Since(started)
	var answer *AnswerError
	switch {
	case err == nil || errors.As(err, &answer):
		return latency, err
	case ctx.Err() != nil:
		return latency, ctx.Err()
	case o.Timeout > 0 && latency >= o.Timeout || errors.Is(err, context.DeadlineExceeded):
		return latency, fmt.Errorf("no answer within %s", seconds(o.Timeout))
	}
	return latency, inWords(err)
}

// Connect opens a connection to the target, and closes it: it is for a server of which no path is known.
func Connect(ctx context.Context, t config.Target, o Options) (latency time.Duration, err error) {
	started := time.Now()
	limited, cancel := ctx, context.CancelFunc(func() {})
	if o.Timeout > 0 {
		limited, cancel = context.WithDeadline(ctx, started.Add(o.Timeout))
	}
	defer cancel()
	conn, err := (&net.Dialer{KeepAlive: -1}).DialContext(limited, "tcp", t.Address())
	latency = time.Since(started)
	switch {
	case err == nil:
		return latency, conn.Close()
	case ctx.Err() != nil:
		return latency, ctx.Err()
	case limited.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		return latency, fmt.Errorf("no connection within %s", seconds(o.Timeout))
	}
	return latency, inWords(err)
}

// Backend asks the backend for its health, or connects to its port where it has no health path.
func Backend(ctx context.Context, c config.Config, o Options) (time.Duration, error) {
	o.Timeout = c.Health.Timeout
	if !c.HasHealth() {
		return Connect(ctx, c.Target(), o)
	}
	return Get(ctx, c.Target(), o)
}

// exchange sends the request and takes the answer on this goroutine alone. http.Transport does that with four, for connections that live on
// and requests that share them: at a probe each few seconds, for days, its hand-offs are most of what this program does.
func exchange(ctx context.Context, address, run string, w way) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil || request.URL.Scheme != "http" && request.URL.Scheme != "https" || request.URL.Host == "" {
		return fmt.Errorf("%s is not an http address", config.Quoted(address))
	}
	request.Header.Set("User-Agent", strings.TrimSpace(Agent+" "+run))
	request.Header.Set("Accept", "*/*")
	request.Close = true
	conn, err := connect(ctx, request.URL, w)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	// A server may answer, and go, before it has read the request: its answer counts.
	sent := request.Write(conn)
	answer, body, err := receive(conn, request)
	if err != nil && sent != nil {
		return sent
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols { // whose body is a connection; none is closed, which would read it to its end
		body.N = maxBody + slack
		if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, maxBody)); err != nil {
			return err
		}
	}
	if answer.StatusCode >= 200 && answer.StatusCode <= 299 {
		return nil
	}
	return &AnswerError{answer.StatusCode, redirection(request.URL, answer)}
}

// slack is what the framing of a body may take besides it, and what is read ahead.
const slack = 1 << 20

// receive takes the header of the final answer. What is read for it is limited, also over all the answers that come before it, as 103 Early
// Hints; more says how much may be read for the body.
func receive(conn net.Conn, request *http.Request) (answer *http.Response, more *io.LimitedReader, err error) {
	limited := &io.LimitedReader{R: conn, N: maxHeader}
	r := bufio.NewReader(limited)
	for {
		if _, err = r.Peek(1); err == nil { // which tells nothing from half an answer
			answer, err = http.ReadResponse(r, request)
		}
		switch {
		case err != nil && limited.N <= 0:
			return nil, nil, ErrHeader
		case err != nil:
			return nil, nil, err
		case answer.StatusCode >= 200 || answer.StatusCode == http.StatusSwitchingProtocols:
			return answer, limited, nil
		}
	}
}

// redirection is where a redirect leads, without user, password and query: those may be secrets, and a health path needs none.
func redirection(from *url.URL, answer *http.Response) string {
	if answer.StatusCode < 300 || answer.StatusCode > 399 {
		return ""
	}
	location, err := answer.Location()
	if err != nil {
		return ""
	}
	to := config.Plain(location.EscapedPath())
	if location.Host != from.Host || location.Scheme != from.Scheme {
		to = config.Plain(location.Scheme + "://" + location.Host + location.EscapedPath())
	}
	return shorten(to, 120)
}

// inWords puts what the network and net/http say into words. The errors of net/http for what is no HTTP have no types, only texts.
func inWords(err error) error {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	says := func(text string) bool { return strings.Contains(err.Error(), text) }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return ErrRefused
	case errors.As(err, &dns):
		return fmt.Errorf("the address of %s cannot be found", config.Plain(dns.Name))
	case errors.Is(err, syscall.ENOENT):
		return ErrNoSocket
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrBroken
	case errors.As(err, &record):
		return ErrNoTLS
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrCut
	case errors.Is(err, io.EOF):
		return ErrClosed
	case errors.Is(err, ErrHeader):
		return ErrHeader
	case says(`malformed HTTP response "\x15\x03`):
		return ErrSpeaksTLS
	case says("malformed"), says("unsupported transfer encoding"), says("Content-Length"), says("chunk"), says("invalid header"):
		return ErrNoHTTP
	}
	return errors.New(config.Plain(shorten(err.Error(), 200)))
}

// seconds writes a timeout as people do: "3 s", "1.5 s", "250 ms".
func seconds(d time.Duration) string {
	d = d.Round(time.Millisecond)
	if d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(float64(d.Round(10*time.Millisecond))/float64(time.Second), 'f', -1, 64) + " s"
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
