package desktop

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor/config"
)

func TestEachSystemHasItsCommandToOpen(t *testing.T) {
	for _, c := range []struct {
		goos   string
		what   Opening
		target string
		want   string
	}{
		{"darwin", OpenURL, "http://127.0.0.1:8000", "open http://127.0.0.1:8000"},
		{"darwin", OpenLog, "/b/server.log", "open -a Console /b/server.log"},
		{"darwin", OpenText, "/b/vivarium.toml", "open -t /b/vivarium.toml"},
		{"darwin", OpenReveal, "/b", "open -R /b"},
		{"darwin", OpenPage, "/s/b/1/crashes/x.html", "open /s/b/1/crashes/x.html"},
		{"linux", OpenPage, "/s/b/1/crashes/x.html", "xdg-open /s/b/1/crashes/x.html"},
		{"linux", OpenURL, "https://x/y?z=1&w", "xdg-open https://x/y?z=1&w"},
		{"linux", OpenLog, "/b/server.log", "xdg-open /b/server.log"},
		{"linux", OpenText, "/b/$(touch x); y", "xdg-open /b/$(touch x); y"},
		{"linux", OpenReveal, "/b", "xdg-open /b"},
	} {
		argv, err := OpenCommand(c.goos, c.what, c.target)
		require.NoError(t, err)
		require.Equal(t, c.want, strings.Join(argv, " "))
		require.Equal(t, c.target, argv[len(argv)-1], "it is one argument, for no shell")
	}
}

func TestNothingElseIsOpened(t *testing.T) {
	for _, address := range []string{"", "-a", "file:///etc/passwd", "javascript:alert(1)", "http://", "vscode://x", "/b", "http://x\x00"} {
		_, err := OpenCommand("linux", OpenURL, address)
		require.Error(t, err, address)
	}
	for _, path := range []string{"", "-R", "relative", "http://x"} {
		for _, what := range []Opening{OpenLog, OpenText, OpenReveal, OpenPage} {
			_, err := OpenCommand("darwin", what, path)
			require.Error(t, err, path)
		}
	}
}

func recordingOpener(goos string) (*Opener, *[]string) {
	var ran []string
	return &Opener{
		GOOS: goos, Getenv: func(string) string { return "" },
		Run:  func(argv []string) error { ran = append(ran, strings.Join(argv, " ")); return nil },
		Show: func(_ context.Context, uri string) error { ran = append(ran, "show "+uri); return nil },
	}, &ran
}

func TestOpeningWhatIsNotThereSaysSo(t *testing.T) {
	o, ran := recordingOpener("linux")
	missing := filepath.Join(t.TempDir(), "missing")
	require.ErrorContains(t, o.Log(missing), "there is no log yet: "+missing)
	require.ErrorContains(t, o.Reveal(missing), "is not there any more")
	require.ErrorContains(t, o.Page(missing), "is not there any more: the last 50 are kept")
	require.Empty(t, *ran)
}

func TestRevealingAsksTheFileManagerFirst(t *testing.T) {
	dir := testkit.RealTemp(t)
	file := filepath.Join(dir, "a b#c%ü")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	o, ran := recordingOpener("linux")
	require.NoError(t, o.Reveal(file))
	require.Equal(t, []string{"show file://" + dir + "/a%20b%23c%25%C3%BC"}, *ran)

	*ran = nil
	o.Show = func(context.Context, string) error { return errors.New("there is no file manager") }
	require.NoError(t, o.Reveal(file))
	require.NoError(t, o.Reveal(dir))
	require.Equal(t, []string{"xdg-open " + dir, "xdg-open " + dir}, *ran, "of a file its folder, or it would be opened itself")

	o, ran = recordingOpener("darwin")
	require.NoError(t, o.Reveal(file))
	require.Equal(t, []string{"open -R " + file}, *ran)
}

func TestThereIsAlwaysAConfigurationToEdit(t *testing.T) {
	dir := testkit.RealTemp(t)
	o, ran := recordingOpener("linux")
	require.NoError(t, o.EditConfig(dir))
	file := filepath.Join(dir, "vivarium.toml")
	require.Equal(t, []string{"xdg-open " + file}, *ran)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, config.Template(), string(text))

	require.NoError(t, os.WriteFile(file, []byte("port = 1\n"), 0o644))
	require.NoError(t, o.EditConfig(dir))
	text, err = os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "port = 1\n", string(text), "what is there is never written over")

	require.ErrorContains(t, o.EditConfig(filepath.Join(dir, "gone")), "vivarium.toml")
}

// script is a program made of shell text.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(testkit.RealTemp(t), "program")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755))
	return path
}

func TestARealOpenerThatFailsIsTold(t *testing.T) {
	out := filepath.Join(testkit.RealTemp(t), "out")
	require.NoError(t, runAside([]string{script(t, `printf %s "$2" > "$1"`), out, "a b; c"}))
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "a b; c", string(text))
	err = runAside([]string{script(t, "echo 'no application knows this' >&2; exit 3")})
	require.ErrorContains(t, err, "exit status 3: no application knows this")
	t.Setenv("PATH", "/nowhere")
	require.ErrorContains(t, runAside([]string{"xdg-open", "/b"}), "install the package xdg-utils")
}

func TestAnOpenerThatBecomesTheBrowserIsLeftAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	pidFile := filepath.Join(testkit.RealTemp(t), "pid")
	program := script(t, `echo $$ > "$1.new"; mv "$1.new" "$1"; exec sleep 600`)
	began := time.Now()
	require.NoError(t, runAside([]string{program, pidFile}))
	require.GreaterOrEqual(t, time.Since(began), openTime)
	pid, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	number := strings.TrimSpace(string(pid))
	require.NoError(t, exec.Command("kill", "-0", number).Run(), "it still runs")
	require.NoError(t, exec.Command("kill", number).Run())
}

func TestCopyingUsesWhatTheSessionHas(t *testing.T) {
	for _, c := range []struct {
		goos, wayland string
		installed     string
		want          string
	}{
		{"darwin", "", "pbcopy", "pbcopy"},
		{"linux", "", "xclip xsel wl-copy", "xclip -selection clipboard"},
		{"linux", "", "xsel", "xsel --clipboard --input"},
		{"linux", "wayland-0", "xclip wl-copy", "wl-copy"},
		{"linux", "wayland-0", "xclip", "xclip -selection clipboard"},
	} {
		got := ""
		o := Opener{
			GOOS: c.goos, Getenv: func(string) string { return c.wayland },
			Look: func(p string) (string, error) {
				if strings.Contains(" "+c.installed+" ", " "+p+" ") {
					return "/bin/" + p, nil
				}
				return "", exec.ErrNotFound
			},
			Pipe: func(argv []string, text string) error { got = strings.Join(argv, " ") + ":" + text; return nil },
		}
		require.NoError(t, o.Copy("text"))
		require.Equal(t, c.want+":text", got)
	}
}

func TestWithoutAClipboardProgramTheErrorSaysWhatToInstall(t *testing.T) {
	none := func(string) (string, error) { return "", exec.ErrNotFound }
	o := Opener{GOOS: "linux", Look: none, Getenv: func(string) string { return "" }}
	require.EqualError(t, o.Copy("x"), "copying needs xclip: install the package xclip")
	o.Getenv = func(string) string { return "wayland-0" }
	require.EqualError(t, o.Copy("x"), "copying needs wl-copy: install the package wl-clipboard")
}

func TestARealClipboardProgramGetsTheWholeText(t *testing.T) {
	out := filepath.Join(testkit.RealTemp(t), "out")
	text := strings.Repeat("ünïcode\n", 100_000)
	// like xclip, it leaves a child behind that holds on to its output
	require.NoError(t, pipeInto([]string{script(t, `cat > "$1"; sleep 2 & exit 0`), out}, text))
	got, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, text, string(got))
	require.Error(t, pipeInto([]string{script(t, "cat > /dev/null; exit 1")}, "x"))
}

// cabinet is a file manager on a bus.
type cabinet struct{ got chan []string }

func (c cabinet) ShowItems(uris []string, _ string) *dbus.Error {
	c.got <- uris
	return nil
}

func TestTheFileManagerIsAskedOverARealBus(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("macOS has Finder, not a file manager on D-Bus")
	}
	conn := testkit.SessionBus(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.Error(t, showItems(ctx, "file:///tmp"), "nobody is there yet")
	c := cabinet{make(chan []string, 1)}
	require.NoError(t, conn.Export(c, "/org/freedesktop/FileManager1", "org.freedesktop.FileManager1"))
	_, err := conn.RequestName("org.freedesktop.FileManager1", dbus.NameFlagDoNotQueue)
	require.NoError(t, err)
	require.NoError(t, showItems(ctx, "file:///tmp/a%20b"))
	require.Equal(t, []string{"file:///tmp/a%20b"}, <-c.got)
}
