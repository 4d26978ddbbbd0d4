// Package wire is the framing that every contestant speaks: a 4-byte big-endian length, then that many bytes.
package wire

import "encoding/binary"

// HeaderLen is the size of the length that precedes every payload.
const HeaderLen = 4

// FrameLen is what a payload of n bytes takes on the wire.
func FrameLen(n int) int { return HeaderLen + n }

// PutHeader writes the length of a payload of n bytes into the first HeaderLen bytes of b.
func PutHeader(b []byte, n int) { binary.BigEndian.PutUint32(b, uint32(n)) }

// Length reads the payload length out of the first HeaderLen bytes of b.
func Length(b []byte) int { return int(binary.BigEndian.Uint32(b)) }

// Complete returns how many leading bytes of b are whole frames, and how many bytes b must hold before the
// next frame is whole (HeaderLen while even its length is not there).
func Complete(b []byte) (whole, need int) {
	for {
		rest := len(b) - whole
		if rest < HeaderLen {
			return whole, HeaderLen
		}
		frame := FrameLen(Length(b[whole:]))
		if rest < frame {
			return whole, frame
		}
		whole += frame
	}
}
