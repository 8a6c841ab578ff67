package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/app/logfile"
	"github.com/vivarium-app/vivarium/app/page"
)

const (
	refresh   = time.Second            // an uptime is shown in seconds
	gather    = 100 * time.Millisecond // changes that come together are sent together
	lookEvery = 200 * time.Millisecond // at a log that is followed
	keepAlive = 15 * time.Second
	// mostStreams is how many pages are told of changes at once: a browser opens six connections to an address, and with none left nothing works.
	mostStreams = 4
	sendTime    = 20 * time.Second // for a page to read what it was sent
)

// events writes server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html.
type events struct {
	w   http.ResponseWriter
	out *http.ResponseController
}

func newEvents(w http.ResponseWriter) *events {
	w.Header().Set("Content-Type", "text/event-stream")
	return &events{w, http.NewResponseController(w)}
}

// send writes one event. An error means that nobody reads.
func (e *events) send(name string, content any) error {
	text, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	_ = e.out.SetWriteDeadline(time.Now().Add(sendTime))
	if _, err := fmt.Fprintf(e.w, "event: %s\ndata: %s\n\n", name, text); err != nil {
		return err
	}
	return e.out.Flush()
}

// stream is open for as long as a page is. It tells the page what changes in what it shows.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	leave := s.life.arrive()
	defer leave()
	changed, part := s.hub.join()
	defer part()
	p := &pageStream{s: s, out: newEvents(w), shown: r.FormValue("b"), view: r.FormValue("view"), sent: map[string]string{}}
	follower, err := s.following(r)
	if err != nil {
		_ = p.out.send("failed", s.from.Words.Safe(err.Error()))
	}
	if follower != nil {
		defer follower.Close()
	}
	if p.out.send("here", true) != nil {
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer s.queue(cancel)()
	p.run(ctx, changed, follower)
	if errors.Is(context.Cause(ctx), errYield) {
		_ = p.out.send("yield", true)
	}
}

var errYield = errors.New("another page took its place")

// queue adds a stream, and ends the oldest if there are too many. The function that it returns takes it out again.
func (s *Server) queue(end context.CancelCauseFunc) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.streams) >= mostStreams {
		(*s.streams[0])(errYield)
		s.streams = s.streams[1:]
	}
	s.streams = append(s.streams, &end)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.streams = slices.DeleteFunc(s.streams, func(one *context.CancelCauseFunc) bool { return one == &end })
	}
}

// pageStream is one page that is open.
type pageStream struct {
	s           *Server
	out         *events
	shown, view string            // the backend's ID, and the view of it
	sent        map[string]string // what the page has, by the ID of its element
	last        time.Time         // when anything was sent
}

func (p *pageStream) run(ctx context.Context, changed <-chan struct{}, follower *logfile.Follower) {
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	look := &time.Ticker{}
	if follower != nil {
		look = time.NewTicker(lookEvery)
		defer look.Stop()
	}
	for {
		if p.refresh() != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
			select {
			case <-time.After(gather):
			case <-ctx.Done():
				return
			}
		case <-tick.C:
		case <-look.C:
			if p.follow(ctx, follower) != nil {
				return
			}
		}
	}
}

// refresh sends what changed.
func (p *pageStream) refresh() error {
	now := time.Now()
	all, histories, problem := p.s.hub.all()
	words := p.s.from.Words
	parts := []page.Part{words.Nav(all, now, p.shown, p.view)}
	if p.view == "" && (len(all) > 0 || p.s.hub.listed()) {
		var cards []page.Backend
		var of []page.History
		for i, b := range all {
			if p.shown == "" || b.ID == p.shown {
				cards, of = append(cards, b), append(of, histories[i])
			}
		}
		parts = append(parts, frames(words, cards, now))
		for i, b := range cards {
			parts = append(parts, words.Card(b, of[i], now)...)
		}
	}
	var news []page.Part
	for _, one := range parts {
		if p.sent[one.ID] == one.HTML {
			continue
		}
		if one.ID == "main" { // its parts are gone with it
			nav := p.sent["nav"]
			p.sent = map[string]string{"nav": nav}
			news = append(news, one)
			p.sent[one.ID] = one.HTML
			continue
		}
		p.sent[one.ID] = one.HTML
		news = append(news, one)
	}
	if title := words.Title(all, p.shown); p.sent["title"] != title {
		p.sent["title"] = title
		if err := p.send("title", title); err != nil {
			return err
		}
	}
	if p.sent["problem"] != problem {
		p.sent["problem"] = problem
		if err := p.send("failed", words.Safe(problem)); err != nil {
			return err
		}
	}
	if len(news) == 0 {
		if now.Sub(p.last) > keepAlive {
			return p.send("here", true)
		}
		return nil
	}
	return p.send("parts", news)
}

// frames change only with which backends there are, and with their names: else what a person is about to click would move.
func frames(words page.Words, all []page.Backend, now time.Time) page.Part {
	bare := make([]page.Backend, len(all))
	for i, b := range all {
		bare[i] = page.Backend{ID: b.ID, Name: b.Name, Dir: b.Dir}
	}
	return words.Cards(bare, now)
}

func (p *pageStream) send(name string, content any) error {
	p.last = time.Now()
	return p.out.send(name, content)
}

// follow sends what was added to the log.
func (p *pageStream) follow(ctx context.Context, follower *logfile.Follower) error {
	fresh, err := follower.Next(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		if text := p.s.from.Words.Safe(err.Error()); p.sent["log"] != text {
			p.sent["log"] = text
			return p.send("failed", text)
		}
		return nil
	}
	content := logNews{Rows: rowsOf(fresh.Rows), To: placeText(fresh.To), From: placeText(fresh.From), Skipped: fresh.Skipped, Size: fresh.Size, Lost: fresh.Lost}
	if fresh.Open != nil {
		content.Open = rowsOf([]logfile.Row{*fresh.Open})
	}
	text := fmt.Sprint(content.Open)
	if len(fresh.Rows) == 0 && fresh.Skipped == 0 && !fresh.Lost && p.sent["open"] == text {
		return nil
	}
	p.sent["open"] = text
	return p.send("log", content)
}
