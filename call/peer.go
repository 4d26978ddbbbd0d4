package call

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/netasync/netasync/session"
)

// Peer makes calls by one session, and answers those of the other end. It owns the session's events. All
// methods are safe for concurrent use.
type Peer struct {
	driver   session.Driver
	caller   *caller
	server   *server
	err      error  // why it is of no use: an option
	rejected uint64 // epoch of a connection that is read no further. The reader's own
}

// New makes a Peer of a session that is used for nothing else from then on, and begins to read it. It ends
// with the session.
//
// If an option is bad, or the session cannot be used, then Call and Serve return an error that says so, and
// the session is not touched: one that may drop messages, has OnEvent, or a MaxPayload below 26 bytes.
func New(s *session.Session, o Options) *Peer {
	p := &Peer{driver: session.Drive(s)}
	switch o, p.err = o.resolve(); {
	case p.err != nil:
	case p.driver.CallsBack():
		p.err = session.ErrCallbacks
	case p.driver.Lossy():
		p.err = errLossy
	case p.driver.Resumes() && p.driver.Refuses():
		p.err = errRefuses
	case p.driver.MaxPayload() < atRequest:
		p.err = errTooSmall
	default:
		c, self := &control{s: s}, number()
		p.caller, p.server = newCaller(p.driver, c, self, o), newServer(s, c, self, o)
		go p.read()
	}
	return p
}

// number returns one that no other Peer has, here or elsewhere.
func number() uint64 {
	var p [8]byte
	_, _ = rand.Read(p[:]) // never fails
	return binary.BigEndian.Uint64(p[:])
}

// Call sends a request, and waits for the reply, which belongs to the caller. The request is copied; it and
// the reply may be empty. ctx's deadline and its end are carried over to the handler. What errors say is
// told in the package comment: without ErrLost and without a *RemoteError, the request was not executed.
//
// It waits while MaxCalls others are on their way, while the session's WriteBuffer is full, and, unless
// FailFast is set, for a connection.
func (p *Peer) Call(ctx context.Context, request []byte) (reply []byte, err error) {
	if p.err != nil {
		return nil, p.err
	}
	return p.caller.call(ctx, request)
}

// Serve answers the peer's requests until ctx ends or the session closes. Each has a goroutine, up to
// MaxHandlers, and replies go out in any order. It returns when all handlers have returned, and their
// replies are queued: with ctx's error; with nil if the session was closed at this end, without an
// error; else with an ErrClosed that wraps Closed's Err.
//
// Requests that come before the first Serve wait for it. Those that come when none serves any more are
// refused, with ErrNotServed. One Serve at a time: a second gets ErrServing, until the first one's ctx has
// ended.
func (p *Peer) Serve(ctx context.Context, handle Handler) error {
	if p.err != nil {
		return p.err
	}
	return p.server.serve(ctx, handle)
}

// Close closes the session, and returns at once: what is queued is flushed, as by the session's own Close.
// Then calls end that have no reply, and so do the contexts of handlers, whose replies are lost: wait for
// those that matter before. It always returns nil.
func (p *Peer) Close() error { return p.driver.Session().Close() }

// read takes the session's events, until it has closed. It never waits for anything else.
func (p *Peer) read() {
	last := session.Event{Kind: session.Closed}
	for ev := range p.driver.Session().Events(context.Background()) {
		switch {
		case ev.Kind != session.Message:
			last = ev
			p.changed(&ev)
		case ev.Epoch != p.rejected:
			if err := p.got(ev.Payload); err != nil {
				p.rejected = ev.Epoch
				p.driver.Reject(ev.Epoch, fmt.Errorf("%w: %w", ErrProtocol, err))
			}
		}
	}
	p.closed(last.Err)
}

// got takes a frame of the peer's.
func (p *Peer) got(message []byte) error {
	f, err := parse(message)
	if err != nil {
		return err
	}
	switch f.kind {
	case kindRequest:
		return p.server.requested(&f)
	case kindReply, kindFailure:
		return p.caller.answered(&f)
	case kindCancel:
		return p.server.canceled(f.id)
	}
	return nil
}

// changed takes a lifecycle event.
func (p *Peer) changed(ev *session.Event) {
	switch {
	case ev.Kind == session.Closed:
		return // closed sees to all
	case ev.Kind == session.Connected && ev.Resumed, ev.Kind == session.Disconnected && p.driver.Resumes():
		// All goes on.
	default:
		p.beginAnew(ev)
	}
	p.caller.connected(ev.Kind == session.Connected)
}

// beginAnew ends what belongs to a peer that is gone. If a later connection is over, too, its events will
// tell what was sent up to its end.
func (p *Peer) beginAnew(ev *session.Event) {
	p.server.abandon()
	p.caller.returned(ev.Unsent, session.ErrNotConnected)
	cause := ev.Err
	if cause == nil {
		cause = errOtherPeer
	}
	epoch, gone := p.driver.Gone()
	if epoch < ev.Epoch || epoch == ev.Epoch && ev.Kind == session.Disconnected {
		p.caller.lose(gone, cause, errors.Is(cause, session.ErrUndeliverable))
	}
	p.caller.forget()
}

// closed ends everything.
func (p *Peer) closed(cause error) {
	err := closedError(cause)
	_, gone := p.driver.Gone()
	p.caller.lose(gone, err, false)
	p.caller.finish(err)
	if cause == nil {
		err = nil
	}
	p.server.finish(err)
}

// closedError is what answers those who need a session that has closed.
func closedError(cause error) error {
	if cause == nil {
		return session.ErrClosed
	}
	return fmt.Errorf("%w: %w", session.ErrClosed, cause)
}
