package session

// This is the inbox as the reader of a connection sees it: how much room there
// is, and what it brings.

// space returns how many messages and bytes a reader may bring, and whether
// its connection is still current.
func (in *inbox) space(epoch uint64) (messages, bytes int, current bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.epoch != epoch {
		return 0, 0, false
	}
	if in.limit.Policy != PolicyFixed || in.draining {
		return in.limit.Cap, in.limit.Bytes, true
	}
	if in.limit.full(in.messages, in.bytes) {
		return 0, 0, true
	}
	return in.limit.Cap - in.messages, in.limit.Bytes - in.bytes, true
}

// accept queues a message of a connection, or a run of them, given the bytes of
// payload. It reports whether the connection is still current.
func (in *inbox) accept(it item, payload int) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.epoch != it.epoch {
		return false
	}
	messages := max(it.frames, 1)
	in.received += uint64(messages)
	in.receivedBytes += uint64(payload)
	if it.frames > 0 {
		in.pushRun(&it, payload)
	} else {
		in.push(&it)
	}
	if in.drainLeft -= payload + messages*messageCost; in.drainLeft < 0 {
		in.draining = false
	}
	in.announce()
	return true
}

const (
	// drainBytes is more than a kernel holds of a connection by default.
	drainBytes = 16 << 20
	// messageCost is what a queued message takes beside its payload at most, in bytes.
	messageCost = 64
)

// wait blocks a reader until there is room, or its connection is over. The
// reader counts as held back until it calls resume.
func (in *inbox) wait(epoch uint64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.epoch == epoch && !in.draining && in.limit.full(in.messages, in.bytes) {
		in.held = true
		c := in.room.arm()
		in.mu.Unlock()
		<-c
		in.mu.Lock()
		in.room.disarm()
	}
	if in.epoch != epoch {
		in.room.wake() // it was meant for the reader of the connection that is
	}
}

// resume says that the reader of a connection reads again; heard notes that the
// silence so far was ours.
func (in *inbox) resume(epoch uint64, heard func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.epoch != epoch {
		return
	}
	heard()
	in.held = false
}

// drain lets the reader pass the bounds, to find the end of a connection that
// takes no more of what we write. Otherwise a user who waits in Send instead of reading
// would wait for ever. A connection that was reset carries no more than the
// kernel holds; a peer who goes on sending all the same gets no further than drainBytes.
func (in *inbox) drain() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.draining, in.drainLeft = true, drainBytes
	in.room.wake()
}

// holding reports whether the reader waits for the consumer.
func (in *inbox) holding() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.held
}
