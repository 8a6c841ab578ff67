package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/crash/report"
)

// witnesses are what tells of an end: the last lines of an output, a crash report, or both.
type witnesses struct {
	tail   []string
	report *report.Report
	name   [2]string // the files they are from: of the output, of the report
	cut    bool      // the report ends in the middle
}

const (
	maxTail = 64 << 10 // bytes of the end of an output that are judged, as much as a keeper keeps
	maxHead = 8 << 10  // bytes that tell a report from a log
	maxText = 3 << 20  // bytes of the end of a text in which a crash report may stand, or which is not in UTF-8
)

// reportSigns are in every text with a crash report in it.
var reportSigns = [][]byte{
	[]byte("Exception Type:"), []byte("Application Specific Information"), []byte("Crashed Thread:"), []byte(" Crashed:"), []byte("Binary Images:"),
	[]byte(`"bug_type"`), []byte(`"usedImages"`), []byte(`"faultingThread"`),
}

// read takes a file, or in for "-", by what is in it. mustReport: it was named as a report, so that a log is a mistake.
func (w *witnesses) read(in io.Reader, name string, mustReport bool) error {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return usage("reading what happened: %w", err)
		}
		defer f.Close()
		in = f
	}
	b := bufio.NewReaderSize(in, maxHead)
	head, err := b.Peek(maxHead)
	if err != nil && err != io.EOF {
		return usage("reading %s: %w", name, reason(err))
	}
	switch {
	case report.Is(head):
		return w.readReport(b, name)
	case mustReport:
		return usage("%s is no crash report of macOS: if it is what the server printed, name it with --log", name)
	case w.name[0] != "":
		return usage("%s and %s are two logs: name one, and a crash report if there is one", w.name[0], name)
	}
	w.name[0] = name
	wide := bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff})
	if f, ok := in.(*os.File); ok && !wide && skipTo(f) {
		b.Reset(f)
	}
	w.tail, err = endOf(b, wide)
	if err != nil {
		return usage("reading %s: %w", name, reason(err))
	}
	return nil
}

func (w *witnesses) readReport(r io.Reader, name string) (err error) {
	if w.name[1] != "" {
		return usage("%s and %s are two crash reports: name one", w.name[1], name)
	}
	w.name[1] = name
	w.report, err = report.Parse(r)
	if errors.Is(err, io.ErrUnexpectedEOF) { // what stands before the cut counts all the same
		w.cut = true
		return nil
	}
	if err != nil {
		return usage("reading %s: %w", name, reason(err))
	}
	return nil
}

// skipTo goes to the last part of a large file, if it is one that can be skipped in.
func skipTo(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Size() <= maxText {
		return false
	}
	_, err = f.Seek(-maxText, io.SeekEnd)
	return err == nil
}

// endOf reads to the end, which may be far away, and keeps what is judged: the last part, or more of it if a crash report stands in it. wide: it
// is in UTF-16, of which the beginning says how to read the rest.
func endOf(in io.Reader, wide bool) ([]string, error) {
	if wide {
		text, err := io.ReadAll(io.LimitReader(in, maxText))
		return strings.Split(string(text), "\n"), err
	}
	var tail []byte
	part := make([]byte, 32<<10)
	for {
		n, err := in.Read(part)
		tail = append(tail, part[:n]...)
		if over := len(tail) - maxText; over > maxText { // keep twice the end at most
			tail = append(tail[:0], tail[over:]...)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	tail = tail[max(0, len(tail)-maxText):]
	if !slices.ContainsFunc(reportSigns, func(sign []byte) bool { return bytes.Contains(tail, sign) }) {
		tail = tail[max(0, len(tail)-maxTail):]
	}
	return strings.Split(string(bytes.TrimRight(tail, "\n")), "\n"), nil
}
