package session

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
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
	tls    *tls.ConnectionState

	lastRead  atomic.Int64 // nanoseconds since Config.Start, as all instants here
	lastWrite atomic.Int64
	acks      *acks        // nil without Resume
	heard     atomic.Bool  // a frame has arrived: the connection has proved itself
	beat      atomic.Int64 // how long nothing is written before a heartbeat is. The reader sets it

	due      int64 // when the next tick is due. It is Tick's own
	pardoned bool  // the last tick was late, and the peer got more time. It is Tick's own

	trial bool  // the connection has not begun: see Config.AwaitPeer. The reader's own
	stall stall // of what we write. It is Tick's own

	dec    codec.Decoder // the reader's own
	rhythm rhythm        // of the peer's heartbeats. It is the reader's own
	paid   atomic.Int64  // how far the frame under way has kept pace, see pace.go
	share  atomic.Int64  // of the Assembly: what the frame holds, or condemned
	member bool          // of the Assembly. The reader's own
	spared bool          // the last tick was late, and the frame got more time. It is Tick's own

	writeErr  error         // why nothing can be written any more. Session.mu guards it
	writeFail int64         // since when. Session.mu guards it
	letRead   int64         // when a callback last ended that held the reader up since. Session.mu guards it
	passes    chan struct{} // closed when a callback that waits may pass; made by that. Session.mu guards it

	finished   bool   // the peer has ended the stream, and may still read. Session.mu guards it
	busy       int64  // when the user was last seen to have anything to do. Session.mu guards it
	sentBefore uint64 // counters.sent at that time. Session.mu guards it

	held      bool // the reader waits for the consumer. inbox.mu guards it
	draining  bool // the reader may pass the bounds, to find the end. inbox.mu guards it
	drainLeft int  // for so many bytes. inbox.mu guards it
	searching bool // it may, to find acknowledgements. inbox.mu guards it
}

// assembling is memory for payloads that are too large for one read. Inline callbacks get it as
// it is, since they do not keep it. Others get a copy, which is cheaper than to let it grow, and
// to clear it, for every payload.
var assembling codec.Buffers

func newConn(s *Session, link Link) *Conn {
	c := &Conn{s: s, link: link, tls: link.TLS(), dec: codec.NewDecoder(s.cfg.Format, s.cfg.MaxPayload)}
	c.dec.Reuse(&assembling)
	c.flush = func() { s.flush(c, true) }
	if s.resume != nil {
		c.acks = new(acks)
	}
	return c
}

// attach is Driver.Attach.
func (s *Session) attach(link Link, number uint64) *Conn {
	c := newConn(s, link)
	local, remote := link.Addrs()
	s.mu.Lock()
	if !s.attachable() || number != 0 && number != s.resume.number {
		s.mu.Unlock()
		return nil
	}
	opened := s.now()
	c.lastRead.Store(opened)
	c.lastWrite.Store(opened)
	c.beat.Store(int64(s.cfg.HeartbeatPeriod))
	c.rhythm.read, c.stall.looked = opened, opened
	first := s.cfg.HeartbeatPeriod
	if look := s.cfg.look(); look > 0 {
		first = min(first, time.Duration(look))
	}
	c.due = after(opened, int64(first))
	c.ticker = s.cfg.Host.Tick(c, time.Now().Add(first))
	s.conn = c
	if c.trial = s.cfg.AwaitPeer && s.dialed(); !c.trial {
		s.begin(c, local, remote)
	}
	greets := s.cfg.Greets && !s.dialed()
	s.settle()
	if greets {
		s.heartbeat(c)
	}
	return c
}

// begin begins the current connection, which has the given addresses, as far as the user is
// concerned. The caller holds mu, and settles.
func (s *Session) begin(c *Conn, local, remote net.Addr) {
	s.epoch++
	c.epoch = s.epoch
	s.to(StateConnected)
	s.cause = nil
	s.local, s.remote = local, remote
	s.noteConnected()
	s.tls = c.tls
	ev := Event{Kind: Connected, Epoch: c.epoch}
	if s.resume != nil {
		s.beginResumable(c, &ev)
	}
	s.record(&ev)
	s.in.begin(c, ev)
	s.tellConnected()
	if s.cfg.Hello != nil && (s.resume == nil || !s.resume.greeted) {
		s.writing = true
		go c.sayHello()
	}
	if !s.cfg.Inline { // else Start runs the callback, where those of its messages will run
		s.dispatch()
	}
}

// endTrial takes a trial away, which is a failed attempt to connect. The caller holds mu, and
// settles.
func (s *Session) endTrial(err error) {
	s.conn.ticker.Stop()
	s.conn = nil
	if s.dialable() {
		s.attemptFailed(err)
		s.dial.Redial(false, err)
	}
}

// detach takes the current connection away, for the given reason. The caller holds mu, and settles.
func (s *Session) detach(err error) {
	c := s.conn
	s.conn = nil
	s.proven = c.heard.Load()
	c.ticker.Stop()
	s.in.stop()
	err = c.endOfStream(err)
	reason := reasonOf(err)
	if s.resume != nil {
		err = s.endResumable(c, err)
	}
	answered := c.acks != nil && c.acks.byeHeard
	if s.resume == nil || !s.resume.owesBye { // else the session is not over
		answered = answered || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	}
	if !c.finished && s.saidGoodbye(c) && answered {
		err, reason = nil, ReasonShutdown // the peer answers our goodbye, or has done so
	}
	if s.abort {
		reason = ReasonShutdown
	} else {
		s.cause = err
	}
	if s.state == StateConnected { // else a trial, which was no connection yet
		s.cfg.Group.disconnected(reason)
	}
	if err != nil || s.proven {
		s.failed = err
	}
}

// saidGoodbye reports whether the peer of a connection knows, or is about to learn, that we end it.
// The caller holds mu.
func (s *Session) saidGoodbye(c *Conn) bool {
	return s.phase == goodbye || c.acks != nil && c.acks.byeSaid && s.out.kept.messages == 0
}

// lost says that a connection has ended; nil means that it ended as planned. Only the first call
// for the current connection counts. It closes the link.
func (s *Session) lost(c *Conn, err error) {
	s.mu.Lock()
	switch {
	case s.conn != c:
	case s.trial():
		s.endTrial(err)
	default:
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
	c.letGo()
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
