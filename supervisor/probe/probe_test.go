package probe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func probeWithin(t testing.TB, timeout time.Duration, url string) error {
	t.Helper()
	_, err := Get(context.Background(), config.Target{URL: url}, Options{Timeout: timeout})
	return err
}

// rawServer answers every connection with text as it is, once the request has come.
func rawServer(t testing.TB, text string, then func(net.Conn)) string {
	t.Helper()
	l := testkit.ListenOn(t, "tcp4", "127.0.0.1:0")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if line == "\r\n" {
						break
					}
				}
				_, _ = io.WriteString(c, text)
				if then != nil {
					then(c)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/health"
}

func TestAnAnswerIsGoodOrItsProblemIsTold(t *testing.T) {
	huge := strings.Repeat("x", 1<<20)
	for _, c := range []struct {
		name, answer, problem string
	}{
		{"200", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""},
		{"204", "HTTP/1.1 204 No Content\r\n\r\n", ""},
		{"299", "HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n", ""},
		{"HTTP/1.0 until the end", "HTTP/1.0 200 OK\r\n\r\nok", ""},
		{"no reason phrase", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ""},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ""},
		{"early hints first", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
		{"a huge body", "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + huge, ""},
		{"a huge body that is cut off after what is read", "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + huge[:70_000], ""},
		{"many tiny chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 70_000) + "0\r\n\r\n", ""},

		{"500", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "answered 500"},
		{"503 with a long text", "HTTP/1.1 503 No\r\nContent-Length: 1048576\r\n\r\n" + huge, "answered 503"},
		{"404", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404"},
		{"101", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "answered 101"},
		{"a redirect", "HTTP/1.1 307 Temporary\r\nLocation: /health/\r\nContent-Length: 0\r\n\r\n", "redirects to /health/: name the final path"},
		{"a redirect with tricks", "HTTP/1.1 302 Found\r\nLocation: /" + strings.Repeat("y", 500) + "\r\nContent-Length: 0\r\n\r\n", "redirects to /" + strings.Repeat("y", 118) + "…: name the final path"},
		{"not modified", "HTTP/1.1 304 Not Modified\r\n\r\n", "answered 304"},
		{"nothing", "", "closed the connection without an answer"},
		{"garbage", "SSH-2.0-OpenSSH_9.6\r\n", "answered, but not in HTTP"},
		{"TLS", "\x15\x03\x01\x00\x02\x02\x46", "speaks https, not http"},
		{"a status that is none", "HTTP/1.1 abc\r\n\r\n", "answered, but not in HTTP"},
		{"garbage for a header", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "answered, but not in HTTP"},
		{"garbage for a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "answered, but not in HTTP"},
		{"an unknown encoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: magic\r\n\r\n", "answered, but not in HTTP"},
		{"a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "answered, but not in HTTP"},
		{"a redirect to elsewhere", "HTTP/1.1 302 Found\r\nLocation: http://me:secret@elsewhere.example/login?token=secret\r\nContent-Length: 0\r\n\r\n", "redirects to http://elsewhere.example/login: name the final path"},
		{"a body that is cut off", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", "broke off in the middle of its answer"},
		{"a chunk that is cut off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nok", "broke off in the middle of its answer"},
		{"a header that is cut off", "HTTP/1.1 200 OK\r\nX: y\r\n", "broke off in the middle of its answer"},
		{"an endless header", "HTTP/1.1 200 OK\r\nX: " + huge + "\r\n\r\n", "answered with an endless header"},
		{"endless headers", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 100_000) + "\r\n", "answered with an endless header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := probeWithin(t, testkit.Patience, rawServer(t, c.answer, nil))
			if c.problem == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.problem)
		})
	}
}

func TestARealServerIsProbed(t *testing.T) {
	var seen atomic.Pointer[http.Request]
	var followed atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) { seen.Store(r); fmt.Fprint(w, "ok") })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/followed", http.StatusFound) })
	mux.HandleFunc("/followed", func(http.ResponseWriter, *http.Request) { followed.Store(true) })
	s := httptest.NewServer(mux)
	defer s.Close()
	// A proxy from the environment would have to be asked for this address, were it not for our own Transport.
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:9")
	t.Setenv("http_proxy", "http://192.0.2.1:9")
	var port int
	latency, err := Get(t.Context(), config.Target{URL: s.URL + "/health?deep=1"}, Options{Timeout: testkit.Patience, Run: "4d9193a356ae6e0b", Connected: func(n int) { port = n }})
	require.NoError(t, err)
	require.Positive(t, latency)
	r := seen.Load()
	require.Equal(t, "GET", r.Method)
	require.Equal(t, "/health?deep=1", r.RequestURI)
	require.Equal(t, strings.TrimPrefix(s.URL, "http://"), r.Host)
	require.True(t, r.Close, "it asks to close the connection")
	require.Equal(t, "Vivarium-Health-Probe 4d9193a356ae6e0b", r.UserAgent())
	require.Equal(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), r.RemoteAddr, "the port that was told is the one that the server sees")
	require.EqualError(t, probeWithin(t, testkit.Patience, s.URL+"/away"), "redirects to /followed: name the final path")
	require.False(t, followed.Load())
}

func TestASilentServerIsGivenUpAtTheDeadline(t *testing.T) {
	hang := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	for name, answer := range map[string]string{
		"at once":                "",
		"in its status line":     "HTTP/1.",
		"after its header":       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
		"in the middle of a lot": "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + strings.Repeat("x", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, probeWithin(t, 250*time.Millisecond, rawServer(t, answer, hang)), "no answer within 250 ms")
		})
	}
	t.Run("a listener that accepts nothing", func(t *testing.T) {
		l := testkit.ListenOn(t, "tcp4", "127.0.0.1:0")
		require.EqualError(t, probeWithin(t, 250*time.Millisecond, "http://"+l.Addr().String()+"/"), "no answer within 250 ms")
	})
}

func TestASlowServerIsWaitedFor(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(100 * time.Millisecond)
		fmt.Fprint(w, "ok")
	}))
	defer s.Close()
	latency, err := Get(t.Context(), config.Target{URL: s.URL}, Options{Timeout: testkit.Patience})
	require.NoError(t, err)
	require.GreaterOrEqual(t, latency, 100*time.Millisecond)
}

func TestAServerThatSendsForEverIsLeftAfter64KiB(t *testing.T) {
	url := rawServer(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", func(c net.Conn) {
		chunk := append([]byte("400\r\n"), bytes.Repeat([]byte("x"), 1024)...)
		chunk = append(chunk, "\r\n"...)
		for {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	})
	require.NoError(t, probeWithin(t, testkit.Patience, url))
}

func TestNobodyThereIsTold(t *testing.T) {
	require.EqualError(t, probeWithin(t, testkit.Patience, "http://127.0.0.1:"+strconv.Itoa(testkit.FreePort(t))), "connection refused")
	reset := rawServer(t, "", func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) })
	require.Contains(t, []string{"broke the connection off", "closed the connection without an answer"}, probeWithin(t, testkit.Patience, reset).Error())
	require.EqualError(t, probeWithin(t, testkit.Patience, "http://no.such.host.invalid/"), "the address of no.such.host.invalid cannot be found")
	require.ErrorContains(t, probeWithin(t, testkit.Patience, "ftp://127.0.0.1/"), "is not an http address")
	require.ErrorContains(t, probeWithin(t, testkit.Patience, "http://[::1/"), "is not an http address")
}

func TestAProbeThatIsCalledOffEndsAtOnce(t *testing.T) {
	url := rawServer(t, "", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := Get(ctx, config.Target{URL: url}, Options{})
	require.True(t, errors.Is(err, context.Canceled), err)
}

func TestTheBackendIsProbedAtItsOwnAddressWithItsOwnTimeout(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/up" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer s.Close()
	c := config.Config{Port: s.Listener.Addr().(*net.TCPAddr).Port, Health: config.Health{Path: "/up", Timeout: testkit.Patience}}
	_, err := Backend(t.Context(), c, Options{})
	require.NoError(t, err)
	c.Health.Timeout = time.Nanosecond
	_, err = Backend(t.Context(), c, Options{})
	require.ErrorContains(t, err, "no answer within")
}

func TestNothingStaysBetweenProbes(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	require.NoError(t, probeWithin(t, testkit.Patience, s.URL))
	before := runtime.NumGoroutine()
	for range 50 {
		require.NoError(t, probeWithin(t, testkit.Patience, s.URL))
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, testkit.Patience, 10*time.Millisecond)
}

func TestTimeoutsAreWrittenAsPeopleDo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		3 * time.Second: "3 s", 1500 * time.Millisecond: "1.5 s", 250 * time.Millisecond: "250 ms", time.Minute: "60 s",
	} {
		require.Equal(t, want, seconds(d))
	}
}

func TestAServerWithACertificateOfItsOwnIsAsked(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer s.Close()
	require.NoError(t, probeWithin(t, testkit.Patience, s.URL+"/health"))
	require.EqualError(t, probeWithin(t, testkit.Patience, s.URL+"/other"), "answered 404")
	plain := strings.Replace(s.URL, "https:", "http:", 1)
	require.Error(t, probeWithin(t, testkit.Patience, plain+"/health"))
	require.True(t, SpeaksTLS(t.Context(), config.Target{URL: plain + "/health"}))

	open := httptest.NewServer(http.NotFoundHandler())
	defer open.Close()
	require.ErrorIs(t, probeWithin(t, testkit.Patience, strings.Replace(open.URL, "http:", "https:", 1)+"/health"), ErrNoTLS)
	require.False(t, SpeaksTLS(t.Context(), config.Target{URL: open.URL}))
	nobody := config.Target{URL: "http://127.0.0.1:" + strconv.Itoa(testkit.FreePort(t))}
	require.False(t, SpeaksTLS(t.Context(), nobody))
}

func TestAServerOnAUnixSocketIsAsked(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "app:1.sock")
	l := testkit.ListenOn(t, "unix", socket)
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/health" {
				w.WriteHeader(http.StatusNotFound)
			}
		}))
	}()
	c := config.Config{Health: config.Health{URL: "unix:" + socket + ":/health", Timeout: testkit.Patience}}
	told := false
	_, err := Backend(t.Context(), c, Options{Connected: func(int) { told = true }})
	require.NoError(t, err)
	require.False(t, told, "there is no port to tell")
	_, err = Get(t.Context(), c.Target().At("/other"), Options{Timeout: testkit.Patience})
	require.EqualError(t, err, "answered 404")
	c.Health.URL = "unix:" + socket + ".not:/health"
	_, err = Backend(t.Context(), c, Options{})
	require.ErrorIs(t, err, ErrNoSocket)
}

func TestWithoutAPathAConnectionIsEnough(t *testing.T) {
	l := testkit.ListenOn(t, "tcp4", "127.0.0.1:0")
	c := config.Config{Port: l.Addr().(*net.TCPAddr).Port, Health: config.Health{Timeout: testkit.Patience}}
	_, err := Backend(t.Context(), c, Options{})
	require.NoError(t, err)
	c.Port = testkit.FreePort(t)
	_, err = Backend(t.Context(), c, Options{})
	require.ErrorIs(t, err, ErrRefused)
}

func TestTheUsualPathsAreAskedOnceEach(t *testing.T) {
	for name, c := range map[string]struct {
		serves []string
		found  string
	}{
		"below a prefix": {[]string{"/api/health", "/"}, "/api/health"},
		"the root alone": {[]string{"/"}, "/"},
		"nothing":        {nil, ""},
		"two":            {[]string{"/ready", "/healthz"}, "/healthz"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			asked := map[string]int{}
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				asked[r.URL.Path]++
				if !slices.Contains(c.serves, r.URL.Path) {
					w.WriteHeader(http.StatusNotFound)
				}
			}))
			defer s.Close()
			require.Equal(t, c.found, FindPath(t.Context(), config.Target{URL: s.URL + "/health"}))
			require.Zero(t, asked["/health"], "its answer is known")
			for path, n := range asked {
				require.Equal(t, 1, n, path)
			}
		})
	}
}

// BenchmarkProbe is what one probe costs on a connection of its own, and what it would cost on one that is kept open.
func BenchmarkProbe(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"ok"}`) }))
	defer s.Close()
	b.Run("a connection each", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := probeWithin(b, testkit.Patience, s.URL); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("a connection each, of http.Transport", func(b *testing.B) {
		fresh := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
		b.ReportAllocs()
		for b.Loop() {
			request, _ := http.NewRequest(http.MethodGet, s.URL, nil)
			resp, err := fresh.RoundTrip(request)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody))
			_ = resp.Body.Close()
		}
	})
	b.Run("one connection", func(b *testing.B) {
		kept := &http.Transport{DisableCompression: true}
		b.ReportAllocs()
		for b.Loop() {
			request, _ := http.NewRequest(http.MethodGet, s.URL, nil)
			resp, err := kept.RoundTrip(request)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody))
			_ = resp.Body.Close()
		}
	})
}
