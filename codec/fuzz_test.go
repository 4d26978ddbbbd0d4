package codec

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/netasync/netasync/internal/testkit"
)

// reference decodes a whole stream by other code. It stops at the first error or incomplete frame.
func reference(f Format, limit int, wire []byte) (frames [][]byte, idle bool, err error) {
	frames, _, stop := testkit.Framing(f).Split(wire, limit)
	switch stop {
	case testkit.TooLarge:
		err = ErrFrameTooLarge
	case testkit.Malformed:
		err = ErrBadHeader
	}
	return frames, stop == testkit.Between, err
}

// FuzzDecoder feeds arbitrary bytes in arbitrary chunks: the decoder must not
// panic, must yield what the reference yields, and must not allocate ahead of
// the bytes it has seen.
func FuzzDecoder(f *testing.F) {
	for _, format := range formats {
		var wire []byte
		for _, n := range []int{0, 1, 100, 200} {
			wire = format.AppendFrame(wire, make([]byte, n))
		}
		f.Add(pack(format), uint32(64<<10), wire, []byte{1, 3, 200})
		f.Add(pack(format), uint32(100), wire, []byte{200, 1})
		for range 20 {
			wire = format.AppendFrame(wire, nil)
		}
		f.Add(pack(format), uint32(MaxPayloadLimit), wire, []byte{1, 200})
	}
	f.Add(pack(Format{Varint: true}), uint32(1), []byte{0, 0, 0x80, 0, 0x80, 0x80, 0, 0x80, 0x80, 0, 0, 0x80}, []byte{1, 200})
	f.Add(byte(0), uint32(MaxPayloadLimit), []byte{0x7f, 0xff, 0xff, 0xff, 1, 2, 3}, []byte{4})
	f.Fuzz(func(t *testing.T, kind byte, most uint32, wire, chunks []byte) {
		format := unpack(kind)
		if format.Validate() != nil {
			return
		}
		limit := int(most % (MaxPayloadLimit + 1))
		want, idle, wantErr := reference(format, limit, wire)
		d := NewDecoder(format, limit)
		var got [][]byte
		seen := 0
		for i, rest := 0, wire; len(rest) > 0; i++ {
			size := len(rest)
			if len(chunks) > 0 {
				size = min(len(rest), 1+int(chunks[i%len(chunks)]))
			}
			// A slice with no spare capacity, freed after use, shows any over-read.
			p := bytes.Clone(rest[:size])
			rest = rest[size:]
			seen += size
			for len(p) > 0 {
				if ahead, rest := lookAhead(t, &d, p, i); len(ahead) > 0 {
					got = append(got, ahead...)
					p = rest
					continue
				}
				if n := d.Heartbeats(p); n != heartbeatsByNext(d, p) {
					t.Fatalf("%d bytes of heartbeats, Next says %d", n, heartbeatsByNext(d, p))
				} else if n > 0 && i%2 > 0 {
					for rest := p[:n]; len(rest) > 0; {
						_, rest = format.Cut(rest)
						got = append(got, nil)
					}
					p = p[n:]
					continue
				}
				frame, n, complete, err := d.Next(p)
				if err != nil {
					if !errors.Is(err, wantErr) {
						t.Fatalf("error %v, want %v", err, wantErr)
					}
					same(t, want, got)
					return
				}
				if n <= 0 || n > len(p) {
					t.Fatalf("took %d of %d bytes", n, len(p))
				}
				if complete {
					got = append(got, bytes.Clone(frame.Payload))
				}
				p = p[n:]
			}
			if d.Held() > 2*seen+growStep {
				t.Fatalf("%d bytes held after %d seen", d.Held(), seen)
			}
		}
		if wantErr != nil {
			t.Fatalf("no error, want %v", wantErr)
		}
		if d.Idle() != idle {
			t.Fatalf("idle: %v, want %v", d.Idle(), idle)
		}
		same(t, want, got)
	})
}

// FuzzPieces gathers a payload in pieces: it must come out as it went in, and neither what is held
// nor what one call copies may be beyond what was promised.
func FuzzPieces(f *testing.F) {
	f.Add(uint32(100_000), []byte{1, 200, 3})
	f.Add(uint32(1<<20), []byte{255})
	f.Add(uint32(5), []byte{0})
	f.Fuzz(func(t *testing.T, length uint32, reads []byte) {
		if length == 0 || length > 2<<20 || len(reads) == 0 {
			return
		}
		payload := make([]byte, length)
		for i := range payload {
			payload[i] = byte(i % 251)
		}
		g := &pieces{length: len(payload)}
		for i, rest := 0, payload; ; i++ {
			p := rest[:min(len(rest), 1+int(reads[i%len(reads)])*300)]
			rest = rest[len(p):]
			before := g.whole.Len()
			got, complete := g.add(p)
			if moved := g.whole.Len() - before; moved > 4*len(p)+movedPerByte {
				t.Fatalf("%d bytes moved by a read of %d", moved, len(p))
			}
			most := 2*g.seen + growStep
			if g.whole.Cap() > 0 {
				most = g.seen/3*7 + pieceSize + 2*growStep // what is allocated is rounded up
			}
			if g.held > most {
				t.Fatalf("%d bytes held after %d of %d seen", g.held, g.seen, length)
			}
			if complete != (len(rest) == 0) {
				t.Fatalf("complete: %v, with %d bytes to come", complete, len(rest))
			}
			if complete {
				if !bytes.Equal(got, payload) {
					t.Fatal("it differs")
				}
				return
			}
		}
	})
}

// heartbeatsByNext is Heartbeats by the definition. The decoder is a copy.
func heartbeatsByNext(d Decoder, p []byte) (bytes int) {
	if !d.Idle() {
		return 0
	}
	for bytes < len(p) {
		f, n, complete, err := d.Next(p[bytes:])
		if err != nil || !complete || len(f.Payload) > 0 {
			break
		}
		bytes += n
	}
	return bytes
}

// lookAhead takes frames off p in one of the ways that do without Next, or none.
func lookAhead(t *testing.T, d *Decoder, p []byte, way int) (payloads [][]byte, rest []byte) {
	most := Limits{Frames: 1 + way%4, Payload: 1 + 70*(way%3), Bytes: 150, Smallest: way % 5 * 10, Largest: 120}
	switch way % 3 {
	case 0:
		return nil, p
	case 1:
		payload, rest := d.First(p)
		if len(payload) == 0 {
			return nil, p
		}
		return [][]byte{bytes.Clone(payload)}, rest
	}
	run := d.Run(p, most)
	bytesOfPayload := 0
	for frames := run.Bytes; len(frames) > 0; {
		var payload []byte
		payload, frames = d.format.Cut(frames)
		payloads = append(payloads, bytes.Clone(payload))
		bytesOfPayload += len(payload)
		if len(payload) == 0 || len(payload) < most.Smallest || len(payload) > most.Largest {
			t.Fatalf("a payload of %d bytes in a run", len(payload))
		}
	}
	if len(payloads) != run.Frames || bytesOfPayload != run.Payload {
		t.Fatalf("%d frames of %d bytes, the run says %d of %d", len(payloads), bytesOfPayload, run.Frames, run.Payload)
	}
	if run.Frames > most.Frames || len(run.Bytes) > most.Bytes || run.Payload >= most.Payload+most.Largest {
		t.Fatalf("%+v is beyond %+v", run, most)
	}
	return payloads, p[len(run.Bytes):]
}

// FuzzRoundTrip frames arbitrary payloads and takes them apart again.
func FuzzRoundTrip(f *testing.F) {
	f.Add(byte(0), []byte("hello"), 3)
	f.Fuzz(func(t *testing.T, kind byte, payload []byte, cut int) {
		format := unpack(kind)
		if format.Validate() != nil || len(payload) > format.Limit() {
			return
		}
		wire := format.AppendFrame(format.AppendFrame(nil, payload), payload)
		if len(wire) != 2*format.FrameLen(len(payload)) {
			t.Fatalf("%d bytes, FrameLen says %d", len(wire), format.FrameLen(len(payload)))
		}
		if naive := testkit.Framing(format).Frame(payload); !bytes.Equal(naive, wire[:len(wire)/2]) {
			t.Fatalf("%x, want %x", wire[:len(wire)/2], naive)
		}
		got, err := decodeAll(format, format.Limit(), wire, func(int) int { return cut })
		if err != nil {
			t.Fatal(err)
		}
		same(t, [][]byte{payload, payload}, got)
	})
}

// Short streams in every format, cut at every set of places: what is found does not depend on how
// the stream comes.
func TestEveryChunkingOfShortStreams(t *testing.T) {
	const most = 3 // bytes of payload
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			for _, wire := range shortStreams(f, most) {
				want, idle, wantErr := reference(f, most, wire)
				for cuts := range 1 << (len(wire) - 1) {
					d := NewDecoder(f, most)
					got, err := d.inPieces(wire, cuts)
					if !errors.Is(err, wantErr) || err == nil && d.Idle() != idle || !slices.EqualFunc(want, got, bytes.Equal) {
						t.Fatalf("%x cut at %b: %x, %v; want %x, %v", wire, cuts, got, err, want, wantErr)
					}
				}
			}
		})
	}
}

// shortStreams returns streams of up to 13 bytes: whole frames, half ones and wrong ones.
func shortStreams(f Format, most int) (wires [][]byte) {
	frame := func(p string) []byte { return testkit.Framing(f).Frame([]byte(p)) }
	for _, frames := range [][]string{{"a"}, {"", "b"}, {"ab", ""}, {"", "", "", "c"}, {"abc", "d"}, {"abcd"}} {
		var wire []byte
		for _, p := range frames {
			wire = append(wire, frame(p)...)
		}
		wire = wire[:min(len(wire), 13)]
		wires = append(wires, wire, wire[:len(wire)-1], append(bytes.Clone(wire)[:min(len(wire), 9)], 0xff, 0x80, 0xff))
	}
	return append(wires, bytes.Repeat([]byte{0x80}, 12), bytes.Repeat([]byte{0xff}, 12), make([]byte, 13))
}

// inPieces decodes a stream that is cut behind each byte whose bit is set.
func (d *Decoder) inPieces(wire []byte, cuts int) (payloads [][]byte, err error) {
	begin := 0
	for i := range wire {
		if i < len(wire)-1 && cuts>>i&1 == 0 {
			continue
		}
		for p := wire[begin : i+1]; len(p) > 0; {
			f, n, complete, err := d.Next(p)
			if err != nil {
				return payloads, err
			}
			if complete {
				payloads = append(payloads, append([]byte{}, f.Payload...))
			}
			p = p[n:]
		}
		begin = i + 1
	}
	return payloads, nil
}

func same(t *testing.T, want, got [][]byte) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(want[i], got[i]) {
			t.Fatalf("frame %d differs", i)
		}
	}
}

// pack and unpack make a format of a byte that the fuzzer can change.
func pack(f Format) byte {
	b := byte(f.Width) & 0xf
	for i, flag := range []bool{f.Varint, f.LittleEndian, f.IncludesHeader} {
		if flag {
			b |= 0x10 << i
		}
	}
	return b
}

func unpack(b byte) Format {
	return Format{Width: int(b & 0xf), Varint: b&0x10 != 0, LittleEndian: b&0x20 != 0, IncludesHeader: b&0x40 != 0}
}
