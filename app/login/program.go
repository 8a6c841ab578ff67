package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/app/words"
)

// Program asks macOS's service through the menu-bar program at Path: macOS answers an app about itself alone, and the command line has no
// Objective-C. It is an Items.
type Program struct {
	Path string
	// Run runs a program to its end and gives what it printed. If nil, really.
	Run func(name string, args ...string) ([]byte, error)
}

// InApp is the Items of the menu-bar program at path if that is the main program of an app on a Mac, else nil.
func InApp(goos, path string) Items {
	folder := filepath.Dir(path)
	app := filepath.Dir(filepath.Dir(folder))
	if goos != "darwin" || filepath.Base(folder) != "MacOS" || filepath.Ext(app) != ".app" {
		return nil
	}
	return Program{Path: path}
}

func (p Program) State() (State, error)             { return p.ask("status") }
func (p Program) Register() (State, error)          { return p.ask("register") }
func (p Program) Unregister() (State, error)        { return p.ask("unregister") }
func (p Program) Legacy(file string) (State, error) { return p.ask(file) }

// askTime is how long macOS may take for an answer.
const askTime = 15 * time.Second

func (p Program) ask(what string) (State, error) {
	run := p.Run
	if run == nil {
		run = runBriefly
	}
	out, err := run(p.Path, "--login-item", what)
	if err != nil {
		return Failed, fmt.Errorf("asking %s about the login item: %w", filepath.Base(p.Path), err)
	}
	var said struct {
		State   *int   `json:"state"`
		Problem string `json:"problem"`
	}
	if err := json.Unmarshal(out, &said); err != nil || said.State == nil {
		return Failed, fmt.Errorf("asking %s about the login item: %q is no answer", filepath.Base(p.Path), words.Short(string(out), 80))
	}
	state := State(*said.State)
	if state < Failed || state > NotFound {
		state = Failed
	}
	if said.Problem != "" {
		return state, errors.New(words.Plain(said.Problem))
	}
	return state, nil
}

func runBriefly(name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if said := words.Plain(complaint.String()); err != nil && said != "" {
		return nil, errors.New(words.Short(said, 200))
	}
	return out, err
}
