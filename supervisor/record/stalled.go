package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

const (
	stallsFolder = "stalls" // in the backend's state folder
	maxStalls    = 50       // kept
	maxStacks    = 500      // lines of one
	maxStall     = 1 << 20  // bytes of one file
	stallEnding  = "-stall" // of an ID, so that it is no death's
)

// Outcome is how a stall ended.
type Outcome string

// The outcomes.
const (
	Lasts     Outcome = ""          // it lasts, or nobody saw its end
	Recovered Outcome = "recovered" // the run answered again
	Ended     Outcome = "ended"     // the run ended, by itself or by somebody
)

// Stalled is one time that a run lived and did not answer, whatever came of it. It is kept as JSON in the backend's state folder. Nothing in it
// is a secret: stacks are masked before they come here.
type Stalled struct {
	Run     string        `json:"run"`
	At      time.Time     `json:"at"`             // the first health check that was not answered
	Until   time.Time     `json:"until,omitzero"` // zero: see Lasts
	Outcome Outcome       `json:"outcome,omitempty"`
	Uptime  time.Duration `json:"uptime"`            // ns that the run had lived
	Busy    bool          `json:"busy,omitempty"`    // it worked too hard to answer
	Problem string        `json:"problem,omitempty"` // of the health check, for a person
	Stall   stall.Stall   `json:"stall,omitzero"`    // Kind "": what it did is not known
	Stacks  []string      `json:"stacks,omitempty"`  // what its threads did, as text, masked
}

// ID names a stall among all of a backend's. IDs sort by time.
func (s Stalled) ID() string { return s.At.UTC().Format(idTime) + "-" + s.Run + stallEnding }

// Why is why it did not answer, as far as it is known.
func (s Stalled) Why() string {
	if s.Stall.Kind == "" || s.Stall.Kind == stall.KindUnknown && s.Problem != "" {
		return s.Problem
	}
	return s.Stall.Summary
}

// Write keeps the stall in the backend's state folder, in place of what was known of it before; the oldest beyond the last fifty go.
func (s Stalled) Write(folder string) error {
	dir := filepath.Join(folder, stallsFolder)
	if err := safefile.Folder(dir); err != nil {
		return fmt.Errorf("recording a stall: %w", err)
	}
	if over := len(s.Stacks) - maxStacks; over > 0 {
		s.Stacks = append(slices.Clone(s.Stacks[:maxStacks]), fmt.Sprintf("… %d more lines", over))
	}
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("recording a stall: %w", err)
	}
	if err := safefile.Replace(filepath.Join(dir, s.ID()+".json"), append(text, '\n')); err != nil {
		return fmt.Errorf("recording a stall: %w", err)
	}
	names := stallNames(dir)
	for _, name := range names[:max(0, len(names)-maxStalls)] {
		_ = os.Remove(filepath.Join(dir, name)) // the next one tries again
	}
	return nil
}

// stallNames are the files of stalls, the oldest first. What is not ours is not among them.
func stallNames(dir string) []string {
	files, _ := os.ReadDir(dir) // no folder, no stall
	var names []string
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Name(), ".json")
		if ok && strings.HasSuffix(id, stallEnding) && len(id) > len(idTime) {
			if _, err := time.Parse(idTime, id[:len(idTime)]); err == nil {
				names = append(names, f.Name())
			}
		}
	}
	slices.Sort(names)
	return names
}

// Stalls are the stalls on record that began at since or later, of the backend whose state is kept in folder, the oldest first: at most the
// last fifty. A file that cannot be read is left out, and none is read that is older.
func Stalls(folder string, since time.Time) []Stalled {
	dir := filepath.Join(folder, stallsFolder)
	var all []Stalled
	names := stallNames(dir)
	from := since.UTC().Format(idTime)
	for _, name := range names[max(0, len(names)-maxStalls):] {
		if name < from {
			continue
		}
		if s, err := readStall(filepath.Join(dir, name)); err == nil && s.ID()+".json" == name {
			all = append(all, s)
		}
	}
	return all
}

// ErrNoStall: no stall of that ID is on record.
var ErrNoStall = errors.New("there is no record of that stall any more")

// StallOf is the stall of that ID. An ID may come from anywhere: no path is made of it.
func StallOf(folder, id string) (Stalled, error) {
	dir := filepath.Join(folder, stallsFolder)
	if !slices.Contains(stallNames(dir), id+".json") {
		return Stalled{}, ErrNoStall
	}
	return readStall(filepath.Join(dir, id+".json"))
}

func readStall(path string) (Stalled, error) {
	text, err := safefile.Read(path, maxStall)
	if errors.Is(err, fs.ErrNotExist) {
		return Stalled{}, ErrNoStall
	}
	if err != nil {
		return Stalled{}, fmt.Errorf("reading a recorded stall: %w", err)
	}
	var s Stalled
	if err := json.Unmarshal(text, &s); err != nil {
		return Stalled{}, fmt.Errorf("reading a recorded stall: %s: %w", path, err)
	}
	return s, nil
}
