package doctor

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/vivarium-app/vivarium/app/words"
)

const (
	mostLooked = 60_000          // files of an environment that are looked at; torch with all its company has half of that
	lookedTime = 3 * time.Second // and no longer
)

// evicted are the files below the folders whose contents iCloud has taken away: who reads one waits until it is fetched, and for ever where it
// cannot be. Nothing is read: a folder that is not here itself is not entered. whole is false if there was more to look at.
func evicted(folders []string, dataless func(fs.FileInfo) bool, most int, until time.Time) (files []string, whole bool) {
	looked := 0
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return fs.SkipDir
			}
			if looked++; looked > most || looked%256 == 0 && time.Now().After(until) {
				return fs.SkipAll
			}
			info, err := d.Info()
			if err != nil || !dataless(info) {
				return nil
			}
			files = append(files, path)
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		})
		if err != nil || looked > most || time.Now().After(until) {
			return files, false
		}
	}
	return files, true
}

// icloud looks for files that iCloud has taken away from the backend and its environment. "Optimise Mac Storage" does that to what lies in
// Documents and on the Desktop.
func (e *examiner) icloud(dataless func(fs.FileInfo) bool) {
	if e.goos != "darwin" {
		return
	}
	folders := []string{e.config.Dir}
	if p := e.plan.Python; p.Venv {
		folders = append(folders, p.Prefix)
	} else {
		folders = append(folders, p.Site...)
	}
	files, whole := evicted(folders, dataless, mostLooked, time.Now().Add(lookedTime))
	switch {
	case len(files) > 0:
		e.fail("VIV026", fmt.Sprintf("iCloud has taken the contents of %s away, as of %s: Python waits for ever where they cannot be fetched", words.Count(len(files), "file", "files"), files[0]),
			"move the backend out of iCloud Drive, Documents and Desktop, and make the environment anew; or, in Finder, choose Keep Downloaded for its folder")
	case !whole:
		e.pass("VIV026", "iCloud has taken no file away, of those that could be looked at in time")
	default:
		e.pass("VIV026", "iCloud has taken no file away")
	}
}
