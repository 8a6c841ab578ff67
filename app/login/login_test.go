package login

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"howett.net/plist"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/testkit"
)

// recorded is a runner that remembers, and answers as told.
type recorded struct {
	ran    []string
	answer func(args []string) (string, error)
}

func (r *recorded) run(name string, args ...string) ([]byte, error) {
	r.ran = append(r.ran, strings.Join(append([]string{name}, args...), " "))
	if r.answer == nil {
		return nil, nil
	}
	out, err := r.answer(args)
	return []byte(out), err
}

func linuxLogin(t *testing.T, program string) Item {
	t.Helper()
	config := filepath.Join(testkit.RealTemp(t), "config")
	r := &recorded{answer: func([]string) (string, error) { return "", errors.New("nothing is to be run on Linux") }}
	t.Cleanup(func() {
		if len(r.ran) > 0 {
			t.Errorf("ran %q", r.ran)
		}
	})
	return Item{GOOS: "linux", Home: "/nowhere", Program: program, Run: r.run, Getenv: func(name string) string {
		if name == "XDG_CONFIG_HOME" {
			return config
		}
		return ""
	}}
}

func loginStatus(t *testing.T, l Item) Status {
	t.Helper()
	st, err := l.Status()
	require.NoError(t, err)
	return st
}

func TestTheLoginItemLiesWhereItsSystemLooks(t *testing.T) {
	getenv := func(v string) func(string) string { return func(string) string { return v } }
	require.Equal(t, "/home/a/.config/autostart/vivarium.desktop", Item{GOOS: "linux", Home: "/home/a"}.File())
	require.Equal(t, "/home/a/.config/autostart/vivarium.desktop", Item{GOOS: "linux", Home: "/home/a", Getenv: getenv("relative")}.File())
	require.Equal(t, "/cfg/autostart/vivarium.desktop", Item{GOOS: "linux", Home: "/home/a", Getenv: getenv("/cfg")}.File())
	require.Equal(t, "/Users/a/Library/LaunchAgents/"+BundleID+".plist", Item{GOOS: "darwin", Home: "/Users/a", Getenv: getenv("/cfg")}.File())
}

func TestOnAndOffAreReallyWrittenAndReallyReadBack(t *testing.T) {
	l := linuxLogin(t, "/opt/vivarium/vivarium-menubar")
	require.Equal(t, Status{File: l.File()}, loginStatus(t, l))
	require.NoError(t, l.On())
	require.True(t, loginStatus(t, l).Enabled)
	require.NoError(t, l.On(), "twice is once")
	text, err := os.ReadFile(l.File())
	require.NoError(t, err)
	require.Equal(t, `[Desktop Entry]
Type=Application
Version=1.5
Name=Vivarium
Comment=Keeps your Python backends running
Exec="/opt/vivarium/vivarium-menubar"
Icon=vivarium
Terminal=false
StartupNotify=false
X-GNOME-Autostart-enabled=true
`, string(text))
	require.NoError(t, l.Off())
	require.False(t, loginStatus(t, l).Enabled)
	require.NoFileExists(t, l.File())
	require.NoError(t, l.Off(), "what is off can be switched off")
}

func TestAnEntryThatADesktopSwitchedOffIsOff(t *testing.T) {
	for _, change := range []string{"Hidden=true\n", "X-GNOME-Autostart-enabled=false\n", " Hidden = true \n"} {
		l := linuxLogin(t, "/opt/vivarium-menubar")
		require.NoError(t, l.On())
		f, err := os.OpenFile(l.File(), os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString(change)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Equal(t, Status{File: l.File()}, loginStatus(t, l), change)
		wrote, err := l.Mend()
		require.NoError(t, err)
		require.False(t, wrote, "what a person switched off stays off")
		require.NoError(t, l.On())
		require.True(t, loginStatus(t, l).Enabled)
	}
}

func TestKeysOfOtherGroupsAndCommentsDoNotCount(t *testing.T) {
	program, on, err := readAutostartEntry([]byte("#Hidden=true\n[Desktop Entry]\nExec=/a/b --flag %U\n[Desktop Action x]\nExec=/c\nHidden=true\n"))
	require.NoError(t, err)
	require.True(t, on)
	require.Equal(t, "/a/b", program)
}

func TestAProgramThatMovedIsNoticedAndMended(t *testing.T) {
	dir := testkit.RealTemp(t)
	old, moved := filepath.Join(dir, "old"), filepath.Join(dir, "new")
	require.NoError(t, os.WriteFile(old, nil, 0o755))
	l := linuxLogin(t, old)
	require.NoError(t, l.On())
	l.Program = moved
	require.Equal(t, Status{File: l.File(), Other: old}, loginStatus(t, l))
	wrote, err := l.Mend()
	require.NoError(t, err)
	require.False(t, wrote, "another Vivarium that is there is left alone")
	require.NoError(t, os.Rename(old, moved))
	require.Equal(t, Status{File: l.File(), Other: old, Gone: true}, loginStatus(t, l))
	wrote, err = l.Mend()
	require.NoError(t, err)
	require.True(t, wrote)
	require.Equal(t, Status{File: l.File(), Enabled: true}, loginStatus(t, l))
	wrote, err = l.Mend()
	require.NoError(t, err)
	require.False(t, wrote, "there is nothing left to mend")
}

func TestAnEntryOfAnOlderVersionIsMended(t *testing.T) {
	l := linuxLogin(t, "/opt/v")
	require.NoError(t, l.On())
	require.NoError(t, os.WriteFile(l.File(), []byte("[Desktop Entry]\nExec=/opt/v\n"), 0o644))
	require.True(t, loginStatus(t, l).Enabled)
	wrote, err := l.Mend()
	require.NoError(t, err)
	require.True(t, wrote)
}

func TestWithoutALoginItemNothingIsMended(t *testing.T) {
	l := linuxLogin(t, "/opt/v")
	wrote, err := l.Mend()
	require.NoError(t, err)
	require.False(t, wrote)
	require.NoFileExists(t, l.File())
}

func TestGarbageInPlaceOfALoginItemIsAnErrorThatNamesIt(t *testing.T) {
	for _, text := range []string{"", "garbage", "[Desktop Entry]\nExec=\n", "[Desktop Entry]\nExec=\"/a\n"} {
		l := linuxLogin(t, "/opt/v")
		require.NoError(t, os.MkdirAll(filepath.Dir(l.File()), 0o755))
		require.NoError(t, os.WriteFile(l.File(), []byte(text), 0o644))
		_, err := l.Status()
		require.ErrorContains(t, err, l.File(), "%q", text)
	}
}

// awkward are names that quoting must survive.
var awkward = []string{
	"plain", "with space", `quote"quote`, "back`tick", "dollar$HOME", `back\slash`, `\\server`, "ünïcode", "a&b<c>'d'", "semi;colon", "#hash", "tail ",
}

func TestEveryPathIsReadBackAsItWasWritten(t *testing.T) {
	for _, name := range awkward {
		path := "/opt/" + name + "/vivarium"
		text, err := autostartEntry(path)
		require.NoError(t, err)
		got, on, err := readAutostartEntry(text)
		require.NoError(t, err)
		require.True(t, on)
		require.Equal(t, path, got)

		agent, err := LaunchAgent(BundleID, path, "")
		require.NoError(t, err)
		got, err = agentProgram(agent)
		require.NoError(t, err)
		require.Equal(t, path, got)
	}
}

func TestTheSpecificationsExampleOfFourBackslashes(t *testing.T) {
	text, err := autostartEntry(`/a\b$c`)
	require.NoError(t, err)
	require.Contains(t, string(text), `Exec="/a\\\\b\\$c"`)
}

func TestAPathThatNoLoginItemCanHoldIsRefused(t *testing.T) {
	for _, path := range []string{"/a\nExec=/evil", "/a\xff", "/a\x00b", "/per%cent"} {
		require.Error(t, linuxLogin(t, path).On())
	}
	for _, path := range []string{"/a\x01", "/a\xff", "/a\x00b", "/a\uffff"} {
		_, err := LaunchAgent(BundleID, path, "")
		require.Error(t, err, "%q", path)
	}
}

func FuzzAPathIsReadBackOrRefused(f *testing.F) {
	for _, name := range awkward {
		f.Add("/" + name)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if text, err := autostartEntry(path); err == nil {
			got, _, err := readAutostartEntry(text)
			require.NoError(t, err)
			require.Equal(t, path, got)
		}
		if text, err := LaunchAgent(BundleID, path, ""); err == nil {
			got, err := agentProgram(text)
			require.NoError(t, err)
			require.Equal(t, path, got)
		}
		_, _, _ = readAutostartEntry([]byte(path))
		_, _ = agentProgram([]byte(path))
	})
}

// TestADesktopStartsWhatTheEntryNames lets GLib, whose reading of the specification most desktops share, start the entry.
func TestADesktopStartsWhatTheEntryNames(t *testing.T) {
	gio, err := exec.LookPath("gio")
	if err != nil {
		t.Skip("gio is not installed: no second reader of the entry")
	}
	for _, name := range awkward {
		dir := filepath.Join(testkit.RealTemp(t), name)
		require.NoError(t, os.Mkdir(dir, 0o755))
		program, mark := filepath.Join(dir, "start me"), filepath.Join(dir, "started")
		require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n: > \"${0%/*}/started\"\n"), 0o755))
		l := linuxLogin(t, program)
		require.NoError(t, l.On())
		out, err := exec.Command(gio, "launch", l.File()).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
		require.Eventually(t, func() bool { return desktop.Exists(mark) }, time.Minute, 5*time.Millisecond, name)
	}
}

func TestTheLaunchAgentIsWhatLaunchdWants(t *testing.T) {
	text, err := LaunchAgent(BundleID, `/Applications/A & "B" <C>.app/Contents/MacOS/Vivarium`, "/Users/ada/Library/Logs/Vivarium.log")
	require.NoError(t, err)
	var got map[string]any
	format, err := plist.Unmarshal(text, &got)
	require.NoError(t, err)
	require.Equal(t, plist.XMLFormat, format)
	require.Equal(t, map[string]any{
		"Label":                       "io.github.vivarium-app.vivarium",
		"ProgramArguments":            []any{`/Applications/A & "B" <C>.app/Contents/MacOS/Vivarium`},
		"RunAtLoad":                   true,
		"KeepAlive":                   map[string]any{"SuccessfulExit": false},
		"ProcessType":                 "Interactive",
		"LimitLoadToSessionType":      "Aqua",
		"AssociatedBundleIdentifiers": []any{"io.github.vivarium-app.vivarium"},
		"ThrottleInterval":            uint64(10),
		"StandardOutPath":             "/Users/ada/Library/Logs/Vivarium.log",
		"StandardErrorPath":           "/Users/ada/Library/Logs/Vivarium.log",
	}, got)
	again, err := LaunchAgent(BundleID, `/Applications/A & "B" <C>.app/Contents/MacOS/Vivarium`, "/Users/ada/Library/Logs/Vivarium.log")
	require.NoError(t, err)
	require.Equal(t, text, again, "the same every time")
	without, err := LaunchAgent(BundleID, "/v", "")
	require.NoError(t, err)
	require.NotContains(t, string(without), "StandardOutPath")
}

func macLogin(t *testing.T, answer func(args []string) (string, error)) (Item, *recorded) {
	t.Helper()
	r := &recorded{answer: answer}
	return Item{GOOS: "darwin", Home: testkit.RealTemp(t), Program: "/Applications/Vivarium.app/Contents/MacOS/Vivarium", UID: 501, Run: r.run}, r
}

func TestOnAMacOnWritesTheAgentAndLoadsNothing(t *testing.T) {
	l, r := macLogin(t, nil)
	require.NoError(t, l.On())
	require.Equal(t, []string{"launchctl enable gui/501/" + BundleID}, r.ran, "loading it would start a second app at once")
	want, err := LaunchAgent(BundleID, l.Program, "")
	require.NoError(t, err)
	got, err := os.ReadFile(l.File())
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
	require.True(t, loginStatus(t, l).Enabled)
}

func TestOnAMacOffNeverEndsARunningApp(t *testing.T) {
	const head = "gui/501/" + BundleID + " = {\n\tactive count = 1\n\tpath = /x.plist\n"
	for _, c := range []struct {
		name    string
		printed string
		err     error
		ran     []string
	}{
		{"not loaded", "Could not find service", errors.New("exit status 113"), []string{"print"}},
		{"loaded and running", head + "\tstate = running\n\tpid = 4711\n}\n", nil, []string{"print"}},
		{"loaded and this very program", head + "\tprogram = /elsewhere\n\tpid = " + strconv.Itoa(os.Getpid()) + "\n}\n", nil, []string{"print"}},
		{"loaded and this app", head + "\tprogram = /Applications/Vivarium.app/Contents/MacOS/Vivarium\n\tpid = 4711\n}\n", nil, []string{"print"}},
		{"loaded and a copy that lies elsewhere", head + "\tprogram = /Users/ada/Downloads/Vivarium.app/Contents/MacOS/Vivarium\n\tpid = 4711\n}\n", nil, []string{"print", "bootout"}},
		{"loaded and ended", head + "\tstate = not running\n\tlast exit code = 0\n}\n", nil, []string{"print", "bootout"}},
	} {
		l, r := macLogin(t, func(args []string) (string, error) {
			if args[0] == "print" {
				return c.printed, c.err
			}
			return "", nil
		})
		require.NoError(t, l.On())
		r.ran = nil
		require.NoError(t, l.Off(), c.name)
		require.NoFileExists(t, l.File())
		var want []string
		for _, verb := range c.ran {
			want = append(want, fmt.Sprintf("launchctl %s gui/501/%s", verb, BundleID))
		}
		require.Equal(t, want, r.ran, c.name)
	}
}

func TestOnAMacWhatAPersonDisabledIsOff(t *testing.T) {
	for state, want := range map[string]bool{"enabled": true, "false": true, "disabled": false, "true": false} {
		l, _ := macLogin(t, func(args []string) (string, error) {
			return "\tdisabled services = {\n\t\t\"com.apple.x\" => disabled\n\t\t\"" + BundleID + "\" => " + state + "\n\t}\n", nil
		})
		require.NoError(t, l.On())
		require.Equal(t, want, loginStatus(t, l).Enabled, state)
	}
}

func TestOnAMacAnErrorOfLaunchctlIsTold(t *testing.T) {
	l, _ := macLogin(t, func(args []string) (string, error) { return "Not privileged\n", errors.New("exit status 1") })
	require.EqualError(t, l.On(), "enabling the login item: exit status 1: Not privileged")
	require.NoError(t, os.WriteFile(l.File(), []byte("bplist00"), 0o644))
	_, err := l.Status()
	require.ErrorContains(t, err, l.File())
}

func TestTheLoginItemOfThisProgramIsAbsolute(t *testing.T) {
	l, err := New("vivarium-menubar", "")
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(l.Program))
	require.True(t, filepath.IsAbs(l.File()))
}
