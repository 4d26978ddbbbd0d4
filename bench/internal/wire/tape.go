package wire

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
)

// tapeBytes is about how much one period of a tape takes, unless four windows are more. It fits the second-level
// cache, so that producing and checking traffic costs the generator little beside the system calls.
const tapeBytes = 128 << 10

// stride is how many messages further on the tape the next connection begins: a prime, so that connections share
// a place only after as many of them as the tape has messages.
const stride = 7919

// Tape is an endless sequence of framed messages of one size, held as one period plus enough of the next that
// any window of messages lies in one piece. The generator writes straight out of it, and what comes back must
// equal what the tape says: every lost, repeated, reordered or altered message shows as a difference, because
// no two messages of a period are alike and a period is longer than the window.
type Tape struct {
	bytes  []byte
	period int // bytes until the tape repeats
	frame  int // bytes of one frame
}

// NewTape makes the tape for payloads of the given size with at most window messages under way.
func NewTape(payload, window int) *Tape {
	frame := FrameLen(payload)
	count := max(4*window, tapeBytes/frame, 2)
	source := rand.NewChaCha8([32]byte{byte(payload), byte(payload >> 8), byte(payload >> 16), 'n', 'e', 't'})
	t := &Tape{frame: frame, period: count * frame}
	t.bytes = make([]byte, t.period+window*frame)
	for i := range count {
		one := t.bytes[i*frame : (i+1)*frame]
		PutHeader(one, payload)
		_, _ = source.Read(one[HeaderLen:]) // never fails
		number(one[HeaderLen:], i)
	}
	copy(t.bytes[t.period:], t.bytes)
	return t
}

// number puts the message's place on the tape into its first bytes, so that no two are alike.
func number(payload []byte, i int) {
	if len(payload) >= 8 {
		binary.LittleEndian.PutUint64(payload, uint64(i)<<8|0xA5)
	}
}

// FrameLen is the size of one frame of this tape.
func (t *Tape) FrameLen() int { return t.frame }

// Start is where the i-th connection begins on the tape: each elsewhere, so that what one of them is sent does not
// pass for what another is due.
func (t *Tape) Start(i int) uint64 { return uint64(i * stride % t.Frames() * t.frame) }

// Frames is how many different messages the tape holds.
func (t *Tape) Frames() int { return t.period / t.frame }

// Slice returns n bytes of the endless sequence from position pos, n being at most a window.
func (t *Tape) Slice(pos uint64, n int) []byte {
	at := int(pos % uint64(t.period))
	return t.bytes[at : at+n]
}

// Payload returns the payload of message i of the endless sequence.
func (t *Tape) Payload(i uint64) []byte {
	at := int(i%uint64(t.Frames())) * t.frame
	return t.bytes[at+HeaderLen : at+t.frame : at+t.frame]
}

// Matches reports whether received is what the sequence holds at pos.
func (t *Tape) Matches(pos uint64, received []byte) bool {
	at := int(pos % uint64(t.period))
	if at+len(received) > len(t.bytes) {
		return false
	}
	return bytes.Equal(received, t.bytes[at:at+len(received)])
}
