package session

// This is the side of the inbox that a connection's reader sees: how much it may bring, what it
// brings, and its wait for room.

// begin opens the inbox for the messages of a connection, after its Connected event. If the
// connection before carried no message, and its events are still unread, it is forgotten: a session
// that is not read stays small however often it reconnects.
func (in *inbox) begin(c *Conn, connected Event) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.conn = c
	in.addLifecycle(connected)
	if !in.queue.empty() && (!in.carried || in.crowded()) {
		in.queue.forgetConnection(len(in.queue.items) - 2)
	}
	in.carried = false
}

// stop refuses further messages of the connection, which is over.
func (in *inbox) stop() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.conn = nil
	in.room.wake()
}

// space is how much a reader may bring.
type space struct{ messages, bytes int }

// space returns how much the reader of a connection may bring, and whether that is current.
func (in *inbox) space(c *Conn) (free space, current bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.conn != c {
		return space{}, false
	}
	return in.free(), true
}

// free returns how much may be brought. The caller holds mu, and conn is not nil.
func (in *inbox) free() space {
	if in.limit.Policy != PolicyFixed || in.conn.draining {
		return space{in.limit.Cap, in.limit.Bytes}
	}
	if in.full() {
		return space{}
	}
	return space{in.limit.Cap - in.messages, in.limit.Bytes - in.bytes}
}

// full reports whether a fixed buffer pushes back. The caller holds mu.
func (in *inbox) full() bool { return in.limit.full(in.messages, in.bytes) }

// accept queues messages of a connection, given the bytes of their payload. It returns how much
// more may be brought, and whether the connection is still current.
func (in *inbox) accept(c *Conn, it *item, payload int) (free space, current bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.conn != c {
		return space{}, false
	}
	messages := it.messages()
	if c.acks != nil {
		c.acks.take(messages)
	}
	in.carried = true
	in.received += uint64(messages)
	in.receivedBytes += uint64(payload)
	in.push(it, payload)
	if c.draining {
		c.drainLeft -= payload + messages*messageCost
		c.draining = c.drainLeft >= 0
	}
	in.announce()
	return in.free(), true
}

const (
	// drainBytes is more than a kernel holds of a connection by default.
	drainBytes = 16 << 20
	// messageCost is what a queued message takes beside its payload at most, in bytes.
	messageCost = 64
)

// wait blocks a reader until there is room, or its connection is over. The reader counts as held
// back until it resumes.
func (in *inbox) wait(c *Conn) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.conn == c && !c.draining && in.full() {
		c.held = true
		woken := in.room.arm()
		in.mu.Unlock()
		<-woken
		in.mu.Lock()
		in.room.disarm()
	}
	if in.conn != c {
		in.room.wake() // it was meant for the reader of the connection that is
	}
}

// drain lets the reader pass the bounds, to find the end of a connection that takes no more of
// what we write. Otherwise a user who waits in Send instead of reading would wait for ever. A
// connection that was reset carries no more than the kernel holds. A peer that goes on sending
// all the same gets no further than drainBytes, and no further by many connections than by one:
// what earlier ones brought past the bounds counts. A reader that gets no further is ended by Tick.
func (in *inbox) drain(c *Conn) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.passBounds(c)
	c.searching = false
}

// passBounds is drain for the caller that holds mu.
func (in *inbox) passBounds(c *Conn) {
	c.drainLeft = drainBytes - max(0, in.bytes-in.limit.Bytes) -
		max(0, in.messages-in.limit.Cap)*messageCost
	c.draining = c.drainLeft >= 0
	in.room.wake()
}

// holding reports whether the reader of a connection waits for the consumer.
func (in *inbox) holding(c *Conn) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return c.held
}
