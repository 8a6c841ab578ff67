package control

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
)

// host is a held backend that is served, with a puppet behind it.
type host struct {
	*Held
	folder string
	puppet *testkit.Puppet
	stop   func()
}

func hold(t *testing.T) *host {
	t.Helper()
	h := &host{folder: filepath.Join(testkit.ShortDir(t), "b", "x"), puppet: testkit.NewPuppet("/srv/brain")}
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
	h.puppet.Become(func(*supervisor.Snapshot) {})
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
	require.NoError(t, conn.SetDeadline(time.Now().Add(testkit.Patience)))
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
	folder := testkit.ShortDir(t)
	_, err := Dial(t.Context(), folder)
	require.ErrorIs(t, err, ErrNotHeld)
	h := hold(t)
	h.stop()
	_, err = Dial(t.Context(), h.folder)
	require.ErrorIs(t, err, ErrNotHeld)
}

func TestASocketPathThatIsTooLongNamesThePathAndTheRemedy(t *testing.T) {
	folder := filepath.Join(testkit.ShortDir(t), "b", strings.Repeat("x", 120))
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
		require.True(t, h.puppet.Has(what), what)
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
	require.False(t, h.puppet.Has("stop"))
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
			h.puppet.Told <- supervisor.Event{What: supervisor.EventStarted, At: testkit.Midday, Text: fmt.Sprint(i), Snapshot: testkit.HealthySnapshot()}
		}
	}()
	for i := 0; i < many; {
		row := <-news
		if row.Event != "" {
			require.Equal(t, fmt.Sprint(i), row.Text)
			i++
		}
	}
	h.puppet.BecomeHealthy()
	eventuallyRow(t, news, func(r Row) bool { return r.Event == "" && r.State == "healthy" && r.PID == 4711 })
}

func eventuallyRow(t *testing.T, news <-chan Row, ok func(Row) bool) {
	t.Helper()
	deadline := time.After(testkit.Patience)
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
	testkit.Eventually(t, "it follows", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for c := range h.clients {
			if c.follows {
				return true
			}
		}
		return false
	})
	e := supervisor.Event{What: supervisor.EventStarted, At: testkit.Midday, Text: strings.Repeat("long ", 2000), Snapshot: testkit.HealthySnapshot()}
	for range 2 * maxBacklog {
		h.Tell(e) // does not block, or the test does
	}
	testkit.Eventually(t, "the slow follower is gone", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.clients) == 0
	})
	_, err = dial(t, h.folder).Status(t.Context())
	require.NoError(t, err)
}

func TestAControlSocketThatWasRemovedIsMadeAgainWithTheNextNews(t *testing.T) {
	h := hold(t)
	before := dial(t, h.folder)
	for range 3 {
		require.NoError(t, os.Remove(filepath.Join(h.folder, controlAt)))
		_, err := Dial(t.Context(), h.folder)
		require.ErrorIs(t, err, ErrNotHeld)
		h.puppet.BecomeHealthy()
		require.Eventually(t, func() bool {
			c, err := Dial(t.Context(), h.folder)
			if err != nil {
				return false
			}
			defer c.Close()
			row, err := c.Status(t.Context())
			return err == nil && row.PID == 4711
		}, testkit.Patience, time.Millisecond)
		_, err = before.Status(t.Context())
		require.NoError(t, err, "who is connected stays connected")
	}
	h.stop()
	require.NoFileExists(t, filepath.Join(h.folder, controlAt))
}
