package control

import (
	"context"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// historian is a Supervision that knows what was. One of another program does not: that program is asked itself.
type historian interface {
	History(ctx context.Context) (record.History, error)
}

// tellHistory answers with what s knows of the last fifteen minutes.
func tellHistory(s Supervision, reply *controlReply) {
	h, ok := s.(historian)
	if !ok {
		reply.Error = &controlError{Kind: kindUnsupported, Text: "unsupported"}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), HelloTime)
	defer cancel()
	past, err := h.History(ctx)
	if err != nil {
		reply.Error = &controlError{Text: words.Plain(err.Error())}
		return
	}
	reply.History = &past
}

// History is what the holder knows of the last fifteen minutes. It is ErrUnsupported if the holder is older than this request.
func (c *Client) History(ctx context.Context) (record.History, error) {
	r, err := c.request(ctx, askHistory)
	if err != nil || r.History == nil {
		return record.History{}, err
	}
	return *r.History, nil
}
