package page

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The measures of the live charts, in their own units.
const (
	sparkWidth  = 300.0
	sparkHeight = 64.0
	sparkTop    = 6.0
	sparkSpan   = 15 * time.Minute
	mostMarks   = 40
	mostEvents  = 6 // told in words
)

// chart is one quantity over the last fifteen minutes.
type chart struct {
	ID, Name, Class string
	Width, Height   float64
	Bottom          float64
	Now, Most       string // in words; "" nothing was measured
	Path, Area      string
	Dots            []mark
	Missed          []mark // health checks that were not answered
	Marks           []chartMark
	Lasting         []lasting // marks that lasted
	Pressure        []pressed // when the system was short of memory
	Top             string    // what the upper edge is
	Says            string
	MinuteX         []float64
	highest         float64
}

type chartMark struct {
	X          float64
	What       string
	When, Text string
	same       string // the text, before it was folded with others
	times      int
}

// lasting is a mark with an end.
type lasting struct {
	span
	What string
}

type charts struct {
	Charts  []chart
	Events  []chartMark // for the list below
	Earlier int         // that are not in it
	Empty   bool        // nothing was measured
}

// newCharts draws what is known of the last fifteen minutes.
func (w Words) newCharts(id string, h History, runs bool, now time.Time) charts {
	samples := recent(h.Samples, now)
	c := charts{Empty: len(samples) == 0}
	marks, spans := w.chartMarks(h.Marks, now)
	c.Events = foldMarks(marks)
	if over := len(c.Events) - mostEvents; over > 0 {
		c.Events, c.Earlier = c.Events[over:], over
	}
	drawn := false
	for _, q := range w.liveQuantities() {
		one := newChart(q, samples, now)
		if !runs { // what was measured last is of a run that is gone
			one.Now = ""
		}
		drawn = drawn || one.Path != ""
		one.ID, one.Marks, one.Lasting = q.class+"-"+id, marks, spans
		if q.class == "memory" {
			one.pressure(samples, now)
		}
		c.Charts = append(c.Charts, one)
	}
	c.Empty = c.Empty || !runs && !drawn // a run that ended at once leaves no picture
	return c
}

// foldMarks tells a row of the same deaths, with the starts between them, once.
func foldMarks(all []chartMark) []chartMark {
	var told []chartMark
	for _, m := range all {
		n := len(told)
		switch {
		case m.What == "death" && n > 0 && told[n-1].same == m.Text:
		case m.What == "death" && n > 1 && told[n-1].What == "start" && told[n-2].same == m.Text:
			told = told[:n-1]
		default:
			m.same, m.times = m.Text, 1
			told = append(told, m)
			continue
		}
		last := &told[len(told)-1]
		last.times++
		last.Text = fmt.Sprintf("%s (%d times, the last at %s)", m.Text, last.times, m.When)
	}
	return told
}

// liveQuantity is what a chart shows of a sample.
type liveQuantity struct {
	name, class string
	units       []unit
	value       func(Sample) (v float64, ok bool)
	word        func(v float64) string
}

func (w Words) liveQuantities() []liveQuantity {
	return []liveQuantity{
		{"Latency", "health", secondsUnits, func(s Sample) (float64, bool) { return s.Latency.Seconds(), s.OK && s.Latency > 0 }, answerTime},
		{"Memory", "memory", bytesUnits, func(s Sample) (float64, bool) { return float64(s.Memory), s.Memory > 0 }, func(v float64) string { return w.Size(uint64(v)) }},
		{"CPU", "cpu", percentUnits, func(s Sample) (float64, bool) { return s.CPU, true }, func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }},
	}
}

// recent are the samples that can be drawn.
func recent(samples []Sample, now time.Time) []Sample {
	var all []Sample
	for _, s := range samples[max(0, len(samples)-mostSamples):] {
		age := now.Sub(s.At)
		if age < -time.Second || age > sparkSpan || bounded(s.CPU) != s.CPU || s.Memory > 1<<50 || s.Latency < 0 || s.Latency > time.Hour {
			continue
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b Sample) int { return a.At.Compare(b.At) })
	return all
}

func sparkX(at, now time.Time) float64 {
	share := 1 - float64(now.Sub(at))/float64(sparkSpan)
	return tenth(sparkWidth * min(1, max(0, share)))
}

func newChart(q liveQuantity, samples []Sample, now time.Time) chart {
	c := chart{Name: q.name, Class: q.class, Width: sparkWidth, Height: sparkHeight, Bottom: sparkHeight - 1}
	for m := 5 * time.Minute; m < sparkSpan; m += 5 * time.Minute {
		c.MinuteX = append(c.MinuteX, sparkX(now.Add(-m), now))
	}
	for _, s := range samples {
		if v, ok := q.value(s); ok {
			c.highest = max(c.highest, v)
		}
	}
	a := newAxis(c.highest, q.units)
	c.Top = a.label(a.top)
	var piece []mark
	var last time.Time
	for _, s := range samples {
		if !last.IsZero() && s.At.Sub(last) > leastGap {
			c.finish(piece)
			piece = nil
		}
		last = s.At
		v, ok := q.value(s)
		if !ok {
			if q.class == "health" && !s.OK {
				c.Missed = append(c.Missed, mark{X: sparkX(s.At, now), Y: c.Bottom - 6})
			}
			c.finish(piece)
			piece = nil
			continue
		}
		piece = append(piece, mark{X: sparkX(s.At, now), Y: tenth(c.Bottom - (c.Bottom-sparkTop)*v/a.top)})
		c.Now = q.word(v)
	}
	c.finish(piece)
	c.Says = c.Name + " of the last 15 minutes: nothing was measured"
	if c.Now != "" {
		c.Most = q.word(c.highest)
		c.Says = fmt.Sprintf("%s of the last 15 minutes: last %s, highest %s", c.Name, c.Now, c.Most)
	}
	return c
}

// finish adds a piece of the line.
func (c *chart) finish(piece []mark) {
	switch len(piece) {
	case 0:
		return
	case 1:
		c.Dots = append(c.Dots, piece[0])
		return
	}
	var b strings.Builder
	for i, m := range piece {
		b.WriteByte("ML"[min(i, 1)])
		fmt.Fprintf(&b, "%g %g", m.X, m.Y)
	}
	c.Path += b.String()
	c.Area += fmt.Sprintf("%sL%g %gL%g %gZ", b.String(), piece[len(piece)-1].X, c.Bottom, piece[0].X, c.Bottom)
}

// markNames are what the marks with a look of their own are called. Others are called by their kind.
var markNames = map[string]string{"start": "started", "death": "died", "stall": "stood still", "sleep": "the computer slept", "memory": "memory"}

// chartMarks are what happened in the last fifteen minutes.
func (w Words) chartMarks(all []Mark, now time.Time) (marks []chartMark, spans []lasting) {
	for _, m := range all[max(0, len(all)-mostMarks):] {
		name, what := markNames[m.What], m.What
		if name == "" {
			name, what = w.Safe(m.What), "other"
		}
		if m.At.IsZero() || now.Sub(max2(m.At, m.Until)) > sparkSpan || m.At.After(now.Add(time.Second)) {
			continue
		}
		text := name
		if m.Until.After(m.At) {
			text += " for " + w.Duration(m.Until.Sub(m.At))
		}
		if said := w.Safe(m.Text); said != "" {
			text += ": " + said
		}
		marks = append(marks, chartMark{X: sparkX(m.At, now), What: what, When: when(m.At, now), Text: text})
		if m.Until.After(m.At) {
			from, to := sparkX(m.At, now), sparkX(m.Until, now)
			spans = append(spans, lasting{span{X: from, Width: tenth(to - from)}, what})
		}
	}
	return marks, spans
}

// pressure shades the times in which the system was short of memory.
func (c *chart) pressure(samples []Sample, now time.Time) {
	all := make([]levelAt, len(samples))
	for i, s := range samples {
		all[i] = levelAt{s.At, s.Pressure}
	}
	c.Pressure = pressures(all, func(at time.Time) float64 { return sparkX(at, now) })
	if len(c.Pressure) > 0 {
		c.Says += "; the system was short of memory"
	}
}

func max2(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
