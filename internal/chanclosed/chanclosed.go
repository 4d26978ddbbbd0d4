package chanclosed

import (
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Hint tells of one channel. The zero value knows nothing.
type Hint struct{ word *uint32 }

// Of returns the hint of a channel, which is not nil.
func Of(c chan []byte) Hint {
	at, found := place()
	if !found {
		return Hint{}
	}
	return Hint{wordAt(c, at)}
}

// Known reports whether there is a hint at all.
func (h Hint) Known() bool { return h.word != nil && !distrusted.Load() }

// Closed reports whether the channel seems to be closed.
func (h Hint) Closed() bool { return h.Known() && atomic.LoadUint32(h.word) == 1 }

// Distrust says that a hint was wrong. From then on there are none in this process. Tests call
// undo.
func Distrust() (undo func()) {
	distrusted.Store(true)
	return func() { distrusted.Store(false) }
}

// What is known of the runtime, and so is the same for the whole process.
var (
	distrusted atomic.Bool
	place      = sync.OnceValues(func() (int, bool) { return find(samples()) })
)

// words is how many words are compared: on all platforms, the object of a channel has more.
const words = 8 * unsafe.Sizeof(uintptr(0)) / unsafe.Sizeof(uint32(0))

// header is what a channel's object begins with.
type header [words]uint32

// wordAt returns a word of a channel's object.
func wordAt(c chan []byte, i int) *uint32 {
	first := reflect.ValueOf(c).UnsafePointer()
	return (*uint32)(unsafe.Add(first, i*int(unsafe.Sizeof(uint32(0)))))
}

// headerOf reads the first words of a channel's object.
func headerOf(c chan []byte) (h header) {
	for i := range h {
		h[i] = atomic.LoadUint32(wordAt(c, i))
	}
	return h
}

// samples returns the headers of channels of all kinds.
func samples() (open, closed []header) {
	for _, capacity := range []int{0, 1, 2, 7, 64} {
		for held := range capacity + 1 {
			for _, passed := range []int{0, 1, capacity / 2} { // that were sent and received before
				c := make(chan []byte, capacity)
				for range min(passed, capacity) {
					c <- nil
					<-c
				}
				for range held {
					c <- make([]byte, 1)
				}
				open = append(open, headerOf(c))
				close(c)
				closed = append(closed, headerOf(c))
			}
		}
	}
	return open, closed
}

// find returns the one word that is 0 in all open channels and 1 in all closed ones.
func find(open, closed []header) (at int, found bool) {
	for i := range words {
		if !all(open, int(i), 0) || !all(closed, int(i), 1) {
			continue
		}
		if found {
			return 0, false
		}
		at, found = int(i), true
	}
	return at, found
}

// all reports whether a word has one value in all headers, of which there are some.
func all(headers []header, i int, value uint32) bool {
	for _, h := range headers {
		if h[i] != value {
			return false
		}
	}
	return len(headers) > 0
}
