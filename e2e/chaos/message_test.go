//go:build linux

package chaos

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync"
)

// direction is who made a message. Its value goes into the checksum, so that none passes for one of
// the other side.
type direction uint8

const (
	byClient direction = iota + 1
	byServer
)

const (
	narrow     = 8  // bytes of a message that has no room for origin and ack
	wide       = 16 // bytes from which on it has
	maxMessage = 1 << 20
	nobody     = 0xff // the stream of a server's message that has not heard its client yet
)

// message is what one side tells the other. Its size and content follow from its number.
type message struct {
	seq    uint32
	stream uint8  // the client's number
	origin uint32 // the client's epoch when it was made, or the server's serial; narrow: its last byte
	ack    uint32 // of the server's: what it waits for. Not in narrow ones
	wide   bool
}

// key is what sizes follow from, beside the number of the message.
func key(d direction, stream uint8, serial uint32) uint64 {
	if d == byClient {
		return uint64(d)<<32 | uint64(stream)
	}
	return uint64(d)<<32 | uint64(serial)
}

// size returns how many bytes message seq has: most are small, and one in a thousand is huge.
func size(key uint64, seq uint32) int {
	h := mix(key<<20 ^ uint64(seq))
	n := int(h >> 33) // also where an int has 32 bits
	switch kind := h % 1000; {
	case kind < 50:
		return narrow
	case kind < 700:
		return narrow + n%120
	case kind < 900:
		return 128 + n%(6<<10)
	case kind < 990:
		return 4<<10 + n%(28<<10)
	case kind < 999:
		return 32<<10 + n%(224<<10)
	}
	return maxMessage
}

// mix is the last step of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// encode returns a message of n bytes.
func encode(d direction, m message, n int) []byte {
	p := make([]byte, n)
	binary.BigEndian.PutUint32(p, m.seq)
	p[4], p[5] = m.stream, byte(m.origin)
	if n >= wide {
		binary.BigEndian.PutUint32(p[8:], m.origin)
		binary.BigEndian.PutUint32(p[12:], m.ack)
		eachPiece(p[wide:], m.seq, func(piece, want []byte) bool { copy(piece, want); return true })
	}
	binary.BigEndian.PutUint16(p[6:], checksum(d, p))
	return p
}

// decode returns what a message says, if it is unaltered.
func decode(d direction, p []byte) (m message, err error) {
	if len(p) < narrow {
		return m, fmt.Errorf("%d bytes are no message: %q", len(p), p)
	}
	m = message{seq: binary.BigEndian.Uint32(p), stream: p[4], origin: uint32(p[5]), wide: len(p) >= wide}
	if binary.BigEndian.Uint16(p[6:]) != checksum(d, p) {
		return m, fmt.Errorf("a message of %d bytes is altered, it begins with %x", len(p), p[:min(len(p), wide)])
	}
	if m.wide {
		m.origin, m.ack = binary.BigEndian.Uint32(p[8:]), binary.BigEndian.Uint32(p[12:])
		if !eachPiece(p[wide:], m.seq, bytes.Equal) {
			return m, fmt.Errorf("message %d of %d bytes is altered", m.seq, len(p))
		}
	}
	return m, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is of the direction and all of p, save for the place of the checksum itself.
func checksum(d direction, p []byte) uint16 {
	sum := crc32.Update(uint32(d), castagnoli, p[:6])
	sum = crc32.Update(sum, castagnoli, p[8:])
	return uint16(sum>>16 ^ sum)
}

// content repeats after a prime number of bytes.
var content = sync.OnceValue(func() []byte {
	p := make([]byte, 65_521)
	_, _ = rand.NewChaCha8([32]byte{}).Read(p)
	return p
})

// eachPiece calls f with the pieces of a message's content and what they are to be, while f says so.
func eachPiece(rest []byte, seq uint32, f func(piece, want []byte) bool) bool {
	all := content()
	for want := all[uint64(seq)*31%uint64(len(all)):]; len(rest) > 0; want = all {
		n := min(len(rest), len(want))
		if !f(rest[:n], want[:n]) {
			return false
		}
		rest = rest[n:]
	}
	return true
}
