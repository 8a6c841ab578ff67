package dashboard

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vivarium-app/vivarium/app/logfile"
)

const (
	mostRows   = 1000 // of one answer
	mostPlaces = 5000 // of one search
	ticketTime = time.Minute
)

// row is a row of a log as a page gets it. Its names are short because there are many of them.
type row struct {
	At    string   `json:"p"`
	To    string   `json:"e"`
	Spans []string `json:"s"` // text and class in turn
	Level string   `json:"l,omitempty"`
	Part  string   `json:"t,omitempty"` // "head", "body", "tail" of a traceback
	Count int      `json:"n,omitempty"` // of lines that say the same, if more than one
	Left  int64    `json:"x,omitempty"` // bytes of the line that are not shown
	Key   string   `json:"k,omitempty"` // rows with the same one may be folded
	Hit   bool     `json:"h,omitempty"`
}

var partNames = map[logfile.Part]string{logfile.Head: "head", logfile.Body: "body", logfile.Tail: "tail"}

func rowsOf(rows []logfile.Row) []row {
	all := make([]row, len(rows))
	for i, r := range rows {
		one := row{At: r.At.String(), To: r.To.String(), Spans: make([]string, 0, 2*len(r.Spans)), Level: r.Level.String(), Part: partNames[r.Part], Left: r.Left, Hit: r.Hit}
		for _, span := range r.Spans {
			one.Spans = append(one.Spans, span.Text, span.Class)
		}
		if r.Count > 1 {
			one.Count = r.Count
		}
		if r.Key != 0 {
			one.Key = strconv.FormatUint(r.Key, 36)
		}
		all[i] = one
	}
	return all
}

func placeText(p logfile.Position) string {
	if p == (logfile.Position{}) {
		return ""
	}
	return p.String()
}

// logPart is a part of a log as a page gets it.
type logPart struct {
	Rows   []row  `json:"rows"`
	From   string `json:"from"`
	To     string `json:"to"`
	Begin  bool   `json:"begin"`
	End    bool   `json:"end"`
	At     string `json:"at,omitempty"` // the line that was asked for
	Size   int64  `json:"size"`         // of all files
	Files  int    `json:"files"`
	Behind int64  `json:"behind"` // bytes before From
}

// logNews is what was added to a log.
type logNews struct {
	Rows    []row  `json:"rows"`
	Open    []row  `json:"open,omitempty"` // a last line that is not complete
	From    string `json:"from"`
	To      string `json:"to"`
	Skipped int    `json:"skipped,omitempty"`
	Size    int64  `json:"size"` // of all files
	Lost    bool   `json:"lost,omitempty"`
}

// logOf is the log at that path, always the same for the same path: places in it mean something.
func (s *Server) logOf(path string) *logfile.Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.logs[path]
	if l == nil {
		l = logfile.Open(path)
		s.logs[path] = l
	}
	return l
}

// form is how the page wants its rows.
func (s *Server) form(r *http.Request) (logfile.Form, error) {
	f := logfile.Form{Mask: s.from.Mask, Unfold: r.FormValue("unfold") != ""}
	level, ok := logfile.ParseLevel(r.FormValue("level"))
	if !ok {
		return f, errors.New("there is no such level")
	}
	f.Least = level
	if q := r.FormValue("q"); q != "" {
		p, err := logfile.Compile(q, r.FormValue("fold") != "")
		if err != nil {
			return f, err
		}
		f.Pattern = p
	}
	return f, nil
}

// looking is the log that a request is about, as it is now; false: the answer is given.
func (s *Server) looking(w http.ResponseWriter, r *http.Request) (*logfile.Snapshot, bool) {
	b, ok := s.backend(w, r)
	if !ok {
		return nil, false
	}
	if !filepath.IsAbs(b.Log) {
		http.Error(w, "The backend has no log.", http.StatusNotFound)
		return nil, false
	}
	snapshot, err := s.logOf(b.Log).Snapshot()
	if err != nil {
		s.fail(w, http.StatusConflict, err)
		return nil, false
	}
	return snapshot, true
}

// log answers with a part of a log: its end, or what is "before", "after" or "around" a place, or its "begin".
func (s *Server) log(w http.ResponseWriter, r *http.Request) {
	form, err := s.form(r)
	if err != nil {
		s.fail(w, http.StatusBadRequest, err)
		return
	}
	snapshot, ok := s.looking(w, r)
	if !ok {
		return
	}
	defer snapshot.Close()
	n, _ := strconv.Atoi(r.FormValue("n"))
	n = min(max(n, 1), mostRows)
	chunk, at, err := read(r, snapshot, n, form)
	switch {
	case errors.Is(err, logfile.ErrGone):
		s.fail(w, http.StatusGone, err)
		return
	case err != nil:
		s.fail(w, http.StatusBadRequest, err)
		return
	}
	reply(w, logPart{
		Rows: rowsOf(chunk.Rows), From: placeText(chunk.From), To: placeText(chunk.To), Begin: chunk.Begin, End: chunk.End, At: placeText(at),
		Size: snapshot.Size(), Files: snapshot.Files(), Behind: snapshot.Behind(chunk.From),
	})
}

func read(r *http.Request, snapshot *logfile.Snapshot, n int, form logfile.Form) (c logfile.Chunk, at logfile.Position, err error) {
	ctx := r.Context()
	for _, how := range []string{"before", "after", "around"} {
		text := r.FormValue(how)
		if text == "" {
			continue
		}
		p, err := logfile.ParsePosition(text)
		if err != nil {
			return c, at, err
		}
		switch how {
		case "before":
			c, err = snapshot.Before(ctx, p, n, form)
		case "after":
			c, err = snapshot.After(ctx, p, n, form)
		default:
			return snapshot.Around(ctx, p, n, form)
		}
		return c, at, err
	}
	if r.FormValue("begin") != "" && snapshot.Files() > 0 {
		c, err = snapshot.After(ctx, snapshot.Begin(), n, form)
		return c, at, err
	}
	c, err = snapshot.Last(ctx, n, form)
	return c, at, err
}

// following is the follower that a page's stream asks for; nil: it asks for none.
func (s *Server) following(r *http.Request) (*logfile.Follower, error) {
	if r.FormValue("view") != "log" || r.FormValue("follow") == "" {
		return nil, nil
	}
	b, ok := s.hub.find(r.Context(), r.FormValue("b"))
	if !ok || !filepath.IsAbs(b.Log) {
		return nil, errors.New("the backend has no log")
	}
	form, err := s.form(r)
	if err != nil {
		return nil, err
	}
	var at logfile.Position
	if text := r.FormValue("from"); text != "" {
		if at, err = logfile.ParsePosition(text); err != nil {
			return nil, err
		}
	}
	return s.logOf(b.Log).Follow(at, form), nil
}

// search looks through all files, and reports as it goes.
func (s *Server) search(w http.ResponseWriter, r *http.Request) {
	pattern, err := logfile.Compile(r.FormValue("q"), r.FormValue("fold") != "")
	if err != nil {
		s.fail(w, http.StatusBadRequest, err)
		return
	}
	var before logfile.Position
	if text := r.FormValue("before"); text != "" {
		if before, err = logfile.ParsePosition(text); err != nil {
			s.fail(w, http.StatusBadRequest, err)
			return
		}
	}
	snapshot, ok := s.looking(w, r)
	if !ok {
		return
	}
	defer snapshot.Close()
	type found struct {
		Places []string `json:"places,omitempty"`
		Count  int64    `json:"count"`
		Done   int64    `json:"done"`
		Total  int64    `json:"total"`
		End    bool     `json:"end,omitempty"`
	}
	out := newEvents(w)
	var last found
	var told time.Time
	var places []string // not told yet
	err = snapshot.Search(r.Context(), pattern, before, mostPlaces, func(f logfile.Found) error {
		for _, p := range f.Places {
			places = append(places, p.String())
		}
		last = found{Places: places, Count: f.Count, Done: f.Done, Total: f.Total}
		if len(places) == 0 && time.Since(told) < gather {
			return nil
		}
		told, places = time.Now(), nil
		return out.send("found", last)
	})
	if err == nil {
		last.Places, last.End = places, true
		_ = out.send("found", last)
	} else if r.Context().Err() == nil {
		_ = out.send("failed", s.from.Words.Safe(err.Error()))
	}
}

// locate finds the line of the log that decided on a death.
func (s *Server) locate(w http.ResponseWriter, r *http.Request) {
	b, ok := s.backend(w, r)
	if !ok {
		return
	}
	id := r.PathValue("death")
	if !isName(id) {
		http.NotFound(w, r)
		return
	}
	line, tail, err := s.from.Records.Output(r.Context(), b.Dir, id)
	if err != nil {
		s.fail(w, http.StatusNotFound, err)
		return
	}
	snapshot, ok := s.looking(w, r)
	if !ok {
		return
	}
	defer snapshot.Close()
	mask := s.from.Mask
	if mask == nil {
		mask = func(s string) string { return s }
	}
	at, err := snapshot.Locate(r.Context(), line, tail, mask)
	if errors.Is(err, logfile.ErrGone) {
		s.fail(w, http.StatusGone, errors.New("the line that decided is not in the log any more"))
		return
	}
	if err != nil {
		s.fail(w, http.StatusConflict, err)
		return
	}
	reply(w, map[string]string{"at": at.String()})
}

// ticket is a permission to download a log once: a browser that downloads sends no header of ours.
type ticket struct {
	path string
	till time.Time
}

func (s *Server) ticket(w http.ResponseWriter, r *http.Request) {
	b, ok := s.backend(w, r)
	if !ok {
		return
	}
	name := newSecret()
	now := time.Now()
	s.mu.Lock()
	for old, t := range s.tickets {
		if now.After(t.till) {
			delete(s.tickets, old)
		}
	}
	if len(s.tickets) < 100 {
		s.tickets[name] = ticket{b.Log, now.Add(ticketTime)}
	}
	s.mu.Unlock()
	reply(w, map[string]string{"url": "/download/" + name})
}

// download sends the whole log, the oldest file first, as it is on disk.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("ticket")
	s.mu.Lock()
	t, ok := s.tickets[name]
	delete(s.tickets, name)
	s.mu.Unlock()
	if !ok || time.Now().After(t.till) {
		http.NotFound(w, r)
		return
	}
	snapshot, err := s.logOf(t.path).Snapshot()
	if err != nil {
		s.fail(w, http.StatusConflict, err)
		return
	}
	defer snapshot.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", filepath.Base(t.path)))
	h.Set("Content-Length", strconv.FormatInt(snapshot.Size(), 10))
	_ = snapshot.Copy(r.Context(), deadlined{w, http.NewResponseController(w)})
}

// deadlined gives each write some time, and no more.
type deadlined struct {
	io.Writer
	out *http.ResponseController
}

func (d deadlined) Write(p []byte) (int, error) {
	_ = d.out.SetWriteDeadline(time.Now().Add(sendTime))
	return d.Writer.Write(p)
}
