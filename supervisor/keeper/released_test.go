package keeper

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// spoken is a line of a recorded conversation.
type spoken struct{ who, line string }

func (s spoken) message(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(s.line), &m), s.line)
	return m
}

// released gives the connections of a recorded conversation.
func released(t *testing.T, file string) [][]spoken {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "released", file))
	require.NoError(t, err)
	var all [][]spoken
	for _, part := range strings.Split(string(text), "\n\n") {
		var one []spoken
		for line := range strings.Lines(part) {
			if who, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok && who != "#" {
				one = append(one, spoken{who, rest})
			}
		}
		if len(one) > 0 {
			all = append(all, one)
		}
	}
	return all
}

func releases(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "released", "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	return files
}

// changing are the fields whose values are those of one run on one computer. A text is for people: it may be said better.
var changing = []string{"version", "pid", "stamp", "started", "at", "text", "tail", "proto"}

// covers: the present message has all that the recorded one has, by the same names and of the same kinds. More is ignored by an older one.
func covers(t *testing.T, recorded, present any, path string) {
	t.Helper()
	old, isObject := recorded.(map[string]any)
	if !isObject {
		require.IsType(t, recorded, present, path)
		if name := path[strings.LastIndexByte(path, '.')+1:]; !slices.Contains(changing, name) {
			require.Equal(t, recorded, present, path)
		}
		return
	}
	now, ok := present.(map[string]any)
	require.True(t, ok, "%s is %v", path, present)
	for name, value := range old {
		require.Contains(t, now, name, path)
		covers(t, value, now[name], path+"."+name)
	}
}

// A newer keeper and the app of a release: what that app said then, said to the keeper of now, is answered as it was then.
func TestTheKeeperOfNowAnswersAReleasedApp(t *testing.T) {
	t.Parallel()
	for _, file := range releases(t) {
		dir := stateDir(t)
		require.NoError(t, launched(t, dir).Close())
		now := map[string]string{"/home/ada/b": dir} // what was written then → what it is now
		renew := func(line string) string {
			for then, is := range now {
				line = strings.ReplaceAll(line, then, is)
			}
			return line
		}
		for i, connection := range released(t, file) {
			w := dialled(t, dir)
			for n, s := range connection {
				if s.who == "client" {
					w.say(renew(s.line))
					continue
				}
				heard := w.hear()
				where := fmt.Sprintf("%s, connection %d, line %d", file, i+1, n+1)
				if run, ok := s.message(t)["run"].(map[string]any); ok && heard["run"] != nil {
					now[run["id"].(string)] = heard["run"].(map[string]any)["id"].(string)
				}
				covers(t, spoken{line: renew(s.line)}.message(t), heard, where)
				if s.message(t)["type"] == "ok" && strings.Contains(connection[n-1].line, "exec sleep") {
					eventually(t, func() bool {
						log, _ := os.ReadFile(filepath.Join(dir, "server.log"))
						return strings.Contains(string(log), "ready")
					})
				}
			}
			require.NoError(t, w.conn.Close())
		}
	}
}

// recordedKeeper plays the keeper's part of a conversation, and sees to it that the app of now says what it said then.
func recordedKeeper(t *testing.T, dir string, connections [][]spoken) (done chan error) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	ln, err := ListenUnix(filepath.Join(dir, sockFile))
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	done = make(chan error, 1)
	go func() {
		for i, connection := range connections {
			conn, err := ln.Accept()
			if err != nil {
				done <- err
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			if err := playRecorded(conn, connection); err != nil {
				conn.Close() // whoever waits for an answer hears of it
				done <- fmt.Errorf("connection %d: %w", i+1, err)
				return
			}
		}
		close(done)
	}()
	return done
}

func playRecorded(conn interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
	Close() error
}, lines []spoken) error {
	in := bufio.NewScanner(conn)
	for n, s := range lines {
		if s.who == "keeper" {
			if _, err := conn.Write([]byte(s.line + "\n")); err != nil {
				return fmt.Errorf("line %d: %w", n+1, err)
			}
			continue
		}
		if !in.Scan() {
			return fmt.Errorf("line %d: the app hung up: %w", n+1, in.Err())
		}
		if err := sayTheSame(s.line, in.Text()); err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	for in.Scan() { // until the app hangs up
	}
	return conn.Close()
}

// sayTheSame compares what the app says with what a keeper of the release understands.
func sayTheSame(then, now string) error {
	var old, fresh message
	if err := errors.Join(json.Unmarshal([]byte(then), &old), json.Unmarshal([]byte(now), &fresh)); err != nil {
		return err
	}
	old.Version, old.PID, fresh.Version, fresh.PID = "", 0, "", 0
	a, b := string(old.encode()), string(fresh.encode())
	if a != b {
		return fmt.Errorf("it said\n%sinstead of\n%s", b, a)
	}
	return nil
}

// A newer app and the keeper of a release, whose server it must not lose.
func TestTheAppOfNowUnderstandsAReleasedKeeper(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	done := recordedKeeper(t, dir, released(t, "proto-1.txt"))
	sh := func(script string) Spec {
		return Spec{
			Argv: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"},
			Dir: "/home/ada/b", Log: "/home/ada/b/server.log", LogSize: 50_000_000, LogKeep: 5,
		}
	}
	c, err := Attach(soon(t), dir)
	require.NoError(t, err)
	pid, version := c.Keeper()
	require.Equal(t, 15294, pid)
	require.Equal(t, "0.1.0", version)
	run, err := c.Spawn(soon(t), sh("echo hello; exit 3"))
	require.NoError(t, err)
	require.Equal(t, "4d9193a356ae6e0b", run.ID)
	require.Equal(t, 15302, run.PID)
	require.NotEmpty(t, run.Stamp)
	require.Equal(t, 2026, run.Started.Year())
	e, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.Equal(t, Exit{Run: run, At: e.At, Code: 3, Known: true, Tail: []string{"hello"}}, e)
	_, err = c.Spawn(soon(t), sh("true"))
	require.ErrorIs(t, err, ErrUnforgotten)
	require.NoError(t, c.Forget(run.ID))
	_, err = c.Spawn(soon(t), Spec{Argv: []string{"/nowhere/python"}, Env: []string{}, Dir: "/home/ada/b", Log: "/home/ada/b/server.log"})
	var spawn *SpawnError
	require.ErrorAs(t, err, &spawn)
	require.Equal(t, "/nowhere/python", spawn.Path)
	require.ErrorIs(t, err, syscall.ENOENT)
	run, err = c.Spawn(soon(t), sh("echo ready; exec sleep 600"))
	require.NoError(t, err)
	require.NoError(t, c.Stop(run.ID, Ladder{Signal: syscall.SIGTERM, Grace: 10 * time.Second}))
	e, err = c.Wait(soon(t))
	require.NoError(t, err)
	require.Equal(t, Exit{Run: run, At: e.At, Signal: syscall.SIGTERM, Known: true, Asked: true, Tail: []string{"ready"}}, e)
	require.NoError(t, c.Close())

	c, err = Attach(soon(t), dir)
	require.NoError(t, err)
	_, running := c.Current()
	require.False(t, running)
	again, err := c.Wait(soon(t))
	require.NoError(t, err)
	require.Equal(t, e, again, "an exit is told until it is forgotten")
	require.NoError(t, c.Forget(run.ID))
	require.ErrorIs(t, c.Stop(run.ID, Ladder{}), ErrUnknownRun)
	require.NoError(t, c.Close())
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(patience):
		require.FailNow(t, "the conversation did not come to its end")
	}
}

func TestAReleaseThatIsBrokenIsSeen(t *testing.T) {
	const then = `{"type":"stop","id":6,"run_id":"r","ladder":{"signal":15,"grace":10000000000}}`
	require.NoError(t, sayTheSame(then, `{"type":"stop","id":6,"run_id":"r","ladder":{"signal":15,"grace":10000000000},"new":true}`), "a keeper ignores what it does not know")
	for _, now := range []string{
		`{"type":"halt","id":6,"run_id":"r","ladder":{"signal":15,"grace":10000000000}}`,
		`{"type":"stop","id":6,"run":"r","ladder":{"signal":15,"grace":10000000000}}`,
		`{"type":"stop","id":6,"run_id":"r","ladder":{"signal":15,"grace":"10s"}}`,
		`{"type":"stop","id":6,"run_id":"r"}`,
	} {
		require.Error(t, sayTheSame(then, now), now)
	}
}
