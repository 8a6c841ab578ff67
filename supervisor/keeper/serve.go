package keeper

import (
	"context"
	"errors"
	"log"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// idleTime is how long a keeper without child and client stays.
const idleTime = 10 * time.Second

// tidyTime after the last thing that happened the garbage of it is given back: the next thing may be days away.
const tidyTime = 2 * time.Second

// server is the keeper's loop. Its fields belong to the goroutine of run alone; whatever blocks runs elsewhere and comes back
// through a channel.
type server struct {
	presence *presence
	spawner  *spawner
	idle     time.Duration

	run        *child                // under way, nil if none
	probed     atomic.Pointer[child] // the latest, for whoever hears of its probes
	exit       *pendingExit          // of the last run, until it is forgotten
	spawning   bool
	waiting    *request  // a spawn that waits for the end of a ladder
	stop       *stopping // a ladder that is being climbed
	clearing   bool      // the remains of the last run are being ended, before leaving
	leaving    bool      // asked to by a signal
	client     *client
	nextClient *client // attached when everything that the client said before it died was heard

	accepted chan *client
	requests chan request
	spawned  chan spawnResult
	died     chan pendingExit
	stopped  chan error
	cleared  chan error
	removed  chan struct{} // something of the presence may have been
}

// pendingExit is an exit that nobody has recorded yet.
type pendingExit struct {
	run   Run
	bytes []byte
	told  bool
}

type request struct {
	from *client
	message
	err error // the connection ended
}

type spawnResult struct {
	client *client
	id     uint64
	child  *child
	err    error
}

type stopping struct {
	run   string
	hurry chan struct{} // closed to cut the grace short
}

// serve is the keeper process, until ctx ends or nobody has needed it for the idle time. It owns the whole process: every child is reaped
// by it.
func serve(ctx context.Context, p *presence, idle time.Duration) error {
	s := &server{
		presence: p, idle: idle, removed: make(chan struct{}),
		accepted: make(chan *client), requests: make(chan request), spawned: make(chan spawnResult, 1),
		died: make(chan pendingExit, 1), stopped: make(chan error, 1), cleared: make(chan error, 1),
	}
	ended := func(_ *child, e Exit, b []byte) { s.died <- pendingExit{run: e.Run, bytes: b} }
	spawner, err := newSpawner(p.dir, ended, log.Printf)
	if err != nil {
		return err
	}
	s.spawner = spawner
	if news := spawner.records.news(); news != nil {
		s.exit = &pendingExit{run: news.Run, bytes: encodeExit(*news), told: true}
	}
	go spawner.reaper.run()
	go s.accept(p.ln)
	go s.watch()
	return s.loop(ctx)
}

func (s *server) loop(ctx context.Context) error {
	idle := time.NewTimer(s.idle)
	defer idle.Stop()
	tidy := time.NewTimer(tidyTime)
	defer tidy.Stop()
	asked := ctx.Done()
	for {
		select {
		case <-tidy.C:
			go debug.FreeOSMemory()
			continue
		case c := <-s.accepted:
			s.attach(c)
		case r := <-s.requests:
			s.handle(r)
		case r := <-s.spawned:
			s.started(r)
		case e := <-s.died:
			if s.spawning { // it died at once: its start is told first
				s.started(<-s.spawned)
			}
			s.run, s.exit = nil, &e
			s.announce()
		case err := <-s.stopped:
			s.stop = nil
			problem("stopping", err)
			s.announce()
			s.spawnWaiting()
		case err := <-s.cleared:
			s.clearing = false
			problem("ending the remains", err)
			if s.unneeded() {
				s.sendLastWords()
				return nil
			}
			s.spawnWaiting()
		case <-s.removed:
			s.restore()
		case <-idle.C:
			s.leave()
		case <-asked:
			asked, s.leaving = nil, true
			s.stopToLeave()
		}
		tidy.Reset(tidyTime)
		if !s.unneeded() || s.clearing {
			idle.Stop()
		} else if s.leaving || s.client != nil && s.client.parting {
			s.leave()
		} else {
			idle.Reset(s.idle)
		}
	}
}

// stopToLeave stops the run after a SIGTERM, as gently as a person would.
func (s *server) stopToLeave() {
	if s.leaving && s.run != nil {
		s.climb(s.run.run, Ladder{Grace: 10 * time.Second})
	}
}

// sendLastWords lets the client have what was said last.
func (s *server) sendLastWords() {
	if s.client != nil {
		s.client.flush(time.Second)
	}
}

func problem(doing string, err error) {
	if err != nil {
		log.Printf("%s: %v", doing, err)
	}
}

// unneeded: there is no child and no client, nor are they about to be. A client that said goodbye waits for the end, and is none.
func (s *server) unneeded() bool {
	alone := s.nextClient == nil && (s.client == nil || s.client.parting)
	return s.run == nil && !s.spawning && s.waiting == nil && s.stop == nil && (alone || s.leaving)
}

// leave ends the remains of the last run, and then the loop. They could not write any more without us.
func (s *server) leave() {
	if !s.unneeded() || s.clearing {
		return
	}
	s.clearing = true
	go func() { s.cleared <- s.spawner.clear(context.Background()) }()
}

// accept takes connections of this user.
func (s *server) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, or a client that went away meanwhile
			log.Printf("accepting: %v", err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		u := conn.(*net.UnixConn)
		uid, pid, err := peer(u)
		if err != nil || uid != os.Getuid() {
			log.Printf("refused a connection of user %d: %v", uid, err)
			u.Close()
			continue
		}
		s.accepted <- newClient(u, pid)
	}
}

// attach makes c the client, unless there is one. One that has hung up is still there until all it said is read; a next client that
// has hung up has not said anything yet.
func (s *server) attach(c *client) {
	if s.client != nil && s.client.parting { // whoever comes meanwhile needs us
		s.detach()
	}
	switch {
	case s.client != nil && !s.client.gone():
		c.refuse(s.client.pid)
	case s.nextClient == nil || s.nextClient.gone():
		if s.nextClient != nil {
			s.nextClient.close()
		}
		s.nextClient = c
		s.inherit()
	default:
		c.refuse(s.nextClient.pid)
	}
}

// inherit greets who waits to be the client: not before the one before it is heard out, and not in the middle of a start, so
// that its hello tells of the run, or that there is none.
func (s *server) inherit() {
	if c := s.nextClient; c != nil && s.client == nil && !s.spawning {
		s.nextClient = nil
		s.greet(c)
	}
}

// detach lets the client go. A start that it asked for and that has not begun is no longer wanted; one that has goes on.
func (s *server) detach() {
	s.client.close()
	s.client, s.waiting = nil, nil
	s.inherit()
}

func (s *server) greet(c *client) {
	s.client = c
	hello := message{Type: typeHello, Proto: proto, Version: Version, PID: os.Getpid(), Stopping: s.stop != nil, Goodbye: true}
	if s.run != nil {
		hello.Run = &s.run.run
	}
	if s.exit != nil && s.exit.told {
		hello.Exit = s.exit.bytes
	} else if s.exit != nil { // still being stopped
		hello.Run = &s.exit.run
	}
	c.send(hello)
	go c.write()
	go c.read(s.requests, s.probing)
}

// probing is told of a health probe by the reader of a connection.
func (s *server) probing(run string, port int) {
	if c := s.probed.Load(); c != nil && c.run.ID == run {
		c.pump.probes.expect(port)
	}
}
