package session

// This is the inbox as the reader of a connection sees it while it may not read on.

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
