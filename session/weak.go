package session

import (
	"reflect"
	"time"
	"unsafe"
	"weak"
)

// weakPoll is how often a channel is served whose session was dropped: whoever
// serves it must not keep it, and so cannot wait on it.
const weakPoll = 10 * time.Millisecond

// weakChan is a channel that is not kept from being collected. The value of a channel is a pointer to its
// heap object, as unsafe's rules do not promise but every release of Go has it (a test would fail); a weak pointer to
// that object's first byte keeps none of it.
type weakChan[T any] struct{ p weak.Pointer[byte] }

func weakly[T any](c chan T) weakChan[T] {
	return weakChan[T]{weak.Make((*byte)(reflect.ValueOf(c).UnsafePointer()))}
}

// serve calls f with the channel now and then, until f is done or nobody has the channel.
func (w weakChan[T]) serve(f func(chan T) (done bool)) {
	for w.once(f) {
		time.Sleep(weakPoll)
	}
}

// once is serve's single turn. It is not inlined, so that serve's frame holds no pointer to the channel while it sleeps.
//
//go:noinline
func (w weakChan[T]) once(f func(chan T) bool) bool {
	p := w.p.Value()
	return p != nil && !f(*(*chan T)(unsafe.Pointer(&p)))
}

// lastEvents brings what is left to a user who has kept the channel alone.
func lastEvents(w weakChan[Event], rest []Event) {
	w.serve(func(c chan Event) bool {
		for len(rest) > 0 {
			select {
			case c <- rest[0]:
				rest = rest[1:]
			default:
				return false
			}
		}
		close(c) // the last was Closed: only a closed session can have been dropped
		return true
	})
}

// lastSends is discard for a user who has kept the channel alone.
func lastSends(w weakChan[[]byte]) {
	w.serve(func(c chan []byte) bool {
		for {
			select {
			case _, open := <-c:
				if !open {
					return true
				}
			default:
				return false
			}
		}
	})
}
