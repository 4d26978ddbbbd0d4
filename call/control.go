package call

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/netasync/netasync/session"
)

// control sends what must not wait for the session's buffer where it is found out: refusals, by the reader,
// and cancellations, by callers that have given up. It does so in a goroutine that ends when all is said.
type control struct {
	s *session.Session

	mu       sync.Mutex // a leaf; guards all below
	refusals []refusal  // at most maxCalls
	cancels  []callID   // of calls that still have a place: at most MaxCalls
	sending  bool
}

// refusal answers a request that is not executed.
type refusal struct {
	id   callID
	code code
}

// controlBatch is how many frames are queued at once.
const controlBatch = 64

// refuse answers a request with a code. The error says that more requests wait for that than a peer may
// have made.
func (c *control) refuse(id callID, why code) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.refusals) >= maxCalls {
		return fmt.Errorf("more than %d requests without an answer", maxCalls)
	}
	c.refusals = append(c.refusals, refusal{id, why})
	c.start()
	return nil
}

// cancel tells the peer that nobody waits for a reply any more.
func (c *control) cancel(id callID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancels = append(c.cancels, id)
	c.start()
}

// start has what is queued sent. The caller holds mu.
func (c *control) start() {
	if !c.sending {
		c.sending = true
		go c.send()
	}
}

// send sends until nothing is left. Nothing of this is worth an error: a session that takes nothing has
// closed, or gives up its calls.
func (c *control) send() {
	for frames := c.take(); frames != nil; frames = c.take() {
		_, _ = c.s.SendBatch(context.Background(), frames)
	}
}

// take takes out some frames, or returns nil and ends the sending.
func (c *control) take() (frames [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(controlBatch, len(c.refusals))
	for _, r := range c.refusals[:n] {
		frames = append(frames, failureFrame(r.id, r.code, ""))
	}
	c.refusals = c.refusals[n:]
	n = min(controlBatch, len(c.cancels))
	for _, id := range c.cancels[:n] {
		frames = append(frames, cancelFrame(id))
	}
	c.cancels = c.cancels[n:]
	if len(frames) == 0 {
		c.refusals, c.cancels, c.sending = nil, nil, false
	}
	return frames
}

// forget drops what is for a peer that is gone, and cancellations of calls that have ended.
func (c *control) forget(goesOn func(call uint64) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusals = nil
	c.cancels = slices.DeleteFunc(c.cancels, func(id callID) bool { return !goesOn(id.call) })
}
