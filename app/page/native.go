package page

import (
	"fmt"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/report"
)

const mostNative = 60 // frames shown: what crashed is among the first

// native is what the system's own report says: the thread that crashed, below Python.
type native struct {
	Facts  []fact
	Frames []nativeFrame
	More   int // frames that are not shown
}

type nativeFrame struct {
	Image, Call string
	OpenMP      bool
}

// newNative is nil when the system made no report, or one that says nothing.
func newNative(r *report.Report, w Words) *native {
	if r == nil {
		return nil
	}
	n := &native{}
	add := func(name string, parts ...string) {
		var said []string
		for _, p := range parts {
			if p != "" {
				said = append(said, p)
			}
		}
		if len(said) > 0 {
			n.Facts = append(n.Facts, fact{name, w.Safe(strings.Join(said, ", "))})
		}
	}
	add("Exception", r.Exception, r.Signal, r.Subtype, r.Message)
	termination := r.Namespace
	if termination != "" {
		termination = fmt.Sprintf("%s, code %d", r.Namespace, r.Code)
	}
	add("Termination", termination, r.Indicator)
	add("Ended by", r.By)
	add("It said", r.Said...)
	add("Reason", r.Reasons...)
	add("System", r.OS, r.Arch, map[bool]string{true: "translated by Rosetta"}[r.Translated])
	if r.Jetsam != nil {
		add("Most memory", r.Jetsam.Largest)
		for _, p := range r.Jetsam.Ended {
			add("Ended for memory", fmt.Sprintf("%s (PID %d)", p.Name, p.PID), p.Reason)
		}
	}
	for _, f := range r.Frames[:min(len(r.Frames), mostNative)] {
		n.Frames = append(n.Frames, newNativeFrame(f, w))
	}
	n.More = len(r.Frames) - len(n.Frames)
	if len(n.Facts) == 0 && len(n.Frames) == 0 {
		return nil
	}
	return n
}

func newNativeFrame(f report.Frame, w Words) nativeFrame {
	n := nativeFrame{Image: orElse(w.Safe(f.Image), "?"), Call: w.Safe(f.Symbol)}
	switch {
	case n.Call == "":
		n.Call = fmt.Sprintf("0x%x", f.Offset)
	case f.Offset != 0:
		n.Call += fmt.Sprintf(" (0x%x)", f.Offset)
	}
	for _, runtime := range []string{"libomp", "libiomp5", "libgomp"} {
		n.OpenMP = n.OpenMP || strings.HasPrefix(f.Image, runtime)
	}
	return n
}

// lines are the frames as text.
func (n native) lines() []string {
	var all []string
	for i, f := range n.Frames {
		all = append(all, fmt.Sprintf("%2d  %-30s %s", i, f.Image, f.Call))
	}
	return all
}
