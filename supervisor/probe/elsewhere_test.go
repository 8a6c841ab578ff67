package probe

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

// Whatever a variable holds, the request and the key in its headers go to the backend, and to nobody else.
func TestNoValueInThePathLeadsADeepProbeToAnotherServer(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the stranger was asked") }))
	defer stranger.Close()
	_, port, err := net.SplitHostPort(stranger.Listener.Addr().String())
	require.NoError(t, err)
	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.RequestURI }))
	defer server.Close()
	for _, c := range []struct{ path, value, want string }{
		{"/${MODEL}", "/localhost", "//localhost"},
		{"/${MODEL}", "/models/qwen?a=1#b", "//models/qwen%3Fa%3D1%23b"},
		{"/${MODEL}/generate", "//" + stranger.Listener.Addr().String(), "///127.0.0.1%3A" + port + "/generate"},
		{"${MODEL}", "//" + stranger.Listener.Addr().String() + "/x", "//127.0.0.1%3A" + port + "/x"},
		{"/v1/models/${MODEL}", "org/model name", "/v1/models/org/model%20name"},
		{"/v1?m=${MODEL}", "a&b=c", "/v1?m=a%26b%3Dc"},
	} {
		d := config.Deep{Method: "GET", Path: c.path, Timeout: 10 * time.Second, Headers: map[string]string{"Authorization": "Bearer ${KEY}"}}
		_, err := Deep(t.Context(), config.Target{URL: server.URL + "/health?x=1"}, d, []string{"MODEL=" + c.value, "KEY=hunter2abc"}, Options{})
		require.NoError(t, err, "%s with %s", c.path, c.value)
		require.Equal(t, c.want, <-asked, "%s with %s", c.path, c.value)
	}
}
