package main

import (
	"encoding/json"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/app/terminal"
)

// printJSON writes one value as one line.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// tty is a terminal to write on, of which a log or a name can have nothing but colours.
type tty struct {
	terminal.Safe
	file *os.File
}

// safe makes a tty of a terminal. A file or a pipe gets what it is given.
func safe(f *os.File) io.Writer {
	if !isTerminal(f) {
		return f
	}
	return &tty{Safe: terminal.Safe{Out: f}, file: f}
}

// fileOf is the file behind a stream, nil if there is none.
func fileOf(stream any) *os.File {
	switch s := stream.(type) {
	case *os.File:
		return s
	case *tty:
		return s.file
	}
	return nil
}

// colourful: w is a terminal, and nobody asked for plain text (https://no-color.org).
func colourful(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func isTerminal(stream any) bool {
	f := fileOf(stream)
	if f == nil {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), termiosRequest)
	return err == nil
}

// inTurn lets several goroutines write to one writer, each a whole line at a time.
type inTurn struct {
	mu  sync.Mutex
	out io.Writer
}

func (t *inTurn) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Write(p)
}
