package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/supervisor"
)

// Recorded is what a supervisor is given to hear of deaths (see supervisor.Deps): it writes the page about each beside its record, and
// writes it again when the record was amended. A page that cannot be written is told in the log; the record is there all the same.
func Recorded(log *slog.Logger) func(supervisor.Record) {
	return func(r supervisor.Record) {
		if r.File == "" {
			return
		}
		if err := writePage(r); err != nil && log != nil {
			log.Error("the report on a crash is not written", "backend", r.Backend, "error", err)
		}
	}
}

// writePage puts the whole page in place at once: somebody may be reading the one before.
func writePage(r supervisor.Record) error {
	r.At = r.At.Local()
	var b bytes.Buffer
	if err := pageWords().Crash(&b, r); err != nil {
		return err
	}
	return replaceFile(r.Page(), b.Bytes())
}

// pageWords are how pages say figures: as the menu does.
func pageWords() page.Words {
	home, _ := os.UserHomeDir() // unknown: paths are written out
	return page.Words{Duration: Duration, Size: Size, Home: home}
}

// Page opens a page of ours in the browser.
func (o Opener) Page(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the report %s is not there any more: the last 50 are kept", path)
	}
	return o.open(OpenPage, path)
}
