package app

import (
	"bufio"
	"context"
	"encoding/json"
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

	"github.com/vivarium-app/vivarium/supervisor"
)

// host is a held backend that is served, with a puppet behind it.
type host struct {
	*Held
	folder string
	puppet *puppet
	stop   func()
}

func hold(t *testing.T) *host {
	t.Helper()
	h := &host{folder: filepath.Join(shortDir(t), "b"), puppet: newPuppet("/srv/brain")}
	held, err := Hold(h.folder)
	require.NoError(t, err)
	h.Held = held
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { _ = held.Serve(ctx, h.puppet) })
	work.Go(func() { // what the app's loop does
		for {
			select {
			case s := <-h.puppet.Changed():
				held.Show(s)
			case e := <-h.puppet.Events():
				held.Tell(e)
			case <-ctx.Done():
				return
			}
		}
	})
	h.stop = sync.OnceFunc(func() {
		cancel()
		work.Wait()
		require.NoError(t, held.Close())
	})
	t.Cleanup(h.stop)
	h.puppet.become(func(*supervisor.Snapshot) {})
	return h
}

func dial(t *testing.T, folder string) *Client {
	t.Helper()
	c, err := Dial(t.Context(), folder)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// raw is a connection that has said hello, or not.
func raw(t *testing.T, folder string, hello bool) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(folder, controlAt))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, `"hello"`)
	if hello {
		_, err = fmt.Fprintln(conn, `{"hello":{"proto":1,"version":"test","pid":1}}`)
		require.NoError(t, err)
	}
	return conn, r
}

func TestASecondHolderIsToldWhoHasTheBackend(t *testing.T) {
	h := hold(t)
	_, err := Hold(h.folder)
	var held *HeldError
	require.ErrorAs(t, err, &held)
	require.Equal(t, os.Getpid(), held.PID)
	require.Contains(t, held.Error(), fmt.Sprint(os.Getpid()))
	h.stop()
	again, err := Hold(h.folder)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestWithoutAHolderThereIsNobodyToReach(t *testing.T) {
	folder := shortDir(t)
	_, err := Dial(t.Context(), folder)
	require.ErrorIs(t, err, ErrNotHeld)
	h := hold(t)
	h.stop()
	_, err = Dial(t.Context(), h.folder)
	require.ErrorIs(t, err, ErrNotHeld)
}

func TestASocketPathThatIsTooLongNamesThePathAndTheRemedy(t *testing.T) {
	folder := filepath.Join(shortDir(t), strings.Repeat("x", 120))
	_, err := Hold(folder)
	require.ErrorContains(t, err, folder)
	require.ErrorContains(t, err, "VIVARIUM_HOME")
	require.NoError(t, os.RemoveAll(folder))
}

func TestTheSocketAndItsFolderAreForTheirOwnerAlone(t *testing.T) {
	h := hold(t)
	st, err := os.Stat(filepath.Join(h.folder, controlAt))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	st, err = os.Stat(h.folder)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), st.Mode().Perm())
}

func TestEveryIntentReachesTheSupervisor(t *testing.T) {
	h := hold(t)
	c := dial(t, h.folder)
	require.Equal(t, os.Getpid(), c.PID)
	for _, what := range []string{askStart, askStop, askRestart, askTakeOver, askHurry, askLook} {
		row, err := c.Ask(t.Context(), what)
		require.NoError(t, err)
		require.Equal(t, "/srv/brain", row.Dir)
		require.Equal(t, os.Getpid(), row.HeldBy)
		require.True(t, h.puppet.has(what), what)
	}
	_, err := c.Status(t.Context())
	require.NoError(t, err)
}

func TestAnUnknownRequestIsUnsupportedAndTheConnectionLivesOn(t *testing.T) {
	h := hold(t)
	c := dial(t, h.folder)
	_, err := c.Ask(t.Context(), "make-coffee")
	require.ErrorIs(t, err, ErrUnsupported)
	_, err = c.Status(t.Context())
	require.NoError(t, err)
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	h := hold(t)
	conn, r := raw(t, h.folder, false)
	_, err := fmt.Fprint(conn, `{"hello":{"proto":99,"version":"9","pid":1,"mood":"fine"},"colour":"blue"}`+"\n"+
		`{"id":7,"do":"status","why":{"deep":[1,2]}}`+"\n")
	require.NoError(t, err)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	var reply controlReply
	require.NoError(t, json.Unmarshal([]byte(line), &reply))
	require.EqualValues(t, 7, reply.ID)
	require.Nil(t, reply.Error)
	require.Equal(t, "brain", reply.Row.Backend)
}

func TestGarbageEndsItsConnectionAndNoOther(t *testing.T) {
	h := hold(t)
	good := dial(t, h.folder)
	for name, text := range map[string]string{
		"no JSON":         "GET / HTTP/1.1\n",
		"no object":       "[1,2,3]\n",
		"a broken object": `{"id":` + "\n",
		"an empty line":   "\n",
		"bytes":           "\x00\xff\xfe\n",
		"too long a line": strings.Repeat("x", maxLine+10),
	} {
		conn, r := raw(t, h.folder, true)
		_, _ = conn.Write([]byte(text)) // it may be cut off before it is read whole
		_, err := r.ReadString('\n')
		require.Error(t, err, name)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, name)
		_, err = good.Status(t.Context())
		require.NoError(t, err, name)
	}
}

func TestWhoSaysNoHelloIsNotServed(t *testing.T) {
	h := hold(t)
	conn, r := raw(t, h.folder, false)
	_, err := fmt.Fprintln(conn, `{"id":1,"do":"stop"}`)
	require.NoError(t, err)
	_, err = r.ReadString('\n')
	require.Error(t, err)
	require.False(t, h.puppet.has("stop"))
}

func TestAFollowerHearsEveryEventInOrder(t *testing.T) {
	h := hold(t)
	c := dial(t, h.folder)
	first, news, err := c.Follow(t.Context())
	require.NoError(t, err)
	require.Equal(t, "stopped", first.State)
	const many = 200
	go func() {
		for i := range many {
			h.puppet.events <- supervisor.Event{What: supervisor.EventStarted, At: midday, Text: fmt.Sprint(i), Snapshot: healthySnapshot()}
		}
	}()
	for i := 0; i < many; {
		row := <-news
		if row.Event != "" {
			require.Equal(t, fmt.Sprint(i), row.Text)
			i++
		}
	}
	h.puppet.run()
	eventuallyRow(t, news, func(r Row) bool { return r.Event == "" && r.State == "healthy" && r.PID == 4711 })
}

func eventuallyRow(t *testing.T, news <-chan Row, ok func(Row) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case r, more := <-news:
			require.True(t, more, "the connection ended")
			if ok(r) {
				return
			}
		case <-deadline:
			require.FailNow(t, "the row did not come")
		}
	}
}

func TestAFollowerThatDoesNotReadIsDroppedAndCostsTheOthersNothing(t *testing.T) {
	h := hold(t)
	slow, _ := raw(t, h.folder, true)
	_, err := fmt.Fprintln(slow, `{"id":1,"do":"follow"}`)
	require.NoError(t, err)
	eventually(t, "it follows", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for c := range h.clients {
			if c.follows {
				return true
			}
		}
		return false
	})
	e := supervisor.Event{What: supervisor.EventStarted, At: midday, Text: strings.Repeat("long ", 2000), Snapshot: healthySnapshot()}
	for range 2 * maxBacklog {
		h.Tell(e) // does not block, or the test does
	}
	eventually(t, "the slow follower is gone", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.clients) == 0
	})
	_, err = dial(t, h.folder).Status(t.Context())
	require.NoError(t, err)
}

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
	eventually(t, "there is room again", func() bool {
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
	h.Tell(supervisor.Event{What: supervisor.EventStopped, At: midday, Asked: true, Snapshot: healthySnapshot()})
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
	folder := filepath.Join(shortDir(t), "b")
	held, err := Hold(folder)
	require.NoError(t, err)
	p := newPuppet("/srv/brain")
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { _ = held.Serve(ctx, p) })
	c := dial(t, folder)
	answer := make(chan Row, 1)
	go func() {
		row, _ := c.Status(ctx)
		answer <- row
	}()
	held.Show(p.now)
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
	require.False(t, h.puppet.has("stop"))
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
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
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
	eventually(t, "it is healthy", func() bool {
		select {
		case s := <-r.Changed():
			return s.State == supervisor.Healthy && s.Run.PID == 4711 && s.URL == "http://127.0.0.1:8000"
		default:
			return false
		}
	})
	h.puppet.events <- supervisor.Event{What: supervisor.EventCrashed, At: midday, Snapshot: healthySnapshot()}
	require.Equal(t, supervisor.EventCrashed, (<-r.Events()).What)
	r.Look()
	r.Restart()
	r.TakeOver()
	r.Hurry()
	r.Quit() // is the holder's business
	r.Stop()
	eventually(t, "all was heard", func() bool {
		return h.puppet.has("look") && h.puppet.has("restart") && h.puppet.has("take-over") && h.puppet.has("hurry") && h.puppet.has("stop")
	})
	require.False(t, h.puppet.has("quit"))
	h.stop()
	require.ErrorIs(t, <-ended, ErrHolderGone)
}

func TestAHolderThatSaysNothingIsNotWaitedForForEver(t *testing.T) {
	folder := shortDir(t)
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
		folder := shortDir(t)
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
			_ = Render([]supervisor.Snapshot{s}, midday, MenuOptions{})
			e := r.Row.Told()
			_ = Sentence(e)
			_, _ = Announce(e)
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
	held, err := Hold(dir)
	require.NoError(f, err)
	p := newPuppet("/srv/brain")
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _ = held.Serve(ctx, p) }()
	f.Cleanup(func() { cancel(); _ = held.Close() })
	held.Show(p.now)
	f.Fuzz(func(t *testing.T, text []byte) {
		conn, err := net.Dial("unix", filepath.Join(dir, controlAt))
		require.NoError(t, err)
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = conn.Write(text)
		conn.Close()
		c, err := Dial(context.Background(), dir)
		if err == nil { // it may be full for a moment
			_, err = c.Status(context.Background())
			require.NoError(t, err)
			c.Close()
		}
	})
}
