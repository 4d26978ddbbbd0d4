package session

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/codec"
)

// Conn is one connection of a session, from attach to its end: all that belongs to it and to no
// other. What a connection brings when it is over is late, and is told by Session.conn, or
// inbox.conn, being another one.
//
// The engine calls its methods. Those that say so are for the one goroutine that reads.
type Conn struct {
	s      *Session
	link   Link
	epoch  uint64
	ticker Ticker // of its ticks
	flush  func() // Session.flush, which may block; a closure each time would be an allocation

	lastRead  atomic.Int64 // nanoseconds since Config.Start, as all instants here
	lastWrite atomic.Int64
	heard     atomic.Bool // a frame has arrived: the connection has proved itself

	due      int64 // when the next tick is due. It is Tick's own
	pardoned bool  // the last tick was late, and the peer got more time. It is Tick's own

	dec codec.Decoder // the reader's own

	writeErr  error // why nothing can be written any more. Session.mu guards it
	writeFail int64 // since when. Session.mu guards it

	held      bool // the reader waits for the consumer. inbox.mu guards it
	draining  bool // the reader may pass the bounds, to find the end. inbox.mu guards it
	drainLeft int  // for so many bytes. inbox.mu guards it
}

// assembling is memory for payloads that are too large for one read. Inline callbacks get it as
// it is, since they do not keep it. Others get a copy, which is cheaper than to let it grow, and
// to clear it, for every payload.
var assembling codec.Buffers

func newConn(s *Session, link Link) *Conn {
	c := &Conn{s: s, link: link, dec: codec.NewDecoder(s.cfg.Format, s.cfg.MaxPayload)}
	c.dec.Reuse(&assembling)
	c.flush = func() { s.flush(c, true) }
	return c
}

// attach is Driver.Attach.
func (s *Session) attach(link Link) *Conn {
	local, remote := link.Addrs()
	c := newConn(s, link)
	s.mu.Lock()
	if !s.attachable() {
		s.mu.Unlock()
		return nil
	}
	s.epoch++
	c.epoch = s.epoch
	opened := s.now()
	c.lastRead.Store(opened)
	c.lastWrite.Store(opened)
	s.to(StateConnected)
	s.conn, s.cause = c, nil
	s.local, s.remote = local, remote
	s.noteConnected()
	s.in.begin(c)
	c.due = after(opened, int64(s.cfg.HeartbeatPeriod))
	c.ticker = s.cfg.Host.Tick(c, time.Now().Add(s.cfg.HeartbeatPeriod))
	if !s.cfg.Inline { // else Start runs the callback, where those of its messages will run
		s.dispatch()
	}
	greets := s.cfg.Greets && s.dial == nil
	s.settle()
	if greets {
		s.heartbeat(c)
	}
	return c
}

// detach takes the current connection away, for the given reason. The caller holds mu, and settles.
func (s *Session) detach(err error) {
	c := s.conn
	s.conn = nil
	s.proven = c.heard.Load()
	c.ticker.Stop()
	s.in.stop()
	if s.phase == goodbye && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		err = nil // the peer answers our goodbye
	}
	if !s.abort {
		s.cause = err
	}
	if err != nil || s.proven {
		s.failed = err
	}
}

// lost says that a connection has ended; nil means that it ended as planned. Only the first call
// for the current connection counts. It closes the link.
func (s *Session) lost(c *Conn, err error) {
	s.mu.Lock()
	if s.conn == c {
		s.detach(err)
	}
	s.settle()
	c.link.Close()
}

// End says that the link has ended: io.EOF if the peer closed it. An end within a frame is
// io.ErrUnexpectedEOF, never a clean one. It is for the reader.
func (c *Conn) End(err error) {
	if errors.Is(err, io.EOF) {
		err = io.EOF
		if !c.dec.Idle() {
			err = io.ErrUnexpectedEOF
		}
	}
	c.s.lost(c, err)
}

// CaughtUp reports whether the user has taken all that was received, and the peer what was sent,
// so that an event loop could serve the session again.
func (c *Conn) CaughtUp() bool {
	if !c.s.in.caughtUp() {
		return false
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.hasRoom()
}

// HoldWriting takes the right to write for a link that is about to move. It fails while the right
// is taken. ReleaseWriting gives it back.
func (c *Conn) HoldWriting() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.takeWriting(c)
}

// ReleaseWriting has written what was queued since HoldWriting, by a goroutine.
func (c *Conn) ReleaseWriting() { go c.flush() }
