package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The kinds of .ips files that tell of a death, as their headers call them.
const (
	bugCrash  = "309"
	bugOld    = "109" // of the text form, in a .ips of macOS 11
	bugJetsam = "298"
)

// ipsFile is what is taken of an .ips file. Its first JSON value, on a line of its own, is a header; the second has the rest. Registers are
// left out on purpose: no int64 holds them.
type ipsFile struct {
	bugType, osVersion, timestamp string // the header's

	pid, parentPID                            int
	procName, procPath, parentProc            string
	procLaunch, captureTime, cpuType, regions string
	translated                                bool
	os                                        struct{ Train, Build string }
	exception                                 struct{ Type, Signal, Subtype, Message string }
	termination                               struct {
		Namespace, Indicator, ByProc string
		ByPID                        int             `json:"byPid"`
		Code                         json.RawMessage // a number; one that is none would spoil all the rest
		Reasons, Details             []string
	}
	asi     map[string][]string
	thread  int        // the one that crashed
	frames  []ipsFrame // of it
	images  []ipsImage
	started bool // something of the second value was seen

	largest string // of a JetsamEvent, as the rest
	memory  struct {
		PageSize uint64 `json:"pageSize"`
	}
	ended []ipsProcess
}

type ipsThread struct {
	Triggered bool       `json:"triggered"`
	Frames    []ipsFrame `json:"frames"`
}

type ipsFrame struct {
	ImageIndex  int    `json:"imageIndex"`
	ImageOffset uint64 `json:"imageOffset"`
	Symbol      string `json:"symbol"`
}

type ipsImage struct {
	Name string `json:"name"`
	Path string `json:"path"`
	UUID string `json:"uuid"`
	Arch string `json:"arch"`
}

type ipsProcess struct {
	PID         int    `json:"pid"`
	Name        string `json:"name"`
	Reason      string `json:"reason"`
	LifetimeMax uint64 `json:"lifetimeMax"` // pages
}

// parseIPS reads value by value, so that a report takes little more memory than its largest thread. limit is what the reader may read: a
// report that is longer is not half-written, and what was read of it counts.
func parseIPS(r *bufio.Reader, limit *io.LimitedReader, indent int) (*Report, error) {
	s := &jsonStream{r: r}
	f := ipsFile{thread: -1}
	if err := f.object(s); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) && f.started { // the second value alone, and cut
			return f.report(), err
		}
		return nil, err
	}
	alone := f.started // somebody pasted the second value without the header
	switch {
	case alone && f.bugType == "", f.bugType == bugCrash, f.bugType == bugJetsam:
	case f.bugType == bugOld: // the text follows the header
		return parseText(r, indent)
	default:
		return nil, fmt.Errorf("%w: its bug_type is %q", ErrNoReport, f.bugType)
	}
	jetsam := f.bugType == bugJetsam
	var cut error
	if !alone {
		if err := f.object(s); err != nil && (limit.N > 0 || !f.started) {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, err
			}
			cut = err
		}
	}
	rep := f.report()
	if jetsam {
		return &Report{Captured: rep.Captured, OS: rep.OS, Jetsam: f.jetsam()}, cut
	}
	return rep, cut
}

// object reads one JSON object, and of it what is wanted.
func (f *ipsFile) object(s *jsonStream) error {
	wanted := map[string]any{
		"bug_type": &f.bugType, "os_version": &f.osVersion, "timestamp": &f.timestamp,
		"pid": &f.pid, "procName": &f.procName, "procPath": &f.procPath, "parentProc": &f.parentProc, "parentPid": &f.parentPID,
		"procLaunch": &f.procLaunch, "captureTime": &f.captureTime, "cpuType": &f.cpuType, "translated": &f.translated, "osVersion": &f.os,
		"exception": &f.exception, "termination": &f.termination, "asi": &f.asi, "vmRegionInfo": &f.regions, "faultingThread": &f.thread,
		"largestProcess": &f.largest, "memoryStatus": &f.memory,
	}
	return s.object(func(key string) error {
		switch key {
		case "threads", "usedImages", "processes", "exception", "captureTime":
			f.started = true
		}
		switch to := wanted[key]; {
		case key == "threads":
			return f.threads(s)
		case key == "usedImages":
			return s.list(func(i int) error {
				var image ipsImage
				err := s.into(&image, i < maxImages)
				if i < maxImages {
					f.images = append(f.images, image)
				}
				return err
			})
		case key == "processes":
			return s.list(func(int) error {
				var p ipsProcess
				err := s.into(&p, true)
				if p.Reason != "" && len(f.ended) < maxTexts {
					f.ended = append(f.ended, p)
				}
				return err
			})
		default:
			return s.into(to, to != nil)
		}
	})
}

// threads keeps the one that crashed: the one that says so, else the one whose number was told. The frames of the others are not decoded.
func (f *ipsFile) threads(s *jsonStream) error {
	told, sure := f.thread, false
	return s.list(func(i int) error {
		raw, err := s.value(!sure)
		if err != nil || raw == nil || i != told && !bytes.Contains(raw, []byte(`"triggered"`)) {
			return err
		}
		var t ipsThread
		err = lenient(json.Unmarshal(raw, &t))
		if t.Triggered || i == told {
			f.thread, f.frames, sure = i, t.Frames[:min(len(t.Frames), maxFrames)], t.Triggered
		}
		return err
	})
}

func (f *ipsFile) report() *Report {
	r := &Report{
		PID: f.pid, Process: f.procName, Path: f.procPath, Parent: f.parentProc, ParentPID: f.parentPID,
		Launched: reportTime(f.procLaunch), Captured: reportTime(f.captureTime), Arch: f.cpuType, Translated: f.translated,
		Exception: f.exception.Type, Signal: f.exception.Signal, Subtype: f.exception.Subtype, Message: f.exception.Message,
		Namespace: f.termination.Namespace, Indicator: f.termination.Indicator, By: f.termination.ByProc, ByPID: f.termination.ByPID,
		Reasons: atMost(append(f.termination.Reasons, f.termination.Details...)), StackGuard: isStackGuard(f.regions),
		OS: f.osVersion, Thread: max(f.thread, 0),
	}
	r.Code, _ = strconv.ParseInt(string(f.termination.Code), 10, 64)
	if f.os.Train != "" {
		r.OS = strings.TrimSpace(f.os.Train)
		if f.os.Build != "" {
			r.OS += " (" + f.os.Build + ")"
		}
	}
	if r.Captured.IsZero() {
		r.Captured = reportTime(f.timestamp)
	}
	for _, image := range sortedKeys(f.asi) {
		r.Said = append(r.Said, f.asi[image]...)
	}
	r.Said = atMost(r.Said)
	for _, i := range f.images {
		if i.Name == "" {
			i.Name = i.Path[strings.LastIndexByte(i.Path, '/')+1:]
		}
		r.Images = append(r.Images, Image{i.Name, i.Path, uuidText(i.UUID), i.Arch})
	}
	for _, c := range f.frames {
		frame := Frame{Symbol: c.Symbol, Offset: c.ImageOffset}
		if c.ImageIndex >= 0 && c.ImageIndex < len(r.Images) {
			frame.Image, frame.UUID = r.Images[c.ImageIndex].Name, r.Images[c.ImageIndex].UUID
		}
		r.Frames = append(r.Frames, frame)
	}
	return r
}

func (f *ipsFile) jetsam() *Jetsam {
	j := &Jetsam{Largest: f.largest}
	for _, p := range f.ended {
		j.Ended = append(j.Ended, JetsamProcess{p.PID, p.Name, p.Reason, p.LifetimeMax * f.memory.PageSize})
	}
	return j
}

// isStackGuard: of the regions around the address that could not be touched, the arrow points at a stack's guard.
func isStackGuard(regions string) bool {
	for l := range strings.Lines(regions) {
		if region, ok := strings.CutPrefix(strings.TrimLeft(l, "-"), ">"); ok && strings.HasPrefix(l, "--") {
			return strings.HasPrefix(strings.ToUpper(strings.TrimSpace(region)), "STACK GUARD")
		}
	}
	return false
}
