package netasynctest

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// lane is one direction between two hosts, which the streams of their connections share. The network's
// lock guards it.
type lane struct {
	pace
	buffer   int // bytes that a stream holds
	cutAfter int // bytes to come before a connection is reset; or never
	random   *rand.Rand
	streams  map[*stream]bool // that have not ended
}

// pace is what says when bytes arrive.
type pace struct {
	latency, jitter time.Duration
	bandwidth       int  // bytes a second for each stream; 0: no bound
	down            bool // nothing passes
}

// never is a cutAfter that cuts nothing.
const never = -1

// stepsASecond is how often a second something arrives where there is a bandwidth.
const stepsASecond = 100

// step returns how many bytes arrive together.
func (l *lane) step() int {
	if l.bandwidth == 0 {
		return math.MaxInt
	}
	return max(1, l.bandwidth/stepsASecond)
}

// takes returns how long so many bytes take to pass.
func (l *lane) takes(n int) time.Duration {
	if l.bandwidth == 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(l.bandwidth)
}

// delay draws how long what has passed takes to arrive.
func (l *lane) delay() time.Duration {
	if l.jitter == 0 {
		return l.latency
	}
	return l.latency + time.Duration(l.random.Int64N(int64(l.jitter)))
}

// stream is one direction of a connection, from a writer to a reader. The network's lock guards it.
type stream struct {
	n    *Network
	lane *lane
	back *stream // the other direction

	moved   sync.Cond // readers and writers wait for it: something has changed
	writing bool      // a Write is at work: others wait for their turn
	readBy  deadline
	writeBy deadline

	wire    []segment // under way, in order
	arrived []byte    // and not read
	held    int       // bytes in both
	passed  time.Time // when the last segment has passed
	last    time.Time // when it arrives: nothing overtakes
	timer   *time.Timer

	writeErr  error // why writing fails
	readErr   error // why reading fails, when all that has arrived was read
	abandoned bool  // the reader has gone: what arrives is thrown away
	over      bool  // the writer has closed the connection, and that has arrived
}

// segment is some bytes, or an end.
type segment struct {
	p   []byte
	end ending
	at  time.Time // when it arrives
}

// ending is what the reader's side meets behind the last byte.
type ending struct {
	read  error
	write error // nil: it may go on to write
}

// write copies p to the wire, as there is room.
func (s *stream) write(p []byte) (n int, err error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	for s.writing {
		s.moved.Wait()
	}
	s.writing = true
	defer func() { s.writing = false; s.moved.Broadcast() }()
	for len(p) > 0 {
		room := min(len(p), s.lane.buffer-s.held)
		if s.lane.cutAfter > 0 {
			room = min(room, s.lane.cutAfter)
		}
		switch {
		case s.writeErr != nil:
			return n, s.writeErr
		case s.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		case s.lane.cutAfter == 0:
			s.cut()
		case room > 0:
			s.held += room
			s.put(bytes.Clone(p[:room]))
			s.advance()
			n, p = n+room, p[room:]
			if s.lane.cutAfter > 0 {
				if s.lane.cutAfter -= room; s.lane.cutAfter == 0 {
					s.cut()
				}
			}
		default:
			s.moved.Wait()
		}
	}
	return n, nil
}

// read returns what has arrived.
func (s *stream) read(p []byte) (int, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	for len(p) > 0 {
		switch {
		case s.readErr != nil && len(s.arrived) == 0:
			return 0, s.readErr
		case s.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(s.arrived) > 0:
			n := copy(p, s.arrived)
			s.arrived = s.arrived[n:]
			s.held -= n
			s.moved.Broadcast()
			return n, nil
		}
		s.moved.Wait()
	}
	return 0, nil
}

// put puts bytes on the wire, which has a schedule.
func (s *stream) put(p []byte) {
	for len(p) > 0 {
		n := min(len(p), s.lane.step())
		s.wire = append(s.wire, segment{p: p[:n], at: s.schedule(n)})
		p = p[n:]
	}
}

// schedule returns when bytes arrive that are put on the wire now.
func (s *stream) schedule(n int) time.Time {
	if now := time.Now(); s.passed.Before(now) {
		s.passed = now
	}
	s.passed = s.passed.Add(s.lane.takes(n))
	if at := s.passed.Add(s.lane.delay()); at.After(s.last) {
		s.last = at
	}
	return s.last
}

// reschedule starts what is under way anew, by what the lane now is.
func (s *stream) reschedule() {
	wire := s.wire
	s.wire, s.passed, s.last = nil, time.Time{}, time.Time{}
	for _, g := range wire {
		if g.end.read != nil {
			s.wire = append(s.wire, segment{end: g.end, at: s.schedule(0)})
		}
		s.put(g.p)
	}
	s.advance()
}

// advance lets arrive what is due, and comes back for the rest.
func (s *stream) advance() {
	now := time.Now()
	for len(s.wire) > 0 && !s.lane.down && !s.wire[0].at.After(now) {
		g := s.wire[0]
		s.wire = s.wire[1:]
		s.arrive(g)
	}
	s.moved.Broadcast()
	if len(s.wire) == 0 || s.lane.down {
		return
	}
	wait := s.wire[0].at.Sub(now)
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.wake)
		return
	}
	s.timer.Reset(wait)
}

// wake is what timers call.
func (s *stream) wake() {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.advance()
}

// arrive gives the reader a segment.
func (s *stream) arrive(g segment) {
	if s.abandoned {
		s.held -= len(g.p)
	} else {
		s.arrived = append(s.arrived, g.p...)
	}
	if g.end.read != nil && s.readErr == nil {
		s.readErr = g.end.read
	}
	if g.end.write == nil {
		return
	}
	s.over = true
	if s.back.writeErr == nil {
		s.back.writeErr = g.end.write
		s.back.moved.Broadcast()
	}
	if s.back.over {
		s.remove()
	}
}

// remove makes the lanes forget a connection.
func (s *stream) remove() {
	delete(s.lane.streams, s)
	delete(s.back.lane.streams, s.back)
}

// finish says that nothing more will be written, which arrives behind what was.
func (s *stream) finish(err error, e ending) {
	if !errors.Is(s.writeErr, net.ErrClosed) {
		s.writeErr = err
	}
	s.wire = append(s.wire, segment{end: e, at: s.schedule(0)})
	s.advance()
}

// abandon says that nobody will read any more.
func (s *stream) abandon(err error) {
	if !errors.Is(s.readErr, net.ErrClosed) {
		s.readErr = err
	}
	s.held -= len(s.arrived)
	s.arrived, s.abandoned = nil, true
	s.moved.Broadcast()
}

// cut resets the connection behind the last byte that was written: the writer's side at once, the
// reader's when that has arrived.
func (s *stream) cut() {
	s.lane.cutAfter = never
	s.back.abandon(syscall.ECONNRESET)
	s.finish(syscall.ECONNRESET, ending{syscall.ECONNRESET, syscall.ECONNRESET})
}

// reset ends both directions at once. What is under way, or was not read, is lost.
func (s *stream) reset(err error) {
	for _, d := range []*stream{s, s.back} {
		d.abandon(err)
		if !errors.Is(d.writeErr, net.ErrClosed) {
			d.writeErr = err
		}
		d.wire, d.held = nil, 0
	}
	s.remove()
}
