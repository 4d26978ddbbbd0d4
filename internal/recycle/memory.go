package recycle

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Clone returns a copy of p that belongs to the caller; its capacity beyond len(p), if any, holds
// nothing of others. The copy of an empty p is nil. It is safe for concurrent use.
func Clone(p []byte) []byte { return shared.clone(p) }

// shared is the memory of the whole process, because the collector and the bound are the whole
// process's, too.
var shared = newMemory(reuse)

// Payloads of these sizes, in bytes, have their memory used again. The package comment says why.
const (
	minBits = 10
	maxBits = 20
	minSize = 1 << minBits
	maxSize = 1 << maxBits
)

// maxPending bounds memory.pending, in bytes. The package comment says why.
const maxPending = 16 << 20

// memory hands out blocks, and takes each back when the collector finds that nothing refers to it.
// It is safe for concurrent use.
type memory struct {
	pending atomic.Int64 // bytes in blocks that have a finalizer
	classes [2*(maxBits-minBits) + 1]class
}

// class is the blocks of one size: 1 KiB, 1.5 KiB, 2 KiB, 3 KiB and so on.
type class struct {
	size int
	free sync.Pool   // of *byte: blocks that nothing else refers to
	back func(*byte) // the finalizer of its blocks: puts one into free
}

// newMemory returns memory that uses blocks again, or that leaves all to the allocator.
func newMemory(reuse bool) *memory {
	m := new(memory)
	if !reuse {
		m.pending.Store(maxPending) // so that no block is ever within the bound
	}
	for i := range m.classes {
		c := &m.classes[i]
		c.size = minSize << (i / 2) / 2 * (2 + i%2)
		c.back = func(p *byte) {
			c.free.Put(p)
			m.pending.Add(-int64(c.size))
		}
	}
	return m
}

func (m *memory) clone(p []byte) []byte { return append(m.get(len(p)), p...) }

// get returns an empty slice of capacity n for append to fill. It is nil where ordinary memory is
// to be used: append allocates that without clearing what it is about to overwrite.
func (m *memory) get(n int) []byte {
	if n < minSize || n > maxSize {
		return nil
	}
	c := m.class(n)
	if m.pending.Add(int64(c.size)) > maxPending {
		m.pending.Add(-int64(c.size))
		return nil
	}
	p, _ := c.free.Get().(*byte)
	if p == nil {
		p = unsafe.SliceData(make([]byte, c.size))
	}
	runtime.SetFinalizer(p, c.back)
	return unsafe.Slice(p, n)[:0] // of capacity n: what a former owner left behind is out of reach
}

// class returns the class of blocks for n bytes, the smallest that is large enough.
func (m *memory) class(n int) *class {
	i := 2 * bits.Len(uint(n-1)>>minBits) // of the next power of two
	if i > 0 && n <= m.classes[i-1].size {
		i--
	}
	return &m.classes[i]
}
