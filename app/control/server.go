// Package control is the socket over which Vivarium programs speak of one backend: who supervises it serves, and any other program shows
// the same state and passes on what a person wants. Begin with Hold, for the one who serves, and Dial, for the others; Row is what is
// sent and what the command line prints as JSON. It must not know menus, notices or terminals. The protocol only grows.
package control

import (
	"encoding/json"
	"errors"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/observation"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// The control protocol: newline-delimited JSON over <backend folder>/ctl, a socket of mode 0600 whose both ends belong to
// one user. Both sides open with a hello; then each request has an id, and its answer the same one. After a follow the
// holder also sends rows without an id, as they come. What a side does not know it ignores (a field) or answers with
// "unsupported" (a request), so that an older and a newer Vivarium get along.
const (
	controlProto = 1
	// maxLine is how long a line may be; a longer one ends its connection, and that alone.
	maxLine = 1 << 20
)

// The requests.
const (
	askStatus   = "status"    // the present row
	askStart    = "start"     // these are intents: the answer says that they were heard, with the row of that moment
	askStop     = "stop"      //
	askRestart  = "restart"   //
	askTakeOver = "take-over" //
	askHurry    = "hurry"     // skip the grace of the stop under way
	askLook     = "look"      // somebody looks: measure anew
	askStacks   = "stacks"    // what the run does now, also a healthy one; it takes a second or three
	askFollow   = "follow"    // from now on, send every event and every new status
	askHistory  = "history"   // the last fifteen minutes
)

// The kinds of errors a program can tell apart.
const (
	kindUnsupported = "unsupported"
	kindBusy        = "busy" // too many clients
)

// controlHello is what each side says first.
type controlHello struct {
	Proto   int    `json:"proto"`
	Version string `json:"version"`
	PID     int    `json:"pid"`
}

// controlRequest is one line from a client. The first has a hello, the others an id and what to do.
type controlRequest struct {
	Hello *controlHello `json:"hello,omitempty"`
	ID    uint64        `json:"id,omitempty"`
	Do    string        `json:"do,omitempty"`
}

// controlReply is one line from the holder: its hello, an answer (with an id), or news (a row without one).
type controlReply struct {
	Hello   *controlHello   `json:"hello,omitempty"`
	ID      uint64          `json:"id,omitempty"`
	Error   *controlError   `json:"error,omitempty"`
	Row     *Row            `json:"row,omitempty"`
	History *record.History `json:"history,omitempty"`
	// Stacks is the answer to that request.
	Stacks *observation.Observation `json:"stacks,omitempty"`
}

type controlError struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Errors of the control socket that a caller inspects.
var (
	// ErrNotHeld: no Vivarium program keeps this backend.
	ErrNotHeld = errors.New("no Vivarium program keeps this backend")
	// ErrUnsupported: the holder is older, and does not know the request.
	ErrUnsupported = errors.New("the Vivarium program that keeps this backend does not support this")
	// ErrHolderBusy: the holder has too many clients.
	ErrHolderBusy = errors.New("the Vivarium program that keeps this backend has too many clients")
	// ErrHolderGone: the connection to the holder ended.
	ErrHolderGone = errors.New("the Vivarium program that kept this backend has ended")
)

func (e *controlError) err() error {
	switch {
	case e == nil:
		return nil
	case e.Kind == kindUnsupported:
		return ErrUnsupported
	case e.Kind == kindBusy:
		return ErrHolderBusy
	}
	return errors.New(words.Plain(e.Text))
}

func ownHello(pid int) *controlHello {
	return &controlHello{Proto: controlProto, Version: keeper.Version, PID: pid}
}

// parseRequest takes one line from a client apart. Anything but a JSON object is garbage.
func parseRequest(line []byte) (controlRequest, error) {
	var r controlRequest
	err := parseLine(line, &r)
	return r, err
}

// parseReply takes one line from a holder apart.
func parseReply(line []byte) (controlReply, error) {
	var r controlReply
	err := parseLine(line, &r)
	return r, err
}

func parseLine(line []byte, into any) error {
	if len(line) == 0 || line[0] != '{' {
		return errors.New("not a JSON object")
	}
	return json.Unmarshal(line, into)
}

// encode makes a line of a reply. A row that cannot be encoded is a mistake of ours that must not end the app.
func encode(r any) []byte {
	b, err := json.Marshal(r)
	if err != nil {
		b, _ = json.Marshal(controlReply{Error: &controlError{Text: err.Error()}})
	}
	return append(b, '\n')
}
