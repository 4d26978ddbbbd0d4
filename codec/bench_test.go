package codec

import (
	"fmt"
	"testing"
)

func BenchmarkDecoder(b *testing.B) {
	for _, size := range []int{16, 1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			var wire []byte
			for len(wire) < 128<<10 {
				wire = Format{}.AppendFrame(wire, make([]byte, size))
			}
			d := NewDecoder(Format{}, DefaultMaxPayload)
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				for p := wire; len(p) > 0; {
					_, n, _, err := d.Next(p)
					if err != nil {
						b.Fatal(err)
					}
					p = p[n:]
				}
			}
		})
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	payload := make([]byte, 128)
	var wire []byte
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		wire = Format{}.AppendFrame(wire[:0], payload)
	}
}

// BenchmarkRun looks ahead over a busy connection's read and cuts it into messages.
func BenchmarkRun(b *testing.B) {
	var wire []byte
	for range 100 {
		wire = Format{}.AppendFrame(wire, make([]byte, 16))
	}
	d := NewDecoder(Format{}, DefaultMaxPayload)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		run := d.Run(wire, Limits{Frames: 1000, Payload: 4 << 10, Bytes: 4 << 10, Largest: 1 << 10})
		for frames := run.Bytes; len(frames) > 0; {
			_, frames = Format{}.Cut(frames)
		}
	}
}

// BenchmarkHeartbeats skips a read full of heartbeats.
func BenchmarkHeartbeats(b *testing.B) {
	wire := make([]byte, 64<<10)
	d := NewDecoder(Format{}, DefaultMaxPayload)
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		if d.Heartbeats(wire) != len(wire) {
			b.Fatal("not all")
		}
	}
}

// BenchmarkFramesOfSeveralReads decodes payloads by reads of 64 KiB, as an event loop's, and gives
// their memory back as a callback does.
func BenchmarkFramesOfSeveralReads(b *testing.B) {
	for _, size := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			wire := Format{}.AppendFrame(nil, make([]byte, size))
			wire = append(wire, wire...)
			var reuse Buffers
			d := NewDecoder(Format{}, MaxPayloadLimit)
			d.Reuse(&reuse)
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				for p := wire; len(p) > 0; {
					f, n, complete, err := d.Next(p[:min(len(p), 64<<10)])
					if err != nil {
						b.Fatal(err)
					}
					if complete && !f.Borrowed {
						reuse.Put(f.Payload)
					}
					p = p[n:]
				}
			}
		})
	}
}
