package dashboard

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// everything that has something of a backend in it, or does something.
func (c *client) secrets() map[string]string {
	b := c.about(0)
	return map[string]string{
		"/api/stream": "GET", b + "/view/log": "GET", b + "/view/configuration": "GET", b + "/report/d1": "GET", b + "/log": "GET", b + "/search?q=x": "GET",
		b + "/locate/d1": "GET", b + "/do/stop": "POST", b + "/doctor": "POST", b + "/stacks": "POST", b + "/ticket": "POST",
	}
}

func TestWhoDoesNotKnowTheSecretGetsNothing(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	for path, method := range c.secrets() {
		for name, how := range map[string]func(*http.Request){
			"without one":    func(r *http.Request) { r.Header.Del("Authorization") },
			"a guess":        func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+newSecret()) },
			"an empty one":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") },
			"a part of it":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+c.secret[:40]) },
			"another scheme": func(r *http.Request) { r.Header.Set("Authorization", "Basic "+c.secret) },
			"as a cookie": func(r *http.Request) {
				r.Header.Del("Authorization")
				r.AddCookie(&http.Cookie{Name: "vivarium", Value: c.secret})
			},
			"in the address": func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "secret=" + c.secret },
			"in a wrong header": func(r *http.Request) {
				r.Header.Del("Authorization")
				r.Header.Set("X-Authorization", "Bearer "+c.secret)
			},
		} {
			answer := c.ask(method, path, how)
			require.Equal(t, http.StatusUnauthorized, answer.StatusCode, "%s: %s", name, path)
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.NotContains(t, string(text), "search-api")
			require.NotContains(t, string(text), c.secret)
		}
	}
	require.Empty(t, c.house.did)
}

func TestAnotherPageIsRefusedAlsoWithTheSecret(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	_, port, err := net.SplitHostPort(c.host)
	require.NoError(t, err)
	for path, method := range c.secrets() {
		for name, how := range map[string]func(*http.Request){
			"a name that somebody had point here": func(r *http.Request) { r.Host = "evil.test:" + port; r.Header.Set("Origin", "http://evil.test:"+port) },
			"the name of this computer":           func(r *http.Request) { r.Host = "localhost:" + port },
			"without the port":                    func(r *http.Request) { r.Host = "127.0.0.1" },
			"another port":                        func(r *http.Request) { r.Host = "127.0.0.1:1" },
			"IPv6":                                func(r *http.Request) { r.Host = "[::1]:" + port },
			"another page's origin":               func(r *http.Request) { r.Header.Set("Origin", "https://evil.test") },
			"another port's origin":               func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") },
			"a file or a sandboxed frame":         func(r *http.Request) { r.Header.Set("Origin", "null") },
			"two origins":                         func(r *http.Request) { r.Header.Add("Origin", "https://evil.test") },
			"what the browser says of its origin": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			"another port, as the browser says":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		} {
			answer := c.ask(method, path, how)
			require.GreaterOrEqual(t, answer.StatusCode, 400, "%s: %s", name, path)
			require.Contains(t, []int{http.StatusForbidden, http.StatusMisdirectedRequest}, answer.StatusCode, "%s: %s", name, path)
			require.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"))
		}
	}
	require.Empty(t, c.house.did)
}

func TestAnActionNeedsTheOriginThatOnlyOurPageHas(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	for path, method := range c.secrets() {
		if method == "POST" {
			require.Equal(t, http.StatusForbidden, c.ask(method, path, func(r *http.Request) { r.Header.Del("Origin") }).StatusCode, path)
			require.Equal(t, http.StatusMethodNotAllowed, c.ask("GET", path, nil).StatusCode, path)
		}
		if method == "GET" {
			require.Equal(t, http.StatusMethodNotAllowed, c.ask("POST", path, nil).StatusCode, path)
		}
	}
	require.Equal(t, http.StatusForbidden, c.ask("OPTIONS", c.about(0)+"/do/stop", func(r *http.Request) { r.Header.Set("Origin", "https://evil.test") }).StatusCode)
}

func TestWhatEverybodySeesSaysNothing(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	for _, path := range []string{"/", "/b/" + ID(c.house.dirs[0]), "/b/x/log", "/b/x/deaths/y", "/main.js", "/log.js", "/wire.js", "/style.css"} {
		answer := c.ask("GET", path, func(r *http.Request) { r.Header = http.Header{} })
		require.Equal(t, http.StatusOK, answer.StatusCode, path)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NotContains(t, string(text), "search-api")
		require.NotContains(t, string(text), c.secret)
		h := answer.Header
		require.Equal(t, policy, h.Get("Content-Security-Policy"))
		require.Equal(t, "no-store", h.Get("Cache-Control"))
		require.Equal(t, "no-referrer", h.Get("Referrer-Policy"))
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		require.Equal(t, "same-origin", h.Get("Cross-Origin-Resource-Policy"))
		require.Empty(t, h.Values("Set-Cookie"))
	}
	for _, path := range []string{"/favicon.ico", "/static/main.js", "/..%2fdashboard.go", "/open.go", "/download/guess", "/api/b/x/view/log", "/main.js/"} {
		require.GreaterOrEqual(t, c.ask("GET", path, nil).StatusCode, 400, path)
	}
}

func TestThePageHasNoScriptAndNoStyleInIt(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	shell := c.text("GET", "/")
	require.Equal(t, 1, strings.Count(shell, "<script"))
	require.Contains(t, shell, `<script type="module" src="/main.js"></script>`)
	require.NotContains(t, shell, "<style")
	require.NotContains(t, shell, " style=")
	require.NotContains(t, shell, " on")
	require.NotContains(t, policy, "unsafe")
}

func TestTheServerProvesThatItKnowsTheSecretBeforeItIsTold(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	answer := c.ask("GET", "/hello?nonce=0123456789abcdef0123", func(r *http.Request) { r.Header = http.Header{} })
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, proof(c.secret, "0123456789abcdef0123"), string(text))
	require.NotEqual(t, proof(newSecret(), "0123456789abcdef0123"), string(text))
	require.Equal(t, http.StatusBadRequest, c.ask("GET", "/hello?nonce=short", nil).StatusCode)
}

func TestNothingListensButOnThisComputer(t *testing.T) {
	ln, err := Listen()
	require.NoError(t, err)
	defer ln.Close()
	require.True(t, ln.Addr().(*net.TCPAddr).IP.IsLoopback())
	require.Equal(t, "127.0.0.1", ln.Addr().(*net.TCPAddr).IP.String())
}

func TestSecretsAreLongAndNeverTheSame(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		s := newSecret()
		require.Len(t, s, 43)
		require.False(t, seen[s])
		seen[s] = true
	}
}
