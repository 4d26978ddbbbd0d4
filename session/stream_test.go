package session

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
)

var streamFormats = map[string]codec.Format{
	"default":          {},
	"2 little":         {Width: 2, LittleEndian: true},
	"including":        {IncludesHeader: true},
	"varint":           {Varint: true},
	"varint including": {Varint: true, IncludesHeader: true},
}

// randomPayloads are of all sizes that matter to a stream; nil is a heartbeat.
func randomPayloads(r *rand.Rand, n int) (all [][]byte) {
	sizes := []int{0, 1, 100, 123, 127, copyLimit - 1, copyLimit, copyLimit + 1, 3 * copyLimit}
	for i := range n {
		var p []byte
		if size := sizes[r.IntN(len(sizes))]; size > 0 {
			p = bytes.Repeat([]byte{byte(i)}, size)
		}
		all = append(all, p)
	}
	return all
}

// Whatever part of it the link takes at a time, a stream is its frames in
// order, and knows at every moment what of it is left.
func TestStreamIsWrittenInAnyPieces(t *testing.T) {
	for name, f := range streamFormats {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 50 {
				var st stream
				var want []byte
				messages, size := 0, 0
				for _, p := range randomPayloads(r, 40) {
					st.add(f, p)
					want = f.AppendFrame(want, p)
					size += len(p)
					if len(p) > 0 {
						messages++
					}
				}
				var got []byte
				for !st.empty() {
					require.Equal(t, messages, st.messages)
					require.Equal(t, size, st.bytes)
					segments := st.segments(nil)
					require.LessOrEqual(t, len(segments), batchSegments)
					all := bytes.Join(segments, nil)
					require.NotEmpty(t, all)
					n := len(all)
					if r.IntN(3) > 0 {
						n = r.IntN(n + 1)
					}
					got = append(got, all[:n]...)
					m, b := st.advance(f, n)
					messages -= m
					size -= b
				}
				require.Zero(t, messages)
				require.Zero(t, size)
				require.True(t, bytes.Equal(want, got))
			}
		})
	}
}

// What of a stream was partly written goes whole to the next connection, without heartbeats.
func TestStreamMovesWholeMessages(t *testing.T) {
	for name, f := range streamFormats {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			for range 50 {
				var st, next stream
				var wire, want []byte
				all := randomPayloads(r, 20)
				for _, p := range all {
					st.add(f, p)
					wire = f.AppendFrame(wire, p)
				}
				written := r.IntN(len(wire))
				for left := written; left > 0; {
					n := min(left, len(bytes.Join(st.segments(nil), nil)))
					st.advance(f, n)
					left -= n
				}
				for end, rest := 0, all; len(rest) > 0; rest = rest[1:] {
					if end += f.FrameLen(len(rest[0])); end > written && len(rest[0]) > 0 {
						want = f.AppendFrame(want, rest[0])
					}
				}
				st.moveTo(&next, f)
				require.True(t, bytes.Equal(want, bytes.Join(next.segments(nil), nil)))
			}
		})
	}
}

// A sliding buffer drops for ever and keeps the rest, in bounded memory.
func TestStreamDropsTheOldest(t *testing.T) {
	var st stream
	f := codec.Format{}
	r := rand.New(rand.NewPCG(5, 6))
	var kept [][]byte
	for _, p := range randomPayloads(r, 5000) {
		if st.add(f, p); len(p) > 0 {
			kept = append(kept, p)
		}
		for st.messages > 10 {
			st.dropOldest(f)
			kept = kept[1:]
		}
	}
	require.LessOrEqual(t, cap(st.buf), 64*copyLimit)
	require.LessOrEqual(t, cap(st.large), 64)
	var next stream
	st.moveTo(&next, f)
	var want []byte
	for _, p := range kept {
		want = f.AppendFrame(want, p)
	}
	require.True(t, bytes.Equal(want, bytes.Join(next.segments(nil), nil)))
}

// An inbound queue that never runs empty does not grow.
func TestQueueUsesItsMemoryAgain(t *testing.T) {
	var q queue
	for i := range 10_000 {
		q.push(item{epoch: uint64(i)})
		if i >= 10 {
			require.Equal(t, uint64(i-10), q.popItem().epoch)
		}
	}
	require.LessOrEqual(t, cap(q.items), 64)
}
