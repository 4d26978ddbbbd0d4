package codec

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// sized returns frames whose payloads have the given sizes.
func sized(sizes ...int) (stream []byte) {
	for _, n := range sizes {
		stream = Format{}.AppendFrame(stream, make([]byte, n))
	}
	return stream
}

// A run ends in front of the first frame that does not belong to it.
func TestRunWithinLimits(t *testing.T) {
	free := Limits{Frames: 100, Payload: 1000, Bytes: 1000, Largest: 100}
	with := func(change func(*Limits)) Limits {
		most := free
		change(&most)
		return most
	}
	for i, c := range []struct {
		stream []byte
		most   Limits
		frames int
	}{
		{sized(1, 2, 3), free, 3},
		{sized(1, 2, 3)[:14], free, 2}, // the third is not whole
		{sized(1, 2)[:7], free, 1},     // nor is the second's header
		{sized(1, 0, 3), free, 1},      // a heartbeat
		{sized(0, 1), free, 0},
		{sized(1, 2, 3), with(func(l *Limits) { l.Frames = 2 }), 2},
		{sized(1, 2, 3), with(func(l *Limits) { l.Payload = 1 }), 1},
		// One may begin within the limit.
		{sized(1, 2, 3), with(func(l *Limits) { l.Payload = 2 }), 2},
		{sized(1, 2, 3), with(func(l *Limits) { l.Bytes = 11 }), 2},
		{sized(1, 2, 3), with(func(l *Limits) { l.Bytes = 10 }), 1},
		{sized(100, 101), free, 1},
		{sized(5, 4, 5), with(func(l *Limits) { l.Smallest = 5 }), 1},
		// More than the decoder takes.
		{sized(200, 201), with(func(l *Limits) { l.Largest = 1000 }), 1},
	} {
		d := NewDecoder(Format{}, 200)
		run := d.Run(c.stream, c.most)
		require.Equal(t, c.frames, run.Frames, "case %d", i)
		payload := 0
		for rest := run.Bytes; len(rest) > 0; {
			var p []byte
			p, rest = Format{}.Cut(rest)
			payload += len(p)
		}
		require.Equal(t, payload, run.Payload, "case %d", i)
	}
}

func TestFirst(t *testing.T) {
	for i, c := range []struct {
		stream        []byte
		payload, rest int
	}{
		{sized(3, 1), 3, 5},
		{sized(3), 3, 0},
		{sized(3)[:6], 0, 0},
		{sized(3)[:2], 0, 0},
		{sized(200), 200, 0},
		{sized(201), 0, 0}, // too large
	} {
		d := NewDecoder(Format{}, 200)
		payload, rest := d.First(c.stream)
		require.Len(t, payload, c.payload, "case %d", i)
		require.Len(t, rest, c.rest, "case %d", i)
		require.Equal(t, len(payload), cap(payload))
	}
}

// A decoder within a frame looks ahead at nothing: what comes first is that frame's.
func TestNoLookAheadWithinAFrame(t *testing.T) {
	d := NewDecoder(Format{}, 200)
	_, _, complete, err := d.Next(sized(3)[:5])
	require.NoError(t, err)
	require.False(t, complete)
	require.Zero(t, d.Run(sized(1), Limits{Frames: 1, Payload: 1, Bytes: 100, Largest: 100}))
	payload, _ := d.First(sized(1))
	require.Empty(t, payload)
}

// What is given back is used again if it is neither small nor huge, and large enough.
func TestBuffers(t *testing.T) {
	for _, c := range []struct {
		have, want int
		again      bool
	}{
		{minReused, minReused, true},
		{maxReused, minReused, true},
		{minReused - 1, minReused - 1, false},
		{maxReused + 1, maxReused, false},
		{minReused, minReused + 1, false},
	} {
		t.Run(fmt.Sprint(c.have, " for ", c.want), func(t *testing.T) {
			again := false
			for range 100 { // the pool forgets some under the race detector
				var b Buffers
				kept := make([]byte, c.have)
				require.Equal(t, c.have >= minReused && c.have <= maxReused, b.Keeps(kept))
				b.Put(kept)
				got := b.get(c.want)
				require.Empty(t, got)
				require.GreaterOrEqual(t, cap(got), c.want)
				again = again || &got[:1][0] == &kept[0]
			}
			require.Equal(t, c.again, again)
		})
	}
}

// Heartbeats finds exactly the empty frames that Next would, in every format, wherever they end.
func TestHeartbeats(t *testing.T) {
	for name, format := range formats {
		for count := range 40 {
			var wire []byte
			for range count {
				wire = format.AppendFrame(wire, nil)
			}
			d := NewDecoder(format, DefaultMaxPayload)
			require.Equal(t, len(wire), d.Heartbeats(wire), name)
			for behind := range 20 {
				p := append(format.AppendFrame(wire[:len(wire):len(wire)], make([]byte, 1+behind)), wire...)
				require.Equal(t, len(wire), d.Heartbeats(p), name)
				cut := min(len(p), len(wire)+behind)
				require.Equal(t, heartbeatsByNext(d, p[:cut]), d.Heartbeats(p[:cut]), name)
			}
			_, _, complete, err := d.Next(format.AppendFrame(nil, []byte("ab"))[:format.HeaderLen(2)])
			require.NoError(t, err)
			require.False(t, complete)
			require.Zero(t, d.Heartbeats(wire), "within a frame: %s", name)
		}
	}
}
