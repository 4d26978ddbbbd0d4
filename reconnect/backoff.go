// Package reconnect decides when and where to connect again, and when to look
// after a connection: back-off, endpoints, the supervisor of one session's
// dialing, and ticks. It stands on the standard library alone and knows
// neither sessions nor sockets.
package reconnect

import (
	"fmt"
	"math"
	"time"
)

// Defaults of a [Backoff].
const (
	DefaultInitial = 100 * time.Millisecond
	DefaultMax     = 5 * time.Second
	DefaultFactor  = 1.6
	DefaultJitter  = 0.2
)

// Backoff says how long to wait before each attempt to connect again: Initial
// before the first, each further wait Factor times as long, up to Max; all of them with
// a jitter. The zero value is 100 ms, ×1.6, 5 s, ±20 %. It is a value, safe for concurrent use.
type Backoff struct {
	Initial time.Duration // first delay; 0 means 100 ms
	Max     time.Duration // largest delay before jitter; 0 means 5 s, or Initial if that is longer
	Factor  float64       // growth, at least 1; 0 means 1.6
	// Jitter spreads each delay, so that the clients of a server that restarts do not come back all
	// at once: by up to that part of it either way; 0 means 0.2, that is ±20 %. Over 0.5 it lengthens
	// by no more than what it leaves of the delay. So 1, the maximum, is anywhere between 0 and the
	// delay, which is best for many clients of one server.
	Jitter float64
	fixed  bool
}

// FixedDelay returns a back-off that always waits d, without jitter unless Jitter is set: the rule of
// net.async with d = 1 s.
func FixedDelay(d time.Duration) Backoff {
	return Backoff{Initial: d, Max: d, Factor: 1, fixed: true}
}

// Resolve validates the back-off and fills in defaults. Errors name the field.
func (b Backoff) Resolve() (Backoff, error) {
	switch {
	case b.fixed && b.Initial <= 0:
		return b, fmt.Errorf("netasync: Backoff is FixedDelay(%v), want a delay over 0", b.Initial)
	case b.Initial < 0:
		return b, fmt.Errorf("netasync: Backoff.Initial is %v, want 0 or more", b.Initial)
	case b.Max < 0:
		return b, fmt.Errorf("netasync: Backoff.Max is %v, want 0 or more", b.Max)
	case b.Factor != 0 && !(b.Factor >= 1 && b.Factor <= math.MaxFloat64):
		return b, fmt.Errorf("netasync: Backoff.Factor is %v, want 0 or at least 1", b.Factor)
	case !(b.Jitter >= 0 && b.Jitter <= 1):
		return b, fmt.Errorf("netasync: Backoff.Jitter is %v, want 0 to 1", b.Jitter)
	}
	if b.Initial == 0 {
		b.Initial = DefaultInitial
	}
	if b.Max == 0 {
		b.Max = max(DefaultMax, b.Initial)
	}
	if b.Factor == 0 {
		b.Factor = DefaultFactor
	}
	if b.Jitter == 0 && !b.fixed {
		b.Jitter = DefaultJitter
	}
	if b.Max < b.Initial {
		return b, fmt.Errorf("netasync: Backoff.Max is %v, want at least Initial, %v", b.Max, b.Initial)
	}
	return b, nil
}

// Delay returns the wait after the given number of failures in a row, from 0.
// random is a number in [0, 1). b must be resolved.
func (b Backoff) Delay(failures int, random float64) time.Duration {
	delay := min(float64(b.Initial)*math.Pow(b.Factor, float64(failures)), float64(b.Max))
	least, most := 1-b.Jitter, 1+min(b.Jitter, 1-b.Jitter)
	if delay *= least + (most-least)*random; delay >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(delay)
}
