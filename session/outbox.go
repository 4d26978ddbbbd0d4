package session

import "github.com/netasync/netasync/codec"

// outbox is the outbound queue. Messages are appended to pending. The goroutine that has the
// right to write owns inflight, and is the only one that writes to the link. Session.mu guards
// all fields, but inflight is the writer's while it writes.
type outbox struct {
	pending  *frames // nil if empty
	inflight *frames // was pending; its first frame may be partly written. nil if empty
	hello    *frames // goes before both on this connection, and counts nowhere. The writer's; nil if empty

	kept *kept // messages that the peer is not known to have; nil without Resume

	giving bool // the link is being given what is in flight
	owed   bool // of what was broadcast, which Member.Write is about to see to

	messages int       // in pending and inflight; with kept, in pending
	bytes    int       // of their payload
	spoiled  int       // connections that ended within the first message of inflight
	borrowed bool      // payloads by reference are valid for the turn only
	lost     bool      // the session has closed with messages that were never sent, or may not have arrived
	doubtful int       // of a closed session with Resume: messages that may not have arrived
	room     signal    // senders wait for room
	flushes  *flushing // those that wait, a list
}

// maxSpoiled is how many connections may end within one message. Then it is dropped: a peer that
// does not take it would never get to what is behind it.
const maxSpoiled = 3

// empty reports whether there is nothing to write now.
func (o *outbox) empty() bool {
	if o.kept == nil {
		return o.inflight.empty() && o.pending.empty() && o.hello.empty()
	}
	return !o.ready() && !o.kept.control.due(o.written())
}

// ready reports whether messages may be written now: with kept, what is pending waits while that is full.
func (o *outbox) ready() bool {
	k := o.kept
	return !o.inflight.empty() || !o.hello.empty() || k.next < len(k.rows) || !o.pending.empty() && !k.full()
}

// written reports whether all messages were written.
func (o *outbox) written() bool { return !o.ready() && o.pending.empty() }

// add queues a message, or a heartbeat, which is empty.
func (o *outbox) add(f *codec.Format, payload []byte) {
	if o.pending == nil {
		o.pending = framesPool.Get().(*frames)
	}
	o.pending.add(f, payload)
	if len(payload) > 0 {
		o.messages++
		o.bytes += len(payload)
	}
}

// load returns what is to be written next: what was left over, or else all that is pending.
func (o *outbox) load() *frames {
	if o.hello != nil {
		return o.hello
	}
	if o.inflight.empty() {
		o.inflight = o.take()
	}
	return o.inflight
}

// underWay returns the frames of which the link has taken a part of the first, or nil.
func (o *outbox) underWay() *frames {
	fs := o.inflight
	if o.hello != nil {
		fs = o.hello
	}
	if fs.empty() || fs.offset == 0 {
		return nil
	}
	return fs
}

// take takes what is to be written next out of pending, or repeats what is kept. It returns nil if there
// is nothing.
func (o *outbox) take() (fs *frames) {
	k := o.kept
	switch {
	case k == nil:
		fs, o.pending = o.pending, nil
		return fs
	case k.next < len(k.rows):
		return k.repeat()
	case o.pending.empty() || k.full():
		return nil
	case k.fits(o.pending):
		fs, o.pending = o.pending, nil
	default:
		fs = o.pending.split(k)
	}
	k.add(fs)
	o.messages -= fs.messages
	o.bytes -= fs.bytes
	o.room.wake()
	return fs
}

// sent says that the link has taken n more bytes: messages that are wholly written leave the
// queue. It returns their number and payload bytes.
func (o *outbox) sent(n int) (messages, bytes int) {
	if o.kept != nil {
		if n -= o.kept.control.sent(n); n == 0 {
			return 0, 0
		}
	}
	if o.hello != nil {
		o.hello.advance(n)
		if o.hello.empty() {
			o.hello.free()
			o.hello = nil
		}
		return 0, 0
	}
	messages, bytes = o.inflight.advance(n)
	if o.inflight.words {
		messages, bytes = 0, 0
	}
	if o.kept == nil {
		o.messages -= messages
		o.bytes -= bytes
		o.gone(messages, 0)
	}
	if messages > 0 {
		o.spoiled = 0
	}
	if o.inflight.empty() {
		o.inflight.free()
		o.inflight = nil
	}
	return messages, bytes
}

// rewind makes the queue ready for the next connection: what was not wholly written is written
// again from its beginning, heartbeats and first words of the old connection go away. It reports
// whether it has dropped the first message, within which too many connections have ended: never one
// that is kept. Nothing is being written.
func (o *outbox) rewind() (dropped bool) {
	if o.kept != nil {
		o.kept.rewind(o.hello, o.inflight)
		o.hello, o.inflight = nil, nil
		o.kept.control = control{ask: o.flushes != nil}
		return false
	}
	o.hello = nil
	if o.inflight.begun() {
		o.spoiled++
	}
	o.inflight = o.inflight.rewound()
	o.pending = o.pending.rewound()
	if o.spoiled < maxSpoiled {
		return false
	}
	o.dropOldest(false)
	o.room.wake()
	return true
}

// queued returns how many messages wait, to be sent or to be acknowledged.
func (o *outbox) queued() int { return o.messages + o.kept.unacked() }

// lend says that the payload of the last message, by reference, is valid for the turn only.
func (o *outbox) lend() {
	o.borrowed = true
	o.pending.large[len(o.pending.large)-1].lent = true
}

// own copies payloads that are valid for the turn only.
func (o *outbox) own() {
	if o.borrowed {
		o.borrowed = false
		o.inflight.own()
		o.pending.own()
	}
}

// clear forgets what was never sent. The counts remain.
func (o *outbox) clear() {
	o.hello, o.inflight, o.pending = nil, nil, nil
	if o.kept != nil {
		*o.kept = kept{cfg: o.kept.cfg}
	}
}

// waiting returns the messages, and the bytes of their payload, that a lossy policy may drop:
// what is written at the moment, or was begun, is not among them.
func (o *outbox) waiting(writing bool) (messages, bytes int) {
	if o.kept != nil || o.droppable(writing) {
		return o.messages, o.bytes
	}
	if o.pending == nil {
		return 0, 0
	}
	return o.pending.messages, o.pending.bytes
}

// droppable reports whether what is in flight may be dropped.
func (o *outbox) droppable(writing bool) bool {
	return o.kept == nil && !writing && (o.inflight.empty() || o.inflight.offset == 0)
}

// dropOldest removes the first message that waits.
func (o *outbox) dropOldest(writing bool) {
	oldest, others := o.pending, o.kept.unacked()
	if o.kept != nil {
		// what is in flight is kept
	} else if o.droppable(writing) && o.inflight != nil && o.inflight.messages > 0 {
		oldest = o.inflight // else that is a heartbeat at most, which could not be written
	} else if o.inflight != nil {
		others = o.inflight.messages
	}
	o.messages--
	o.bytes -= oldest.dropOldest()
	o.gone(1, others)
	if oldest != o.inflight {
		return
	}
	o.spoiled = 0
	if oldest.empty() {
		o.inflight = nil
	}
}

// newest returns the frames that end with the last message.
func (o *outbox) newest() *frames {
	if o.pending.empty() {
		return o.inflight
	}
	return o.pending
}

// dropNewest removes the last message. Nothing is being written.
func (o *outbox) dropNewest() {
	o.messages--
	o.bytes -= o.newest().dropNewest()
	o.gone(1, o.messages+o.kept.unacked())
}
