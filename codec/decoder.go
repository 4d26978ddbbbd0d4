package codec

import (
	"bytes"
	"sync"
)

// growStep is the least room made for a payload whose bytes are still to come.
const growStep = 4 << 10

// Decoder cuts a byte stream into frames, however the stream is chunked. It
// never holds more than twice the payload bytes it has seen plus 4 KiB, whatever
// length a header announces; of a payload over 1 MiB that is three quarters there,
// 7/3 plus 256 KiB. No call of Next copies more than 1 MiB plus five times what it
// is given. A Decoder is for one goroutine at a time.
type Decoder struct {
	format  Format
	max     int32                // MaxPayloadLimit at most
	header  [maxHeaderBytes]byte // the part of a header that has arrived
	nheader uint8
	filling bool // header done, payload being filled
	reuse   *Buffers
	length  int     // of the payload being filled
	payload []byte  // the part of it that has arrived
	pieces  *pieces // that part, if the payload is over maxReused
}

// NewDecoder returns a decoder of format f that refuses payloads longer than
// maxPayload bytes. f must be valid, maxPayload from 0 to [MaxPayloadLimit].
func NewDecoder(f Format, maxPayload int) Decoder {
	return Decoder{format: f, max: int32(maxPayload)}
}

// SetMax changes the bound of payloads, for the frames that have not begun.
func (d *Decoder) SetMax(maxPayload int) { d.max = int32(maxPayload) }

// Buffers keeps the memory of large payloads for further ones. Its zero value is
// empty; it is safe for concurrent use, by many decoders.
type Buffers struct{ pool sync.Pool }

// The sizes in bytes of what Buffers keeps: less is cheap to make, more would be a hoard.
const (
	minReused = 32 << 10
	maxReused = 1 << 20
)

// reusable reports whether b is for payloads of that size.
func reusable(size int) bool { return size >= minReused && size <= maxReused }

// Keeps reports whether Put would keep the payload: a decoder that takes memory from b
// may have found it there.
func (b *Buffers) Keeps(payload []byte) bool { return reusable(cap(payload)) }

// Put gives back a payload that the caller owns and has no more use for. b may be nil.
func (b *Buffers) Put(payload []byte) {
	if b != nil && b.Keeps(payload) {
		kept := payload // a parameter whose address is taken would be an allocation each call
		b.pool.Put(&kept)
	}
}

// Clone returns a copy of payload, in memory that Put may have got.
func (b *Buffers) Clone(payload []byte) []byte { return append(b.get(len(payload)), payload...) }

// get returns an empty slice of at least so many bytes' capacity. b may be nil.
func (b *Buffers) get(size int) []byte {
	if b != nil && reusable(size) {
		if p, ok := b.pool.Get().(*[]byte); ok && cap(*p) >= size {
			return (*p)[:0]
		}
	}
	return make([]byte, 0, size)
}

// Reuse makes the decoder take the memory of large payloads from b. It may then
// allocate up to 1 MiB ahead of the bytes it has seen, of memory that was in use before.
func (d *Decoder) Reuse(b *Buffers) { d.reuse = b }

// Frame is a payload that [Decoder.Next] found. An empty one is a heartbeat.
type Frame struct {
	Payload []byte // without its header
	// Borrowed payloads alias the bytes given to Next; others belong to the caller.
	Borrowed bool
}

// Next consumes bytes of p up to the end of the first frame in it. It returns
// how many it took, and whether a frame is complete; if not, it took all of p.
// After an error the decoder is of no more use.
func (d *Decoder) Next(p []byte) (f Frame, n int, complete bool, err error) {
	if d.filling {
		return d.body(p, 0, d.length)
	}
	if d.nheader == 0 {
		if length, size := d.format.Header(p); size > 0 && length <= int(d.max) {
			return d.body(p, size, length)
		}
	}
	return d.head(p)
}

// head completes a header that may have begun in an earlier chunk.
func (d *Decoder) head(p []byte) (f Frame, n int, complete bool, err error) {
	had := int(d.nheader)
	d.nheader += uint8(copy(d.header[had:], p))
	length, size, err := d.format.parseHeader(d.header[:d.nheader])
	if err != nil {
		return Frame{}, 0, false, err
	}
	if size == 0 {
		return Frame{}, len(p), false, nil
	}
	d.nheader = 0
	if length > uint64(d.max) {
		header := bytes.Clone(d.header[:size])
		return Frame{}, 0, false, &FrameTooLargeError{length, int(d.max), header}
	}
	return d.body(p, size-had, int(length))
}

// body takes payload bytes from p[skip:], in place when all of them are there.
func (d *Decoder) body(p []byte, skip, length int) (f Frame, n int, complete bool, err error) {
	if !d.filling && len(p)-skip >= length {
		end := skip + length
		return Frame{Payload: p[skip:end:end], Borrowed: true}, end, true, nil
	}
	d.filling, d.length = true, length
	if length > maxReused {
		return d.piece(p, skip)
	}
	take := min(length-len(d.payload), len(p)-skip)
	d.grow(take)
	d.payload = append(d.payload, p[skip:skip+take]...)
	if len(d.payload) < length {
		return Frame{}, skip + take, false, nil
	}
	f.Payload, d.payload, d.filling = d.payload, nil, false
	return f, skip + take, true, nil
}

// piece takes bytes of a payload that is gathered in pieces from p[skip:].
func (d *Decoder) piece(p []byte, skip int) (f Frame, n int, complete bool, err error) {
	if d.pieces == nil {
		d.pieces = &pieces{reuse: d.reuse, length: d.length}
	}
	end := skip + min(d.length-d.pieces.seen, len(p)-skip)
	f.Payload, complete = d.pieces.add(p[skip:end])
	if complete {
		d.pieces, d.filling = nil, false
	}
	return f, end, complete, nil
}

// grow makes room for n more bytes, and ahead for as many as have been seen.
func (d *Decoder) grow(n int) {
	need := len(d.payload) + n
	if need <= cap(d.payload) {
		return
	}
	size := d.length
	if need < (size-growStep)/2 { // no sum can overflow
		size = 2*need + growStep
	}
	grown := append(d.reuse.get(size), d.payload...)
	d.reuse.Put(d.payload)
	d.payload = grown
}

// Held returns how many bytes of memory the decoder holds for the frame that is not complete.
func (d *Decoder) Held() int {
	if d.pieces != nil {
		return d.pieces.held
	}
	return cap(d.payload)
}

// Idle reports whether the stream stands between two frames: an end of the
// stream here is a clean one.
func (d *Decoder) Idle() bool { return d.nheader == 0 && !d.filling }
