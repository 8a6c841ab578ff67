package config

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"sync/atomic"
	"time"
)

// mark is what a file was when it was read: its looks, which are cheap to compare, and the sum of its text.
type mark struct {
	path string
	info os.FileInfo // nil: there was none
	sum  [sha256.Size]byte
	// fresh: it had been written just before. A second edit within the clock's grain leaves size and time alike, so
	// that looks decide nothing.
	fresh bool
	// settled is how it looked when its text was compared later, and was the same: from then on looks decide.
	settled *atomic.Pointer[os.FileInfo]
}

func markOf(path string, text []byte) mark {
	info, _ := os.Stat(path)
	return mark{path, info, sha256.Sum256(text), recent(info), new(atomic.Pointer[os.FileInfo])}
}

func recent(info os.FileInfo) bool { return info != nil && time.Since(info.ModTime()) < 2*time.Second }

// Changed says whether vivarium.toml or the env_file say something else than when the configuration was loaded. It is
// cheap: the text is read only when time or size differ. Saving a file unchanged is no change.
func (c Config) Changed() bool {
	for _, m := range c.marks {
		if m.changed() {
			return true
		}
	}
	return false
}

// Sum names what the files said when the configuration was loaded: equal sums, equal text. It tells nothing about the text.
func (c Config) Sum() string {
	all := sha256.New()
	for _, m := range c.marks {
		all.Write(m.sum[:])
	}
	return hex.EncodeToString(all.Sum(nil)[:8])
}

func (m mark) changed() bool {
	now, err := os.Stat(m.path)
	switch {
	case err != nil:
		return m.info != nil
	case m.info == nil:
		return true
	case !m.fresh && alike(now, m.info):
		return false
	}
	if settled := m.settled.Load(); settled != nil && alike(now, *settled) {
		return false
	}
	text, err := readSmall(m.path)
	if err != nil || sha256.Sum256(text) != m.sum {
		return true
	}
	if !recent(now) {
		m.settled.Store(&now)
	}
	return false
}

func alike(a, b os.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}
