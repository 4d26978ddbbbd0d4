// Package codec frames messages: a length header, then that many bytes of
// payload. It knows neither sockets nor sessions.
//
// The zero [Format] is the default wire: a four-byte, big-endian length that
// does not count itself. Erlang's {packet,4}, Netty's LengthFieldPrepender(4),
// Thrift's framed transport and net.async speak the same.
package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Errors of this package. The connection they occur on cannot be read further.
var (
	// ErrFrameTooLarge says that a length exceeds the maximum payload.
	ErrFrameTooLarge = errors.New("netasync: frame larger than the maximum payload")
	// ErrBadHeader says that a header cannot be a length: a varint longer than
	// ten bytes, or a length that includes the header yet is smaller than it.
	ErrBadHeader = errors.New("netasync: malformed frame header")
)

const (
	// DefaultMaxPayload is the largest payload unless configured otherwise, in bytes.
	DefaultMaxPayload = 4 << 20
	// MaxPayloadLimit is the largest payload that can be configured, in bytes:
	// net.async reads its four-byte length as a signed number.
	MaxPayloadLimit = math.MaxInt32

	defaultWidth   = 4
	maxHeaderBytes = binary.MaxVarintLen64
)

// Format says how a payload's length is written before it. Both ends must
// agree on it. The zero value is the default wire. A Format is a value, safe
// for concurrent use.
type Format struct {
	// Width is the size of the length in bytes: 1, 2, 3, 4 or 8; 0 means 4.
	// It must be 0 when Varint is set.
	Width int
	// Varint writes the length as an unsigned varint of one to ten bytes, seven bits
	// each, lowest first, as in Protocol Buffers.
	Varint bool
	// LittleEndian writes the lowest byte first. It must be false when Varint is set.
	LittleEndian bool
	// IncludesHeader makes the length count the header's own bytes too.
	IncludesHeader bool
}

// Validate reports what is wrong with the format, naming the field.
func (f Format) Validate() error {
	if f.Varint {
		if f.Width != 0 {
			return fmt.Errorf("netasync: Codec.Width is %d, want 0 with Varint", f.Width)
		}
		if f.LittleEndian {
			return errors.New("netasync: Codec.LittleEndian has no meaning with Varint")
		}
		return nil
	}
	switch f.Width {
	case 0, 1, 2, 3, 4, 8:
		return nil
	}
	return fmt.Errorf("netasync: Codec.Width is %d, want 1, 2, 3, 4 or 8", f.Width)
}

// Limit returns the largest payload the header can announce, at most
// [MaxPayloadLimit].
func (f Format) Limit() int {
	width := f.width()
	if f.Varint || width >= 4 {
		return MaxPayloadLimit
	}
	limit := 1<<(8*width) - 1
	if f.IncludesHeader {
		limit -= width
	}
	return limit
}

func (f Format) width() int {
	if f.Width == 0 {
		return defaultWidth
	}
	return f.Width
}

// HeaderLen returns the size of the header before a payload of n bytes.
func (f Format) HeaderLen(n int) int {
	if !f.Varint {
		return f.width()
	}
	return f.varintHeaderLen(n)
}

func (f Format) varintHeaderLen(n int) int {
	if !f.IncludesHeader {
		return uvarintLen(uint64(n))
	}
	// The header counts itself, so its size can push the number over a
	// boundary of seven bits: take the first size that holds the sum.
	size := 1
	for uvarintLen(uint64(n)+uint64(size)) > size { // the sum may be no int where that has 32 bits
		size++
	}
	return size
}

// FrameLen returns the size on the wire of a payload of n bytes.
func (f Format) FrameLen(n int) int { return f.HeaderLen(n) + n }

// AppendHeader appends the header of a payload of n bytes. n must not exceed
// [Format.Limit].
func (f Format) AppendHeader(dst []byte, n int) []byte {
	if f == (Format{}) {
		return binary.BigEndian.AppendUint32(dst, uint32(n))
	}
	return f.appendHeader(dst, n)
}

func (f Format) appendHeader(dst []byte, n int) []byte {
	value := uint64(n)
	if f.IncludesHeader {
		value += uint64(f.HeaderLen(n))
	}
	if f.Varint {
		return binary.AppendUvarint(dst, value)
	}
	width := f.width()
	for i := range width {
		shift := 8 * (width - 1 - i)
		if f.LittleEndian {
			shift = 8 * i
		}
		dst = append(dst, byte(value>>shift))
	}
	return dst
}

// AppendFrame appends header and payload.
func (f Format) AppendFrame(dst, payload []byte) []byte {
	return append(f.AppendHeader(dst, len(payload)), payload...)
}

// parseHeader reads the payload's length from the start of p. It returns the
// header's size, or 0 when p holds only a part of it.
func (f Format) parseHeader(p []byte) (length uint64, size int, err error) {
	if f.Varint {
		length, size = binary.Uvarint(p)
		if size < 0 || size == 0 && len(p) >= maxHeaderBytes {
			return 0, 0, ErrBadHeader
		}
		if size == 0 {
			return 0, 0, nil
		}
	} else {
		size = f.width()
		if len(p) < size {
			return 0, 0, nil
		}
		for i := range size {
			b := p[i]
			if f.LittleEndian {
				b = p[size-1-i]
			}
			length = length<<8 | uint64(b)
		}
	}
	if f.IncludesHeader {
		if length < uint64(size) {
			return 0, 0, ErrBadHeader
		}
		length -= uint64(size)
	}
	return length, size, nil
}

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
