// Package probe asks a backend for its health, once, and looks around where it does not answer as it should. Begin with Backend; FindPath and
// SpeaksTLS look around. It knows nothing of phases, of failures in a row, or of what follows from an answer: the supervisor decides that.
package probe

import (
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

// transport makes one connection for each probe. A connection that is kept open would take one of a small server's few (a server that
// handles one connection at a time would serve nobody else), and would not show whether the server still accepts. It would save little:
// uvicorn and hypercorn close a connection after 5 s of silence, gunicorn after 2 s, which is the usual interval or less, and each such end
// wakes this program once more between two probes.
//
// Certificates are not checked, because only addresses of this computer are probed: see config. Whoever could answer there instead of the
// server can do so without a certificate, too.
var transport = &http.Transport{
	DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader, DialContext: dial,
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
}

// way is how a request gets to its server, carried by its context.
type way struct {
	socket    string
	connected func(port int)
}

type wayKey struct{}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	w, _ := ctx.Value(wayKey{}).(way)
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: false}, KeepAlive: -1}
	if w.socket != "" {
		return d.DialContext(ctx, "unix", w.socket)
	}
	conn, err := d.DialContext(ctx, network, address)
	if local, ok := localPort(conn, err); ok && w.connected != nil {
		w.connected(local)
	}
	return conn, err
}

func localPort(conn net.Conn, err error) (int, bool) {
	if err != nil {
		return 0, false
	}
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
	err = exchange(context.WithValue(limited, wayKey{}, way{t.Socket, o.Connected}), t.URL, o.Run)
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

func exchange(ctx context.Context, address, run string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil || request.URL.Scheme != "http" && request.URL.Scheme != "https" {
		return fmt.Errorf("%s is not an http address", config.Quoted(address))
	}
	request.Header.Set("User-Agent", strings.TrimSpace(Agent+" "+run))
	request.Header.Set("Accept", "*/*")
	// The Transport alone, without a Client: no redirect is followed and no cookie kept.
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols { // whose body is a connection
		if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, maxBody)); err != nil {
			return err
		}
	}
	if answer.StatusCode >= 200 && answer.StatusCode <= 299 {
		return nil
	}
	return &AnswerError{answer.StatusCode, redirection(request.URL, answer)}
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

// inWords puts what the network and the Transport say into words. The Transport's errors for what is no HTTP have no types, only texts.
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
	case errors.As(err, &record), says("server gave HTTP response to HTTPS client"):
		return ErrNoTLS
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrCut
	case errors.Is(err, io.EOF):
		return ErrClosed
	case says("response headers exceeded"):
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
