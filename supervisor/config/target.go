package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// Target is where a backend answers for its health: an address of this computer.
type Target struct {
	URL    string // "http://127.0.0.1:8000/health"; of a Unix socket "http://localhost/health"
	Socket string // the Unix socket's absolute path, "" for a port
}

// At is the same server, at another path, with its query. What begins with two slashes is a path as well, as in a request's first line: as a
// part of an address it would name another server.
func (t Target) At(path string) Target {
	u, err := url.Parse(t.URL)
	if err != nil {
		return t
	}
	to, err := url.ParseRequestURI(path)
	if err != nil || to.Host != "" || to.Scheme != "" {
		return t
	}
	u.Path, u.RawPath, u.RawQuery, u.ForceQuery = to.Path, to.RawPath, to.RawQuery, to.ForceQuery
	t.URL = u.String()
	return t
}

// Path is the path that is asked, with its query.
func (t Target) Path() string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return ""
	}
	return u.RequestURI()
}

// Address is host and port to connect to.
func (t Target) Address() string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Port is the port that is asked, 0 of a Unix socket.
func (t Target) Port() int {
	if t.Socket != "" {
		return 0
	}
	_, port, _ := net.SplitHostPort(t.Address())
	n, _ := strconv.Atoi(port)
	return n
}

// TLS: it is asked by https.
func (t Target) TLS() bool { return strings.HasPrefix(t.URL, "https:") }

// HasHealth says whether the backend can be asked for its health. One that cannot may still have a port to connect to.
func (c Config) HasHealth() bool {
	return c.Health.URL != "" || c.Health.Path != "" && c.Port != 0
}

// Target is where the backend is asked for its health; without a health path, its port. It is the zero Target if the backend listens
// nowhere.
func (c Config) Target() Target {
	if rest, ok := strings.CutPrefix(c.Health.URL, unixScheme); ok {
		socket, path, _ := cutSocket(rest)
		if !filepath.IsAbs(socket) {
			socket = filepath.Join(c.Dir, socket)
		}
		return Target{URL: "http://localhost" + path, Socket: socket}
	}
	if c.Health.URL != "" {
		return Target{URL: c.Health.URL}
	}
	if c.Port == 0 {
		return Target{}
	}
	return Target{URL: c.URL() + c.Health.Path}
}

// unixScheme is how an address of a Unix socket begins: "unix:/path/of/socket:/health".
const unixScheme = "unix:"

// cutSocket takes "/path/of/socket:/health" apart, at the last ":/": a socket's path may have a colon in it.
func cutSocket(s string) (socket, path string, ok bool) {
	i := strings.LastIndex(s, ":/")
	if i <= 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// urlExamples are addresses that are right.
const urlExamples = `write it like this: url = "https://127.0.0.1:8443/health", or "unix:/path/of/socket:/health"`

// urlProblem says what is wrong with a health address and what to do, or "".
func urlProblem(address string) (problem, remedy string) {
	if strings.ContainsFunc(address, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }) {
		return "has a space or a control character in it", urlExamples
	}
	if rest, ok := strings.CutPrefix(address, unixScheme); ok {
		_, path, ok := cutSocket(rest)
		switch {
		case !ok:
			return Quoted(address) + " names a Unix socket without a path to ask", urlExamples
		case pathProblem(path) != "":
			return pathProblem(path), urlExamples
		}
		return "", ""
	}
	u, err := url.Parse(address)
	switch {
	case strings.Contains(address, "@"): // also where it cannot be read: it is not to be shown
		return "has a user or password in it", "take it out: a health path is to need none"
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return Quoted(address) + " is no address", urlExamples
	case u.Port() != "" && !isPort(u.Port()):
		return Quoted(u.Port()) + " is no port", "write a number from 1 to 65535"
	case !isLoopback(u.Hostname()):
		return Quoted(u.Hostname()) + " is not this computer", "name 127.0.0.1, ::1 or localhost: Vivarium asks nobody else"
	case u.Fragment != "":
		return Quoted(address) + ` has a "#" in it, which no server gets to see`, urlExamples
	}
	return "", ""
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0 && n < 65536
}

// isLoopback takes addresses alone, and the one name that means them: what another name leads to can change.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}
