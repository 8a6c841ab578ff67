package page

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/record"
)

// The picture's measures, in its own units.
const (
	chartWidth  = 760.0
	chartLeft   = 66.0
	chartRight  = 16.0
	chartEnd    = 0.96 // of the width is before the death
	panelHeight = 74.0
	panelGap    = 34.0
	chartTop    = 44.0

	mostSamples = 2000
	leastGap    = 15 * time.Second // two samples farther apart than this, and than three usual distances, have a gap between them
	leastSpan   = 10 * time.Second
	labelsApart = 170.0 // what the words at start and death need between them
)

// timeline is a picture of the last minutes: a panel for each quantity above one axis of time, with the moment of death.
type timeline struct {
	Width, Height float64
	Left, Right   float64 // of the panels
	Top, Bottom   float64 // of all panels together
	TickEnd       float64 // of the marks on the axis of time
	Death         mark
	Start         *mark   // where the run began, if the picture reaches back so far
	Before        float64 // just left of the death
	Ticks         []mark  // of the axis of time
	Panels        []panel
	Says          string // the picture in a sentence, for who cannot see it
	Gaps          bool   // somewhere nothing was measured
	Unanswered    bool   // some probe was not answered
	Pressed       bool   // the system was short of memory
}

type mark struct {
	X, Y float64
	Text string
}

type span struct{ X, Width float64 }

// pressed is a time in which the system was short of memory.
type pressed struct {
	span
	Level, Text string
}

// panel is one quantity over time.
type panel struct {
	Name, Class  string
	Last, Most   string // values in words; "" nothing was measured
	Top, Bottom  float64
	Lines        []mark // of its axis
	Path         string // of SVG
	Area         string // the same, down to zero
	Dots         []mark // values without a neighbour
	Missed       []mark // probes that were not answered
	Gaps         []span
	Pressure     []pressed // when the system was short of memory
	Height, Text float64   // for the template: of the panel; where its name stands
}

// quantity is what a panel shows of a sample.
type quantity struct {
	name, class string
	units       []unit
	value       func(record.Sample) (v float64, ok bool)
	word        func(v float64) string
}

func (w Words) quantities() []quantity {
	return []quantity{
		{"Memory", "memory", bytesUnits, func(s record.Sample) (float64, bool) { return float64(s.Used()), s.Used() > 0 },
			func(v float64) string { return w.Size(uint64(v)) }},
		{"CPU, 100 % is one core", "cpu", percentUnits, func(s record.Sample) (float64, bool) { return s.CPU, true },
			func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }},
		{"Health check, time to answer", "health", secondsUnits, func(s record.Sample) (float64, bool) { return s.Latency.Seconds(), s.OK && s.Latency > 0 },
			answerTime},
	}
}

func answerTime(seconds float64) string {
	if seconds < 1 {
		return fmt.Sprintf("%.0f ms", max(1, 1000*seconds))
	}
	return fmt.Sprintf("%.1f s", seconds)
}

// scale places moments on the axis of time.
type scale struct {
	begin, death time.Time
	start        time.Time // of the run; zero: unknown
}

func (s scale) x(at time.Time) float64 {
	share := float64(at.Sub(s.begin)) / float64(s.death.Sub(s.begin))
	return tenth(chartLeft + (chartWidth-chartLeft-chartRight)*chartEnd*share)
}

// newTimeline is nil when nothing was measured.
func newTimeline(r record.Record, w Words) *timeline {
	samples := usable(r.Samples, r.At)
	if len(samples) == 0 {
		return nil
	}
	s := scale{begin: samples[0].At, death: r.At}
	if r.At.Sub(s.begin) < leastSpan {
		s.begin = r.At.Add(-leastSpan)
	}
	t := &timeline{Width: chartWidth, Left: chartLeft, Right: chartWidth - chartRight, Top: chartTop}
	t.Death = mark{X: s.x(r.At), Text: "died " + r.At.Format("15:04:05")}
	t.Before = t.Death.X - 7
	if start := r.At.Add(-r.Uptime); r.Worker == 0 && start.After(s.begin) {
		s.start = start
		t.Start = &mark{X: s.x(start), Text: "started " + start.Format("15:04:05")}
		if t.Death.X-t.Start.X < labelsApart { // side by side they would cover each other
			t.Death.Text, t.Start.Text = t.Start.Text+" · "+t.Death.Text, ""
		}
	}
	for i, q := range w.quantities() {
		p := newPanel(q, samples, s, chartTop+float64(i)*(panelHeight+panelGap))
		if q.class == "memory" {
			p.Pressure = pressures(levels(samples), s.x)
			t.Pressed = len(p.Pressure) > 0
		}
		t.Panels = append(t.Panels, p)
		t.Gaps = t.Gaps || len(p.Gaps) > 0
		t.Unanswered = t.Unanswered || len(p.Missed) > 0
		t.Bottom = p.Bottom
	}
	t.Height, t.TickEnd = t.Bottom+26, t.Bottom+5
	t.ticks(s)
	t.Says = t.sentence(s)
	return t
}

// usable are the samples that can be drawn, in the order of time: a record is a file, and files can be anything.
func usable(samples []record.Sample, death time.Time) []record.Sample {
	var all []record.Sample
	for _, s := range samples[max(0, len(samples)-mostSamples):] {
		age := death.Sub(s.At)
		if age < 0 || age > time.Hour || math.IsNaN(s.CPU) || s.CPU < 0 || s.CPU > 1e4 || s.Used() > 1<<50 || s.Latency > time.Hour {
			continue
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b record.Sample) int { return a.At.Compare(b.At) })
	return all
}

func (t *timeline) ticks(s scale) {
	whole := s.death.Sub(s.begin)
	step := timeStep(whole)
	for back := time.Duration(0); back <= whole; back += step {
		text := "the end"
		switch {
		case back > 0 && step >= time.Minute:
			text = fmt.Sprintf("−%d min", back/time.Minute)
		case back > 0:
			text = fmt.Sprintf("−%d s", back/time.Second)
		}
		t.Ticks = append(t.Ticks, mark{X: s.x(s.death.Add(-back)), Y: t.Bottom + 20, Text: text})
	}
}

func (t *timeline) sentence(s scale) string {
	parts := []string{"The last " + before(s.death.Sub(s.begin)) + " before the end"}
	for _, p := range t.Panels {
		if p.Last != "" {
			parts = append(parts, fmt.Sprintf("%s: %s at last, %s at most", p.Name, p.Last, p.Most))
		} else {
			parts = append(parts, p.Name+": not measured")
		}
	}
	if t.Pressed {
		parts = append(parts, "The system was short of memory")
	}
	return strings.Join(parts, ". ") + "."
}

func before(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%d seconds", max(d/time.Second, 1))
	}
	return fmt.Sprintf("%d minutes", d/time.Minute)
}

// newPanel draws a quantity. A line joins only what was measured one after the other, in one run.
func newPanel(q quantity, samples []record.Sample, s scale, top float64) panel {
	p := panel{Name: q.name, Class: q.class, Top: top, Bottom: top + panelHeight, Height: panelHeight, Text: top - 9}
	highest, last := 0.0, -1
	for i, sample := range samples {
		if v, ok := q.value(sample); ok {
			highest, last = max(highest, v), i
		}
	}
	a := newAxis(highest, q.units)
	for _, v := range a.lines() {
		p.Lines = append(p.Lines, mark{X: chartLeft - 8, Y: p.y(v, a), Text: a.label(v)})
	}
	if last < 0 {
		p.Lines = p.Lines[:1]
	} else {
		v, _ := q.value(samples[last])
		p.Last, p.Most = q.word(v), q.word(highest)
	}
	limit := gapLimit(samples)
	var piece []mark
	for i, sample := range samples {
		if i > 0 && s.apart(samples[i-1].At, sample.At, limit) {
			p.finish(piece)
			piece = nil
		}
		if i > 0 && sample.At.Sub(samples[i-1].At) > limit {
			p.gap(s, samples[i-1].At, sample.At)
		}
		v, ok := q.value(sample)
		switch {
		case ok:
			piece = append(piece, mark{X: s.x(sample.At), Y: p.y(v, a)})
			continue
		case q.class == "health" && !sample.OK:
			p.Missed = append(p.Missed, mark{X: s.x(sample.At), Y: p.Bottom - 7})
		}
		p.finish(piece)
		piece = nil
	}
	p.finish(piece)
	if end := samples[len(samples)-1].At; s.death.Sub(end) > limit {
		p.gap(s, end, s.death)
	}
	return p
}

// apart: nothing is known of the time between two samples, or they are of two runs.
func (s scale) apart(a, b time.Time, limit time.Duration) bool {
	return b.Sub(a) > limit || !s.start.IsZero() && a.Before(s.start) && !b.Before(s.start)
}

// gapLimit is how far apart two samples may be without a gap between them.
func gapLimit(samples []record.Sample) time.Duration {
	var between []time.Duration
	for i := 1; i < len(samples); i++ {
		between = append(between, samples[i].At.Sub(samples[i-1].At))
	}
	if len(between) == 0 {
		return leastGap
	}
	slices.Sort(between)
	return max(leastGap, 3*between[(len(between)-1)/2])
}

func (p *panel) y(v float64, a axis) float64 { return tenth(p.Bottom - panelHeight*v/a.top) }

func (p *panel) gap(s scale, from, to time.Time) {
	p.Gaps = append(p.Gaps, span{X: s.x(from), Width: tenth(s.x(to) - s.x(from))})
}

// finish adds a piece of the line.
func (p *panel) finish(piece []mark) {
	if len(piece) == 0 {
		return
	}
	if len(piece) == 1 {
		p.Dots = append(p.Dots, piece[0])
		return
	}
	var b strings.Builder
	for i, m := range piece {
		b.WriteByte("ML"[min(i, 1)])
		fmt.Fprintf(&b, "%g %g", m.X, m.Y)
	}
	p.Path += b.String()
	p.Area += fmt.Sprintf("%sL%g %gL%g %gZ", b.String(), piece[len(piece)-1].X, p.Bottom, piece[0].X, p.Bottom)
}

func tenth(v float64) float64 { return math.Round(v*10) / 10 }
