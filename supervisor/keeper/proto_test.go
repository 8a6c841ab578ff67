package keeper

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wire is a connection without Conn, for saying what Conn would not.
type wire struct {
	t    testing.TB
	conn *net.UnixConn
	in   *bufio.Scanner
}

func dialled(t testing.TB, dir string) *wire {
	t.Helper()
	var conn net.Conn
	eventually(t, func() bool {
		var err error
		conn, err = net.Dial("unix", filepath.Join(dir, sockFile))
		return err == nil
	})
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	w := &wire{t: t, conn: conn.(*net.UnixConn), in: bufio.NewScanner(conn)}
	w.in.Buffer(nil, maxLine)
	return w
}

func (w *wire) say(line string) {
	w.t.Helper()
	_, err := io.WriteString(w.conn, line+"\n")
	require.NoError(w.t, err)
}

// hear returns the next message as it came.
func (w *wire) hear() map[string]any {
	w.t.Helper()
	require.True(w.t, w.in.Scan(), "the connection ended: %v", w.in.Err())
	var m map[string]any
	require.NoError(w.t, json.Unmarshal(w.in.Bytes(), &m))
	return m
}

// ended says whether the other end hung up.
func (w *wire) ended() bool {
	for w.in.Scan() {
	}
	err := w.in.Err()
	return err == nil || errors.Is(err, syscall.ECONNRESET)
}

func TestAKeeperAnswersWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, launched(t, dir).Close())
	w := dialled(t, dir)
	hello := w.hear()
	require.Equal(t, "hello", hello["type"])
	require.EqualValues(t, proto, hello["proto"])
	require.Equal(t, Version, hello["version"])
	w.say(`{"type":"hello","proto":99,"version":"99.0","pid":1,"mood":{"good":true}}`)
	w.say(`{"type":"dance","id":7,"with":["you"]}`)
	require.Equal(t, map[string]any{"type": "unsupported", "id": 7.0}, w.hear())
	w.say(`{"type":"an event of a newer app"}`)
	w.say(`{"type":"stop","id":8,"run_id":"none","urgency":"high"}`)
	m := w.hear()
	require.Equal(t, "error", m["type"])
	require.Equal(t, 8.0, m["id"])
	w.say(`{"type":"spawn","id":9}`)
	require.Equal(t, "error", w.hear()["type"])
	w.say(`{"type":"forget","id":10}`)
	require.Equal(t, "error", w.hear()["type"])
	w.say(`{"id":11}`)
	require.Equal(t, "unsupported", w.hear()["type"])
}

func TestGarbageEndsItsOwnConnectionAlone(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := launched(t, dir)
	run, err := c.Spawn(soon(t), spec(dir, "sleep"))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	for name, line := range map[string]string{
		"no JSON":         "GET / HTTP/1.1\r\n",
		"no object":       "[1,2,3]",
		"a wrong type":    `{"type":7}`,
		"a wrong id":      `{"type":"stop","id":"seven"}`,
		"a negative id":   `{"type":"stop","id":-1}`,
		"a wrong spec":    `{"type":"spawn","id":1,"spec":[]}`,
		"zeros":           "\x00\x00\x00",
		"too long a line": strings.Repeat("x", maxLine+10),
		"too long a text": `{"type":"` + strings.Repeat("x", maxLine) + `"}`,
		"deep":            strings.Repeat("[", 100_000),
	} {
		w := dialled(t, dir)
		require.Equal(t, "hello", w.hear()["type"], name)
		_, err := io.WriteString(w.conn, line+"\n")
		if err != nil { // it may hang up before it has read all of it
			require.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET), "%s: %v", name, err)
		}
		require.True(t, w.ended(), name)
		w.conn.Close()
		c, err := Attach(soon(t), dir)
		require.NoError(t, err, name)
		now, running := c.Current()
		require.True(t, running, name)
		require.Equal(t, run.PID, now.PID)
		require.NoError(t, c.Close())
	}
}

func TestAClientThatDoesNotReadLosesItsConnectionAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, launched(t, dir).Close())
	w := dialled(t, dir)
	w.hear()
	ask := strings.Repeat(`{"type":"dance","id":7}`+"\n", 1000)
	for {
		if _, err := io.WriteString(w.conn, ask); err != nil {
			require.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET), err)
			break
		}
	}
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestAnotherUserIsShutOut(t *testing.T) {
	needsProc(t)
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can become another user")
	}
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, launched(t, dir).Close())
	path := filepath.Join(dir, sockFile)
	err := asNobody(func() error { _, err := net.Dial("unix", path); return err })
	require.ErrorIs(t, err, syscall.EACCES, "the folder and the socket are closed to others")

	// Even with every door open the keeper asks the kernel who is there.
	for _, d := range []string{filepath.Dir(filepath.Dir(dir)), filepath.Dir(dir), dir} {
		require.NoError(t, os.Chmod(d, 0o755))
	}
	require.NoError(t, os.Chmod(path, 0o777))
	require.NoError(t, asNobody(func() error {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		b, err := io.ReadAll(conn)
		if len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			return fmt.Errorf("it said %q, %v", b, err)
		}
		return nil
	}))
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestTheSocketOfAnotherUserIsNotTrusted(t *testing.T) {
	needsProc(t)
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can become another user")
	}
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, os.MkdirAll(dir, 0o777))
	for _, d := range []string{filepath.Dir(filepath.Dir(dir)), filepath.Dir(dir), dir} {
		require.NoError(t, os.Chmod(d, 0o777))
	}
	var ln net.Listener
	require.NoError(t, asNobody(func() (err error) {
		ln, err = net.Listen("unix", filepath.Join(dir, sockFile))
		return err
	}))
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			fmt.Fprintln(conn, `{"type":"hello","proto":1,"pid":1}`)
		}
	}()
	_, err := Attach(soon(t), dir)
	require.ErrorContains(t, err, "belongs to user 65534")
}

func TestErrorsSurviveTheWire(t *testing.T) {
	for _, err := range []error{ErrRunning, ErrUnforgotten, ErrUnknownRun, ErrUnsupported, ErrLeaving} {
		require.ErrorIs(t, toWire(fmt.Errorf("more: %w", err)).err(), err)
	}
	in := &SpawnError{Path: "/x", Err: fmt.Errorf("opening: %w", syscall.EACCES)}
	var out *SpawnError
	require.ErrorAs(t, toWire(in).err(), &out)
	require.Equal(t, "/x", out.Path)
	require.ErrorIs(t, out, syscall.EACCES)
	require.ErrorAs(t, toWire(&SpawnError{Path: "/y", Err: errors.New("odd")}).err(), &out)
	require.EqualError(t, out, "starting /y: odd")
	require.EqualError(t, toWire(errors.New("new kind")).err(), "new kind")
	require.Error(t, (*wireError)(nil).err())
	require.EqualError(t, (&wireError{Kind: "of the future", Text: "x"}).err(), "x")
}

// meddler stands between an app and a keeper, and puts in what a newer one of either would say.
type meddler struct {
	ln   net.Listener
	to   string
	note func(string)
}

func (m meddler) serve() {
	for {
		app, err := m.ln.Accept()
		if err != nil {
			return
		}
		keeper, err := net.Dial("unix", m.to)
		if err != nil {
			app.Close()
			continue
		}
		go m.pass(app, keeper, []string{`{"type":"tune","id":%d,"a":[{}]}`, `{"type":"wave"}`, `{}`, `{"type":"stop","id":%d,"run_id":"nobody's"}`})
		go m.pass(keeper, app, []string{`{"type":"ok","id":%d}`, `{"type":"weather","sun":1}`, `{}`, `{"type":"unsupported","id":%d}`, `{"type":"error","id":%d}`})
	}
}

// pass hands lines on; each gets an unknown field, and now and then another line comes before it.
func (m meddler) pass(from, to net.Conn, extra []string) {
	defer to.Close()
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for first := true; lines.Scan(); first = false {
		for !first && rand.IntN(2) == 0 {
			line := extra[rand.IntN(len(extra))]
			if strings.Contains(line, "%d") {
				line = fmt.Sprintf(line, 1_000_000+rand.IntN(1000))
			}
			fmt.Fprintln(to, line)
		}
		line := bytes.Replace(lines.Bytes(), []byte("{"), []byte(`{"from_the_future":{"x":[1,null]},`), 1)
		if _, err := to.Write(append(line, '\n')); err != nil {
			return
		}
		m.note(string(lines.Bytes()))
	}
}

func TestAnOldAndANewOneAgree(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, launched(t, dir).Close())
	via := filepath.Join(filepath.Dir(dir), "via")
	require.NoError(t, os.Mkdir(via, 0o700))
	ln, err := ListenUnix(filepath.Join(via, sockFile))
	require.NoError(t, err)
	defer ln.Close()
	var mu sync.Mutex
	unsupported := 0
	go meddler{ln: ln, to: filepath.Join(dir, sockFile), note: func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(line, `"unsupported"`) {
			unsupported++
		}
	}}.serve()
	for range 10 {
		var c *Conn
		eventually(t, func() bool { // the end of the last connection takes its way through the meddler
			var err error
			c, err = Attach(soon(t), via)
			return err == nil
		})
		for range 5 {
			run, err := c.Spawn(soon(t), spec(dir, "sleep"))
			require.NoError(t, err)
			require.NoError(t, c.Stop(run.ID, Ladder{}))
			e, err := c.Wait(soon(t))
			require.NoError(t, err)
			require.Equal(t, run.ID, e.Run.ID)
			require.NoError(t, c.Forget(run.ID))
		}
		require.NoError(t, c.Close())
	}
	mu.Lock()
	defer mu.Unlock()
	require.NotZero(t, unsupported)
}

func TestAnOldKeeperThatKnowsNoSpawnSaysSo(t *testing.T) {
	t.Parallel()
	c, keeper := faked(t)
	go func() {
		for lines := bufio.NewScanner(keeper); lines.Scan(); {
			var m message
			_ = json.Unmarshal(lines.Bytes(), &m)
			_, _ = keeper.Write(message{Type: typeUnsupported, ID: m.ID}.encode())
		}
	}()
	_, err := c.Spawn(soon(t), Spec{})
	require.ErrorIs(t, err, ErrUnsupported)
}

// faked is a Conn and the other end of its connection.
func faked(t testing.TB) (*Conn, *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	end := func(fd int) *net.UnixConn {
		f := os.NewFile(uintptr(fd), "pair")
		defer f.Close()
		conn, err := net.FileConn(f)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		return conn.(*net.UnixConn)
	}
	c := newConn("")
	c.conn = end(fds[0])
	go c.read(newDecoder(c.conn))
	return c, end(fds[1])
}

func TestWhoWaitsIsWokenWhenTheConnectionEnds(t *testing.T) {
	t.Parallel()
	c, keeper := faked(t)
	errs := make(chan error)
	go func() { _, err := c.Wait(soon(t)); errs <- err }()
	go func() { _, err := c.Spawn(soon(t), Spec{}); errs <- err }()
	go func() { errs <- c.Stop("x", Ladder{}) }()
	b := make([]byte, 1)
	_, err := keeper.Read(b)
	require.NoError(t, err)
	require.NoError(t, keeper.Close())
	for range 3 {
		require.ErrorIs(t, <-errs, ErrLost)
	}
	require.ErrorIs(t, c.Stop("x", Ladder{}), ErrLost)
	require.False(t, c.Live())
}

// FuzzKeeper says anything to a real keeper, which must go on.
func FuzzKeeper(f *testing.F) {
	for _, s := range []string{
		"", "{}", "\n\n", `{"type":"stop","id":1}`, `{"type":"spawn","id":1,"spec":{}}`, `{"type":"forget","id":1,"run_id":"x"}` + "\n{",
		`{"type":"spawn","id":18446744073709551615,"spec":{"argv":["/bin/true"],"log":"/dev/null","dir":"/"}}`, "\xff\xfe", `{"type":"stop","id":1,"ladder":{"grace":-1,"signal":99}}`,
	} {
		f.Add([]byte(s))
	}
	dir := stateDir(f)
	c := launched(f, dir)
	p := ofKeeper(f, c)
	require.NoError(f, c.Close())
	f.Fuzz(func(t *testing.T, b []byte) {
		w := dialled(t, dir)
		_, _ = w.conn.Write(append(b, '\n'))
		_ = w.conn.CloseWrite()
		require.True(t, w.ended())
		w.conn.Close()
		c, err := Attach(soon(t), dir)
		require.NoError(t, err)
		require.Equal(t, p.PID, ofKeeper(t, c).PID)
		if run, running := c.Current(); running {
			require.NoError(t, c.Stop(run.ID, Ladder{}))
			e, err := c.Wait(soon(t))
			require.NoError(t, err)
			require.NoError(t, c.Forget(e.Run.ID))
		}
		require.NoError(t, c.Close())
	})
}

// FuzzClient says anything to a client, which must not panic, nor hang.
func FuzzClient(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"type":"exit"}`, `{"type":"exit","exit":{}}`, `{"type":"exit","exit":[]}`, `{"type":"ok","id":1}`, `{"type":"error","id":1}`,
		`{"type":"hello","run":null,"exit":null}`, `{"type":"ok","id":1,"run":{"id":"x"}}`, "\x00", `{"type":"unsupported","id":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, keeper := faked(t)
		done := make(chan struct{})
		go func() { _, _ = c.Spawn(soon(t), Spec{}); close(done) }()
		_, _ = keeper.Write(append(b, '\n'))
		_ = keeper.Close()
		<-done
		if e, err := c.Wait(soon(t)); err == nil {
			_ = c.Forget(e.Run.ID)
		}
		eventually(t, func() bool { return !c.Live() })
	})
}
