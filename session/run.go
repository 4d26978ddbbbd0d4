package session

import (
	"math/bits"
	"sync"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/recycle"
)

// run is one message, or a row of small ones that came together and share memory. A row becomes
// messages only when they are taken off it.
type run struct {
	data   []byte // a payload, or whole frames that are not empty
	frames int    // of which data consists; 0 if it is a payload
	block  *block // what is known of the frames
}

// messages returns how many there are.
func (r *run) messages() int { return max(r.frames, 1) }

// peek returns the first message, and what would be left without it.
func (r *run) peek() (payload, rest []byte) {
	if r.frames == 0 {
		return r.data, nil
	}
	return r.block.format.Cut(r.data)
}

// cut takes the first message off a row.
func (r *run) cut() (payload []byte) {
	payload, r.data = r.peek()
	r.frames--
	return payload
}

// payload returns the bytes of payload in the run.
func (r *run) payload() (bytes int) {
	rest := *r
	for range r.messages() {
		bytes += len(rest.cut())
	}
	return bytes
}

// lends reports whether runs are lent to callbacks. A lossy policy keeps messages one by one,
// each of which would hold its whole block.
func (s *Session) lends() bool {
	return s.cfg.OnEvent != nil && s.cfg.ReadBuffer.Policy == PolicyFixed
}

// keepRun copies what a link reads into memory of its own.
func (s *Session) keepRun(found codec.Run) run {
	if s.lends() {
		b := lend(found.Bytes)
		b.format = s.cfg.Format
		return run{b.b, found.Frames, b}
	}
	return run{recycle.Clone(found.Bytes), found.Frames, &s.in.kept}
}

// block is what the frames of a run have in common: their format and, if they are lent to
// callbacks, their memory.
type block struct {
	format codec.Format
	b      []byte // nil if the user may keep the run
}

// Sizes of blocks, in bytes: powers of two, so that a run holds no more than twice its own size,
// or the smallest. What is larger than the largest is not lent.
const (
	minBlockBits = 10
	maxBlockBits = 16
	maxLent      = 1 << maxBlockBits
)

// blocks are those that can be used again, by size.
var blocks [maxBlockBits - minBlockBits + 1]sync.Pool

// lend copies a run of at most maxLent bytes into a block.
func lend(run []byte) *block {
	size := max(minBlockBits, bits.Len(uint(len(run)-1)))
	b, _ := blocks[size-minBlockBits].Get().(*block)
	if b == nil {
		b = &block{b: make([]byte, 0, 1<<size)}
	}
	b.b = append(b.b, run...)
	return b
}

// free gives the memory to the next run of its size, if there is any.
func (b *block) free() {
	if b == nil || b.b == nil {
		return
	}
	size := bits.Len(uint(cap(b.b) - 1))
	b.b = b.b[:0]
	blocks[size-minBlockBits].Put(b)
}
