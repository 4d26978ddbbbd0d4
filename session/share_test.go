package session

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
)

// framed is a message of a row, as a model of it has it.
type framed struct {
	payload []byte
	source  uint32
	shared  bool
}

// Whatever is done to rows of frames of all forms, they have what a plain list has: shared or not, of one
// source or another, moved, copied, dropped, taken back, and written in any pieces.
func TestRowsOfAllForms(t *testing.T) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 8))
			for range 30 {
				rowsOfAllForms(t, r, f)
			}
		})
	}
}

func rowsOfAllForms(t *testing.T, r *rand.Rand, f codec.Format) {
	fs, want := new(frames), []framed(nil)
	sizes := []int{1, 100, shareLimit, shareLimit + 1, copyLimit, copyLimit + 1}
	add := func() {
		p := bytes.Repeat([]byte{byte(r.IntN(256))}, sizes[r.IntN(len(sizes))])
		m := framed{payload: p, shared: r.IntN(2) == 0}
		if m.shared {
			m.source = uint32(r.IntN(3))
			message := Share(p)
			fs.addShared(&f, &message, m.source)
		} else {
			fs.add(&f, p)
		}
		want = append(want, m)
	}
	for range 200 {
		switch what := r.IntN(10); {
		case what < 5:
			add()
		case what == 5 && len(want) > 0:
			require.Equal(t, len(want[0].payload), fs.dropOldest())
			want = want[1:]
		case what == 6 && len(want) > 0:
			require.Equal(t, len(want[len(want)-1].payload), fs.dropNewest())
			want = want[:len(want)-1]
		case what == 7:
			source := uint32(1 + r.IntN(2))
			of := func(s uint32) bool { return s == source }
			removed := 0
			fs = fs.without(of, func(n, before int) {
				before += removed // in the list as it was
				for _, m := range want[before : before+n] {
					require.Equal(t, source, m.source)
				}
				removed += n
			})
			left := slices.DeleteFunc(slices.Clone(want), func(m framed) bool { return m.source == source })
			require.Equal(t, len(want)-len(left), removed)
			require.False(t, fs.has(of))
			want = left
		case what == 8:
			fs = fs.clone()
		case what == 9 && len(want) > 0:
			n := r.IntN(len(want))
			to := new(frames)
			for range n {
				fs.moveFirst(to)
			}
			to.append(fs)
			fs = to
		}
		size := 0
		for _, m := range want {
			size += len(m.payload)
		}
		require.Equal(t, len(want), fs.messages)
		require.Equal(t, size, fs.bytes)
	}
	var wire []byte
	var payloads [][]byte
	for _, m := range want {
		wire = f.AppendFrame(wire, m.payload)
		payloads = append(payloads, m.payload)
	}
	require.Equal(t, len(wire), fs.wire)
	got := fs.payloads(nil)
	require.True(t, slices.EqualFunc(payloads, got, bytes.Equal))
	row := fs.clone()
	n := r.IntN(len(want) + 1)
	row.dropMessages(n, true)
	var rest []byte
	for _, m := range want[n:] {
		rest = f.AppendFrame(rest, m.payload)
	}
	require.True(t, bytes.Equal(rest, left(row)))
	for len(wire) > 0 {
		segments := fs.next()
		require.LessOrEqual(t, len(segments), writeSegments)
		all := bytes.Join(segments, nil)
		all = all[:1+r.IntN(len(all))]
		require.True(t, bytes.HasPrefix(wire, all))
		wire = wire[len(all):]
		fs.advance(len(all))
	}
	require.True(t, fs.empty())
}

// The user gets back what is his alone: other sessions still have a shared message to send.
func TestSharedMessagesAreHandedBackAsCopies(t *testing.T) {
	fs, large := new(frames), bytes.Repeat([]byte{'x'}, shareLimit+1)
	message := Share(large)
	fs.addShared(&plain, &message, 0)
	got := fs.payloads(nil)
	require.Equal(t, [][]byte{large}, got)
	clear(got[0])
	require.True(t, bytes.Equal(plain.AppendFrame(nil, large), left(fs)))
}

// When the peer of one session has a shared message, its memory is not used again: others still have to
// send it.
func TestSharedMessagesAreNotUsedAgain(t *testing.T) {
	large := bytes.Repeat([]byte{'x'}, 100_000)
	message, rows := Share(large), [2]*kept{}
	for i := range rows {
		rows[i] = &kept{cfg: &Config{Unacked: Buffer{Cap: 10, Bytes: 1 << 30}}}
		fs := new(frames)
		fs.addShared(&plain, &message, 0)
		rows[i].add(fs)
	}
	rows[0].drop(1, true)
	for range 10 { // what comes from peers finds memory here
		clear(assembling.Clone(large))
	}
	require.True(t, bytes.Equal(plain.AppendFrame(nil, large), left(rows[1].rows[0])))
}

// A row that is never empty takes bounded memory, if all of it is by reference, and of many sizes.
func TestRowsOfSharedMessagesAreBounded(t *testing.T) {
	fs, k := new(frames), &kept{cfg: &Config{Unacked: Buffer{Cap: 1 << 20, Bytes: 1 << 30}}}
	most := 0
	for i := range 50_000 {
		message := Share(make([]byte, shareLimit+1+i%100))
		fs.addShared(&plain, &message, 0)
		if i >= 10 {
			fs.dropOldest()
		}
		one := new(frames)
		one.addShared(&plain, &message, 0)
		k.add(one)
		if i >= 10 {
			k.drop(1, true)
		}
		most = max(most, len(fs.sizes), cap(k.rows[0].sizes))
	}
	require.LessOrEqual(t, most, 2*keptSizes)
	require.LessOrEqual(t, len(fs.sizes), 64)
	require.LessOrEqual(t, cap(fs.large), 64)
}

// has reports whether there are frames of some sources.
func (fs *frames) has(of func(source uint32) bool) bool {
	for _, s := range fs.sizes[fs.first:] {
		if s.frames > 0 && of(s.source) {
			return true
		}
	}
	return false
}
