package session

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
)

var formats = map[string]codec.Format{
	"default":          {},
	"2 little":         {Width: 2, LittleEndian: true},
	"including":        {IncludesHeader: true},
	"varint":           {Varint: true},
	"varint including": {Varint: true, IncludesHeader: true},
}

// randomPayloads are of all sizes that matter to frames; nil is a heartbeat.
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

// Whatever part of them the link takes at a time, frames are written in order, and their counts
// say at every moment what is left.
func TestFramesAreWrittenInAnyPieces(t *testing.T) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 50 {
				var st frames
				var want []byte
				messages, size := 0, 0
				for _, p := range randomPayloads(r, 40) {
					st.add(&f, p)
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
					segments := st.next()
					require.LessOrEqual(t, len(segments), writeSegments)
					all := bytes.Join(segments, nil)
					require.NotEmpty(t, all)
					n := len(all)
					if r.IntN(3) > 0 {
						n = r.IntN(n + 1)
					}
					got = append(got, all[:n]...)
					m, b := st.advance(n)
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

// left returns what frames still have to be written.
func left(fs *frames) (all []byte) {
	for !fs.empty() {
		segment := bytes.Join(fs.next(), nil)
		all = append(all, segment...)
		fs.advance(len(segment))
	}
	return all
}

// What was partly written is written whole on the next connection, without the heartbeat that may
// be the first frame.
func TestFramesRewind(t *testing.T) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			for i := range 50 {
				fs := new(frames)
				var wire, want []byte
				all := slices.DeleteFunc(randomPayloads(r, 20), func(p []byte) bool { return p == nil })
				if i%2 == 0 {
					all = append([][]byte{nil}, all...)
				}
				for _, p := range all {
					fs.add(&f, p)
					wire = f.AppendFrame(wire, p)
				}
				written := r.IntN(len(wire))
				for left := written; left > 0; {
					n := min(left, len(bytes.Join(fs.next(), nil)))
					fs.advance(n)
					left -= n
				}
				for end, rest := 0, all; len(rest) > 0; rest = rest[1:] {
					if end += f.FrameLen(len(rest[0])); end > written && len(rest[0]) > 0 {
						want = f.AppendFrame(want, rest[0])
					}
				}
				require.True(t, bytes.Equal(want, left(fs.rewound())))
			}
		})
	}
}

// A heartbeat alone is nothing that a next connection is owed.
func TestHeartbeatIsNotRewound(t *testing.T) {
	fs := new(frames)
	fs.add(&plain, nil)
	fs.advance(1)
	require.Nil(t, fs.rewound())
}

// A lossy buffer drops at either end for ever and keeps the rest, in bounded memory.
func TestFramesDrop(t *testing.T) {
	for name, newest := range map[string]bool{"oldest": false, "newest": true} {
		t.Run(name, func(t *testing.T) {
			fs := new(frames)
			r := rand.New(rand.NewPCG(5, 6))
			var kept [][]byte
			for _, p := range randomPayloads(r, 5000) {
				if p == nil {
					continue
				}
				fs.add(&plain, p)
				kept = append(kept, p)
				for fs.messages > 10 {
					if newest {
						require.Equal(t, len(kept[10]), fs.dropNewest())
						kept = kept[:10]
					} else {
						require.Equal(t, len(kept[0]), fs.dropOldest())
						kept = kept[1:]
					}
				}
			}
			require.LessOrEqual(t, cap(fs.buf), 64*copyLimit)
			require.LessOrEqual(t, cap(fs.large), 64)
			require.LessOrEqual(t, cap(fs.sizes), 64)
			var want []byte
			for _, p := range kept {
				want = plain.AppendFrame(want, p)
			}
			require.True(t, bytes.Equal(want, left(fs)))
		})
	}
}
