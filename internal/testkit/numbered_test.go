package testkit

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

var sizes = []int{MinNumbered, MinNumbered + 1, 16, 1000, 64 << 10, 200_000}

func numbered(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = Numbered(i, sizes[i%len(sizes)])
	}
	return all
}

// first returns what a sequence says about messages: the first complaint.
func first(q *Sequence, messages [][]byte) error {
	for _, m := range messages {
		if err := q.Take(m); err != nil {
			return err
		}
	}
	return nil
}

func TestSequenceTakesWhatWasMade(t *testing.T) {
	var q Sequence
	require.NoError(t, first(&q, numbered(20)))
	require.Equal(t, 20, q.Next())
}

// What a peer may do to messages, and the complaint of a sequence.
func TestSequenceComplains(t *testing.T) {
	for name, c := range map[string]struct {
		change func(all [][]byte) [][]byte
		strict string
		gaps   string // with gaps allowed
	}{
		"the first lost": {func(all [][]byte) [][]byte { return all[1:] }, "messages 0 to 0 are missing", ""},
		"two lost":       {func(all [][]byte) [][]byte { return slices.Delete(all, 3, 5) }, "messages 3 to 4 are missing", ""},
		"twice":          {func(all [][]byte) [][]byte { return slices.Insert(all, 3, all[2]) }, "message 2 comes twice", "message 2 comes twice"},
		"twice, later":   {func(all [][]byte) [][]byte { return append(all, all[2]) }, "message 2 comes twice", "message 2 comes twice"},
		"swapped": {func(all [][]byte) [][]byte { all[4], all[5] = all[5], all[4]; return all },
			"messages 4 to 4 are missing", "message 4 comes twice or too late"},
		"emptied":   {func(all [][]byte) [][]byte { all[3] = nil; return all }, "no numbered message", "no numbered message"},
		"cut short": {func(all [][]byte) [][]byte { all[3] = all[3][:900]; return all }, "it was made with 1000", "it was made with 1000"},
		"made longer": {func(all [][]byte) [][]byte { all[3] = append(all[3], 0); return all },
			"it was made with 1000", "it was made with 1000"},
		"run together": {func(all [][]byte) [][]byte { all[2] = append(all[2], all[3]...); return all }, "it was made with 16", "it was made with 16"},
		"with the content of another": {func(all [][]byte) [][]byte { copy(all[3][8:], Numbered(9, 1000)[8:]); return all },
			"message 3 is altered", "message 3 is altered"},
		"with pieces exchanged": {func(all [][]byte) [][]byte {
			a, b := bytes.Clone(all[4][4096:8192]), bytes.Clone(all[4][8192:12288])
			copy(all[4][4096:], append(b, a...))
			return all
		}, "message 4 is altered", "message 4 is altered"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, first(&Sequence{}, c.change(numbered(10))), c.strict)
			err := first(&Sequence{Gaps: true}, c.change(numbered(10)))
			if c.gaps == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.gaps)
			}
		})
	}
}

// No byte of a message can be another unnoticed, whichever it is.
func TestEveryByteCounts(t *testing.T) {
	for _, size := range sizes {
		m := Numbered(1, size)
		for i := range m {
			if size > 1000 && i > 20 && i < size-20 && i%997 != 0 {
				continue
			}
			for _, flip := range []byte{1, 0x80, 0xff} {
				m[i] ^= flip
				require.Error(t, (&Sequence{next: 1}).Take(m), "byte %d of %d", i, size)
				m[i] ^= flip
			}
		}
		require.NoError(t, (&Sequence{next: 1}).Take(m))
	}
}
