// Package login starts the app when the person logs in: a LaunchAgent on a Mac, an autostart entry on Linux. Begin with New. It must not
// know what the app does.
package login

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/words"
)

// BundleID names the app to macOS: in its Info.plist, and as the label of its launch agent.
const BundleID = "io.github.vivarium-app.vivarium"

// Item makes the app start when the person logs in: a launch agent on macOS, an XDG autostart entry elsewhere. On a Mac
// what is set takes effect at the next login: loading the agent now would start a second app at once.
type Item struct {
	GOOS    string
	Home    string
	Program string // absolute path of the program to start
	Log     string // macOS: where launchd puts what the program prints. If empty, nowhere
	UID     int
	Getenv  func(string) string
	// Run runs a program to its end and gives what it printed. If nil, really.
	Run func(name string, args ...string) ([]byte, error)
}

// Status is what the login item is like.
type Status struct {
	Enabled bool   // this program starts at login
	Other   string // another program is what starts at login, or ""
	Gone    bool   // Other is not there any more: the program moved
	File    string // where it is written
}

// New is the login item of program for the person who runs this.
func New(program, log string) (Item, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return Item{}, errors.New("cannot find your home folder: set HOME")
	}
	if program, err = filepath.Abs(program); err != nil {
		return Item{}, fmt.Errorf("finding the program: %w", err)
	}
	return Item{GOOS: runtime.GOOS, Home: home, Program: program, Log: log, UID: os.Getuid(), Getenv: os.Getenv}, nil
}

// File is where the login item is written.
func (l Item) File() string {
	if l.GOOS == "darwin" {
		return filepath.Join(l.Home, "Library", "LaunchAgents", BundleID+".plist")
	}
	config := ""
	if l.Getenv != nil {
		config = l.Getenv("XDG_CONFIG_HOME")
	}
	if !filepath.IsAbs(config) { // the XDG specification: a relative path is to be ignored
		config = filepath.Join(l.Home, ".config")
	}
	return filepath.Join(config, "autostart", "vivarium.desktop")
}

// On makes the program start at login.
func (l Item) On() error {
	if desktop.IsTranslocated(l.Program) {
		return desktop.ErrTranslocated
	}
	text, err := l.text()
	if err != nil {
		return fmt.Errorf("making the login item: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(l.File()), 0o755); err != nil {
		return fmt.Errorf("making the login item: %w", err)
	}
	if err := desktop.WriteWhole(l.File(), text, 0o644); err != nil {
		return fmt.Errorf("making the login item: %w", err)
	}
	if l.GOOS != "darwin" {
		return nil
	}
	if out, err := l.run("launchctl", "enable", l.target()); err != nil { // a person may have switched it off in the system's settings
		return fmt.Errorf("enabling the login item: %w: %s", err, words.Plain(string(out)))
	}
	return nil
}

// Off undoes On. This app goes on if launchd has started it: nobody who unticks "Launch at Login" wants it ended. What launchd runs
// under our label and is another program, as a copy of the app that lies elsewhere, is unloaded with it.
func (l Item) Off() error {
	if err := os.Remove(l.File()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the login item: %w", err)
	}
	if l.GOOS != "darwin" {
		return nil
	}
	out, err := l.run("launchctl", "print", l.target())
	if err != nil || launchdRuns(string(out), os.Getpid(), l.Program) { // it is not loaded, or bootout would be a SIGTERM to this app
		return nil
	}
	if out, err := l.run("launchctl", "bootout", l.target()); err != nil {
		return fmt.Errorf("unloading the login item: %w: %s", err, words.Plain(string(out)))
	}
	return nil
}

// Status reads the login item back.
func (l Item) Status() (Status, error) {
	st := Status{File: l.File()}
	text, err := os.ReadFile(st.File)
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err != nil {
		return st, fmt.Errorf("reading the login item: %w", err)
	}
	program, on, err := l.read(text)
	if err != nil {
		return st, fmt.Errorf("reading the login item %s: %w", st.File, err)
	}
	st.Enabled = on && program == l.Program
	if on && !st.Enabled {
		st.Other = program
		_, err := os.Stat(program)
		st.Gone = errors.Is(err, fs.ErrNotExist)
	}
	return st, nil
}

// Mend writes the login item anew if it starts a program that is not there any more, because the app was moved or updated, or
// if an older version wrote it. One that starts another Vivarium, which is there, is left alone. It tells whether it wrote.
func (l Item) Mend() (bool, error) {
	st, err := l.Status()
	if err != nil || !st.Enabled && !st.Gone {
		return false, err
	}
	have, err := os.ReadFile(st.File)
	if err != nil {
		return false, fmt.Errorf("reading the login item: %w", err)
	}
	want, err := l.text()
	if err != nil || string(have) == string(want) {
		return false, err
	}
	return true, l.On()
}

func (l Item) text() ([]byte, error) {
	if l.GOOS == "darwin" {
		return LaunchAgent(BundleID, l.Program, l.Log)
	}
	return autostartEntry(l.Program)
}

// read gives the program that a login item starts, and whether it is switched on.
func (l Item) read(text []byte) (program string, on bool, err error) {
	if l.GOOS != "darwin" {
		return readAutostartEntry(text)
	}
	if program, err = agentProgram(text); err != nil {
		return "", false, err
	}
	out, err := l.run("launchctl", "print-disabled", fmt.Sprintf("gui/%d", l.UID))
	return program, err != nil || !launchdDisabled(string(out), BundleID), nil
}

func (l Item) target() string { return fmt.Sprintf("gui/%d/%s", l.UID, BundleID) }

func (l Item) run(name string, args ...string) ([]byte, error) {
	if l.Run != nil {
		return l.Run(name, args...)
	}
	return desktop.RunSystem(name, args...)
}

// launchdRuns: `launchctl print` shows a process of the job, and that is ours: it has this PID, or runs this program.
func launchdRuns(printed string, pid int, program string) bool {
	shown := map[string]string{}
	for line := range strings.Lines(printed) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if _, before := shown[key]; ok && !before { // what stands further in is of other things
			shown[key] = value
		}
	}
	running, known := shown["program"]
	return shown["pid"] != "" && (shown["pid"] == strconv.Itoa(pid) || !known || running == program)
}

// launchdDisabled: `launchctl print-disabled` has the label as disabled; older systems say true.
func launchdDisabled(printed, label string) bool {
	for line := range strings.Lines(printed) {
		name, state, ok := strings.Cut(line, "=>")
		if ok && strings.Trim(strings.TrimSpace(name), `"`) == label {
			state = strings.TrimSpace(state)
			return state == "disabled" || state == "true"
		}
	}
	return false
}
