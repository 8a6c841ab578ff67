package page

import (
	"fmt"
	"io"
	"time"
)

// Doctor is what the doctor found, for a page.
type Doctor struct {
	Backend, Dir string
	At           time.Time
	Checks       []DoctorCheck
	Copies       Copies
	Prediction   string // what would meet in one process, in a sentence; "" if that is not known
	Version      string
}

// DoctorCheck is one thing that was looked at.
type DoctorCheck struct {
	Code, Name   string
	State        string // "pass", "warn", "fail"
	Text, Remedy string
}

// Mark is the state as a word, so that colour is never needed.
func (c DoctorCheck) Mark() string {
	switch c.State {
	case "fail":
		return "Not well"
	case "warn":
		return "Look at this"
	}
	return "Well"
}

// doctorPage is a Doctor as its template shows it.
type doctorPage struct {
	Backend, Dir, At, Zone, Heading, Remedy, Prediction, Version string
	Checks                                                       []DoctorCheck
	Graph                                                        *graph
}

// Doctor writes the page about an examination.
func (w Words) Doctor(out io.Writer, d Doctor) error {
	p := w.doctor(d)
	return write(out, "doctor.html", sheet{Title: p.Backend + ": " + p.Heading, Content: p})
}

func (w Words) doctor(d Doctor) doctorPage {
	p := doctorPage{
		Backend: orElse(w.Safe(d.Backend), "backend"), Dir: w.Safe(d.Dir), At: d.At.Format("2 January 2006, 15:04:05"), Zone: d.At.Format("-07:00"),
		Prediction: w.Safe(d.Prediction), Version: w.Safe(d.Version), Graph: newGraph(d.Copies, w),
	}
	count := map[string]int{}
	for _, state := range []string{"fail", "warn", "pass"} { // what matters first
		for _, c := range d.Checks {
			if c.State != state {
				continue
			}
			count[state]++
			c = DoctorCheck{w.Safe(c.Code), w.Safe(c.Name), state, w.Safe(c.Text), w.Safe(c.Remedy)}
			p.Checks = append(p.Checks, c)
		}
	}
	p.Remedy = first(p.Checks)
	switch fails, warns := count["fail"], count["warn"]; {
	case fails > 0:
		p.Heading = "Not well: " + plural(fails, "thing keeps", "things keep") + " the server from working"
	case warns > 0:
		p.Heading = "It works, and " + plural(warns, "thing deserves", "things deserve") + " a look"
	default:
		p.Heading = "All is well"
	}
	return p
}

// first is what to do first: what keeps the server from working; then the conflict, which will; then whatever there is.
func first(checks []DoctorCheck) string {
	var remedy string
	for _, c := range checks {
		switch {
		case c.Remedy == "":
		case c.State == "fail":
			return c.Remedy
		case c.Code == "VIV007" || c.Code == "VIV008":
			return c.Remedy
		case remedy == "":
			remedy = c.Remedy
		}
	}
	return remedy
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "one " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
