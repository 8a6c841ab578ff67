package control

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/observation"
)

// stacksTime is how long a look at a run may take, and mostStacks how many bytes of a line it may fill.
const (
	stacksTime = 10 * time.Second
	mostStacks = maxLine * 3 / 4
)

// answerStacks looks at the run. Other requests of the client are answered meanwhile.
func (c *controlClient) answerStacks(s Supervision, id uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), stacksTime)
	defer cancel()
	go func() { // nobody looks for a client that has left
		select {
		case <-c.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	reply := controlReply{ID: id}
	if o, ok := s.(Observer); ok {
		seen, err := o.Stacks(ctx)
		if err != nil {
			reply.Error = &controlError{Text: err.Error()}
		} else {
			seen = bounded(seen, mostStacks)
			reply.Stacks = &seen
		}
	} else {
		reply.Error = &controlError{Kind: kindUnsupported, Text: "unsupported"}
	}
	c.held.mu.Lock()
	defer c.held.mu.Unlock()
	c.send(encode(reply))
}

// bounded leaves out threads, the last ones first, until the observation fits into so many bytes. What is left out is counted.
func bounded(o observation.Observation, most int) observation.Observation {
	for {
		text, err := json.Marshal(o)
		if err != nil || len(text) <= most {
			return o
		}
		largest := 0
		o.Processes = append([]observation.Process(nil), o.Processes...)
		for i, p := range o.Processes {
			if len(p.Threads)+len(p.Tasks) > len(o.Processes[largest].Threads)+len(o.Processes[largest].Tasks) {
				largest = i
			}
		}
		p := &o.Processes[largest]
		if len(p.Threads)+len(p.Tasks) == 0 {
			return observation.Observation{At: o.At, Run: o.Run, PID: o.PID, Stall: o.Stall}
		}
		p.Tasks = p.Tasks[:len(p.Tasks)/2]
		half := len(p.Threads) / 2
		for _, t := range p.Threads[half:] {
			p.Cut += max(1, t.Count)
		}
		p.Threads = p.Threads[:half]
	}
}

// Stacks says what the run does now.
func (c *Client) Stacks(ctx context.Context) (observation.Observation, error) {
	r, err := c.request(ctx, askStacks)
	if err != nil {
		return observation.Observation{}, err
	}
	if r.Stacks == nil {
		return observation.Observation{}, errors.New("the answer has no stacks")
	}
	return *r.Stacks, nil
}

// Stacks asks the holder.
func (r *Remote) Stacks(ctx context.Context) (observation.Observation, error) {
	return r.client.Stacks(ctx)
}
