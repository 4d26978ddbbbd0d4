package testkit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
)

// Texts returns n different texts, in order.
func Texts(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("message %d", i)
	}
	return texts
}

// MinNumbered is the size of the smallest numbered message.
const MinNumbered = 8

// Numbered returns message i of a sequence: its number, its size, and content that follows from the
// number, so that a [Sequence] can tell whether it is the one that is due, whole and unaltered.
func Numbered(i, size int) []byte {
	m := make([]byte, size)
	binary.BigEndian.PutUint32(m, uint32(i))
	binary.BigEndian.PutUint32(m[4:], uint32(size))
	eachPiece(m, func(piece, want []byte) bool { copy(piece, want); return true })
	return m
}

// Number returns which message of a sequence m is, if it is one and unaltered.
func Number(m []byte) (int, error) {
	if len(m) < MinNumbered {
		return 0, fmt.Errorf("%d bytes are no numbered message: %q", len(m), m)
	}
	i := int(binary.BigEndian.Uint32(m))
	if size := binary.BigEndian.Uint32(m[4:]); int64(size) != int64(len(m)) {
		return 0, fmt.Errorf("message %d has %d bytes, it was made with %d", i, len(m), size)
	}
	if !eachPiece(m, bytes.Equal) {
		return 0, fmt.Errorf("message %d is altered", i)
	}
	return i, nil
}

// content repeats after a prime number of bytes, so that pieces which were exchanged, or are those
// of another message, differ.
var content = sync.OnceValue(func() []byte {
	p := make([]byte, 65_521)
	_, _ = rand.NewChaCha8([32]byte{}).Read(p)
	return p
})

// eachPiece calls f with the pieces of a message's content and what they are to be, while f says
// so.
func eachPiece(m []byte, f func(piece, want []byte) bool) bool {
	all := content()
	want := all[uint64(binary.BigEndian.Uint32(m))*31%uint64(len(all)):]
	for rest := m[MinNumbered:]; len(rest) > 0; want = all {
		n := min(len(rest), len(want))
		if !f(rest[:n], want[:n]) {
			return false
		}
		rest = rest[n:]
	}
	return true
}

// A Sequence checks that numbered messages arrive as they were made: none twice, none out of order,
// none altered, and, unless Gaps is set, none lost. The zero value waits for message 0.
type Sequence struct {
	Gaps bool // messages may be lost, as those may that the kernel had when a connection broke
	next int
}

// Take takes the next message, and returns what is wrong with it.
func (q *Sequence) Take(m []byte) error {
	i, err := Number(m)
	switch {
	case err != nil:
		return fmt.Errorf("%w; message %d was due", err, q.next)
	case i < q.next:
		return fmt.Errorf("message %d comes twice or too late: %d was due", i, q.next)
	case i > q.next && !q.Gaps:
		return fmt.Errorf("messages %d to %d are missing: %d came", q.next, i-1, i)
	}
	q.next = i + 1
	return nil
}

// Next returns the number of the message that is due: with no gaps, how many have come.
func (q *Sequence) Next() int { return q.next }
