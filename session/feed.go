package session

import (
	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/recycle"
)

// The small messages of one read share memory: one allocation and one copy for many. What belongs
// to the user may be kept, and then keeps its block: a few bytes a small one. What is lent to
// callbacks is not kept, and Send copies it if it is small.
var (
	smallRun  = codec.Limits{Bytes: 4 << 10, Largest: 1 << 10}
	mediumRun = codec.Limits{Bytes: 16 << 10, Smallest: 256, Largest: 4 << 10}
	lentRun   = codec.Limits{Bytes: maxLent, Largest: copyLimit}
)

// Feed takes bytes as they come and does not keep p. It returns those that found no room: they
// are to be fed again after Wait. leave says that the session is no longer one for an event loop,
// because its user is slower than its peer. After an error the link is to be ended with it. Bytes
// of a connection that is over are thrown away.
//
// onLoop says that the caller is an event loop, which must not block. Feed is for the reader.
func (c *Conn) Feed(p []byte, onLoop bool) (rest []byte, leave bool, err error) {
	now := c.s.now()
	c.lastRead.Store(now)
	c.listen(p, now)
	if c.trial {
		if !c.dec.Completes(p) {
			_, _, _, err = c.decode(p)
			return nil, false, err
		}
		c.passTrial(onLoop)
	}
	if c.s.cfg.Inline {
		rest, leave, err = c.feedInline(p, onLoop)
	} else {
		rest, err = c.feedQueue(p)
		leave = len(rest) > 0
	}
	if c.acks != nil {
		c.acknowledgeRead(len(p) - len(rest))
	}
	return rest, leave, err
}

// passTrial begins the connection, since its peer was heard.
func (c *Conn) passTrial(onLoop bool) {
	s := c.s
	c.trial = false
	c.prove()
	local, remote := c.link.Addrs()
	s.mu.Lock()
	if s.conn == c && s.trial() {
		s.begin(c, local, remote)
	}
	s.settle()
	c.Start(onLoop)
}

// Wait blocks until Feed may find room again, or the connection is over. It is for the reader.
func (c *Conn) Wait() {
	if c.acks != nil {
		c.searchIfHeld()
	}
	c.s.in.wait(c)
	c.resume()
}

// hold begins a time in which we do not read.
func (c *Conn) hold() {
	in := c.s.in
	in.mu.Lock()
	defer in.mu.Unlock()
	c.held = true
}

// resume ends a time in which we did not read: first the silence is forgiven, then we count as
// reading. Tick looks at these two in the other order. The frame under way is not slow for it,
// either. It is for the reader.
func (c *Conn) resume() {
	in := c.s.in
	in.mu.Lock()
	defer in.mu.Unlock()
	now := c.s.now()
	c.movePaid(now, now-c.lastRead.Load())
	c.rhythm.paused(now)
	c.lastRead.Store(now)
	if c.acks != nil {
		c.acks.heard.Store(now)
	}
	c.held = false
}

// feedQueue moves messages into the inbox while there is room.
func (c *Conn) feedQueue(p []byte) (rest []byte, err error) {
	free, current := c.s.in.space(c)
	for len(p) > 0 && (free.messages > 0 || c.controlNext(p)) && current && err == nil {
		p, free, current, err = c.next(p, free)
	}
	c.s.noteDrops()
	c.s.dispatch()
	if !current {
		c.letGo()
		return nil, nil
	}
	return p, err
}

// next queues what comes first in p: a run of small messages, or one message, or a part of one. It
// skips a run of heartbeats.
// It returns what is behind it, the space that is left, and whether the connection is current.
func (c *Conn) next(p []byte, free space) (rest []byte, left space, current bool, err error) {
	in := c.s.in
	if c.acks != nil && c.acks.escaped {
		rest, err = c.readControl(p)
		return rest, free, true, err
	}
	if run := c.lookAhead(p, free); run.Frames > 0 {
		c.prove()
		it := item{epoch: c.epoch, run: c.s.keepRun(run)}
		left, current = in.accept(c, &it, run.Payload)
		return p[len(run.Bytes):], left, current, nil
	}
	if n := c.heartbeats(p); n > 0 { // a peer may send many of them
		c.prove()
		return p[n:], free, true, nil
	}
	f, n, complete, err := c.decode(p)
	if err != nil || !complete {
		return nil, free, true, err
	}
	c.prove()
	if len(f.Payload) == 0 { // its header came in pieces
		c.escape()
		return p[n:], free, true, nil
	}
	it := item{epoch: c.epoch, run: run{data: keepPayload(f)}}
	left, current = in.accept(c, &it, len(f.Payload))
	return p[n:], left, current, nil
}

// lookAhead returns the run at the beginning of p that is to share memory.
func (c *Conn) lookAhead(p []byte, free space) codec.Run {
	within := func(limits codec.Limits) codec.Run {
		limits.Frames, limits.Payload = free.messages, free.bytes
		return c.dec.Run(p, limits)
	}
	if c.s.lends() {
		return within(lentRun)
	}
	if c.s.cfg.ReadBuffer.Policy == PolicyFixed { // others keep messages one by one
		if run := within(mediumRun); len(run.Bytes) > smallRun.Bytes {
			return run
		}
	}
	return within(smallRun)
}

// keepPayload returns the payload of a frame in memory that the user may keep.
func keepPayload(f codec.Frame) []byte {
	if f.Borrowed {
		return recycle.Clone(f.Payload)
	}
	if !assembling.Keeps(f.Payload) {
		return f.Payload
	}
	payload := recycle.Clone(f.Payload)
	assembling.Put(f.Payload)
	return payload
}

// prove notes that the peer speaks our framing.
func (c *Conn) prove() {
	if !c.heard.Load() {
		c.proved()
	}
}

// proved is what follows from the first frame.
func (c *Conn) proved() {
	c.heard.Store(true)
	s := c.s
	if s.journal == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == c {
		s.noteProven()
	}
}
