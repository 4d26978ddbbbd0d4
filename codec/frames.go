package codec

import (
	"encoding/binary"
	"math/bits"
)

// Limits say where [Decoder.Run] stops, in front of a frame that begins beyond
// them: a run holds at most one frame more than Payload says.
type Limits struct {
	Frames            int // in the run
	Payload           int // bytes of payload in the run
	Bytes             int // of the run, headers included
	Smallest, Largest int // payload bytes of each frame; a run has no empty ones
}

// Run is a stretch of whole frames that are not empty, one behind the other.
type Run struct {
	Bytes           []byte // aliases what the decoder was given
	Frames, Payload int    // how many, and their payload bytes
}

// Run returns the frames at the beginning of p that are whole, not empty and
// within the limits; none while the decoder is within a frame. It is a
// look ahead: the caller goes on behind them. What stops it, Next tells.
func (d *Decoder) Run(p []byte, most Limits) (r Run) {
	if !d.Idle() {
		return Run{}
	}
	if d.format == (Format{}) {
		return d.plainRun(p, most)
	}
	end, smallest, largest := 0, max(most.Smallest, 1), min(most.Largest, int(d.max))
	for r.Frames < most.Frames && r.Payload < most.Payload {
		length, size := d.format.Header(p[end:])
		if size == 0 || length < smallest || length > largest || length > min(len(p), most.Bytes)-end-size {
			break
		}
		end += size + length
		r.Frames++
		r.Payload += length
	}
	r.Bytes = p[:end]
	return r
}

// plainRun is Run for the default wire, worth a shorter way: this looks at every small message.
func (d *Decoder) plainRun(p []byte, most Limits) Run {
	frames, payload := 0, 0
	end, within := 0, min(len(p), most.Bytes)
	smallest, largest := max(most.Smallest, 1), min(most.Largest, int(d.max))
	for frames < most.Frames && payload < most.Payload && within-end > defaultWidth {
		length := int(binary.BigEndian.Uint32(p[end:])) // below zero where an int has 32 bits and this is too large
		if length < smallest || length > largest || length > within-end-defaultWidth {
			break
		}
		end += defaultWidth + length
		payload += length
		frames++
	}
	return Run{p[:end], frames, payload}
}

// First returns the payload of the frame at the beginning of p, and what is
// behind it: nothing while the decoder is within a frame, or if the frame is
// not whole, empty or too large. It is a look ahead, as Run is.
func (d *Decoder) First(p []byte) (payload, rest []byte) {
	if !d.Idle() {
		return nil, nil
	}
	length, size := d.format.Header(p)
	if size == 0 || length > int(d.max) || length > len(p)-size {
		return nil, nil
	}
	end := size + length
	return p[size:end:end], p[end:]
}

// Completes reports whether a frame ends within p, be it one that has begun before.
func (d *Decoder) Completes(p []byte) bool {
	if d.filling {
		return len(p) >= d.length-len(d.payload)
	}
	header := append(d.header[:d.nheader:d.nheader], p[:min(len(p), maxHeaderBytes)]...)
	length, size := d.format.Header(header)
	return size > 0 && length <= int(d.max) && length <= len(p)+int(d.nheader)-size
}

// Heartbeats returns how many bytes at the beginning of p are whole empty frames: none while the
// decoder is within a frame. It is a look ahead, as Run is, and costs about a nanosecond a frame.
func (d *Decoder) Heartbeats(p []byte) (n int) {
	if !d.Idle() {
		return 0
	}
	for {
		length, size := d.format.Header(p[n:])
		if size == 0 || length > 0 {
			return n
		}
		n += size + repeats(p[n:], size)
	}
}

// repeats returns for how many bytes the first size bytes of p are repeated behind them, as a whole.
func repeats(p []byte, size int) int {
	behind, n := p[size:], 0
	for ; len(behind)-n >= 8; n += 8 {
		x := binary.LittleEndian.Uint64(p[n:]) ^ binary.LittleEndian.Uint64(behind[n:])
		if x != 0 {
			n += bits.TrailingZeros64(x) / 8
			return n - n%size
		}
	}
	for n < len(behind) && p[n] == behind[n] {
		n++
	}
	return n - n%size
}

// Header returns the payload's length from the header at the start of p, and
// the header's size: 0 if there is no whole and valid header, or if it announces more
// than [MaxPayloadLimit].
func (f Format) Header(p []byte) (length, size int) {
	if f == (Format{}) && len(p) >= defaultWidth {
		n := binary.BigEndian.Uint32(p)
		if n > MaxPayloadLimit {
			return 0, 0
		}
		return int(n), defaultWidth
	}
	n, size, err := f.parseHeader(p)
	if err != nil || n > MaxPayloadLimit {
		return 0, 0
	}
	return int(n), size
}

// Cut returns the payload of the first of some whole frames, and the others.
func (f Format) Cut(frames []byte) (payload, rest []byte) {
	if f == (Format{}) { // worth a shorter way: this runs for every small message
		end := defaultWidth + int(binary.BigEndian.Uint32(frames))
		return frames[defaultWidth:end:end], frames[end:]
	}
	return f.cut(frames)
}

func (f Format) cut(frames []byte) (payload, rest []byte) {
	length, size := f.Header(frames)
	end := size + length
	return frames[size:end:end], frames[end:]
}
