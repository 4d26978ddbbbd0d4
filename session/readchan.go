package session

import (
	"runtime"
	"slices"
	"time"
)

// This is the read channel: what the reader cannot put into it at once, a goroutine brings that
// exists while there is something to bring.

// noEvents is the read channel of all sessions with callbacks.
var noEvents = func() chan Event { c := make(chan Event); close(c); return c }()

// ReadChan returns the channel of the session's events, always the same one.
// The library closes it, once, after the Closed event. With OnEvent it
// carries nothing and is closed from the beginning.
func (s *Session) ReadChan() <-chan Event {
	if s.cfg.OnEvent != nil {
		return noEvents
	}
	in := s.in
	in.takeMu.Lock()
	defer in.takeMu.Unlock()
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.out != nil {
		return in.out
	}
	size := 0 // a lossy policy must see every event that waits
	if in.limit.Policy == PolicyFixed {
		size = readSlots.leastFor(in.limit)
		if !in.ended {
			size = s.cfg.Host.Chans().capacity(readSlots, in.limit)
		}
	}
	in.out = make(chan Event, size)
	if in.ended && in.queue.empty() && in.taken.empty() {
		close(in.out) // Recv handed out the last event
		return in.out
	}
	in.requeue()
	in.ready.wake() // a waiting Recv changes over to the channel
	in.announce()
	s.quitWhenDropped()
	return in.out
}

// quitWhenDropped sees to it, once, that the last events of a closed session wait for a reader
// only as long as the user has the session. The caller holds in.mu.
func (s *Session) quitWhenDropped() {
	if in := s.in; in.ended && in.pumping && in.cleanup == (runtime.Cleanup{}) {
		in.cleanup = runtime.AddCleanup(s, func(quit chan struct{}) { close(quit) }, in.quit)
	}
}

// requeue starts over with what waits for Recv, first what it has fetched. The
// caller holds takeMu and mu.
func (in *inbox) requeue() {
	waiting := [...]*queue{in.taken, in.queue}
	in.taken, in.queue = nil, nil
	in.messages, in.bytes = 0, 0
	in.more.Store(false)
	for _, q := range waiting {
		for ; !q.empty(); q.first++ {
			it := &q.items[q.first]
			switch {
			case it.frames > 0:
				in.pushRun(it, it.payload(*in.format))
			case in.limit.Policy == PolicyFixed:
				in.push(it)
			default: // what was in hand did not count
				in.enqueue(it)
			}
		}
	}
}

// pump moves queued events into the read channel until the queue is empty. It
// is the only sender while it runs, and ends early when the user has dropped
// the session without reading.
func (in *inbox) pump() {
	for batch := in.nextBatch(&in.pumping); batch != nil; batch = in.nextBatch(&in.pumping) {
		for !batch.empty() {
			var ev Event
			batch.pop(&ev, *in.format)
			if !in.offer(ev) {
				go lastEvents(weakly(in.out), in.rest(ev, batch))
				return
			}
			if ev.Kind == Closed {
				in.mu.Lock()
				in.closeOut()
				in.mu.Unlock()
				return
			}
		}
		batch.free()
	}
}

// offer sends ev to the read channel. It reports false when the user has
// dropped the session meanwhile.
func (in *inbox) offer(ev Event) bool {
	for pause := offerPauseMin; !in.fits(len(ev.Payload)); pause = min(pause+pause/4, offerPauseMax) {
		select { // a channel does not tell when it has been emptied
		case <-time.After(pause):
		case <-in.quit:
			return false
		}
	}
	select {
	case in.out <- ev:
		return true
	default:
	}
	select {
	case in.out <- ev:
		return true
	case <-in.quit:
		return false
	}
}

// How often pump looks whether a channel has room for a large message. Each pause is a quarter longer than the
// one before, so that a consumer who was slow for a time waits at most for a quarter of that.
const (
	offerPauseMin = 50 * time.Microsecond
	offerPauseMax = 20 * time.Millisecond
)

// fits reports, for its only sender, whether the read channel may hold so large a payload as well: it
// is bounded in bytes, too, taking all it holds for as large as the largest since it was empty.
func (in *inbox) fits(payload int) bool {
	held := len(in.out)
	if held == 0 {
		in.largest = payload
		return true
	}
	largest := max(payload, in.largest)
	if payload > 0 && largest > in.limit.Bytes/min(held+1, cap(in.out)) {
		return false
	}
	in.largest = largest
	return true
}

// rest returns what was not delivered when the user dropped the session.
func (in *inbox) rest(ev Event, batch *queue) []Event {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Concat([]Event{ev}, batch.rest(*in.format), in.queue.rest(*in.format))
}
