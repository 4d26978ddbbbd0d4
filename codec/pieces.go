package codec

import (
	"strings"
	"unsafe"
)

// pieceSize is the most room that is made at once for a payload that is gathered in pieces.
const pieceSize = 256 << 10

// pieces gathers a payload that is too large for a slice that grows: that would copy, and clear,
// half of the payload in one call.
//
// What arrives goes to pieces that together are at most twice as long as what was seen. When three
// quarters of the payload are there, memory for all of it is made, and every call moves a share of
// the pieces there: for each byte that arrives at most four others, so that all is moved with the
// last one. Each byte is copied twice, and no call copies more than five times what it was given.
type pieces struct {
	reuse  *Buffers
	length int             // of the payload
	seen   int             // bytes of it that have arrived
	parts  [][]byte        // those that are not moved yet; all parts but the last are full
	moved  int             // bytes of the first part that are moved
	whole  strings.Builder // those that are moved: the one way to get memory that is not cleared
	held   int             // bytes of memory in parts and whole
}

// movedPerByte is how many bytes of the pieces may be left for each byte that is still to come.
const movedPerByte = 3

// add takes bytes of the payload, which it does not keep. It returns the payload when that is
// complete.
func (g *pieces) add(p []byte) (payload []byte, complete bool) {
	g.seen += len(p)
	g.store(p)
	left := g.length - g.seen
	if left > g.length/(movedPerByte+1) {
		return nil, false
	}
	if g.whole.Cap() == 0 {
		g.whole.Grow(g.length)
		g.held += g.whole.Cap()
	}
	g.move(g.seen - g.whole.Len() - movedPerByte*left)
	if left > 0 {
		return nil, false
	}
	s := g.whole.String() // nobody else has it
	return unsafe.Slice(unsafe.StringData(s), len(s)), true
}

// store copies bytes behind those that are there.
func (g *pieces) store(p []byte) {
	for len(p) > 0 {
		last := len(g.parts) - 1
		if last < 0 || len(g.parts[last]) == cap(g.parts[last]) {
			part := g.reuse.get(min(max(g.seen, growStep), pieceSize))
			g.parts = append(g.parts, part)
			g.held += cap(part)
			last++
		}
		part := g.parts[last]
		n := min(len(p), cap(part)-len(part))
		g.parts[last] = append(part, p[:n]...)
		p = p[n:]
	}
}

// move moves so many bytes from the pieces to the whole, and lets go of the pieces that are empty
// then.
func (g *pieces) move(n int) {
	for n > 0 {
		part := g.parts[0]
		from := part[g.moved:]
		from = from[:min(n, len(from))]
		g.whole.Write(from)
		g.moved += len(from)
		n -= len(from)
		if g.moved == cap(part) {
			g.held -= cap(part)
			g.reuse.Put(part)
			g.parts[0], g.parts, g.moved = nil, g.parts[1:], 0
		}
	}
}
