package source

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/page"
	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// History is what the holder knows, and before that what is on record: a holder that was just started knows little.
func (s *Source) History(ctx context.Context, dir string) (page.History, error) {
	var known record.History
	client, err := control.Dial(ctx, s.folder(dir))
	if err == nil {
		known, err = client.History(ctx)
		client.Close()
		if err != nil && !errors.Is(err, control.ErrUnsupported) {
			return page.History{}, err
		}
	}
	return shown(s.before(dir, known, time.Now())), nil
}

// before puts what is on record of the last fifteen minutes before what is known.
func (s *Source) before(dir string, known record.History, now time.Time) record.History {
	deaths, err := record.Deaths(s.folder(dir))
	if err != nil { // then it is drawn without them
		return known
	}
	marks := stallMarks(record.Stalls(s.folder(dir), now.Add(-recent)), known.Marks)
	var samples []record.Sample
	for _, d := range deaths {
		if now.Sub(d.At) > recent {
			continue
		}
		told := slices.ContainsFunc(known.Marks, func(k record.Mark) bool {
			return k.What == record.MarkDeath && k.At.Sub(d.At).Abs() < time.Second
		})
		if !told {
			marks = append(marks, record.Mark{At: d.At, What: record.MarkDeath, Text: d.Verdict.Summary})
		}
		if r, err := s.read(dir, d.ID()); err == nil {
			samples = r.Samples // those of the latest
		}
	}
	if len(known.Samples) > 0 {
		first := known.Samples[0].At
		samples = slices.DeleteFunc(samples, func(one record.Sample) bool { return !one.At.Before(first) })
	}
	known.Samples = append(samples, known.Samples...)
	known.Marks = append(marks, known.Marks...)
	slices.SortStableFunc(known.Marks, func(a, b record.Mark) int { return a.At.Compare(b.At) })
	return known
}

// stallMarks are those of stalls on record that are not known already.
func stallMarks(stalls []record.Stalled, known []record.Mark) (marks []record.Mark) {
	for _, s := range stalls {
		told := slices.ContainsFunc(known, func(k record.Mark) bool { return k.What == record.MarkStall && k.At.Sub(s.At).Abs() < time.Second })
		if !told {
			marks = append(marks, record.Mark{At: s.At, Until: s.Until, What: record.MarkStall, Text: s.Why()})
		}
	}
	return marks
}

func shown(h record.History) page.History {
	var p page.History
	for _, one := range h.Samples {
		p.Samples = append(p.Samples, page.Sample{At: one.At, CPU: one.CPU, Memory: one.Used(), Latency: one.Latency, OK: one.OK, Pressure: one.Pressure})
	}
	for _, k := range h.Marks {
		p.Marks = append(p.Marks, page.Mark{At: k.At, Until: k.Until, What: string(k.What), Text: k.Text})
	}
	return p
}

// Deaths are the deaths and stalls on record, the latest first. A stall that a death tells of is not told twice.
func (s *Source) Deaths(_ context.Context, dir string) ([]page.Death, error) {
	kept, err := record.All(s.folder(dir))
	if err != nil {
		return nil, err
	}
	var all []page.Death
	hung := map[string]bool{}
	for _, k := range kept {
		d := page.Death{
			Trouble: page.Trouble{
				At: k.At, Kind: string(k.Verdict.Kind), Summary: k.Verdict.Summary, Remedy: k.Verdict.Remedy, Line: k.Verdict.Line,
			},
			Uptime: k.Uptime, Report: k.File != "",
		}
		if k.File != "" {
			d.ID = k.ID()
		}
		hung[k.Run] = hung[k.Run] || k.Verdict.Kind == crash.KindHung
		all = append(all, d)
	}
	for _, one := range record.Stalls(s.folder(dir), time.Time{}) {
		if one.Outcome != record.Ended || !hung[one.Run] {
			all = append(all, page.StallOf(one))
		}
	}
	slices.SortStableFunc(all, func(a, b page.Death) int { return b.At.Compare(a.At) })
	return all, nil
}

// nameOf is what a backend is called, also where its file is broken.
func nameOf(dir string) string {
	if c, err := config.Load(dir); err == nil {
		return c.Name
	}
	return filepath.Base(dir)
}

// read is one record. The name of its file is never put together from what somebody sent: it is one of the list.
func (s *Source) read(dir, id string) (record.Record, error) {
	path, err := record.FileOf(s.folder(dir), id)
	if err != nil {
		return record.Record{}, err
	}
	r, err := record.Read(path)
	r.At = r.At.Local()
	return r, err
}

// Report writes the report on a death or a stall.
func (s *Source) Report(_ context.Context, dir, id string, out io.Writer) error {
	if stalled, err := record.StallOf(s.folder(dir), id); !errors.Is(err, record.ErrNoStall) {
		if err != nil {
			return err
		}
		return s.words.Stalled(out, nameOf(dir), dir, stalled)
	}
	r, err := s.read(dir, id)
	if err != nil {
		return err
	}
	return s.words.Report(out, r)
}

// Output is the line that decided, and the last lines of output.
func (s *Source) Output(_ context.Context, dir, id string) (string, []string, error) {
	r, err := s.read(dir, id)
	return r.Verdict.Line, r.Tail, err
}
