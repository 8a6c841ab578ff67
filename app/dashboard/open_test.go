package dashboard

import (
	"bufio"
	"context"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

func TestThereIsOneDashboardAndEverybodyFindsIt(t *testing.T) {
	state := t.TempDir()
	_, err := Find(t.Context(), state, "")
	require.ErrorIs(t, err, ErrNone)

	h := newHouse(t, "search-api")
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan *Server, 1), make(chan error, 1)
	from := Sources{Backends: h, Actor: h, Records: h, Insight: h}
	go func() { ended <- Run(ctx, state, from, func(s *Server) { ready <- s }) }()
	s := <-ready

	url, err := Find(t.Context(), state, "")
	require.NoError(t, err)
	require.Equal(t, s.URL(""), url)
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/#[\w-]{43}$`, url)
	url, err = Find(t.Context(), state, h.dirs[0])
	require.NoError(t, err)
	require.Contains(t, url, "/b/"+ID(h.dirs[0])+"#")

	require.ErrorIs(t, Run(t.Context(), state, from, nil), keeper.ErrLocked)
	stale := s.secret
	cancel()
	require.NoError(t, <-ended)
	_, err = Find(t.Context(), state, "")
	require.ErrorIs(t, err, ErrNone)

	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	go func() { ended <- Run(ctx, state, from, func(s *Server) { ready <- s }) }()
	s = <-ready
	r, err := http.NewRequest("GET", "http://"+s.host+"/api/stream", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+stale)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	answer.Body.Close()
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode, "the secret of the one before is of no use")
	cancel()
	require.NoError(t, <-ended)
}

func TestTheSecretIsInNoFileOfOthers(t *testing.T) {
	state := t.TempDir()
	h := newHouse(t, "search-api")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ready, ended := make(chan *Server, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, state, Sources{Backends: h, Actor: h, Records: h, Insight: h}, func(s *Server) { ready <- s })
	}()
	s := <-ready
	path, err := Redirect(state, s.URL(""))
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), s.URL(""))
	require.NoError(t, filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		st, err := d.Info()
		require.NoError(t, err)
		if !d.IsDir() {
			require.Zero(t, st.Mode().Perm()&0o077, path)
		}
		return nil
	}))
	cancel()
	require.NoError(t, <-ended)
	require.NoFileExists(t, path, "what it leads to has ended")
}

func TestAnAddressThatIsHostileStaysText(t *testing.T) {
	path, err := Redirect(t.TempDir(), `http://x/"><script>alert(1)</script>`)
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(text), "<script")
}

func TestGarbageAtTheDoorIsNotAnswered(t *testing.T) {
	state := t.TempDir()
	door, err := OpenDoor(state)
	require.NoError(t, err)
	defer door.Close()
	go door.Serve(func(string) string { return "secret" })
	for _, said := range []string{"GET / HTTP/1.1\r\n\r\n", "\n", "URL \n", "url", strings.Repeat("x", 100_000) + "\n"} {
		conn, err := net.Dial("unix", filepath.Join(state, socketName))
		require.NoError(t, err)
		_, _ = conn.Write([]byte(said))
		_ = conn.(*net.UnixConn).CloseWrite()
		text, _ := bufio.NewReader(conn).ReadString('\n')
		require.Empty(t, text, "%.20q", said)
		conn.Close()
	}
}
