package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

const (
	// DeepAgent is how a deep probe names itself: its line in an access log is no health probe's.
	DeepAgent = "Vivarium-Deep-Probe"
	maxWork   = 1 << 20 // bytes of the answer of a deep probe in which a text is looked for
)

// transport has what a whole answer needs, unlike that of the health probes: bodies of any length and framing, which are read to their end. A
// deep probe is rare, so that what its goroutines cost does not matter. As there, no connection is kept and no certificate checked.
var transport = &http.Transport{
	DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader, DialContext: dialWork,
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
}

type socketKey struct{}

// dialWork connects to the Unix socket that the context names, if it does.
func dialWork(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: false}, KeepAlive: -1}
	if socket, _ := ctx.Value(socketKey{}).(string); socket != "" {
		return d.DialContext(ctx, "unix", socket)
	}
	return d.DialContext(ctx, network, address)
}

// DeepError is why the server's real work failed, as the end of a sentence for a person. No value of the environment is in it.
type DeepError struct {
	Request string // as it is written in the configuration: "POST /v1/chat"
	Problem string // "answered 500"
	Silent  bool   // no answer came in time: what it does meanwhile may be seen in its stacks
}

func (e *DeepError) Error() string { return e.Request + " " + e.Problem }

// Deep has the server do its real work once: with the values of env, within the timeout of d, over a connection of its own.
// The error is a *DeepError, or a *config.UnsetError if a variable is missing and nothing was asked, or that of ctx.
func Deep(ctx context.Context, t config.Target, d config.Deep, env []string, o Options) (time.Duration, error) {
	filled, secrets, err := d.Fill(env)
	if err != nil {
		return 0, err
	}
	started := time.Now()
	limited, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	err = work(context.WithValue(limited, socketKey{}, t.Socket), t.At(filled.Path).URL, filled, o.Run)
	took := time.Since(started)
	if err == nil || ctx.Err() != nil {
		return took, ctx.Err()
	}
	problem := &DeepError{Request: d.Named(), Problem: err.Error()}
	var answer *AnswerError
	var missing *missingText
	switch {
	case errors.As(err, &answer): // where a redirect leads may have a value in it that came with the request
		problem.Problem = fmt.Sprintf("answered %d", answer.Status)
	case errors.As(err, &missing):
	case limited.Err() != nil:
		problem.Problem, problem.Silent = "gave no answer within "+seconds(d.Timeout), true
	default:
		problem.Problem = "failed: " + inWords(err).Error()
	}
	problem.Problem = without(problem.Problem, secrets)
	return took, problem
}

// missingText is an answer of the right status that does not have the text.
type missingText struct{ text string }

func (e *missingText) Error() string { return "answered without " + config.Quoted(e.text) }

func work(ctx context.Context, address string, d config.Deep, run string) error {
	var body io.Reader
	if d.Body != "" {
		body = strings.NewReader(d.Body)
	}
	request, err := http.NewRequestWithContext(ctx, d.Method, address, body)
	if err != nil {
		return errors.New("the address cannot be asked") // the library's words have the address in them
	}
	request.Header.Set("User-Agent", strings.TrimSpace(DeepAgent+" "+run))
	request.Header.Set("Accept", "*/*")
	for name, value := range d.Headers {
		request.Header.Set(name, value)
	}
	if d.ContentType != "" {
		request.Header.Set("Content-Type", d.ContentType)
	}
	answer, err := transport.RoundTrip(request) // as in exchange: no redirect is followed and no cookie kept
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if d.Status != 0 && answer.StatusCode != d.Status || d.Status == 0 && (answer.StatusCode < 200 || answer.StatusCode > 299) {
		return &AnswerError{Status: answer.StatusCode}
	}
	found, err := reads(answer.Body, d.Text)
	switch {
	case err != nil:
		return err
	case !found:
		return &missingText{d.Text}
	}
	return nil
}

// reads reads an answer to its end, or until the text has come: an answer that is streamed may have none. Without a text the end is what is
// waited for, since a status alone is sent before the work is done.
func reads(body io.Reader, text string) (found bool, err error) {
	if text == "" {
		_, err := io.Copy(io.Discard, io.LimitReader(body, maxWork))
		return true, err
	}
	var seen []byte
	chunk := make([]byte, 16<<10)
	for total := 0; total < maxWork; {
		n, err := body.Read(chunk)
		total += n
		seen = append(seen, chunk[:n]...)
		if bytes.Contains(seen, []byte(text)) {
			return true, nil
		}
		seen = seen[max(0, len(seen)-len(text)+1):] // it may be cut in two
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// without takes values out of a text that may have been made of them.
func without(text string, values []string) string {
	for _, v := range values {
		if len(v) > 2 { // what is shorter is no secret, and would take every letter with it
			text = strings.ReplaceAll(text, v, "…")
		}
	}
	return text
}
