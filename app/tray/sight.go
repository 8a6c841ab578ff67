package tray

import "time"

// Patience with an icon that cannot be seen. A full menu bar, a notch and the settings of macOS 26 hide an icon for good, a full-screen app
// or a locked screen for a while: whoever was seen once since the launch is believed to be there.
const sightPatience = 30 * time.Second

// sight is what is known of whether the icon can be seen.
type sight uint8

const (
	sightUnknown sight = iota // nobody told yet, or not for long enough
	sightSeen
	sightHidden
)

// watcher judges what macOS says of the icon. It belongs to one goroutine; it knows no clock but the one it is given.
type watcher struct {
	since time.Time // from when on it was not seen; zero as long as nobody told
	seen  bool
}

// tell takes what macOS says, and returns when to judge again if nothing more is said; zero for never.
func (w *watcher) tell(now time.Time, visible bool) (again time.Time) {
	switch {
	case visible:
		w.seen = true
	case w.since.IsZero():
		w.since = now
	}
	if w.seen || w.since.IsZero() {
		return time.Time{}
	}
	return w.since.Add(sightPatience)
}

func (w *watcher) judge(now time.Time) sight {
	switch {
	case w.seen:
		return sightSeen
	case w.since.IsZero() || now.Sub(w.since) < sightPatience:
		return sightUnknown
	}
	return sightHidden
}

// watch tells hidden, once, if the icon could not be seen since the launch, and once more with false if it can be seen after all. It ends
// when told is closed.
func watch(told <-chan bool, hidden func(bool)) {
	var w watcher
	last := sightUnknown
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case visible, more := <-told:
			if !more {
				return
			}
			if again := w.tell(time.Now(), visible); !again.IsZero() {
				timer.Reset(max(time.Until(again), 0))
			}
		case <-timer.C:
		}
		now := w.judge(time.Now())
		if now == sightHidden && last == sightUnknown {
			hidden(true)
		}
		if now == sightSeen && last == sightHidden {
			hidden(false)
		}
		if now != sightUnknown {
			last = now
		}
	}
}
