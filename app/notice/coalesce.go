package notice

import (
	"fmt"
	"time"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
)

// burstWindow is how long the crashes that follow a first one are held back.
const burstWindow = time.Minute

// coalescer keeps a crash loop from flooding a person: of each backend the first crash is told at once, those of the next minute
// as one at its end. It is pure; the zero value is ready.
type coalescer struct {
	bursts map[string]*burst
}

// burst is what was told and held back of one backend since its first crash.
type burst struct {
	began     time.Time
	held      int    // crashes
	latest    Notice // of those
	recovered bool   // after the latest
	told      bool   // a recovery, in this burst
	same      map[string]time.Time
}

// Add gives what is to be told now that n has come: mostly n itself, or nothing.
func (c *coalescer) Add(now time.Time, n Notice) []Notice {
	out := c.Due(now)
	b := c.of(n.Backend)
	switch n.Class {
	case ClassFinal:
		delete(c.bursts, n.Backend)
		return append(out, n)
	case ClassCrash:
		if b.began.IsZero() {
			b.began = now
			return append(out, n)
		}
		b.held++
		b.latest, b.recovered = n, false
		return out
	case ClassCorrection:
		if b.held > 0 && b.latest.Cause == n.Was {
			b.latest.Cause, b.latest.Remedy = n.Cause, n.Remedy
		}
		return out
	case ClassRecovered:
		if b.held > 0 || b.told {
			b.recovered = true
			return out
		}
		b.told = !b.began.IsZero()
		return append(out, n)
	}
	key := n.Title
	if at, ok := b.same[key]; ok && now.Sub(at) < burstWindow {
		return out
	}
	b.same[key] = now
	return append(out, n)
}

// Due gives what was held back long enough.
func (c *coalescer) Due(now time.Time) []Notice {
	return c.take(func(b *burst) bool { return now.Sub(b.began) >= burstWindow }, now)
}

// Flush gives everything that is held back.
func (c *coalescer) Flush(now time.Time) []Notice {
	return c.take(func(*burst) bool { return true }, now)
}

// Next is when Due has something, or zero: never.
func (c *coalescer) Next() time.Time {
	var next time.Time
	for _, b := range c.bursts {
		if b.held == 0 {
			continue
		}
		if at := b.began.Add(burstWindow); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

func (c *coalescer) of(backend string) *burst {
	if c.bursts == nil {
		c.bursts = map[string]*burst{}
	}
	b := c.bursts[backend]
	if b == nil {
		b = &burst{same: map[string]time.Time{}}
		c.bursts[backend] = b
	}
	return b
}

func (c *coalescer) take(over func(*burst) bool, now time.Time) []Notice {
	var out []Notice
	for backend, b := range c.bursts {
		for title, at := range b.same {
			if now.Sub(at) >= burstWindow {
				delete(b.same, title)
			}
		}
		if !b.began.IsZero() && over(b) {
			if b.held > 0 {
				out = append(out, b.notice(now))
			}
			*b = burst{same: b.same}
		}
		if b.began.IsZero() && len(b.same) == 0 {
			delete(c.bursts, backend)
		}
	}
	return out
}

// notice stands for all crashes that were held back.
func (b *burst) notice(now time.Time) Notice {
	n := b.latest
	cause := n.Cause
	if cause == "" {
		cause = "the log has its last words"
	}
	n.Title = words.Short(fmt.Sprintf("%s crashed %d times in the last %s: %s", n.Name, b.held+1, b.span(now), cause), maxTitle)
	outcome := "It is not healthy again yet"
	if b.recovered { // what the latest one announced would come too late now
		outcome, n.Icon = "It is healthy again", assets.Healthy
	}
	n.Body = words.Short(words.Sentences(n.Remedy, outcome), maxBody)
	return n
}

// span counts from the first crash, the one that was told at once.
func (b *burst) span(now time.Time) string {
	switch d := now.Sub(b.began); {
	case d < time.Second:
		return "second"
	case d < burstWindow:
		return words.Duration(d)
	}
	return "minute"
}
