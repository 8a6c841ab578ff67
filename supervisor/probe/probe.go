// Package probe asks a backend for its health, once. Begin with Backend. It knows nothing of phases, of failures in a row, or of what
// follows from an answer: the supervisor decides that.
package probe

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

const (
	maxAnswer = 64 << 10 // bytes of a health answer's body that are read; what follows says nothing about health
	maxWire   = 1 << 20  // bytes taken from the socket for them: a chunk of one byte costs six
)

// Get asks url, as in "http://127.0.0.1:8000/health", and is without error if the answer is 2xx. Redirects are refused, at most
// 64 KiB of the body are read, no proxy is asked, nothing is kept open. The error is a sentence's end for a person: "answered 503".
// If timeout is zero, ctx alone limits it.
//
// It is one exchange on one connection, read by net/textproto and not by net/http, which brings TLS along: 2 MiB of each program, and more
// memory while it idles. A connection kept open would take one of a small server's few, and say nothing about whether it still accepts.
func Get(ctx context.Context, url string, timeout time.Duration) (latency time.Duration, err error) {
	started := time.Now()
	limited, cancel := ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		limited, cancel = context.WithDeadline(ctx, started.Add(timeout))
	}
	defer cancel()
	status, location, err := exchange(limited, url)
	latency = time.Since(started)
	switch {
	case ctx.Err() != nil:
		return latency, ctx.Err()
	// The parser takes half a line before a timeout for a line, so its error is not asked; the clock is.
	case err != nil && timeout > 0 && latency >= timeout:
		return latency, fmt.Errorf("no answer within %s", seconds(timeout))
	case err != nil:
		return latency, probeProblem(err)
	case status >= 300 && status < 400 && location != "":
		return latency, fmt.Errorf("redirects to %s: name the final path", config.Plain(shorten(location, 120)))
	case status < 200 || status > 299:
		return latency, fmt.Errorf("answered %d", status)
	}
	return latency, nil
}

// Backend asks the backend for its health.
func Backend(ctx context.Context, c config.Config) (time.Duration, error) {
	return Get(ctx, c.URL()+c.Health.Path, c.Health.Timeout)
}

var (
	errHeader = errors.New("answered with an endless header")
	errNoHTTP = errors.New("answered, but not in HTTP")
)

func exchange(ctx context.Context, address string) (status int, location string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return 0, "", fmt.Errorf("%s is not an http address", config.Quoted(address))
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "80")
	}
	conn, err := (&net.Dialer{KeepAlive: -1}).DialContext(ctx, "tcp", host)
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	if at, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(at)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	request := "GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host +
		"\r\nUser-Agent: Vivarium\r\nAccept: */*\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		return 0, "", err
	}
	return readAnswer(conn)
}

func readAnswer(conn io.Reader) (status int, location string, err error) {
	limit := &io.LimitedReader{R: conn, N: maxAnswer}
	r := bufio.NewReaderSize(limit, 1<<10)
	if first, err := r.Peek(5); err != nil && len(first) == 0 {
		return 0, "", err // closed, broken, or silent
	} else if string(first) != "HTTP/" {
		return 0, "", errNoHTTP
	}
	lines := textproto.NewReader(r)
	var header textproto.MIMEHeader
	for range 5 { // "100 Continue" and "103 Early Hints" come before the answer
		if status, header, err = readTop(lines); err != nil {
			if limit.N <= 0 {
				err = errHeader
			}
			return 0, "", err
		}
		if status >= 200 || status == 101 { // "101 Switching Protocols" is an answer, if a strange one
			break
		}
	}
	limit.N = maxWire
	return status, header.Get("Location"), readBody(lines, status, header)
}

// readTop reads a status line and the header below it. See RFC 9112, sections 4 and 5.
func readTop(lines *textproto.Reader) (status int, header textproto.MIMEHeader, err error) {
	line, err := lines.ReadLine()
	if err != nil {
		return 0, nil, cutShort(err)
	}
	version, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if status, err = strconv.Atoi(code); err != nil || len(code) != 3 || !strings.HasPrefix(version, "HTTP/1.") {
		return 0, nil, errNoHTTP
	}
	if header, err = lines.ReadMIMEHeader(); err != nil {
		var odd textproto.ProtocolError
		if errors.As(err, &odd) {
			return 0, nil, errNoHTTP
		}
		return 0, nil, cutShort(err)
	}
	return status, header, nil
}

// readBody reads 64 KiB at most: what follows says nothing about health. See RFC 9112, section 6.3.
func readBody(lines *textproto.Reader, status int, header textproto.MIMEHeader) error {
	switch length := header.Get("Content-Length"); {
	case status == 204 || status == 304 || status < 200:
		return nil
	case strings.EqualFold(header.Get("Transfer-Encoding"), "chunked"):
		return readChunks(lines)
	case header.Get("Transfer-Encoding") != "":
		return errNoHTTP
	case length != "":
		n, err := strconv.ParseInt(strings.TrimSpace(length), 10, 64)
		if err != nil || n < 0 {
			return errNoHTTP
		}
		_, err = io.CopyN(io.Discard, lines.R, min(n, maxAnswer))
		return cutShort(err)
	}
	_, err := io.Copy(io.Discard, io.LimitReader(lines.R, maxAnswer))
	return err
}

// readChunks reads a body of chunks: a size in hex, the bytes, an empty line. See RFC 9112, section 7.1.
func readChunks(lines *textproto.Reader) error {
	for left := int64(maxAnswer); left > 0; {
		line, err := lines.ReadLine()
		if err != nil {
			return cutShort(err)
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
		if err != nil || n < 0 {
			return errNoHTTP
		}
		if n == 0 {
			return nil
		}
		if _, err := io.CopyN(io.Discard, lines.R, min(n, left)); err != nil {
			return cutShort(err)
		}
		if left -= n; left <= 0 {
			return nil
		}
		if end, err := lines.ReadLine(); err != nil || end != "" {
			return cutShort(cmp.Or(err, errNoHTTP))
		}
	}
	return nil
}

// cutShort: an end in the middle of an answer is none that was meant.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// probeProblem puts what the network says into words.
func probeProblem(err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errors.New("broke the connection off")
	case errors.Is(err, io.EOF):
		return errors.New("closed the connection without an answer")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("broke off in the middle of its answer")
	case errors.Is(err, errHeader), errors.Is(err, errNoHTTP):
		return err
	case errors.As(err, &dns):
		return fmt.Errorf("the address of %s cannot be found", config.Plain(dns.Name))
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
