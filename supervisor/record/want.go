package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// Death is one unasked end of a run, as it is kept on disk.
type Death struct {
	Run     string        `json:"run"`
	At      time.Time     `json:"at"`
	Uptime  time.Duration `json:"uptime"`  // ns
	Healthy bool          `json:"healthy"` // it had answered its health probe
	Signal  string        `json:"signal,omitempty"`
	Code    int           `json:"code"`
	Verdict crash.Verdict `json:"verdict"`
	First   crash.Kind    `json:"first,omitempty"`  // what it was taken for at once, if later evidence changed that
	Worker  int           `json:"worker,omitempty"` // PID, if a worker died and not the run: Signal, Code and Healthy say nothing then
}

// FirstKind is the kind that the death was judged to be at once: what later evidence makes of one death cannot be compared with another
// that has just happened.
func (d Death) FirstKind() crash.Kind {
	if d.First != "" {
		return d.First
	}
	return d.Verdict.Kind
}

// Saved is what outlives an app that did not end cleanly: want.json.
type Saved struct {
	Version int           `json:"v"`
	Want    bool          `json:"want"`
	GaveUp  bool          `json:"gave_up,omitempty"`
	Quit    bool          `json:"quit,omitempty"`   // the app ended by Quit: autostart decides, not Want
	Cleared time.Time     `json:"cleared,omitzero"` // a person started it then: earlier deaths do not count
	Last    crash.Verdict `json:"last,omitzero"`
	LastAt  time.Time     `json:"last_at,omitzero"`
	With    *RanWith      `json:"with,omitempty"`
	Memory  guard.Past    `json:"memory,omitzero"`  // what was done about the memory that it held
	Ended   string        `json:"ended,omitempty"`  // the last run that ended as it was asked to, which is no death
	Dir     string        `json:"dir,omitempty"`    // the backend's folder
	Name    string        `json:"name,omitempty"`   // and its name: what is on record can be found by it
	Deaths  []Death       `json:"deaths,omitempty"` // the last maxDeaths, oldest first
}

// RanWith is the part of a configuration that a run keeps for life, so that an app that adopts the run probes and stops it as
// it was started, whatever vivarium.toml says by then.
type RanWith struct {
	Run     string        `json:"run"`
	Sum     string        `json:"sum"` // of the configuration's text
	Command []string      `json:"command"`
	Port    int           `json:"port"`
	Health  config.Health `json:"health"`
	Stop    config.Stop   `json:"stop"`
	Log     config.Log    `json:"log"`
	// Answered: its health path was answered well once.
	Answered bool `json:"answered,omitempty"`
}

func NewRanWith(run keeper.Run, c config.Config) *RanWith {
	return &RanWith{Run: run.ID, Sum: c.Sum(), Command: c.Command, Port: c.Port, Health: c.Health, Stop: c.Stop, Log: c.Log}
}

func (w *RanWith) Apply(c config.Config) config.Config {
	deep := c.Health.Deep
	c.Command, c.Port, c.Health, c.Stop, c.Log = w.Command, w.Port, w.Health, w.Stop, w.Log
	c.Health.Deep = deep
	return c
}

const (
	MaxDeaths = 100
	wantFile  = "want.json"
	maxState  = 16 << 20 // bytes of a file of ours; a hundred deaths have far less
)

// ReadWant gives nil when nothing was saved. A broken file is set aside, never trusted and never lost.
func ReadWant(folder string) (*Saved, error) {
	path := filepath.Join(folder, wantFile)
	text, err := safefile.ReadState(path, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was wanted: %w", err)
	}
	var s Saved
	if err := json.Unmarshal(text, &s); err != nil {
		kept, failed := setApart(path)
		if failed != nil {
			return nil, fmt.Errorf("reading what was wanted: %w; %w", err, failed)
		}
		return nil, fmt.Errorf("reading what was wanted: %w; the file was kept as %s", err, kept)
	}
	return &s, nil
}

// setApart renames the file so that nothing in it is lost, nor what was renamed before; of very many the last is replaced.
func setApart(path string) (kept string, err error) {
	kept = path + ".broken"
	for i := 2; i <= 20; i++ {
		if _, err := os.Lstat(kept); errors.Is(err, fs.ErrNotExist) {
			break
		}
		kept = fmt.Sprintf("%s.broken-%d", path, i)
	}
	return kept, os.Rename(path, kept)
}

func WriteWant(folder string, s Saved) error {
	s.Version = 1
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("saving what is wanted: %w", err)
	}
	path := filepath.Join(folder, wantFile)
	if err := safefile.Replace(path, append(text, '\n')); err != nil {
		return fmt.Errorf("saving what is wanted: %w", err)
	}
	return nil
}

// Deaths are the recorded deaths of the backend whose state is kept in folder (see BackendFolder), oldest first.
func Deaths(folder string) ([]Death, error) {
	s, err := ReadWant(folder)
	if err != nil || s == nil {
		return nil, err
	}
	return s.Deaths, nil
}
