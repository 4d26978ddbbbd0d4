package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var formats = map[string]Format{
	"default":             {},
	"1":                   {Width: 1},
	"2":                   {Width: 2},
	"3":                   {Width: 3},
	"4":                   {Width: 4},
	"8":                   {Width: 8},
	"2 little":            {Width: 2, LittleEndian: true},
	"3 little":            {Width: 3, LittleEndian: true},
	"4 little":            {Width: 4, LittleEndian: true},
	"8 little":            {Width: 8, LittleEndian: true},
	"1 including":         {Width: 1, IncludesHeader: true},
	"4 including":         {Width: 4, IncludesHeader: true},
	"8 little including":  {Width: 8, LittleEndian: true, IncludesHeader: true},
	"varint":              {Varint: true},
	"varint including":    {Varint: true, IncludesHeader: true},
	"default including":   {IncludesHeader: true},
	"default little":      {LittleEndian: true},
	"2 little, including": {Width: 2, LittleEndian: true, IncludesHeader: true},
}

// The wire is an agreement with peers of other make: golden frames pin it.
func TestGoldenFrames(t *testing.T) {
	golden, err := os.ReadFile("../testdata/frames.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(golden)) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		payload, frame, _ := strings.Cut(rest, " -> ")
		want, err := hex.DecodeString(strings.ReplaceAll(frame, " ", ""))
		require.NoError(t, err, line)
		require.Contains(t, formats, name)
		require.Equal(t, want, formats[name].AppendFrame(nil, []byte(payload)), line)
	}
}

func TestRoundTripInEveryFormatAndChunking(t *testing.T) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, f.Validate())
			var sent [][]byte
			for _, n := range []int{0, 1, 2, 125, 126, 127, 128, 250, 16382, 16384, 65530, 65536, 200_000} {
				if n <= f.Limit() {
					sent = append(sent, bytes.Repeat([]byte{byte(n)}, n))
				}
			}
			var wire []byte
			for _, p := range sent {
				frame := f.AppendFrame(nil, p)
				require.Len(t, frame, f.FrameLen(len(p)))
				wire = append(wire, frame...)
			}
			for _, chunk := range []int{1, 2, 3, 5, 7, 4095, 4096, len(wire)} {
				got, err := decodeAll(f, f.Limit(), wire, func(int) int { return chunk })
				require.NoError(t, err)
				same(t, sent, got)
			}
		})
	}
}

// decodeAll feeds wire in chunks and copies what is borrowed.
func decodeAll(f Format, limit int, wire []byte, chunk func(int) int) (frames [][]byte, err error) {
	d := NewDecoder(f, limit)
	for i := 0; len(wire) > 0; i++ {
		p := wire[:min(max(chunk(i), 1), len(wire))]
		wire = wire[len(p):]
		for len(p) > 0 {
			completes := d.Completes(p)
			frame, n, complete, err := d.Next(p)
			if completes != (complete && err == nil) {
				return frames, fmt.Errorf("Completes said %v, Next %v %w", completes, complete, err)
			}
			if err != nil {
				return frames, err
			}
			p = p[n:]
			if complete {
				frames = append(frames, bytes.Clone(frame.Payload))
			}
		}
	}
	return frames, nil
}

func TestLengthIsComparedWithTheLimitBeforeAnythingIsAllocated(t *testing.T) {
	const limit = 1000
	for name, f := range formats {
		if f.Limit() <= limit {
			continue
		}
		t.Run(name, func(t *testing.T) {
			head := f.AppendHeader(nil, limit+1)
			allocs := testing.AllocsPerRun(100, func() {
				d := NewDecoder(f, limit)
				if _, _, _, err := d.Next(head); !errors.Is(err, ErrFrameTooLarge) {
					t.Fatal(err)
				}
			})
			require.LessOrEqual(t, allocs, 2.0, "the error, and its header")
			_, err := decodeAll(f, limit, f.AppendFrame(nil, make([]byte, limit)), func(int) int { return 7 })
			require.NoError(t, err)
		})
	}
}

func TestNegativeAndMaximalLengths(t *testing.T) {
	for _, head := range []string{"80000000", "ffffffff", "7fffffff", "01000001"} {
		p, _ := hex.DecodeString(head)
		d := NewDecoder(Format{}, DefaultMaxPayload)
		_, _, _, err := d.Next(p)
		require.ErrorIs(t, err, ErrFrameTooLarge, head)
	}
	d := NewDecoder(Format{Width: 8}, MaxPayloadLimit)
	_, _, _, err := d.Next(bytes.Repeat([]byte{0xff}, 8))
	require.ErrorIs(t, err, ErrFrameTooLarge)
}

func TestBadHeaders(t *testing.T) {
	d := NewDecoder(Format{IncludesHeader: true}, 100)
	_, _, _, err := d.Next([]byte{0, 0, 0, 3})
	require.ErrorIs(t, err, ErrBadHeader)
	d = NewDecoder(Format{Varint: true}, 100)
	_, _, _, err = d.Next(bytes.Repeat([]byte{0x80}, 11))
	require.ErrorIs(t, err, ErrBadHeader)
	d = NewDecoder(Format{Varint: true}, 100)
	for range 9 {
		_, _, _, err = d.Next([]byte{0x80})
		require.NoError(t, err)
	}
	_, _, _, err = d.Next([]byte{0x80})
	require.ErrorIs(t, err, ErrBadHeader)
}

// Four hostile bytes announce 2 GiB: what is held follows what arrives.
func TestBufferGrowsAsBytesArrive(t *testing.T) {
	for _, length := range []int{maxReused, maxReused + 1, 4 << 20, 64 << 20, MaxPayloadLimit} {
		d := NewDecoder(Format{}, MaxPayloadLimit)
		_, _, _, err := d.Next(Format{}.AppendHeader(nil, length))
		require.NoError(t, err)
		require.LessOrEqual(t, d.Held(), growStep)
		chunk := make([]byte, 10_000)
		for seen := 0; seen < min(length, 8<<20)-len(chunk); {
			_, _, _, err := d.Next(chunk)
			require.NoError(t, err)
			seen += len(chunk)
			if length <= maxReused || seen < length/4*3 || length > 8<<20 {
				require.LessOrEqual(t, d.Held(), 2*seen+growStep)
			}
			require.LessOrEqual(t, d.Held(), seen/3*7+2*growStep+pieceSize)
		}
	}
}

// To make room must not stop an event loop, which serves others, too: what one call copies, beside
// what it was given, is bounded, however large the payload.
func TestNoCallCopiesMuch(t *testing.T) {
	for _, length := range []int{100_000, maxReused, maxReused + 1, 4 << 20, 16 << 20} {
		wire := Format{}.AppendFrame(nil, make([]byte, length))
		for _, read := range []int{3000, 64 << 10, 300_000} {
			d := NewDecoder(Format{}, MaxPayloadLimit)
			most, complete := 0, false
			for p := wire; !complete; {
				before, moved := d.payload, 0
				if d.pieces != nil {
					moved = d.pieces.whole.Len()
				}
				pieces := d.pieces
				_, n, done, err := d.Next(p[:min(read, len(p))])
				require.NoError(t, err)
				copied := n
				if cap(d.payload) != cap(before) && d.payload != nil {
					copied += len(before)
				}
				if pieces != nil {
					copied += pieces.whole.Len() - moved
				}
				most, complete = max(most, copied), done
				p = p[n:]
			}
			require.LessOrEqual(t, most, maxReused+5*read, "%d bytes by reads of %d", length, read)
		}
	}
}

func TestIdleOnlyBetweenFrames(t *testing.T) {
	d := NewDecoder(Format{}, 100)
	require.True(t, d.Idle())
	for i, b := range []byte{0, 0, 0, 2, 'a'} {
		_, _, _, err := d.Next([]byte{b})
		require.NoError(t, err)
		require.False(t, d.Idle(), "after byte %d", i)
	}
	_, _, complete, err := d.Next([]byte{'b'})
	require.NoError(t, err)
	require.True(t, complete)
	require.True(t, d.Idle())
}

func TestValidate(t *testing.T) {
	for _, f := range []Format{{Width: -1}, {Width: 5}, {Width: 9}} {
		require.ErrorContains(t, f.Validate(), "Codec.Width")
	}
	require.ErrorContains(t, Format{Varint: true, Width: 4}.Validate(), "Codec.Width")
	require.ErrorContains(t, Format{Varint: true, LittleEndian: true}.Validate(), "Codec.LittleEndian")
}

func TestLimits(t *testing.T) {
	require.Equal(t, math.MaxInt32, Format{}.Limit())
	require.Equal(t, 255, Format{Width: 1}.Limit())
	require.Equal(t, 254, Format{Width: 1, IncludesHeader: true}.Limit())
	require.Equal(t, 1<<24-1, Format{Width: 3}.Limit())
	require.Equal(t, math.MaxInt32, Format{Width: 8}.Limit())
}

// A frame within one chunk costs no allocation: the loop's fast path.
func TestNextDoesNotAllocate(t *testing.T) {
	wire := Format{}.AppendFrame(nil, make([]byte, 16))
	d := NewDecoder(Format{}, DefaultMaxPayload)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _, complete, err := d.Next(wire)
		if err != nil || !complete {
			t.Fatal(err)
		}
	}))
}

// A frame that is announced and not there is not whole, also where sums overflow.
func TestLookAheadAtTheLargestLength(t *testing.T) {
	wire := []byte{0x7f, 0xff, 0xff, 0xff, 1, 2, 3}
	d := NewDecoder(Format{}, MaxPayloadLimit)
	payload, _ := d.First(wire)
	require.Nil(t, payload)
	run := d.Run(wire, Limits{Frames: 1, Payload: math.MaxInt32, Bytes: math.MaxInt32, Largest: math.MaxInt32})
	require.Zero(t, run.Frames)
}

// The header of the largest payload, whose frame is larger than an int of 32 bits.
func TestHeaderOfTheLargestPayload(t *testing.T) {
	for i, c := range []struct {
		format Format
		header []byte
	}{
		{Format{}, []byte{0x7f, 0xff, 0xff, 0xff}},
		{Format{IncludesHeader: true}, []byte{0x80, 0, 0, 3}},
		{Format{Width: 8, IncludesHeader: true}, []byte{0, 0, 0, 0, 0x80, 0, 0, 7}},
		{Format{Varint: true}, []byte{0xff, 0xff, 0xff, 0xff, 7}},
		{Format{Varint: true, IncludesHeader: true}, []byte{0x84, 0x80, 0x80, 0x80, 8}},
	} {
		require.Equal(t, len(c.header), c.format.HeaderLen(MaxPayloadLimit), "case %d", i)
		require.Equal(t, c.header, c.format.AppendHeader(nil, MaxPayloadLimit), "case %d", i)
		length, size := c.format.Header(c.header)
		require.Equal(t, MaxPayloadLimit, length, "case %d", i)
		require.Equal(t, len(c.header), size, "case %d", i)
	}
}
