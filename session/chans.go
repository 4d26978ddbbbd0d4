package session

import (
	"sync/atomic"
	"unsafe"
)

// Chans is what the channels of a host's sessions have in common. The zero
// value is ready for use.
type Chans struct {
	idle  idleChans
	extra atomic.Int64 // bytes of slots that channels have beyond their least
}

const (
	// mostSlots is the greatest capacity of a channel; more would hardly save turns between goroutines.
	mostSlots = 128
	// extraBytes bounds the slots beyond the least: some 150 sessions may have
	// most slots in both directions, 10 KiB each, before others get the least.
	extraBytes = 3 << 19
)

// slots are those of one kind of channel. A Go channel allocates all of them at
// once, so idle ones are the fewer the more sessions there are; what finds none waits in the
// queue behind or before the channel, at the price of turns between goroutines.
type slots struct {
	least int // of them, unless the buffer is smaller
	size  int // of each, in bytes
	room  int // bytes that a buffer must have for each beyond the least; by default it has them for all
}

var (
	// One event more would take the next size of Go's allocator, 128 bytes more, and one message more 32.
	readSlots  = slots{15, int(unsafe.Sizeof(Event{})), DefaultReadBytes / mostSlots}
	writeSlots = slots{12, int(unsafe.Sizeof([]byte{})), DefaultWriteBytes / mostSlots}
)

// leastFor returns the capacity that a channel beside b has in any case.
func (sl slots) leastFor(b *Buffer) int {
	return min(b.Cap, max(sl.least, min(b.Cap/10, mostSlots)))
}

// mostFor returns the capacity that a channel beside b has at most: nothing else bounds the
// bytes that messages in a write channel hold.
func (sl slots) mostFor(b *Buffer) int {
	return max(sl.leastFor(b), min(b.Cap, mostSlots, b.Bytes/sl.room))
}

// capacity decides on that of a new channel beside b.
func (c *Chans) capacity(sl slots, b *Buffer) int {
	least, most := sl.leastFor(b), sl.mostFor(b)
	extra := int64((most - least) * sl.size)
	if c.extra.Add(extra) > extraBytes {
		c.extra.Add(-extra)
		return least
	}
	return most
}

// giveBack leaves to others what a channel, whose session closes, has beyond the least.
func (c *Chans) giveBack(sl slots, b *Buffer, capacity int) {
	if extra := capacity - sl.leastFor(b); extra > 0 {
		c.extra.Add(-int64(extra * sl.size))
	}
}
