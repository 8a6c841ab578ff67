package probe

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// deepWork asks the handler for what d says.
func deepWork(t *testing.T, d config.Deep, env []string, h http.HandlerFunc) error {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	if d.Method == "" {
		d.Method = "GET"
	}
	if d.Timeout == 0 {
		d.Timeout = testkit.Patience
	}
	_, err := Deep(t.Context(), config.Target{URL: s.URL + "/health"}, d, env, Options{Run: "4d9193a356ae6e0b"})
	return err
}

func TestADeepProbeSendsWhatIsWritten(t *testing.T) {
	var r *http.Request
	var body []byte
	err := deepWork(t, config.Deep{
		Path: "/v1/chat?k=${KEY}", Method: "POST", Body: `{"key": "${KEY}"}`, ContentType: "application/json", Headers: map[string]string{"Authorization": "Bearer ${KEY}"},
	}, []string{"KEY=sk-1 2"}, func(w http.ResponseWriter, got *http.Request) {
		r = got
		body, _ = io.ReadAll(got.Body)
	})
	require.NoError(t, err)
	require.Equal(t, "POST", r.Method)
	require.Equal(t, "/v1/chat?k=sk-1%202", r.RequestURI)
	require.Equal(t, `{"key": "sk-1 2"}`, string(body))
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.Equal(t, "Bearer sk-1 2", r.Header.Get("Authorization"))
	require.Equal(t, "Vivarium-Deep-Probe 4d9193a356ae6e0b", r.UserAgent())
}

func TestTheWorkIsDoneOrWhatFailedIsTold(t *testing.T) {
	answer := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	for name, c := range map[string]struct {
		deep    config.Deep
		handler http.HandlerFunc
		problem string
	}{
		"any 2xx":                {config.Deep{}, answer(204, ""), ""},
		"the status":             {config.Deep{Status: 422}, answer(422, "no"), ""},
		"another good status":    {config.Deep{Status: 201}, answer(200, "ok"), "GET /w answered 200"},
		"an error":               {config.Deep{}, answer(500, "ok"), "GET /w answered 500"},
		"the text":               {config.Deep{Text: "ok"}, answer(200, "it is ok."), ""},
		"the text with an error": {config.Deep{Text: "ok"}, answer(500, "ok"), "GET /w answered 500"},
		"another text":           {config.Deep{Text: "choices"}, answer(200, "{}"), `GET /w answered without "choices"`},
		"a text of two lines":    {config.Deep{Text: "a\nb"}, answer(200, "a b"), `GET /w answered without "a\nb"`},
		"a redirect": {config.Deep{}, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/login?next=secret", http.StatusFound)
		}, "GET /w answered 302"},
		"the text far behind":        {config.Deep{Text: "ok"}, answer(200, strings.Repeat("x", maxWork-10)+"ok"), ""},
		"the text too far behind":    {config.Deep{Text: "ok"}, answer(200, strings.Repeat("x", maxWork+100_000)+"ok"), `GET /w answered without "ok"`},
		"the text cut by the buffer": {config.Deep{Text: "needle"}, answer(200, strings.Repeat("x", 16<<10-3)+"needle"), ""},
		"an end in the middle": {config.Deep{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "x")
		}, "GET /w failed: broke off in the middle of its answer"},
		"no answer": {config.Deep{}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "GET /w failed: closed the connection without an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			c.deep.Path = "/w"
			err := deepWork(t, c.deep, nil, c.handler)
			if c.problem == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.problem)
			var e *DeepError
			require.ErrorAs(t, err, &e)
			require.False(t, e.Silent)
		})
	}
}

func TestAServerThatDoesNotComeToAnEndIsSilent(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"no header": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no end of the body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "data: ")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"drop after drop": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				time.Sleep(time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := deepWork(t, config.Deep{Path: "/w", Timeout: 200 * time.Millisecond}, nil, handler)
			require.EqualError(t, err, "GET /w gave no answer within 200 ms")
			var e *DeepError
			require.ErrorAs(t, err, &e)
			require.True(t, e.Silent)
		})
	}
}

func TestAStreamIsReadUntilTheTextHasCome(t *testing.T) {
	require.NoError(t, deepWork(t, config.Deep{Path: "/w", Text: "data: {"}, nil, func(w http.ResponseWriter, r *http.Request) {
		for _, part := range []string{"da", "ta: ", "{"} {
			_, _ = io.WriteString(w, part)
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done() // it would go on for ever
	}))
}

func TestNoErrorOfADeepProbeHasAValueOfTheEnvironmentInIt(t *testing.T) {
	const secret = "hunter2-hunter2"
	for name, h := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/"+secret, http.StatusMovedPermanently)
		},
		"an error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, secret, 500) },
		"garbage": func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 "+secret+"\r\n\r\n")
				_ = c.Close()
			}
		},
	} {
		err := deepWork(t, config.Deep{Path: "/${K}", Headers: map[string]string{"X-Key": "${K}"}}, []string{"K=" + secret}, h)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), secret, name)
		require.Contains(t, err.Error(), "GET /${K} ", name)
	}
	_, err := Deep(t.Context(), config.Target{URL: "http://127.0.0.1:1/"}, config.Deep{Path: "/x", Method: "GET", Text: "${K}", Timeout: time.Second, ContentType: "${K}"},
		[]string{"K=a\nb" + secret}, Options{})
	require.Error(t, err)
	require.NotContains(t, err.Error(), secret)
}

func TestWithoutAVariableNothingIsAsked(t *testing.T) {
	err := deepWork(t, config.Deep{Path: "/w", Body: "${KEY}", Method: "POST"}, nil, func(http.ResponseWriter, *http.Request) {
		t.Error("it was asked")
	})
	var unset *config.UnsetError
	require.ErrorAs(t, err, &unset)
}

func TestADeepProbeThatIsCalledOffIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }))
	defer s.Close()
	_, err := Deep(ctx, config.Target{URL: s.URL}, config.Deep{Path: "/w", Method: "GET", Timeout: testkit.Patience}, nil, Options{})
	require.ErrorIs(t, err, context.Canceled)
	var e *DeepError
	require.False(t, errors.As(err, &e))
}

func TestADeepProbeReachesAUnixSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l := testkit.ListenOn(t, "unix", socket)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	_, err := Deep(t.Context(), config.Target{URL: "http://localhost/health", Socket: socket},
		config.Deep{Path: "/work", Method: "GET", Text: "/work", Timeout: testkit.Patience}, nil, Options{})
	require.NoError(t, err)
}
