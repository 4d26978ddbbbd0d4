package session

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/netasync/netasync/codec"
)

// inbox is the inbound queue: events on their way from a connection to the
// user. One goroutine at a time fills it; every event leaves it once, through
// Recv, the read channel or the callback runner. It is an object of its own so
// that the goroutine behind an abandoned read channel does not keep the session.
//
// Lock order: Session.mu, then takeMu, then mu.
type inbox struct {
	limit  *Buffer
	format *codec.Format
	more   atomic.Bool // Recv's caller or the callback runner has further messages in hand
	single atomic.Bool // they were given a single message, to which they may answer

	// Here, and not below mu, since they take less memory together. mu guards them, too, but for the last.
	ended    bool // Closed was queued
	held     bool // the reader is waiting, so its silence is ours
	draining bool // the peer is gone: what the kernel still holds is taken, past the bounds
	running  bool // callbacks are being run; the runner alone takes events
	pumping  bool // pump is running, and it alone sends to out
	owed     bool // Recv's consumer had more in hand: what they sent may wait for a flush. takeMu guards it

	mu       sync.Mutex // guards all below, up to takeMu
	queue    *queue     // nil if empty
	messages int        // in queue
	bytes    int        // of payload in queue
	epoch    uint64     // the connection whose messages are welcome; 0: none
	ready    signal     // Recv callers wait for events
	room     signal     // the connection's reader waits for room

	out     chan Event      // the read channel; nil until asked for. Sent to and closed by push or pump
	largest int             // payload in out, or more; for who sends to it
	quit    chan struct{}   // closed when the user dropped the closed session: pump ends. Made with the first pump
	cleanup runtime.Cleanup // closes quit

	received, receivedBytes, dropped uint64
	drainLeft                        int // bytes that may still pass the bounds

	takeMu sync.Mutex // guards taken, and owed; held by Recv
	taken  *queue     // the batch Recv is handing out; nil if it has none
}

// begin opens the inbox for messages of a connection, after its Connected event.
func (in *inbox) begin(ev Event) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.epoch, in.draining, in.held = ev.Epoch, false, false
	in.push(&item{lifecycle: &ev})
	in.announce()
}

// stop refuses further messages: those of a connection that is over.
func (in *inbox) stop() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.epoch = 0
	in.room.wake()
}

// lifecycle queues Disconnected or Closed, which are never refused.
func (in *inbox) lifecycle(ev Event) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.epoch = 0
	in.ended = in.ended || ev.Kind == Closed
	in.push(&item{lifecycle: &ev})
	in.announce()
	in.room.wake()
}

// end says that there are no events and will be none.
func (in *inbox) end() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ended = true
	if in.out != nil {
		in.closeOut()
	}
	in.ready.wake()
}

// push puts a lifecycle event or a message into the read channel if nothing is
// before it, else into the queue. The caller holds mu.
func (in *inbox) push(it *item) {
	if in.direct() && in.trySend(it.event()) {
		if it.lifecycle != nil && it.lifecycle.Kind == Closed {
			in.closeOut()
		}
		return
	}
	if it.lifecycle == nil && in.limit.Policy != PolicyFixed && !in.makeRoom() {
		return
	}
	in.enqueue(it)
}

// enqueue appends a lifecycle event or a message to the queue. The caller holds mu.
func (in *inbox) enqueue(it *item) {
	in.append(it)
	if it.lifecycle == nil {
		in.messages++
		in.bytes += len(it.data)
	}
}

// append appends to the queue. The caller holds mu, and counts.
func (in *inbox) append(it *item) {
	if in.queue == nil {
		in.queue = queues.Get().(*queue)
	}
	in.queue.push(*it)
}

// pushRun is push for messages that came together, given the bytes of their
// payload. A lossy policy looks at each of them. The caller holds mu.
func (in *inbox) pushRun(run *item, payload int) {
	for direct := in.direct(); direct && run.frames > 0; {
		m, rest := in.format.Cut(run.data)
		if direct = in.trySend(Event{Kind: Message, Payload: m, Epoch: run.epoch}); direct {
			run.data, run.frames, payload = rest, run.frames-1, payload-len(m)
		}
	}
	for run.frames > 0 && in.limit.Policy != PolicyFixed {
		m := run.cut(*in.format)
		if in.makeRoom() { // a copy: it must not hold the memory of those that are dropped
			in.enqueue(&item{data: bytes.Clone(m), epoch: run.epoch})
		}
	}
	if run.frames > 0 {
		in.append(run)
		in.messages += run.frames
		in.bytes += payload
	}
}

// trySend sends an event to the read channel, if there is room.
func (in *inbox) trySend(ev Event) bool {
	if !in.fits(len(ev.Payload)) {
		return false
	}
	select {
	case in.out <- ev:
		return true
	default:
		return false
	}
}

// direct reports whether nothing is before the next event but what the read
// channel holds. The caller holds mu.
func (in *inbox) direct() bool { return in.out != nil && !in.pumping && in.queue.empty() }

// closeOut ends the read channel, after Closed went through it. The caller
// holds mu.
func (in *inbox) closeOut() {
	close(in.out)
	in.cleanup.Stop()
}

// makeRoom applies a lossy policy to a full queue and reports whether there is
// room for the next message. The caller holds mu.
func (in *inbox) makeRoom() bool {
	for in.limit.full(in.messages, in.bytes) {
		in.dropped++
		if in.limit.Policy == PolicyDropping {
			return false
		}
		in.messages--
		in.bytes -= len(in.queue.dropOldest())
	}
	return true
}

// announce tells the consumer that events are there. The caller holds mu.
func (in *inbox) announce() {
	if in.queue.empty() {
		return
	}
	if in.out == nil {
		in.ready.wake()
		return
	}
	if !in.pumping {
		in.pumping = true
		if in.quit == nil {
			in.quit = make(chan struct{})
		}
		go in.pump()
	}
}

// take moves queued events into a batch, and makes room: all of them, or one
// where a policy must be free to drop the others. The caller holds mu, and
// frees the batch when it is empty.
func (in *inbox) take() (batch *queue) {
	if in.limit.Policy == PolicyFixed {
		batch, in.queue = in.queue, nil
		in.messages, in.bytes = 0, 0
		in.room.wake()
		return batch
	}
	it := in.queue.popItem()
	if it.lifecycle == nil {
		in.messages--
		in.bytes -= len(it.data)
	}
	if in.queue.empty() {
		in.queue.free()
		in.queue = nil
	}
	batch = queues.Get().(*queue)
	batch.push(it)
	return batch
}

// nextBatch takes the next batch for the one goroutine that busy stands for, or
// clears busy and returns none.
func (in *inbox) nextBatch(busy *bool) *queue {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.queue.empty() {
		*busy = false
		return nil
	}
	return in.take()
}

// caughtUp reports whether the consumer has taken everything.
func (in *inbox) caughtUp() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.queue.empty() && !in.pumping && !in.running
}

// waiting reports whether events wait in the read channel, to which a user may answer.
func (in *inbox) waiting() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.out) > 0
}
