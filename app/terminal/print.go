package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/config"
)

// printer writes events, each with one Write: a line is never torn, and an error means that nobody reads any more.
type printer struct {
	out    io.Writer
	json   bool
	colour bool
	now    func() time.Time
}

func newPrinter(o Options) *printer {
	return &printer{out: o.Out, json: o.JSON, colour: o.Colour, now: time.Now}
}

// The colours say what the words say already.
const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	faint  = "\x1b[2m"
	plain  = "\x1b[0m"
)

func colourOf(e supervisor.Event) string {
	switch e.What {
	case supervisor.EventHealthy, supervisor.EventAttached:
		return green
	case supervisor.EventCrashed, supervisor.EventGaveUp, supervisor.EventWorkerDied, supervisor.EventWorkerLoop, supervisor.EventKeeperLost:
		return red
	case supervisor.EventUnhealthy, supervisor.EventMisconfigured, supervisor.EventPermission, supervisor.EventEnded, supervisor.EventBusy, supervisor.EventPortTaken, supervisor.EventEnvMissing, supervisor.EventRestarting, supervisor.EventMemoryHigh:
		return yellow
	case supervisor.EventStopped:
		if !e.Asked {
			return yellow
		}
	}
	return ""
}

func (p *printer) event(e supervisor.Event) error {
	if p.json {
		return p.row(control.EventRow(e))
	}
	return p.line(e.At, colourOf(e), words.Sentence(e))
}

// hello says what this is. Programs need no hello.
func (p *printer) hello(c config.Config) error {
	if p.json {
		return nil
	}
	return p.line(p.now(), faint, fmt.Sprintf("keeping %s running; its log is %s; Ctrl-C stops it", words.Plain(c.Name), words.Plain(c.Log.File)))
}

// kept says who keeps the backend, and how it is.
func (p *printer) kept(s supervisor.Snapshot) error {
	if !p.json {
		line := fmt.Sprintf("kept by Vivarium (PID %d); showing its events", s.HeldBy)
		if s.Run.PID != 0 {
			line += fmt.Sprintf("; process %d", s.Run.PID)
		}
		if s.Run.PID != 0 && s.Port != 0 {
			line += "; " + words.KeptPort(s.Port, s.Backend)
		}
		return p.line(p.now(), faint, line)
	}
	if s.Run.PID == 0 {
		return p.row(control.StatusRow(s, p.now()))
	}
	return p.row(control.EventRow(supervisor.Event{
		What: supervisor.EventAttached, At: p.now(), Snapshot: s, Text: fmt.Sprintf("kept by Vivarium (PID %d)", s.HeldBy),
	}))
}

// say is a word for a person alone.
func (p *printer) say(text string) {
	if !p.json {
		_ = p.line(p.now(), faint, text) // an output that is closed is found by the next event
	}
}

func (p *printer) line(at time.Time, colour, text string) error {
	stamp := at.Local().Format("15:04:05")
	if !p.colour || colour == "" {
		_, err := fmt.Fprintf(p.out, "%s  %s\n", stamp, text)
		return err
	}
	_, err := fmt.Fprintf(p.out, "%s  %s%s%s\n", stamp, colour, text, plain)
	return err
}

func (p *printer) row(r control.Row) error {
	b, err := json.Marshal(r)
	if err != nil {
		return nil // a row that cannot be encoded is not a reader that is gone
	}
	_, err = p.out.Write(append(b, '\n'))
	return err
}
