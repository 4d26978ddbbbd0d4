package call

import (
	"fmt"
)

// This is what becomes of calls that wait: an answer of the peer's, or what the session tells. A call whose
// Send has not returned has no number yet. What becomes of it says accepted, by what was noted here.

// answered ends the call that a frame answers. One that is for another end than this is late: it was made
// for who had the connection before. The error says that the peer answers what was never asked.
func (c *caller) answered(f *frame) error {
	if f.id.peer != c.self {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.id.call == 0 || f.id.call > c.last {
		return fmt.Errorf("an answer to call %d, and %d were made", f.id.call, c.last)
	}
	w := c.calls[f.id.call]
	switch {
	case w == nil: // a connection of its own has ended before
	case f.kind == kindReply:
		c.settle(f.id.call, w, f.rest, nil)
	default:
		c.settle(f.id.call, w, nil, f.failure())
	}
	return nil
}

// returned ends the calls whose requests the session hands back: they were not sent.
func (c *caller) returned(unsent [][]byte, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, message := range unsent {
		f, err := parse(message)
		if err != nil || f.kind != kindRequest {
			continue
		}
		if w := c.calls[f.id.call]; w != nil {
			c.settle(f.id.call, w, nil, why)
		}
	}
}

// lose ends the calls whose requests were sent to a peer that is gone: they are the session's messages up
// to a number. undelivered says that the last of them is known not to have arrived.
func (c *caller) lose(upTo uint64, cause error, undelivered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if upTo <= c.sent {
		return
	}
	c.sent, c.cause = upTo, fmt.Errorf("%w: %w", ErrLost, cause)
	for call, w := range c.calls {
		switch {
		case w.number == 0 || w.number > upTo: // accepted sees to the former
		case undelivered && w.number == upTo:
			c.settle(call, w, nil, cause)
		default:
			c.settle(call, w, nil, c.cause)
		}
	}
}

// forget has nothing said that is for a peer that is gone.
func (c *caller) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.control.forget(func(call uint64) bool { return c.calls[call] != nil })
}

// connected notes whether there is a connection.
func (c *caller) connected(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case is && !c.up:
		c.down = make(chan struct{})
	case !is && c.up:
		close(c.down)
	}
	c.up = is
}

// finish ends all calls that lose has left: they were never sent.
func (c *caller) finish(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = err
	for call, w := range c.calls {
		if w.number != 0 {
			c.settle(call, w, nil, err)
		}
	}
}
