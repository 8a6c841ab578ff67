package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/app/page"
)

// handler is all that the dashboard answers.
func (s *Server) handler() http.Handler {
	m := http.NewServeMux()
	for _, shell := range []string{"GET /{$}", "GET /b/{id}", "GET /b/{id}/{view}", "GET /b/{id}/deaths/{death}"} {
		m.HandleFunc(shell, s.shell)
	}
	m.HandleFunc("GET /{file}", s.file)
	m.HandleFunc("GET /hello", s.hello)
	m.HandleFunc("GET /download/{ticket}", s.download)

	m.HandleFunc("GET /api/stream", s.known(s.stream))
	m.HandleFunc("GET /api/b/{id}/view/{view}", s.known(s.view))
	m.HandleFunc("GET /api/b/{id}/report/{death}", s.known(s.report))
	m.HandleFunc("GET /api/b/{id}/log", s.known(s.log))
	m.HandleFunc("GET /api/b/{id}/search", s.known(s.search))
	m.HandleFunc("GET /api/b/{id}/locate/{death}", s.known(s.locate))
	m.HandleFunc("POST /api/b/{id}/do/{action}", s.act(s.do))
	m.HandleFunc("POST /api/b/{id}/doctor", s.act(s.doctor))
	m.HandleFunc("POST /api/b/{id}/stacks", s.act(s.stacks))
	m.HandleFunc("POST /api/b/{id}/ticket", s.act(s.ticket))
	return s.guard(m)
}

func (s *Server) shell(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Shell(w) // whoever does not read it does not want it
}

// file serves our style sheet and scripts.
func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	if name == "style.css" {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write([]byte(page.LiveStyle()))
		return
	}
	text, err := fs.ReadFile(static, path.Join("static", name))
	if err != nil || !strings.HasSuffix(name, ".js") {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	_, _ = w.Write(text)
}

// backend is the one that the request is about; false: the answer is given.
func (s *Server) backend(w http.ResponseWriter, r *http.Request) (page.Backend, bool) {
	b, ok := s.hub.find(r.Context(), r.PathValue("id"))
	if !ok {
		http.Error(w, "There is no such backend any more.", http.StatusNotFound)
	}
	return b, ok
}

func reply(w http.ResponseWriter, content any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(content)
}

// fail tells a person what went wrong.
func (s *Server) fail(w http.ResponseWriter, code int, err error) {
	http.Error(w, s.from.Words.Safe(err.Error()), code)
}

// view is a view that does not change by itself.
func (s *Server) view(w http.ResponseWriter, r *http.Request) {
	b, ok := s.backend(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	words := s.from.Words
	switch r.PathValue("view") {
	case "log":
		reply(w, words.LogView(b))
	case "deaths":
		deaths, err := s.from.Records.Deaths(ctx, b.Dir)
		if err != nil {
			reply(w, words.Failed("The deaths cannot be listed", err))
			return
		}
		reply(w, words.Deaths(b, deaths, time.Now()))
	case "doctor":
		s.mu.Lock()
		found, examined := s.doctors[b.Dir]
		s.mu.Unlock()
		if !examined {
			reply(w, words.DoctorView(b, nil))
			return
		}
		reply(w, words.DoctorView(b, &found))
	case "environment":
		e, err := s.from.Insight.Environment(ctx, b.Dir)
		if err != nil {
			reply(w, words.Failed("The environment is not known", err))
			return
		}
		reply(w, words.EnvironmentView(b, e))
	case "configuration":
		c, err := s.from.Insight.Config(ctx, b.Dir)
		if err != nil {
			reply(w, words.Failed("The configuration cannot be read", err))
			return
		}
		reply(w, words.ConfigView(b, c))
	default:
		http.NotFound(w, r)
	}
}

// isName: it cannot be a path.
func isName(s string) bool {
	return s != "" && len(s) < 200 && !strings.ContainsAny(s, "/\\\x00") && !strings.HasPrefix(s, ".")
}

func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	b, ok := s.backend(w, r)
	if !ok {
		return
	}
	id := r.PathValue("death")
	if !isName(id) {
		http.NotFound(w, r)
		return
	}
	var html strings.Builder
	if err := s.from.Records.Report(r.Context(), b.Dir, id, &html); err != nil {
		reply(w, s.from.Words.Failed("The report cannot be shown", err))
		return
	}
	reply(w, page.Part{ID: "main", HTML: html.String()})
}

var actions = []Action{Start, Stop, Restart, TakeOver, Hurry, Browse, Reveal, Edit}

func (s *Server) do(w http.ResponseWriter, r *http.Request) {
	what := Action(r.PathValue("action"))
	if !slices.Contains(actions, what) {
		http.NotFound(w, r)
		return
	}
	b, ok := s.backend(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	if err := s.from.Actor.Do(ctx, b.Dir, what); err != nil {
		s.fail(w, http.StatusConflict, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) stacks(w http.ResponseWriter, r *http.Request) {
	b, ok := s.backend(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	stacks, err := s.from.Insight.Stacks(ctx, b.Dir)
	if err != nil {
		s.fail(w, http.StatusConflict, err)
		return
	}
	reply(w, s.from.Words.StacksPart(b.ID, stacks))
}

// doctor examines, and tells how far it is.
func (s *Server) doctor(w http.ResponseWriter, r *http.Request) {
	b, ok := s.backend(w, r)
	if !ok {
		return
	}
	out := newEvents(w)
	ctx := r.Context()
	progress := make(chan float64, 1)
	type outcome struct {
		found page.Doctor
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		found, err := s.from.Insight.Examine(ctx, b.Dir, func(share float64) {
			select {
			case progress <- share:
			default:
			}
		})
		done <- outcome{found, err}
	}()
	for {
		select {
		case share := <-progress:
			if out.send("progress", share) != nil {
				return
			}
		case o := <-done:
			if errors.Is(o.err, context.Canceled) {
				return
			}
			if o.err != nil {
				_ = out.send("part", s.from.Words.Failed("The examination failed", o.err))
				return
			}
			s.mu.Lock()
			s.doctors[b.Dir] = o.found
			s.mu.Unlock()
			_ = out.send("part", s.from.Words.DoctorView(b, &o.found))
			return
		case <-ctx.Done():
			return
		}
	}
}
