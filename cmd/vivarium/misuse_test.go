package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/mcp"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// within is for what must not wait: a command that hangs fails its test, and not the whole run.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		require.FailNow(t, "it hangs: "+what)
	}
}

// held is a backend that this process keeps, with nothing behind it: what is asked of it is counted.
func held(t *testing.T, state, dir string) *testkit.Puppet {
	t.Helper()
	p := testkit.NewPuppet(dir)
	h, err := control.Hold(keeper.BackendFolder(state, dir))
	require.NoError(t, err)
	var work sync.WaitGroup
	work.Go(func() { _ = h.Serve(t.Context(), p) })
	work.Go(func() { _ = p.Run(t.Context()) })
	work.Go(func() {
		for {
			select {
			case s := <-p.Changed():
				h.Show(s)
			case <-t.Context().Done():
				return
			}
		}
	})
	t.Cleanup(func() { work.Wait(); _ = h.Close() })
	return p
}

func TestWrongArgumentsChangeNothing(t *testing.T) {
	state, dir := atHome(t)
	write(t, filepath.Join(dir, "vivarium.toml"), "")
	p := held(t, state, dir)
	for _, args := range [][]string{
		{"start", "--wait", "--timeout", "0s"}, {"restart", "--wait", "--timeout", "-1s"}, {"restart", "--wait", "--timeout", "soon"},
		{"restart", "brain", "--all"}, {"start", "--json=perhaps"}, {"stop", "--no-wait", "--nonsense"}, {"restart", "brain", "again"},
		{"login", "on off"}, {"login", "off status"}, {"login", ""}, {"login", "ON"}, {"login", "on", "on"},
		{"wait", "--timeout", "0s", "gone"}, {"mcp", "serve"}, {"init", "--port", "-1"}, {"init", "--app"}, {"logs", "-n", "many"},
		{"doctor", "--clean", "brain"}, {"doctor", "--clean", "--fix", "--yes"}, {"explain", "--signal", "9x"}, {"explain", "--signal", "11 or so"},
	} {
		out, told, code := do(t, args...)
		require.Equal(t, codeUsage, code, "%q: %s", args, told)
		require.Empty(t, out, "%q", args)
		require.LessOrEqual(t, strings.Count(told, "\n"), 1, "%q: %q", args, told)
	}
	for _, wish := range []string{"start", "restart", "stop"} {
		require.False(t, p.Has(wish), wish)
	}
	require.NoFileExists(t, filepath.Join(dir, "start"))
	_, told, code := do(t, "restart", "--wait", "--timeout", "30s")
	require.Zero(t, code, told)
	require.True(t, p.Has("restart"), "what is right is passed on")
}

func TestAListThatCannotBeReadIsSaidAndNotTakenForAnEmptyOne(t *testing.T) {
	for _, args := range [][]string{{"status", "--all"}, {"status", "brain"}, {"start", "--all"}, {"crashes", "--all"}, {"logs", "brain"}} {
		state, dir := atHome(t)
		list, err := app.OpenBackends(state)
		require.NoError(t, err)
		require.NoError(t, list.Add(dir))
		write(t, list.Path, `{"backends": ["`+dir+`",]}`) // a person's own edit, with a comma too many
		_, told, code := do(t, args...)
		require.Equal(t, codeFailed, code, "%q: %s", args, told)
		require.Contains(t, told, "is not a list of backends", "%q", args)
		require.Contains(t, told, "kept as backends.json.broken", "%q", args)
		text, err := os.ReadFile(list.Path + ".broken")
		require.NoError(t, err)
		require.Contains(t, string(text), dir)
	}
	_, told, _ := do(t, "status", "brain")
	require.NotContains(t, told, "is not a list", "it is said once")
}

func TestStoppingEverythingGoesOnWithoutTheList(t *testing.T) {
	state, dir := atHome(t)
	p := held(t, state, dir)
	p.BecomeHealthy()
	write(t, filepath.Join(state, "backends.json"), "\x00")
	out, told, code := do(t, "stop", "--all")
	require.Zero(t, code, told)
	require.Equal(t, "brain: stopped\n", out)
	require.Contains(t, told, "is not a list of backends")
	require.True(t, p.Has("stop"))
}

func TestManyBackendsAreStoppedAtOnceWithALineForEach(t *testing.T) {
	state, dir := atHome(t)
	list, err := app.OpenBackends(state)
	require.NoError(t, err)
	var puppets []*testkit.Puppet
	want := map[string]bool{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		one := filepath.Join(filepath.Dir(dir), name)
		require.NoError(t, os.Mkdir(one, 0o755))
		require.NoError(t, list.Add(one))
		p := held(t, state, one)
		p.BecomeHealthy()
		puppets, want[name+": stopped"] = append(puppets, p), true
	}
	out, told, code := do(t, "stop", "--all")
	require.Zero(t, code, told)
	got := map[string]bool{}
	for line := range strings.Lines(out) {
		got[strings.TrimSuffix(line, "\n")] = true
	}
	require.Equal(t, want, got)
	for _, p := range puppets {
		require.True(t, p.Has("stop"))
	}
}

func TestALogThatIsNoFileIsSaidAndNotWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name, at string
		make     func(path string) error
	}{
		{"a pipe", "server.log", func(path string) error { return syscall.Mkfifo(path, 0o600) }},
		{"a folder", "server.log", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"a link to a device", "server.log", func(path string) error { return os.Symlink("/dev/zero", path) }},
		{"a pipe among the older ones", "server.log.1", func(path string) error { return syscall.Mkfifo(path, 0o600) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			state, dir := atHome(t)
			write(t, filepath.Join(dir, "vivarium.toml"), "")
			logs := filepath.Join(dir, "logs")
			require.NoError(t, os.MkdirAll(logs, 0o700))
			current := c.at == "server.log"
			if !current {
				write(t, filepath.Join(logs, "server.log"), "a line\n")
			}
			require.NoError(t, c.make(filepath.Join(logs, c.at)))
			within(t, "logs", func() {
				for _, args := range [][]string{{"logs"}, {"logs", "-n", "5"}} {
					out, told, code := do(t, args...)
					if !current {
						require.Equal(t, "a line\n", out)
						require.Zero(t, code, told)
						continue
					}
					require.Equal(t, codeUsage, code, "the configuration names it")
					require.Empty(t, out)
					require.Contains(t, told, "server.log")
				}
				_, err := agents{home{state}}.Logs(t.Context(), dir, mcp.LogQuery{Tail: 5})
				require.Equal(t, current, err != nil, "%v", err)
			})
		})
	}
}

func TestAnAgentIsNotToldOfALogThatIsEmptyThatItHasNoTimes(t *testing.T) {
	state, dir := atHome(t)
	write(t, filepath.Join(dir, "vivarium.toml"), "")
	a := agents{home{state}}
	ask := func() (mcp.Logs, error) {
		return a.Logs(t.Context(), dir, mcp.LogQuery{Tail: 10, Since: time.Minute, Level: "error"})
	}
	for _, text := range []string{"none", "", "\n"} {
		if text != "none" {
			write(t, filepath.Join(dir, "logs", "server.log"), text)
		}
		got, err := ask()
		if text == "\n" {
			require.ErrorContains(t, err, "no times")
			continue
		}
		require.NoError(t, err, "%q", text)
		require.Equal(t, mcp.Logs{Lines: []string{}, File: filepath.Join(dir, "logs", "server.log")}, got)
	}
}

func TestNoQuestionOfAnAgentBringsOutASecretThatTheLineBeforeItTells(t *testing.T) {
	state, dir := atHome(t)
	write(t, filepath.Join(dir, "vivarium.toml"), "")
	key := "-----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat("x", 30) + "innermost\nzUl3ec08PPMhNgip\n-----END RSA PRIVATE KEY-----\n"
	write(t, filepath.Join(dir, "logs", "server.log"), numbered(1, 500)+"2026-11-29 10:00:00 ERROR "+key+"Enter the password:\ncorrecthorse\n")
	a := agents{home{state}}
	for _, q := range []mcp.LogQuery{{Tail: 1}, {Tail: 3}, {Tail: 2000}, {Tail: 5, Search: "correcth"}, {Tail: 5, Search: "innermost"}, {Tail: 5, Search: "zUl3"}, {Tail: 5, Level: "error"}} {
		got, err := a.Logs(t.Context(), dir, q)
		require.NoError(t, err)
		text := strings.Join(got.Lines, "\n")
		for _, secret := range []string{"correcthorse", "innermost", "zUl3ec08PPMhNgip"} {
			require.NotContains(t, text, secret, "%+v", q)
		}
	}
	got, err := a.Logs(t.Context(), dir, mcp.LogQuery{Tail: 2, Search: "line 49"})
	require.NoError(t, err)
	require.Equal(t, []string{"line 498", "line 499"}, got.Lines, "what is no secret is found as ever")
	require.True(t, got.Truncated)
	got, err = a.Logs(t.Context(), dir, mcp.LogQuery{Tail: 3})
	require.NoError(t, err)
	require.True(t, got.Truncated, "there is more than was looked at")
}

func TestWaitingTellsProgramsHowItEnded(t *testing.T) {
	state, dir := atHome(t)
	write(t, filepath.Join(dir, "vivarium.toml"), "port = 'eighty'\n")
	out, told, code := do(t, "wait", "--json", "--timeout", "1m")
	require.Equal(t, codeFailed, code)
	require.Empty(t, told, "a program reads the reason")
	var w waited
	require.NoError(t, json.Unmarshal([]byte(out), &w))
	require.Equal(t, dir, w.Dir)
	require.False(t, w.Reached)
	require.Contains(t, w.Reason, "vivarium.toml:1")
	out, told, code = do(t, "wait", "--json", "--for", "stopped")
	require.Zero(t, code, told)
	require.NoError(t, json.Unmarshal([]byte(out), &w))
	require.True(t, w.Reached)
	require.Equal(t, control.RowVersion, w.V)
	p := held(t, state, dir)
	p.BecomeHealthy()
	out, told, code = do(t, "wait", "--for", "stopped", "--timeout", "200ms")
	require.Equal(t, codeFailed, code)
	require.Empty(t, out)
	require.Equal(t, "vivarium: brain is not stopped: it is healthy\n", told)
}

func TestInitTellsHowToStartWhereAFolderIsNamedStart(t *testing.T) {
	_, dir := atHome(t)
	write(t, filepath.Join(dir, "main.py"), "from fastapi import FastAPI\napp = FastAPI()\n")
	write(t, filepath.Join(dir, "start", "__init__.py"), "")
	out, told, code := do(t, "init")
	require.Zero(t, code, told)
	require.Contains(t, out, "Wrote vivarium.toml\n")
	require.NotContains(t, out, "Wrote start")
	require.NotContains(t, out, "with ./start")
	require.Contains(t, out, "vivarium run "+dir)
	require.NotContains(t, told, "--force")
}
