package weakchan

import "runtime"

// Drain throws away whatever is sent to c from now on, until c is closed or nothing else refers to
// it any more. It returns at once.
//
// late may be nil. It is told how many values were thrown away, by one call for all of a look; the
// first call may come before Drain returns, and no two run at the same time. It must not refer to
// c, which would keep c for ever.
//
// A channel that was made in a bubble of testing/synctest is to be drained from there.
func Drain[T any](c chan T, late func(n int)) { serve(weakly(c), drainPause, discard[T](late)) }

// Deliver sends rest to c in order, as there is room, and then closes c. It gives up when nothing
// else refers to c any more. It returns at once, and has sent what fits.
//
// From now on rest belongs to Deliver, which clears each element that it has sent, and c has no
// other sender. No element may refer to c, which would keep c until it is delivered.
//
// To a channel that was made in a bubble of testing/synctest it is to be called from there.
func Deliver[T any](c chan T, rest []T) { serve(weakly(c), deliverPause, send(rest)) }

// maxDrained bounds what one look takes beyond the channel's capacity, so that Drain returns
// however fast a sender is. At the shortest pause that still are a million values a second.
const maxDrained = 1024

// discard returns Drain's look at the channel.
func discard[T any](late func(n int)) look[T] {
	return func(c chan T) (moved, done bool) {
		n, done := receive(c)
		if n > 0 && late != nil {
			late(n)
		}
		return n > 0, done
	}
}

// receive throws away what c holds. It reports whether c is closed.
func receive[T any](c chan T) (n int, closed bool) {
	for n < cap(c)+maxDrained {
		select {
		case _, open := <-c:
			if !open {
				return n, true
			}
			n++
		default:
			return n, false
		}
	}
	return n, false
}

// sendYields is how often a look lets a receiver run that has just taken something, and is likely
// to come back. Without, a channel that has no slots takes one value a look.
const sendYields = 10

// send returns Deliver's look at the channel.
func send[T any](rest []T) look[T] {
	return func(c chan T) (moved, done bool) {
		for yields := 0; len(rest) > 0; {
			select {
			case c <- rest[0]:
				clear(rest[:1]) // the channel has it, and the receiver alone is to keep it
				rest = rest[1:]
				moved, yields = true, 0
			default:
				if !moved || yields == sendYields {
					return moved, false
				}
				yields++
				runtime.Gosched()
			}
		}
		close(c)
		return true, true
	}
}
