package keeper

import (
	"context"
	"errors"
	"fmt"
	"log"
)

// handle does what a client says. It runs in the loop.
func (s *server) handle(r request) {
	if r.from != s.client {
		return
	}
	if r.err != nil {
		log.Printf("client %d: %v", r.from.pid, r.err)
		s.detach()
		return
	}
	if r.ID == 0 { // no request: hello, goodbye, or what a newer app has to say
		r.from.parting = r.from.parting || r.Type == typeGoodbye
		return
	}
	answer := message{Type: typeOK, ID: r.ID}
	var err error
	switch r.Type {
	case typeSpawn:
		if err = s.spawn(r); err == nil {
			return // answered by started
		}
	case typeStop:
		err = s.halt(r.RunID, r.Ladder)
	case typeForget:
		err = s.forget(r.RunID)
	default:
		answer.Type = typeUnsupported
	}
	if err != nil {
		answer.Type, answer.Error = typeError, toWire(err)
	}
	r.from.send(answer)
}

func (s *server) spawn(r request) error {
	switch {
	case s.leaving:
		return ErrLeaving
	case s.run != nil || s.spawning || s.waiting != nil:
		return ErrRunning
	case s.exit != nil:
		return ErrUnforgotten
	case r.Spec == nil:
		return &SpawnError{Err: errors.New("there is no spec")}
	case s.stop != nil || s.clearing: // processes that are being ended are told by being our children: a new run must wait
		s.waiting = &r
		return nil
	}
	s.spawning = true
	go func() {
		c, err := s.spawner.spawn(context.Background(), *r.Spec)
		s.spawned <- spawnResult{client: r.from, id: r.ID, child: c, err: err}
	}()
	return nil
}

func (s *server) spawnWaiting() {
	r := s.waiting
	if r == nil {
		return
	}
	s.waiting = nil
	if err := s.spawn(*r); err != nil {
		r.from.send(message{Type: typeError, ID: r.ID, Error: toWire(err)})
	}
}

func (s *server) started(r spawnResult) {
	s.spawning = false
	answer := message{Type: typeOK, ID: r.id}
	if r.err != nil {
		log.Print(r.err)
		answer.Type, answer.Error = typeError, toWire(r.err)
	} else {
		s.run = r.child
		s.probed.Store(r.child)
		answer.Run = &r.child.run
		s.stopToLeave()
	}
	if s.client == r.client {
		s.client.send(answer)
	}
	s.inherit()
}

// halt starts the stop sequence, or skips the grace if it has started.
func (s *server) halt(run string, l *Ladder) error {
	if l == nil {
		l = new(Ladder)
	}
	switch {
	case s.stop != nil && s.stop.run == run:
		if l.Grace == 0 && s.stop.hurry != nil {
			close(s.stop.hurry)
			s.stop.hurry = nil
		}
	case s.run != nil && s.run.run.ID == run:
		s.climb(s.run.run, *l)
	case s.exit != nil && s.exit.run.ID == run && s.stop == nil: // ended already: what is left of it
		s.climb(s.exit.run, *l)
	default:
		return fmt.Errorf("%w: %s", ErrUnknownRun, run)
	}
	return nil
}

func (s *server) climb(r Run, l Ladder) {
	if s.stop != nil {
		return
	}
	if s.run != nil {
		s.run.asked.Store(true)
	}
	hurry := make(chan struct{})
	s.stop = &stopping{run: r.ID, hurry: hurry}
	k := s.spawner.descendantsOf(r)
	go func() { s.stopped <- l.climb(context.Background(), k, hurry) }()
}

func (s *server) forget(run string) error {
	if s.exit == nil || !s.exit.told || s.exit.run.ID != run {
		return fmt.Errorf("%w: %s", ErrUnknownRun, run)
	}
	if err := s.spawner.records.forget(s.exit.run); err != nil {
		return err
	}
	s.exit = nil
	return nil
}

// announce tells of the exit: at once, but after a stop only when nobody is left.
func (s *server) announce() {
	if s.exit == nil || s.exit.told || s.stop != nil {
		return
	}
	s.exit.told = true
	if s.client != nil {
		s.client.send(message{Type: typeExit, Exit: s.exit.bytes})
	}
}
