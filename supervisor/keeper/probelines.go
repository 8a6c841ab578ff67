package keeper

import (
	"bytes"
	"strconv"
	"sync/atomic"
)

const (
	longestProbeLine = 1 << 10
	recentProbes     = 8  // how many of the latest probes' ports are remembered: an access log is written a moment after the answer
	longestNeedle    = 48 // of the request line: what is looked for in everything that a server writes has to be found fast
)

// probeLines leaves the lines out of the log that an access log writes of health probes which were answered well. Only what is certain is
// left out: a whole line that has the probe's request and a success in it, and either the mark of this run, which a probe carries in its
// User-Agent, or the local port from which one of the latest probes was made. Everything else passes as it is, byte for byte, and at once.
type probeLines struct {
	needle []byte // `"GET /health`
	rest   []byte // of the request, where it is longer than a needle
	mark   []byte // ` 4d9193a356ae6e0b"`: how the User-Agent ends in an access log
	ports  [recentProbes]atomic.Int32
	next   atomic.Uint32
	inLine bool
}

// newProbeLines is for probes of the run at path; nil leaves nothing out.
func newProbeLines(run, path string) *probeLines {
	if path == "" || run == "" {
		return nil
	}
	request := []byte(`"GET ` + path)
	n := min(len(request), longestNeedle)
	return &probeLines{needle: request[:n:n], rest: request[n:], mark: []byte(" " + run + `"`)}
}

// expect is told of a probe from that local port.
func (q *probeLines) expect(port int) {
	if q == nil || port <= 0 || port > 65535 {
		return
	}
	q.ports[(q.next.Add(1)-1)%recentProbes].Store(int32(port))
}

// leaveOut gives out what is to be written of b, which is output as it comes, in pieces that know nothing of lines. A line that is not
// whole in b passes: nothing is held back.
func (q *probeLines) leaveOut(b []byte, out func([]byte)) {
	if q == nil || len(b) == 0 {
		out(b)
		return
	}
	inLine := q.inLine
	q.inLine = b[len(b)-1] != '\n'
	written := 0
	for from := 0; ; {
		i := bytes.Index(b[from:], q.needle)
		if i < 0 {
			break
		}
		at := from + i
		begin := bytes.LastIndexByte(b[:at], '\n') + 1
		length := bytes.IndexByte(b[at:], '\n')
		if length < 0 {
			break
		}
		end := at + length + 1
		if (begin > 0 || !inLine) && q.isProbe(b[begin:end-1], at-begin) {
			if begin > written {
				out(b[written:begin])
			}
			written = end
		}
		from = end
	}
	if written < len(b) {
		out(b[written:])
	}
}

// isProbe judges a whole line in which the request begins at at.
func (q *probeLines) isProbe(line []byte, at int) bool {
	if len(line) > longestProbeLine {
		return false
	}
	rest, ok := bytes.CutPrefix(line[at+len(q.needle):], q.rest)
	if !ok || !succeeded(rest) {
		return false
	}
	return bytes.Contains(rest, q.mark) || q.fromProbe(line[:at])
}

// succeeded reads what follows the path in an access log: ` HTTP/1.1" 200 …`, or `" 200 …`.
func succeeded(rest []byte) bool {
	request, after, ok := bytes.Cut(rest, []byte(`" `))
	if !ok || len(request) > 0 && !bytes.HasPrefix(request, []byte(" HTTP/")) {
		return false
	}
	return len(after) >= 3 && after[0] == '2' && isDigit(after[1]) && isDigit(after[2]) && (len(after) == 3 || !isDigit(after[3]))
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// fromProbe says whether the line names the address of one of the latest probes, before its request.
func (q *probeLines) fromProbe(head []byte) bool {
	for i := range q.ports {
		port := q.ports[i].Load()
		if port == 0 {
			continue
		}
		for _, host := range []string{"127.0.0.1:", "::1]:", "::1:"} {
			address := strconv.AppendInt([]byte(host), int64(port), 10)
			at := bytes.Index(head, address)
			if at < 0 {
				continue
			}
			before, after := at-1, at+len(address)
			if after < len(head) && isDigit(head[after]) || host[0] != ':' && before >= 0 && (isDigit(head[before]) || head[before] == '.') {
				continue
			}
			return true
		}
	}
	return false
}
