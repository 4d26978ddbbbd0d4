package session

import (
	"net"
	"time"
)

// Link is one connection of a session, whatever carries it. At most one
// goroutine at a time writes; the other methods may be called at any time.
type Link interface {
	// Write writes the buffers in order and returns how many bytes of them were
	// taken. With wait it blocks until that is all of them or the link fails;
	// without, it takes what is possible at once, and a short count is no error.
	// It may change the slice, not the bytes.
	Write(bufs [][]byte, wait bool) (int, error)
	// Finish says to the peer that nothing more will come, and waits until its
	// host has all that was written, the peer has closed, or the deadline has passed.
	Finish(deadline time.Time)
	// Close ends the connection and makes a blocked Write return. It does not wait.
	Close()
	// Pulse asks the operating system for signs of life of the peer.
	Pulse() (Pulse, bool)
	// Addrs returns copies of the connection's addresses.
	Addrs() (local, remote net.Addr)
}

// Pulse is what the operating system knows about a peer that we have not read
// from for a while.
type Pulse struct {
	Data       time.Duration // since bytes last arrived, read by us or not
	Ack        time.Duration // since the peer's host last acknowledged anything
	Unread     bool          // bytes wait that we have not read
	Unanswered bool          // something we sent still waits for an acknowledgement
}

// Redialer brings a dialed session back after its connection was lost. Its
// methods do not block and do not call the session.
type Redialer interface {
	// Redial starts to connect again; proven says that the last connection had proved itself, cause why it was lost.
	Redial(proven bool, cause error)
	// Kick cuts the current back-off short.
	Kick()
	// Stop gives up connecting, for good.
	Stop()
}

// Host is what a session needs of the engine that it lives in.
type Host interface {
	// Dispatch has d.RunCallbacks called on the callback pool. It does not block.
	Dispatch(d *Driver)
	// Tick arranges for d.Tick to be called at the given instant, and again whenever that asks for it.
	Tick(d *Driver, at time.Time)
	// Chans returns what the channels of the host's sessions have in common, always the same.
	Chans() *Chans
	// Forget is called once, when the session has closed. No Tick begins after it.
	Forget(d *Driver)
}

// endpoint is the address of a session that has not had a connection yet.
type endpoint struct{ network, address string }

func (e endpoint) Network() string { return e.network }
func (e endpoint) String() string  { return e.address }
