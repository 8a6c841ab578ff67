package crash

import "strings"

// tooManyFiles: the system gave no more files and connections, as the exception says that ended it; or the server could take no connection any
// more, which asyncio only logs.
func tooManyFiles(s *scene) (Verdict, bool) {
	i, text := s.thrown()
	if i < 0 && s.failed() {
		i, text = s.noMoreConnections()
	}
	if i < 0 || !strings.Contains(text, "[Errno 24]") && !strings.Contains(text, "Too many open files") && !strings.Contains(text, "(os error 24)") {
		return Verdict{}, false
	}
	v := Verdict{Line: s.lines[i], Summary: "too many open files", Remedy: "Something opens files or connections and does not close them; the limit was raised as far as the system allows."}
	if s.Foreign {
		v.Remedy = "Something opens files or connections and does not close them; `ulimit -n 65536` before the start raises the limit, and only puts the end off."
	}
	if p := s.place(i); p != "" {
		v.Remedy = "Your code was at " + p + ". " + v.Remedy
	}
	return v, true
}

// noMoreConnections is what asyncio logged last: that it could not accept a connection.
func (s *scene) noMoreConnections() (line int, text string) {
	i := s.said("socket.accept() out of system resource")
	if i < 0 || s.wentOn(i) {
		return -1, ""
	}
	for n := range s.found {
		if e := &s.found[n]; e.Line > i && strings.Contains(e.Text, "Too many open files") && s.atEnd(e.Line) {
			return e.Line, e.Text
		}
	}
	return -1, ""
}
