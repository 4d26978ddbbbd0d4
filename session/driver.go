package session

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/netasync/netasync/internal/resume"
)

// This is all that a session and the engine around it know of each other: a session sees a
// [Host], a [Redialer] and a [Link], the engine sees a [Driver] and a [Conn]. None of it is for
// users of the library. What package broadcast sees of a session is a [Member].

// Host is what a session needs of the engine that it lives in. Its methods do not block and call
// no session before they return. Dispatch and Tick are called with the session's lock held.
type Host interface {
	// Dispatch has d.RunCallbacks called soon, on a goroutine that may block.
	Dispatch(d Driver)
	// Tick has c.Tick called at the given instant, and then at each instant that it returns.
	Tick(c *Conn, at time.Time) Ticker
	// Forget is called once, without a lock, when the session has closed.
	Forget(d Driver)
}

// Ticker is what Host.Tick has arranged. The session's lock is held when Stop is called.
type Ticker interface {
	// Sooner has the next tick come at the given instant, if that is earlier than what was
	// arranged. If a tick is under way, it counts for the one after it. It may be called at any
	// time, and does nothing after Stop.
	Sooner(at time.Time)
	// Stop ends the ticks: none begins from now on. It may be called during a tick.
	Stop()
}

// Redialer brings a dialed session back after its connection was lost. Its methods do not block
// and do not call the session. They may be called with the session's lock held.
type Redialer interface {
	// Redial starts to connect again. proven says that a frame had arrived on the last
	// connection, be it a heartbeat; cause says why it was lost.
	Redial(proven bool, cause error)
	// Kick cuts the current back-off short.
	Kick()
	// Stop gives up connecting, for good.
	Stop()
}

// Link is one connection of a session, whatever carries it. At most one goroutine at a time
// writes; the other methods may be called at any time. A session calls them without holding a lock.
type Link interface {
	// Write writes the buffers in order and returns how many bytes of them were taken. With wait
	// it blocks until that is all of them or the link fails. Without, it takes what is possible
	// at once, and a short count is no error. It may change the slice, not the bytes.
	Write(bufs [][]byte, wait bool) (int, error)
	// Finish says to the peer that nothing more will come, and waits until its host has all that
	// was written, the peer has closed, or the deadline has passed.
	Finish(deadline time.Time)
	// Close ends the connection and makes a blocked Write return. It does not wait.
	Close()
	// Pulse asks the operating system for signs of life of the peer.
	Pulse() (Pulse, bool)
	// Backlog asks the operating system what it holds of what was written.
	Backlog() Backlog
	// Addrs returns copies of the connection's addresses.
	Addrs() (local, remote net.Addr)
	// TLS returns the state of TLS, or nil if the connection does not speak it.
	TLS() *tls.ConnectionState
}

// Pulse is what the operating system knows about a peer that we have not read from for a while.
type Pulse struct {
	Data       time.Duration // since bytes last arrived, read by us or not
	Ack        time.Duration // since the peer's host last acknowledged anything
	Unread     bool          // bytes wait that we have not read
	Unanswered bool          // something we sent still waits for an acknowledgement
	RTT        time.Duration // of a round trip, smoothed; 0: not measured
}

// Backlog is what the operating system holds of what was written to a link. It is zero where that
// is not known.
type Backlog struct {
	Bytes int    // that the peer's host has not acknowledged
	Acked uint64 // is another one when more was acknowledged
}

// Driver is the engine's side of a session, as [Session] is the user's. It is a value that may be
// compared. Its methods are safe for concurrent use unless they say otherwise.
type Driver struct{ s *Session }

// Drive returns the driver of a session.
func Drive(s *Session) Driver { return Driver{s} }

// Session returns the session that d drives.
func (d Driver) Session() *Session { return d.s }

// Config returns what the session was made by. It is not to be changed.
func (d Driver) Config() *Config { return d.s.cfg }

// Dialed reports whether the session is a dialed one.
func (d Driver) Dialed() bool { return d.s.dialed() }

// HeartbeatTimeout returns how long nothing may be received.
func (d Driver) HeartbeatTimeout() time.Duration { return d.s.cfg.HeartbeatTimeout }

// Identify tells who the peer is. It is for the maker of the session, before others have it.
func (d Driver) Identify(identity string) { d.s.identity = identity }

// OnClosed arranges for f to be called when the session has closed. It is for the maker of the
// session, before others have it.
func (d Driver) OnClosed(f func()) { d.s.onClosed = f }

// Keeps returns what the session says to its peer of how much it keeps.
func (d Driver) Keeps() resume.Keep { return d.s.keeps() }

// Unsent returns how many messages of a session that has closed were never sent, or may not have
// arrived.
func (d Driver) Unsent() int {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return d.s.out.messages + d.s.out.doubtful
}

// Dial makes the session a dialed one, which r brings back. It is for the maker of the session,
// before others have it.
func (d Driver) Dial(r Redialer) { d.s.dial, d.s.hope = r, true }

// Dialing notes a further attempt to connect. It reports false when the session has no use for a
// connection.
func (d Driver) Dialing() bool { return d.s.dialing() }

// DialFailed notes that an attempt failed. Only the first of an outage that began with no
// connection is an event: there is one Disconnected per outage.
func (d Driver) DialFailed(err error) { d.s.dialFailed(err) }

// Attach begins a connection: the session is connected and says so. It returns nil if the session
// has no use for the link any more; the caller then closes it. number is that of the Claim before it;
// 0 where there was none.
func (d Driver) Attach(link Link, number uint64) *Conn { return d.s.attach(link, number) }

// Resumable makes the session one that goes on, once and in order, over several connections. It is for
// the maker of the session, before others have it. Of an accepted session number is that of its first
// connection, and peer is what its dialer keeps; of a dialed one both are zero.
func (d Driver) Resumable(number uint64, peer resume.Keep) { d.s.makeResumable(number, peer) }

// Greeting returns what a dialed session is to say first on the connection that is being made: a
// further number each time.
func (d Driver) Greeting() resume.Hello { return d.s.greeting() }

// Believes returns why the session cannot go on by a Welcome that says so. It changes nothing.
func (d Driver) Believes(w *resume.Welcome) error { return d.s.believes(w) }

// Refusal returns why the session would not take a payload, but for want of room; nil: it would.
func (d Driver) Refusal(payload []byte) error {
	if err := d.s.check(payload); err != nil {
		return err
	}
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return d.s.refusal()
}

// Proven reports whether the last connection had proved itself when it ended.
func (d Driver) Proven() bool {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return d.s.proven
}

// Welcomed notes the listener's answer, before Attach. An error says that the connection is of no
// use: the two ends disagree about what was sent, and the next Greeting begins a new session.
func (d Driver) Welcomed(w *resume.Welcome) error { return d.s.welcomed(w) }

// Refused notes that the listener has refused to go on.
func (d Driver) Refused(code resume.Code) { d.s.refused(code) }

// HasToken reports whether a dialed session has a token: a listener that knows it.
func (d Driver) HasToken() bool {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return d.s.resume.token != nil
}

// Number returns the number of the last connection of an accepted session that was claimed.
func (d Driver) Number() uint64 {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return d.s.resume.number
}

// Heard reports whether any frame has come from the peer, on whichever connection, since it was
// welcomed.
func (d Driver) Heard() bool {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return d.s.resume.heard || d.s.conn != nil && d.s.conn.heard.Load()
}

// Claim takes an accepted session for a connection with the given number, whose dialer has received
// so many of our messages and keeps so much. It ends the connection before, and waits until that has
// settled, or ctx ends. It returns how many of the dialer's messages the session has received, for
// the Welcome; then follows Attach, or Unclaim. A later Claim with a larger number takes the session
// from an earlier one. The errors: resume.ErrStale if the number does not grow, resume.ErrGone if
// the session ends or has ended, resume.ErrImplausible if the dialer cannot have received what it
// says (the claim is over then, and the session is to be closed), ctx's.
func (d Driver) Claim(
	ctx context.Context, number, received uint64, peer resume.Keep,
) (ours uint64, err error) {
	return d.s.claim(ctx, number, received, peer)
}

// Unclaim gives up a claim whose connection does not come about: the session waits for another one.
func (d Driver) Unclaim(number uint64, err error) { d.s.unclaim(number, err) }

// Expire ends an accepted session with ErrResumeExpired if it has no connection and none is on its
// way; else it does nothing, and reports false. So it does if due, which is asked with the session's
// lock held, says that this was for an outage before; nil says nothing.
func (d Driver) Expire(due func() bool) bool { return d.s.expire(due) }

// Abandon ends a session with err as CloseNow does, since the connection with the given number, for
// which it was made, did not come about. It does nothing, and reports false, if a later one has
// claimed it.
func (d Driver) Abandon(number uint64, err error) bool { return d.s.abandon(number, err) }

// Join makes m, which is new, the session's membership of a group, until Leave or the end of the session.
// latest says that what m queues may replace what waits of it. It reports false if the session has closed.
func (d Driver) Join(m *Member, group Broadcaster, latest bool) bool {
	return d.s.join(m, group, latest)
}

// Groups returns where the session is a member.
func (d Driver) Groups() []Broadcaster { return d.s.groups() }

// RunCallbacks calls OnEvent until no events are left: it is what Host.Dispatch arranges for.
func (d Driver) RunCallbacks() { d.s.runCallbacks() }
