package keeper

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// The protocol, for whoever reads this package first. A keeper listens on the Unix socket DIR/sock. Both sides send JSON
// objects, one a line:
//
//	both      hello {proto, version, pid}      the first line of each side; the keeper's also tells run, exit, stopping, goodbye
//	keeper    busy {pid}                       instead of hello, and the end: another client is attached
//	client    spawn {id, spec}                 answered by ok {id, run}, when the run's program has started
//	client    stop {id, run_id, ladder}        answered by ok {id} once accepted; the end comes as an exit
//	client    forget {id, run_id}              answered by ok {id}
//	client    probing {run_id, port}           no request: the local port of a health probe that is about to be made
//	client    goodbye                          no answer: a keeper that nobody needs then ends at once, and the connection with it
//	keeper    exit {exit}                      sent when a run ended; told again in each hello until it is forgotten
//	keeper    error {id, error}                the answer that is not ok
//	keeper    unsupported {id}                 the answer to a request that the keeper does not know
//
// Unknown fields and unknown messages of the keeper are ignored, so that an old keeper and a newer app agree: a keeper
// lives as long as its server, and an app is updated meanwhile.
const proto = 1

// maxLine is the longest line either side takes. The longest honest one is a Spec with a large environment, or an Exit
// whose tail is full of bytes that JSON escapes; both stay below 1 MiB.
const maxLine = 4 << 20

// The types of messages.
const (
	typeHello       = "hello"
	typeBusy        = "busy"
	typeSpawn       = "spawn"
	typeStop        = "stop"
	typeForget      = "forget"
	typeProbing     = "probing"
	typeOK          = "ok"
	typeError       = "error"
	typeUnsupported = "unsupported"
	typeGoodbye     = "goodbye"
	typeExit        = "exit"
)

// message is every message; which fields count depends on its type.
type message struct {
	Type     string          `json:"type"`
	ID       uint64          `json:"id,omitempty"` // of a request, repeated in its answer; never 0
	Proto    int             `json:"proto,omitempty"`
	Version  string          `json:"version,omitempty"`
	PID      int             `json:"pid,omitempty"`
	RunID    string          `json:"run_id,omitempty"`
	Run      *Run            `json:"run,omitempty"`
	Spec     *Spec           `json:"spec,omitempty"`
	Ladder   *Ladder         `json:"ladder,omitempty"`
	Port     int             `json:"port,omitempty"`
	Exit     json.RawMessage `json:"exit,omitempty"` // encoded once: for the file and for the wire
	Stopping bool            `json:"stopping,omitempty"`
	Goodbye  bool            `json:"goodbye,omitempty"` // in the keeper's hello: it knows that word
	Error    *wireError      `json:"error,omitempty"`
}

// encode gives m as a line. A message holds nothing that JSON cannot say, so an error here is a mistake of ours.
func (m message) encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		b, _ = json.Marshal(message{Type: typeError, ID: m.ID, Error: &wireError{Text: err.Error()}})
	}
	return append(b, '\n')
}

// decoder reads messages from a connection.
type decoder struct{ lines *bufio.Scanner }

func newDecoder(r io.Reader) *decoder {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4<<10), maxLine)
	return &decoder{lines: s}
}

// next returns the next message. After an error the connection is good for nothing: io.EOF at its end, else what was wrong.
func (d *decoder) next() (message, error) {
	if !d.lines.Scan() {
		if err := d.lines.Err(); err != nil {
			return message{}, fmt.Errorf("reading a message: %w", err)
		}
		return message{}, io.EOF
	}
	var m message
	if err := json.Unmarshal(d.lines.Bytes(), &m); err != nil {
		return message{}, fmt.Errorf("decoding a message: %w", err)
	}
	return m, nil
}

// exit decodes the message's exit, nil if there is none.
func (m message) exit() (*Exit, error) {
	if len(m.Exit) == 0 || string(m.Exit) == "null" {
		return nil, nil
	}
	e := new(Exit)
	if err := json.Unmarshal(m.Exit, e); err != nil {
		return nil, fmt.Errorf("decoding an exit: %w", err)
	}
	return e, nil
}
