// Package desktop is what Vivarium asks of the desktop around it: opening files, pages and addresses, the clipboard, the link to the
// command-line tool, the setting for crash dialogs, and where our programs are. Begin with Opener. It must not know the app or a menu.
package desktop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/config"
)

const (
	openTime = 5 * time.Second // a program that has run so long has opened what it was to open
	BusTime  = 3 * time.Second // for the file manager's answer
	copyTime = 5 * time.Second
)

// Opening is what is to be done with a target.
type Opening uint8

// The openings.
const (
	OpenURL    Opening = iota // in the browser
	OpenLog                   // in a program that follows it as it grows, where there is one
	OpenText                  // in an editor
	OpenReveal                // in Finder or the file manager
	OpenPage                  // a page of ours, in the browser
)

// OpenCommand is the command that opens target, which is a URL or an absolute path. It is run as it is, never through a shell.
func OpenCommand(goos string, what Opening, target string) ([]string, error) {
	if err := openable(what, target); err != nil {
		return nil, err
	}
	if goos != "darwin" {
		return []string{"xdg-open", target}, nil
	}
	switch what {
	case OpenLog:
		return []string{"open", "-a", "Console", target}, nil
	case OpenText:
		return []string{"open", "-t", target}, nil
	case OpenReveal:
		return []string{"open", "-R", target}, nil
	}
	return []string{"open", target}, nil
}

// openable refuses what an opener could take for an option, or hand to a program that nobody expects.
func openable(what Opening, target string) error {
	if what != OpenURL {
		if !filepath.IsAbs(target) {
			return fmt.Errorf("%q is not an absolute path", target)
		}
		return nil
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is not a web address", target)
	}
	return nil
}

// Opener opens things on the desktop. Its methods block for some seconds at most; their errors are words for people. The zero
// value is this desktop.
type Opener struct {
	GOOS   string                                      // If empty, this system
	Getenv func(string) string                         // If nil, this process's environment
	Look   func(program string) (string, error)        // If nil, on PATH
	Run    func(argv []string) error                   // If nil, really
	Pipe   func(argv []string, text string) error      // If nil, really
	Show   func(ctx context.Context, uri string) error // Linux: the file manager, over D-Bus. If nil, really
}

// URL opens a web address in the browser.
func (o Opener) URL(address string) error { return o.open(OpenURL, address) }

// Log opens a log file.
func (o Opener) Log(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no log yet: %s is written at the first start", path)
	}
	return o.open(OpenLog, path)
}

// Text opens a file in an editor.
func (o Opener) Text(path string) error { return o.open(OpenText, path) }

// Reveal shows a file or folder where it lies.
func (o Opener) Reveal(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not there any more", path)
	}
	if o.goos() == "darwin" {
		return o.open(OpenReveal, path)
	}
	if err := openable(OpenReveal, path); err != nil {
		return err
	}
	show := o.Show
	if show == nil {
		show = showItems
	}
	ctx, cancel := context.WithTimeout(context.Background(), BusTime)
	defer cancel()
	if show(ctx, (&url.URL{Scheme: "file", Path: path}).String()) == nil {
		return nil
	}
	if st, err := os.Stat(path); err == nil && !st.IsDir() { // xdg-open would open the file
		path = filepath.Dir(path)
	}
	return o.open(OpenReveal, path)
}

// EditConfig opens the vivarium.toml of the backend in dir. Where there is none it first writes one that changes nothing: every
// default, as a comment.
func (o Opener) EditConfig(dir string) error {
	path := filepath.Join(dir, config.FileName)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
	case err != nil:
		return fmt.Errorf("making %s: %w", path, err)
	default:
		_, err = f.WriteString(config.Template())
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
	}
	return o.Text(path)
}

func (o Opener) goos() string { return words.OrElse(o.GOOS, runtime.GOOS) }

func (o Opener) open(what Opening, target string) error {
	argv, err := OpenCommand(o.goos(), what, target)
	if err != nil {
		return err
	}
	run := o.Run
	if run == nil {
		run = runAside
	}
	if err := run(argv); err != nil {
		return fmt.Errorf("opening %s: %w", target, err)
	}
	return nil
}

// runAside runs an opener. It is done when the opener ends; one that still runs after openTime has become the browser itself, as
// xdg-open sometimes does, and is left alone, in a session of its own.
func runAside(argv []string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	list, err := os.CreateTemp("", "vivarium-open-*") // not a pipe: a browser that writes into a closed one dies
	if err != nil {
		return err
	}
	defer list.Close()
	_ = os.Remove(list.Name())
	cmd.Stderr = list
	if err := cmd.Start(); err != nil {
		return missing(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	timer := time.NewTimer(openTime)
	defer timer.Stop()
	select {
	case err := <-done:
		if err == nil {
			return nil
		}
		said := make([]byte, 300)
		n, _ := list.ReadAt(said, 0)
		return fmt.Errorf("%s: %w%s", argv[0], err, words.Prefixed(": ", words.Short(string(said[:n]), 200)))
	case <-timer.C:
		return nil
	}
}

// missing says what to install.
func missing(err error) error {
	var e *exec.Error
	if errors.As(err, &e) && errors.Is(err, exec.ErrNotFound) && e.Name == "xdg-open" {
		return errors.New("xdg-open is not installed: install the package xdg-utils")
	}
	return err
}

// showItems asks the desktop's file manager, see the File Manager D-Bus Interface of freedesktop.org.
func showItems(ctx context.Context, uri string) error {
	if err := NoDesktop(runtime.GOOS, os.Getenv, Exists); err != nil {
		return err
	}
	bus, err := dbus.SessionBusPrivateNoAutoStartup(dbus.WithContext(ctx))
	if err != nil {
		return err
	}
	defer bus.Close()
	if err := errors.Join(bus.Auth(nil), bus.Hello()); err != nil {
		return err
	}
	return bus.Object("org.freedesktop.FileManager1", "/org/freedesktop/FileManager1").
		CallWithContext(ctx, "org.freedesktop.FileManager1.ShowItems", 0, []string{uri}, "").Err
}

// Copy puts text on the clipboard.
func (o Opener) Copy(text string) error {
	look, pipe := o.Look, o.Pipe
	if look == nil {
		look = exec.LookPath
	}
	if pipe == nil {
		pipe = pipeInto
	}
	getenv := o.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	tools := clipboards(o.goos(), getenv)
	for _, argv := range tools {
		if _, err := look(argv[0]); err != nil {
			continue
		}
		if err := pipe(argv, text); err != nil {
			return fmt.Errorf("copying: %w", err)
		}
		return nil
	}
	return fmt.Errorf("copying needs %s: install the package %s", tools[0][0], packageOf(tools[0][0]))
}

// clipboards are the programs that take a clipboard's text on stdin, the best first.
func clipboards(goos string, getenv func(string) string) [][]string {
	if goos == "darwin" {
		return [][]string{{"pbcopy"}}
	}
	x := [][]string{{"xclip", "-selection", "clipboard"}, {"xsel", "--clipboard", "--input"}}
	if getenv("WAYLAND_DISPLAY") != "" {
		return append([][]string{{"wl-copy"}}, x...)
	}
	return x
}

func packageOf(tool string) string {
	if tool == "wl-copy" {
		return "wl-clipboard"
	}
	return tool
}

// pipeInto runs a clipboard program. On Linux it leaves a child behind that serves the text until another one is copied, so there
// is no output to wait for.
func pipeInto(argv []string, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), copyTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(os.Environ(), "LC_CTYPE=UTF-8") // pbcopy takes text for MacRoman in an app that launchd started
	if runtime.GOOS != "darwin" {
		cmd.Env = nil
	}
	cmd.Stdin = strings.NewReader(text)
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", argv[0], err)
	}
	return nil
}

// Page opens a page of ours in the browser.
func (o Opener) Page(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the report %s is not there any more: the last 50 are kept", path)
	}
	return o.open(OpenPage, path)
}
