package control

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
)

func TestManyClientsAtATimeButNotEndless(t *testing.T) {
	h := hold(t)
	var all []*Client
	for range maxClients {
		all = append(all, dial(t, h.folder))
	}
	_, err := Dial(t.Context(), h.folder)
	require.ErrorIs(t, err, ErrHolderBusy)
	for _, c := range all {
		_, err := c.Status(t.Context())
		require.NoError(t, err)
	}
	all[0].Close()
	testkit.Eventually(t, "there is room again", func() bool {
		c, err := Dial(t.Context(), h.folder)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

func TestTheLastWordsReachAFollowerBeforeTheHolderLeaves(t *testing.T) {
	h := hold(t)
	c := dial(t, h.folder)
	_, news, err := c.Follow(t.Context())
	require.NoError(t, err)
	h.Tell(supervisor.Event{What: supervisor.EventStopped, At: testkit.Midday, Asked: true, Snapshot: testkit.HealthySnapshot()})
	h.stop()
	var last Row
	for r := range news {
		if r.Event != "" {
			last = r
		}
	}
	require.Equal(t, supervisor.EventStopped, last.Event)
	_, err = c.Status(t.Context())
	require.ErrorIs(t, err, ErrHolderGone)
}

func TestARequestIsAnsweredEvenBeforeAnythingIsKnown(t *testing.T) {
	folder := filepath.Join(testkit.ShortDir(t), "b", "x")
	held, err := Hold(folder)
	require.NoError(t, err)
	p := testkit.NewPuppet("/srv/brain")
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { _ = held.Serve(ctx, p) })
	c := dial(t, folder)
	answer := make(chan Row, 1)
	go func() {
		row, _ := c.Status(ctx)
		answer <- row
	}()
	held.Show(p.Shown)
	require.Equal(t, "brain", (<-answer).Backend)
	cancel()
	work.Wait()
	require.NoError(t, held.Close())
}

func TestAnotherUserIsShutOut(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can act as another user")
	}
	h := hold(t)
	path := filepath.Join(h.folder, controlAt)
	for dir := h.folder; dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) { // all that stands in the way is the check itself
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	require.NoError(t, os.Chmod(path, 0o666))
	test, err := os.Executable()
	require.NoError(t, err)
	reachable := filepath.Join(filepath.Dir(h.folder), "t")
	copyFile(t, test, reachable)
	cmd := exec.Command(reachable, "-test.run=^TestHelperAsAnotherUser$", "-test.v")
	cmd.Env = append(os.Environ(), "VIVARIUM_TEST_SOCKET="+path)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "shut out")
	require.False(t, h.puppet.Has("stop"))
}

// TestHelperAsAnotherUser is what the other user does in the test above.
func TestHelperAsAnotherUser(t *testing.T) {
	path := os.Getenv("VIVARIUM_TEST_SOCKET")
	if path == "" {
		return // the other half of the test above, not one of its own
	}
	conn, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(testkit.Patience)))
	_, _ = fmt.Fprint(conn, `{"hello":{"proto":1}}`+"\n"+`{"id":1,"do":"stop"}`+"\n")
	n, err := conn.Read(make([]byte, 100))
	require.Error(t, err)
	require.Zero(t, n, "not even a hello")
	fmt.Println("shut out")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, b, 0o755))
}

func TestARemoteIsLikeASupervisorOfOurOwn(t *testing.T) {
	h := hold(t)
	r := NewRemote(dial(t, h.folder))
	ended := make(chan error, 1)
	go func() { ended <- r.Run(t.Context()) }()
	first := <-r.Changed()
	require.Equal(t, supervisor.Stopped, first.State)
	require.Equal(t, os.Getpid(), first.HeldBy)
	r.Start()
	testkit.Eventually(t, "it is healthy", func() bool {
		select {
		case s := <-r.Changed():
			return s.State == supervisor.Healthy && s.Run.PID == 4711 && s.URL == "http://127.0.0.1:8000"
		default:
			return false
		}
	})
	h.puppet.Told <- supervisor.Event{What: supervisor.EventCrashed, At: testkit.Midday, Snapshot: testkit.HealthySnapshot()}
	require.Equal(t, supervisor.EventCrashed, (<-r.Events()).What)
	r.Look()
	r.Restart()
	r.TakeOver()
	r.Hurry()
	r.Quit() // is the holder's business
	r.Stop()
	testkit.Eventually(t, "all was heard", func() bool {
		return h.puppet.Has("look") && h.puppet.Has("restart") && h.puppet.Has("take-over") && h.puppet.Has("hurry") && h.puppet.Has("stop")
	})
	require.False(t, h.puppet.Has("quit"))
	h.stop()
	require.ErrorIs(t, <-ended, ErrHolderGone)
}

func TestAHolderThatSaysNothingIsNotWaitedForForEver(t *testing.T) {
	folder := testkit.ShortDir(t)
	ln, err := net.Listen("unix", filepath.Join(folder, controlAt))
	require.NoError(t, err)
	defer ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Dial(ctx, folder)
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrNotHeld, "somebody is there: nothing may be started beside it")
}

func TestAHolderThatTalksGarbageEndsItsOwnConnectionAlone(t *testing.T) {
	for name, text := range map[string]string{"garbage": "hm?\n", "endless": strings.Repeat("x", maxLine+10), "cut off": `{"id":1,`} {
		folder := testkit.ShortDir(t)
		ln, err := net.Listen("unix", filepath.Join(folder, controlAt))
		require.NoError(t, err)
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = conn.Write(append(encode(controlReply{Hello: ownHello(1)}), text...))
			_, _ = io.Copy(io.Discard, conn) // until the client has had enough
		}()
		c, err := Dial(t.Context(), folder)
		require.NoError(t, err)
		if name == "cut off" {
			c.Close()
		}
		_, err = c.Status(t.Context())
		require.ErrorIs(t, err, ErrHolderGone, name)
		require.NoError(t, ln.Close())
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"hello":{"proto":1,"version":"1","pid":2}}`))
	f.Add([]byte(`{"id":18446744073709551615,"do":"status"}`))
	f.Add([]byte(`{"id":-1,"do":7}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if r, err := parseRequest(line); err == nil {
			back, err := parseRequest(encode(r))
			require.NoError(t, err)
			require.Equal(t, r, back)
		}
	})
}

func FuzzReply(f *testing.F) {
	for _, r := range rows() {
		f.Add(encode(controlReply{ID: 1, Row: &r}))
	}
	f.Add([]byte(`{"error":{"kind":"unsupported"}}`))
	f.Add([]byte(`{"row":{"state":"?","signal":"SIGFOO","code":999999,"health":{"latency_ms":1e308}}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := parseReply(line)
		if err != nil {
			return
		}
		_ = r.Error.err()
		if r.Row != nil {
			s := r.Row.Snapshot()
			_ = words.StatusLine(s, testkit.Midday)
			e := r.Row.Told()
			_ = words.Sentence(e)
			_ = words.Sentence(e)
		}
	})
}

// FuzzConversation sends anything to a holder: it must never end, block or obey without a hello.
func FuzzConversation(f *testing.F) {
	f.Add([]byte("{\"hello\":{}}\n{\"id\":1,\"do\":\"follow\"}\n{\"id\":1,\"do\":\"status\"}\n"))
	f.Add([]byte("\n\n{}\n{\"do\":\"stop\"}"))
	dir, err := os.MkdirTemp("", "viv")
	require.NoError(f, err)
	f.Cleanup(func() { _ = os.RemoveAll(dir) })
	folder := filepath.Join(dir, "b", "x")
	held, err := Hold(folder)
	require.NoError(f, err)
	p := testkit.NewPuppet("/srv/brain")
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _ = held.Serve(ctx, p) }()
	f.Cleanup(func() { cancel(); _ = held.Close() })
	held.Show(p.Shown)
	f.Fuzz(func(t *testing.T, text []byte) {
		conn, err := net.Dial("unix", filepath.Join(folder, controlAt))
		require.NoError(t, err)
		_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
		_, _ = conn.Write(text)
		conn.Close()
		c, err := Dial(context.Background(), folder)
		if err == nil { // it may be full for a moment
			_, err = c.Status(context.Background())
			require.NoError(t, err)
			c.Close()
		}
	})
}
