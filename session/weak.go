package session

import (
	"reflect"
	"time"
	"unsafe"
	"weak"
)

// weakPoll is how often a channel is served whose session was dropped: who
// serves it must not keep it, so he cannot wait on it.
const weakPoll = 10 * time.Millisecond

// weakChan is a channel that is not kept from being collected.
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
