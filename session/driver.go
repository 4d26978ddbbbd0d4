package session

import "time"

// Driver is a session as those see it who make it, connect it and keep its time: its
// host's side, as [Session] is the user's. Its methods are safe for concurrent use unless they say otherwise.
type Driver Session

// Drive returns the driver of a session.
func Drive(s *Session) *Driver { return (*Driver)(s) }

// OnClosed arranges for f to be called when the session closes. It is for the
// maker of the session, before anybody else has it.
func (d *Driver) OnClosed(f func()) { d.onClosed = f }

// Attach begins a connection: the session is connected and says so. It returns
// what the link feeds with the bytes it reads, or nil if the session has no
// use for the link any more; the caller then closes it.
func (d *Driver) Attach(link Link) *Receiver { return (*Session)(d).attach(link) }

// Dialing notes a further attempt to connect. It reports false when the session
// has no use for a connection.
func (d *Driver) Dialing() bool { return (*Session)(d).dialing() }

// DialFailed notes that an attempt failed. Only the first of an outage that
// began with no connection is an event: there is one Disconnected per outage.
func (d *Driver) DialFailed(err error) { (*Session)(d).dialFailed(err) }

// RunCallbacks calls OnEvent until no events are left: it is what Host.Dispatch arranges for.
func (d *Driver) RunCallbacks() { (*Session)(d).runCallbacks() }

// Tick does what is due, and returns the next instant, or the zero Time for none. See Host.Tick.
func (d *Driver) Tick() time.Time { return (*Session)(d).tick() }

// Place is where the host notes when the next Tick is due. It is for the host alone.
func (d *Driver) Place() *int32 { return &d.place }

// Abort ends the session without flushing, and returns at once: its dialing has been given
// up, or the engine has no more time.
func (d *Driver) Abort(err error) { (*Session)(d).abort(err) }

// Undelivered returns how many messages a closed session never sent.
func (d *Driver) Undelivered() int { return (*Session)(d).undelivered() }
