package dashboard

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
)

// policy lets our own files in and nothing else. HTML is set by one function of ours alone, which the browser checks.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types vivarium"

// guard lets in what was sent to us by name, and by no other page. A page of somebody else can send requests to any port of this computer, and
// can have its own name stand for 127.0.0.1; it cannot leave out or change the headers that say so.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store")
		switch {
		case r.Host != s.host:
			http.Error(w, "This is not the address of the dashboard.", http.StatusMisdirectedRequest)
			return
		case !s.ownOrigin(r):
			http.Error(w, "The dashboard answers its own page alone.", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 4096)
		next.ServeHTTP(w, r)
	})
}

// ownOrigin: the request does not come from another page. A person who types the address comes from none.
func (s *Server) ownOrigin(r *http.Request) bool {
	if origin := r.Header.Values("Origin"); len(origin) > 0 && (len(origin) > 1 || origin[0] != "http://"+s.host) {
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	switch {
	case site == "" || site == "same-origin" || site == "none":
		return true
	}
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" // a link
}

// known lets in who knows the secret.
func (s *Server) known(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		said, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(said), []byte(s.secret)) != 1 {
			http.Error(w, "The address of this page has a secret that is not ours any more: run “vivarium dashboard” again.", http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

// act lets in what wants to change something: only our own page sends an Origin of ours with it.
func (s *Server) act(next http.HandlerFunc) http.HandlerFunc {
	return s.known(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "http://"+s.host {
			http.Error(w, "The dashboard answers its own page alone.", http.StatusForbidden)
			return
		}
		next(w, r)
	})
}

// hello proves that we know the secret, before a page sends it: another program may have taken the port of a dashboard that ended.
func (s *Server) hello(w http.ResponseWriter, r *http.Request) {
	nonce := r.URL.Query().Get("nonce")
	if len(nonce) < 16 || len(nonce) > 200 {
		http.Error(w, "nonce?", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(proof(s.secret, nonce)))
}

func proof(secret, nonce string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("vivarium dashboard " + nonce))
	return hex.EncodeToString(m.Sum(nil))
}
