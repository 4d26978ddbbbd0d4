package session

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// inbox is the inbound queue: events on their way from a connection to the
// user. One goroutine at a time fills it; every event leaves it once, through
// Recv, the read channel or the callback runner. It is an object of its own so
// that the goroutine behind an abandoned read channel does not keep the session.
//
// Lock order: Session.mu, then takeMu, then mu.
type inbox struct {
	limit *Buffer
	more  atomic.Bool // Recv's caller or the callback runner has further messages in hand

	// mu guards these, too.
	ended    bool // Closed was queued
	held     bool // the reader is waiting, so its silence is ours
	draining bool // the peer is gone: what the kernel still holds is taken, past the bounds
	running  bool // callbacks are being run; the runner alone takes events
	pumping  bool // pump is running, and it alone sends to out

	mu       sync.Mutex // guards all below, up to takeMu
	queue    []Event
	messages int    // in queue
	bytes    int    // of payload in queue
	epoch    uint64 // the connection whose messages are welcome; 0: none
	ready    signal // Recv callers wait for events
	room     signal // the connection's reader waits for room

	out     chan Event      // the read channel; nil until asked for. Sent to and closed by push or pump
	quit    chan struct{}   // closed when the user dropped the session: pump ends
	cleanup runtime.Cleanup // closes quit

	received, receivedBytes, dropped uint64
	drainLeft                        int // bytes that may still pass the bounds

	spare []Event // memory for the next batch of pump or of the callback runner

	takeMu sync.Mutex // guards taken; held by Recv
	taken  []Event    // the batch Recv is handing out
	next   int        // first of taken that was not handed out
}

// begin opens the inbox for messages of a connection, after its Connected event.
func (in *inbox) begin(ev Event) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.epoch, in.draining, in.held = ev.Epoch, false, false
	in.push(ev)
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
	in.push(ev)
	in.announce()
	in.room.wake()
}

// push puts ev into the read channel if nothing is before it, else into the
// queue. The caller holds mu.
func (in *inbox) push(ev Event) {
	if in.out != nil && !in.pumping && len(in.queue) == 0 && in.fits(ev) {
		select {
		case in.out <- ev:
			if ev.Kind == Closed {
				in.closeOut()
			}
			return
		default:
		}
	}
	if ev.Kind == Message && in.limit.Policy != PolicyFixed && !in.makeRoom() {
		return
	}
	in.queue = append(in.queue, ev)
	if ev.Kind == Message {
		in.messages++
		in.bytes += len(ev.Payload)
	}
}

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
		oldest := 0
		for in.queue[oldest].Kind != Message {
			oldest++
		}
		in.messages--
		in.bytes -= len(in.queue[oldest].Payload)
		copy(in.queue[1:oldest+1], in.queue[:oldest]) // lifecycle events keep their place
		in.queue[0] = Event{}
		in.queue = in.queue[1:]
	}
	return true
}

// announce tells the consumer that events are there. The caller holds mu.
func (in *inbox) announce() {
	if len(in.queue) == 0 {
		return
	}
	if in.out == nil {
		in.ready.wake()
		return
	}
	if !in.pumping {
		in.pumping = true
		go in.pump()
	}
}

// take moves queued events into spare, an empty slice, and makes room: all of
// them, or one where a policy must be free to drop the others. The caller holds mu.
func (in *inbox) take(spare []Event) []Event {
	if in.limit.Policy != PolicyFixed && len(in.queue) > 1 {
		ev := in.queue[0]
		in.queue[0] = Event{}
		in.queue = in.queue[1:]
		if ev.Kind == Message {
			in.messages--
			in.bytes -= len(ev.Payload)
		}
		return append(spare, ev)
	}
	batch := in.queue
	in.queue = spare
	in.messages, in.bytes = 0, 0
	in.room.wake()
	return batch
}

// nextBatch takes the next batch for the one goroutine that busy stands for, or
// clears busy and returns none. batch is the one before, for its memory.
func (in *inbox) nextBatch(busy *bool, batch []Event) []Event {
	in.mu.Lock()
	defer in.mu.Unlock()
	if batch == nil {
		batch, in.spare = in.spare, nil
	}
	if len(in.queue) == 0 {
		*busy = false
		in.spare = batch[:0]
		return nil
	}
	return in.take(batch[:0])
}

// trim gives back the memory of an idle session's queues.
func (in *inbox) trim() {
	if !in.takeMu.TryLock() {
		return
	}
	defer in.takeMu.Unlock()
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.queue) == 0 {
		in.queue = nil
	}
	in.spare = nil
	if in.next == len(in.taken) {
		in.taken, in.next = nil, 0
	}
}

// caughtUp reports whether the consumer has taken everything.
func (in *inbox) caughtUp() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.queue) == 0 && !in.pumping && !in.running
}

// waiting reports whether events wait in the read channel, to which a user may answer.
func (in *inbox) waiting() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.out) > 0
}
