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
