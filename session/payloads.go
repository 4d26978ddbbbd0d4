package session

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// payloads is the memory of payloads that belong to the user, who never gives it back,
// and there may be a gigabyte of it a second, which a program with a small
// heap would collect two hundred times a second. So it comes back by itself, when the
// garbage collector finds that nobody refers to it any more.
var payloads = newMemory(comesBack)

// Memory that comes back, in bytes: less is cheaper to make than to bring back, more would be a hoard.
const (
	minBackBits = 10
	maxBackBits = 20
	minBack     = 1 << minBackBits // no tiny object of Go's allocator, which could not have a finalizer of its own
	maxBack     = 1 << maxBackBits
)

// mostOut bounds, in bytes, what is to come back with the next collection, and so what
// may lie idle until the one after it. What is needed beyond that is ordinary memory. By measurement: with
// half of it an echo of 64 KiB takes 10 % more time of the processor, with twice as much 10 % less.
const mostOut = 16 << 20

// memory is safe for concurrent use.
type memory struct {
	out     atomic.Int64 // bytes that are to come back
	classes [2*(maxBackBits-minBackBits) + 1]class
}

// class is memory of one size: 1 KiB, 1.5 KiB, 2 KiB, 3 KiB and so on.
type class struct {
	size int
	free sync.Pool   // of *byte. The collector empties it, as any pool
	back func(*byte) // puts memory there that nobody refers to
}

func newMemory(comesBack bool) *memory {
	m := new(memory)
	if !comesBack {
		m.out.Store(mostOut) // no more may
	}
	for i := range m.classes {
		c := &m.classes[i]
		c.size = minBack << (i / 2) / 2 * (2 + i%2)
		c.back = func(p *byte) {
			c.free.Put(p)
			m.out.Add(-int64(c.size))
		}
	}
	return m
}

// clone returns a copy of p that belongs to the user.
func (m *memory) clone(p []byte) []byte { return append(m.get(len(p)), p...) }

// get returns an empty slice of capacity n, or none where append is cheaper: that does not clear memory which it is
// about to overwrite.
func (m *memory) get(n int) []byte {
	if n < minBack || n > maxBack {
		return nil
	}
	c := m.class(n)
	if m.out.Add(int64(c.size)) > mostOut {
		m.out.Add(-int64(c.size))
		return nil
	}
	p, _ := c.free.Get().(*byte)
	if p == nil {
		p = unsafe.SliceData(make([]byte, c.size))
	}
	runtime.SetFinalizer(p, c.back)
	return unsafe.Slice(p, n)[:0]
}

// class returns the class of memory for n bytes.
func (m *memory) class(n int) *class {
	i := 2 * bits.Len(uint(n-1)>>minBackBits) // of the next power of two
	if i > 0 && n <= m.classes[i-1].size {
		i--
	}
	return &m.classes[i]
}
