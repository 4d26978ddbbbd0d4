package weakchan

import "time"

// The pauses between two looks at a channel. The first is short; each is a quarter longer than the
// one before while nothing moves. So a party to the channel that was idle for a time waits at most
// a quarter of that, or the first pause if that is longer, and never longer than maxPause.
const (
	drainPause   = time.Millisecond
	deliverPause = 100 * time.Microsecond // short: without a buffer, one value is taken a look
	maxPause     = time.Second
)

// look moves what can be moved without blocking. It reports whether anything was, and whether there
// never will be anything again. It keeps no reference to c.
type look[T any] func(c chan T) (moved, done bool)

// poll looks at a channel now and then. Between two looks nothing but its timer refers to it, and
// it holds no reference that keeps the channel: when the timer is not set again, all is free.
type poll[T any] struct {
	c     ref[T]
	look  look[T]
	first time.Duration // the pause after a look that moved something
	pause time.Duration // before the look to come
}

// serve looks at the channel at once, and then until that is done or the channel is gone.
func serve[T any](c ref[T], first time.Duration, f look[T]) {
	p := &poll[T]{c: c, look: f, first: first}
	p.turn()
}

// turn is one look, and what sets the timer for the next. No two of a poll run at the same time.
func (p *poll[T]) turn() {
	moved, done := p.once()
	if done {
		return
	}
	if moved || p.pause == 0 {
		p.pause = p.first
	} else {
		p.pause = min(p.pause+p.pause/4, maxPause)
	}
	time.AfterFunc(p.pause, p.turn)
}

// once is the only function whose frame holds the channel. It is not inlined, so that its frame is
// gone before the timer is set: a caution, since no frame waits here that could keep the channel.
//
//go:noinline
func (p *poll[T]) once() (moved, done bool) {
	c := p.c.get()
	if c == nil {
		return false, true
	}
	return p.look(c)
}
