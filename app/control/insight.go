package control

import (
	"context"
	"time"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

const (
	stacksTime = 15 * time.Second
	maxStacks  = maxLine / 4 // bytes of lines: JSON may need several for one
)

// Stacks is what a run does at the moment it is asked.
type Stacks struct {
	Summary string   `json:"summary"`
	Remedy  string   `json:"remedy,omitempty"`
	Lines   []string `json:"lines,omitempty"` // as Python prints them, masked
}

// historian is a Supervision that knows what was. One of another program does not: that program is asked itself.
type historian interface {
	History(ctx context.Context) (record.History, error)
}

// stackReader is a Supervision that can ask its run for its stacks.
type stackReader interface {
	Stacks(ctx context.Context) (Stacks, error)
}

// tell answers a request for what s may know beside its state.
func tell(s Supervision, reply *controlReply, what string) {
	ctx, cancel := context.WithTimeout(context.Background(), stacksTime)
	defer cancel()
	var err error
	switch what {
	case askHistory:
		if h, ok := s.(historian); ok {
			var past record.History
			past, err = h.History(ctx)
			reply.History = &past
			break
		}
		reply.Error = &controlError{Kind: kindUnsupported, Text: "unsupported"}
	case askStacks:
		if r, ok := s.(stackReader); ok {
			var now Stacks
			now, err = r.Stacks(ctx)
			now.Lines = bounded(now.Lines)
			reply.Stacks = &now
			break
		}
		reply.Error = &controlError{Kind: kindUnsupported, Text: "unsupported"}
	}
	if err != nil {
		reply.Error = &controlError{Text: words.Plain(err.Error())}
	}
}

// bounded cuts what would not fit into one line of the protocol, and says so.
func bounded(lines []string) []string {
	size := 0
	for i, l := range lines {
		if size += len(l); size > maxStacks {
			return append(lines[:i:i], "(more is not shown)")
		}
	}
	return lines
}

// History is what the holder knows of the last fifteen minutes. It is ErrUnsupported if the holder is older than this request.
func (c *Client) History(ctx context.Context) (record.History, error) {
	r, err := c.request(ctx, askHistory)
	if err != nil || r.History == nil {
		return record.History{}, err
	}
	return *r.History, nil
}

// Stacks is what the run does at this moment. It is ErrUnsupported if the holder cannot tell.
func (c *Client) Stacks(ctx context.Context) (Stacks, error) {
	r, err := c.request(ctx, askStacks)
	if err != nil || r.Stacks == nil {
		return Stacks{}, err
	}
	return *r.Stacks, nil
}
