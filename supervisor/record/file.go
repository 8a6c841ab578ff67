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
)

const (
	recordsFolder = "crashes" // in the backend's state folder
	maxRecords    = 50        // kept, with what stands beside them
)

// Kept is a death on record, with the files that tell more of it.
type Kept struct {
	Death
	File string // the Record, "" if there is none any more
	Page string // the page about it, "" none
}

// Write keeps the record in the backend's state folder; the oldest beyond the last fifty go, with their pages.
func (r *Record) Write(folder string) error {
	dir := filepath.Join(folder, recordsFolder)
	if err := safefile.Folder(dir); err != nil {
		return fmt.Errorf("recording a death: %w", err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("recording a death: %w", err)
	}
	path := filepath.Join(dir, r.ID()+".json")
	if err := safefile.Replace(path, append(text, '\n')); err != nil {
		return fmt.Errorf("recording a death: %w", err)
	}
	r.File = path
	prune(dir)
	return nil
}

// prune removes all files of the oldest deaths. Their names sort by time.
func prune(dir string) {
	files, _ := os.ReadDir(dir) // what cannot be listed is pruned the next time
	deaths := map[string][]string{}
	for _, f := range files {
		if id, ok := idOf(f.Name()); ok {
			deaths[id] = append(deaths[id], f.Name())
		}
	}
	ids := make([]string, 0, len(deaths))
	for id := range deaths {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids[:max(0, len(ids)-maxRecords)] {
		for _, name := range deaths[id] {
			_ = os.Remove(filepath.Join(dir, name))
		}
	}
}

// idOf is the ID of the death that a file tells of; false: the file is not one of ours.
func idOf(name string) (string, bool) {
	id, _, _ := strings.Cut(name, ".json")
	id, _, _ = strings.Cut(id, ".html")
	if len(id) < len(idTime) || id == name {
		return "", false
	}
	_, err := time.Parse(idTime, id[:len(idTime)])
	return id, err == nil
}

// Read reads the Record in a file.
func Read(path string) (Record, error) {
	text, err := safefile.Read(path, maxState)
	if err != nil {
		return Record{}, fmt.Errorf("reading a recorded death: %w", err)
	}
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return Record{}, fmt.Errorf("reading a recorded death: %s: %w", path, err)
	}
	r.File = path
	return r, nil
}

// All are the deaths on record of the backend whose state is kept in folder (see BackendFolder), oldest first: the last hundred
// of its runs, and those of workers among the last fifty records.
func All(folder string) ([]Kept, error) {
	deaths, err := Deaths(folder)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(folder, recordsFolder)
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the recorded deaths: %w", err)
	}
	there := map[string]bool{}
	for _, f := range files {
		there[f.Name()] = true
	}
	var kept []Kept
	add := func(d Death) {
		k := Kept{Death: d}
		if there[d.ID()+".json"] {
			k.File = filepath.Join(dir, d.ID()+".json")
			if r, err := Read(k.File); err == nil && r.Amended { // an app that left at once has told nobody else
				k.Death = r.Death
			}
		}
		if there[d.ID()+".html"] {
			k.Page = filepath.Join(dir, d.ID()+".html")
		}
		kept = append(kept, k)
		delete(there, d.ID()+".json")
	}
	for _, d := range deaths {
		add(d)
	}
	for _, f := range files { // what is left is of a worker, or older than the last hundred
		if !there[f.Name()] || filepath.Ext(f.Name()) != ".json" {
			continue
		}
		if r, err := Read(filepath.Join(dir, f.Name())); err == nil && r.ID()+".json" == f.Name() {
			add(r.Death)
		}
	}
	slices.SortStableFunc(kept, func(a, b Kept) int { return a.At.Compare(b.At) })
	return kept, nil
}

// FileOf is the file of the record of that ID. It is an error if there is none: an ID may come from anywhere.
func FileOf(folder, id string) (string, error) {
	dir := filepath.Join(folder, recordsFolder)
	files, _ := os.ReadDir(dir) // no folder, no record
	for _, f := range files {
		if f.Name() == id+".json" {
			return filepath.Join(dir, f.Name()), nil
		}
	}
	return "", fmt.Errorf("there is no record of that death any more: the last %d are kept", maxRecords)
}

// PageOf finds the page about the death at that time; "" if there is none.
func PageOf(folder string, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	dir := filepath.Join(folder, recordsFolder)
	files, _ := os.ReadDir(dir) // no folder, no page
	for _, f := range files {
		if strings.HasPrefix(f.Name(), at.UTC().Format(idTime)) && filepath.Ext(f.Name()) == ".html" {
			return filepath.Join(dir, f.Name())
		}
	}
	return ""
}
