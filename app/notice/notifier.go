package notice

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	queueLength = 64              // more than a person reads; what is over is counted and dropped
	flushTime   = 2 * time.Second // how long the end waits for a slow desktop
)

// Notifier tells notices natively, coalesced. Desktops may be slow or absent, so nobody waits for them: Tell only queues.
type Notifier struct {
	show    func(Notice) (Way, error)
	log     *slog.Logger
	queue   chan Notice
	dropped atomic.Int64
}

// newNotifier makes a Notifier that shows with show. If log is nil, nothing is logged.
func newNotifier(show func(Notice) (Way, error), log *slog.Logger) *Notifier {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Notifier{show: show, log: log, queue: make(chan Notice, queueLength)}
}

// Tell never blocks.
func (n *Notifier) Tell(notice Notice) {
	select {
	case n.queue <- notice:
	default:
		n.drop(notice)
	}
}

var errTooSlow = errors.New("the desktop is too slow: too many notices wait to be shown")

func (n *Notifier) drop(notice Notice) {
	n.dropped.Add(1)
	if notice.Told != nil {
		go notice.Told(Way{}, errTooSlow)
	}
}

// Run tells until ctx ends; then it tells what was held back, if the desktop is quick about it.
func (n *Notifier) Run(ctx context.Context) {
	out := make(chan Notice, queueLength)
	var done sync.WaitGroup
	done.Go(func() { n.deliver(out) })
	var c coalescer
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case notice := <-n.queue:
			n.pass(out, c.Add(time.Now(), notice))
		case <-timer.C:
			n.pass(out, c.Due(time.Now()))
		}
		timer.Stop()
		if at := c.Next(); !at.IsZero() {
			timer.Reset(max(time.Until(at), 0))
		}
	}
	for {
		select {
		case notice := <-n.queue:
			n.pass(out, c.Add(time.Now(), notice))
			continue
		default:
		}
		break
	}
	n.pass(out, c.Flush(time.Now()))
	close(out)
	waitAtMost(&done, flushTime)
}

func (n *Notifier) pass(out chan<- Notice, notices []Notice) {
	for _, notice := range notices {
		n.log.Info("notice", "title", notice.Title, "body", notice.Body)
		select {
		case out <- notice:
		default:
			n.drop(notice)
		}
	}
}

// deliver is alone with the desktop. A desktop that does not take notices is complained of once, not with every notice.
func (n *Notifier) deliver(in <-chan Notice) {
	failing := false
	for notice := range in {
		way, err := n.show(notice)
		if notice.Told != nil {
			notice.Told(way, err)
		}
		switch {
		case err != nil && !failing:
			n.log.Warn("showing a notice; later ones that fail are not logged", "error", err)
		case err == nil && failing:
			n.log.Info("notices are shown again")
		}
		failing = err != nil
		if d := n.dropped.Swap(0); d > 0 {
			n.log.Warn("notices were dropped: the desktop was too slow", "count", d)
		}
	}
}

func waitAtMost(g *sync.WaitGroup, d time.Duration) {
	done := make(chan struct{})
	go func() { g.Wait(); close(done) }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
