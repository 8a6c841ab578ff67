package crash

import (
	"bufio"
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

// ipsHead is the first JSON value of an .ips file, on a line of its own.
type ipsHead struct {
	BugType   string `json:"bug_type"`
	OS        string `json:"os_version"`
	Timestamp string `json:"timestamp"`
}

// ipsBody is the second. Registers are left out on purpose: no int64 holds them.
type ipsBody struct {
	PID         int    `json:"pid"`
	ProcName    string `json:"procName"`
	ProcPath    string `json:"procPath"`
	ParentProc  string `json:"parentProc"`
	ParentPID   int    `json:"parentPid"`
	ProcLaunch  string `json:"procLaunch"`
	CaptureTime string `json:"captureTime"`
	CPUType     string `json:"cpuType"`
	Translated  bool   `json:"translated"`
	OS          struct {
		Train string `json:"train"`
		Build string `json:"build"`
	} `json:"osVersion"`
	Exception struct {
		Type, Signal, Subtype, Message string
	} `json:"exception"`
	Termination struct {
		Namespace string          `json:"namespace"`
		Code      json.RawMessage `json:"code"` // a number; one that is none would spoil all the rest
		Indicator string          `json:"indicator"`
		ByProc    string          `json:"byProc"`
		ByPID     int             `json:"byPid"`
		Reasons   []string        `json:"reasons"`
		Details   []string        `json:"details"`
	} `json:"termination"`
	ASI            map[string][]string `json:"asi"`
	VMRegionInfo   string              `json:"vmRegionInfo"`
	FaultingThread *int                `json:"faultingThread"`
	Threads        []ipsThread         `json:"threads"`
	UsedImages     []ipsImage          `json:"usedImages"`

	// Of a JetsamEvent.
	Largest      string `json:"largestProcess"`
	MemoryStatus struct {
		PageSize uint64 `json:"pageSize"`
	} `json:"memoryStatus"`
	Processes []struct {
		PID         int    `json:"pid"`
		Name        string `json:"name"`
		Reason      string `json:"reason"`
		LifetimeMax uint64 `json:"lifetimeMax"` // pages
	} `json:"processes"`
}

type ipsThread struct {
	Triggered bool `json:"triggered"`
	Frames    []struct {
		ImageIndex  int    `json:"imageIndex"`
		ImageOffset uint64 `json:"imageOffset"`
		Symbol      string `json:"symbol"`
	} `json:"frames"`
}

type ipsImage struct {
	Name string `json:"name"`
	Path string `json:"path"`
	UUID string `json:"uuid"`
	Arch string `json:"arch"`
}

func parseIPS(r *bufio.Reader) (*Report, error) {
	var head struct {
		ipsHead
		ipsBody
	}
	d := json.NewDecoder(r)
	if err := lenient(d.Decode(&head)); err != nil {
		return nil, err
	}
	if head.UsedImages != nil || head.Threads != nil { // somebody pasted the second value alone
		return head.ipsBody.report(), nil
	}
	switch head.BugType {
	case bugCrash, bugJetsam:
	case bugOld: // the text follows the header
		return parseText(bufio.NewReader(io.MultiReader(d.Buffered(), r)))
	default:
		return nil, fmt.Errorf("%w: its bug_type is %q", ErrNoReport, head.BugType)
	}
	var body ipsBody
	if err := lenient(d.Decode(&body)); err != nil {
		return nil, err
	}
	rep := body.report()
	if rep.OS == "" {
		rep.OS = head.ipsHead.OS
	}
	if rep.Captured.IsZero() {
		rep.Captured = reportTime(head.Timestamp)
	}
	if head.BugType == bugJetsam {
		return &Report{Captured: rep.Captured, OS: rep.OS, Jetsam: body.jetsam()}, nil
	}
	return rep, nil
}

// lenient: a key of another type than today's is as good as none, and a file that ends too early may only be half-written.
func lenient(err error) error {
	var odd *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case err == nil || errors.As(err, &odd):
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax) && syntax.Error() == "unexpected end of JSON input":
		return io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", ErrNoReport, err)
}

func (b *ipsBody) report() *Report {
	r := &Report{
		PID: b.PID, Process: b.ProcName, Path: b.ProcPath, Parent: b.ParentProc, ParentPID: b.ParentPID,
		Launched: reportTime(b.ProcLaunch), Captured: reportTime(b.CaptureTime), Arch: b.CPUType, Translated: b.Translated,
		Exception: b.Exception.Type, Signal: b.Exception.Signal, Subtype: b.Exception.Subtype, Message: b.Exception.Message,
		Namespace: b.Termination.Namespace, Indicator: b.Termination.Indicator, By: b.Termination.ByProc, ByPID: b.Termination.ByPID,
		Reasons: atMost(append(b.Termination.Reasons, b.Termination.Details...)),
	}
	r.Code, _ = strconv.ParseInt(string(b.Termination.Code), 10, 64)
	r.StackGuard = isStackGuard(b.VMRegionInfo)
	r.OS = strings.TrimSpace(b.OS.Train)
	if b.OS.Build != "" {
		r.OS += " (" + b.OS.Build + ")"
	}
	for _, image := range sortedKeys(b.ASI) {
		r.Said = append(r.Said, b.ASI[image]...)
	}
	r.Said = atMost(r.Said)
	for _, i := range b.UsedImages[:min(len(b.UsedImages), maxImages)] {
		if i.Name == "" {
			i.Name = i.Path[strings.LastIndexByte(i.Path, '/')+1:]
		}
		r.Images = append(r.Images, Image{i.Name, i.Path, strings.ToUpper(i.UUID), i.Arch})
	}
	r.Thread = b.crashed()
	if r.Thread >= 0 {
		for _, f := range b.Threads[r.Thread].Frames[:min(len(b.Threads[r.Thread].Frames), maxFrames)] {
			frame := Frame{Symbol: f.Symbol, Offset: f.ImageOffset}
			if f.ImageIndex >= 0 && f.ImageIndex < len(r.Images) {
				frame.Image, frame.UUID = r.Images[f.ImageIndex].Name, r.Images[f.ImageIndex].UUID
			}
			r.Frames = append(r.Frames, frame)
		}
	}
	r.Thread = max(r.Thread, 0)
	return r
}

// crashed is the thread that died, -1 if the report has none.
func (b *ipsBody) crashed() int {
	for i, t := range b.Threads {
		if t.Triggered {
			return i
		}
	}
	if n := b.FaultingThread; n != nil && *n >= 0 && *n < len(b.Threads) {
		return *n
	}
	return -1
}

func (b *ipsBody) jetsam() *Jetsam {
	j := &Jetsam{Largest: b.Largest}
	for _, p := range b.Processes {
		if p.Reason != "" && len(j.Ended) < maxTexts {
			j.Ended = append(j.Ended, JetsamProcess{p.PID, p.Name, p.Reason, p.LifetimeMax * b.MemoryStatus.PageSize})
		}
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
