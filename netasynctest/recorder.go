package netasynctest

import (
	"bytes"
	"context"
	"sync"

	"github.com/netasync/netasync"
)

// Recorder returns a recording that has nothing yet:
//
//	rec := netasynctest.Recorder()
//	opts.OnEvent = rec.OnEvent
//	…
//	netasynctest.Expect(t, rec, netasynctest.IsConnected)
func Recorder() *Recording { return new(Recording) }

// Recording keeps the events of sessions with OnEvent, also with Inline, in the order in which they come.
// It has no bound. It is safe for concurrent use.
type Recording struct {
	mu     sync.Mutex // guards all below; a leaf
	events []netasync.Event
	more   chan struct{} // closed by the next event; nil if nobody waits
}

// OnEvent keeps an event, with a copy of its payload.
func (r *Recording) OnEvent(_ *netasync.Session, ev netasync.Event) {
	ev.Payload = bytes.Clone(ev.Payload)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
	if r.more != nil {
		close(r.more)
		r.more = nil
	}
}

// Recv takes the next event, waiting for it if there is none. It returns ctx's error when that ends
// first, and never io.EOF, since a listener's sessions may share a recording.
func (r *Recording) Recv(ctx context.Context) (netasync.Event, error) {
	for {
		ev, more := r.take()
		if more == nil {
			return ev, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ev, ctx.Err()
		}
	}
}

// take takes the next event, or returns what to wait for.
func (r *Recording) take() (ev netasync.Event, more <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) > 0 {
		ev, r.events = r.events[0], r.events[1:]
		return ev, nil
	}
	if r.more == nil {
		r.more = make(chan struct{})
	}
	return ev, r.more
}
