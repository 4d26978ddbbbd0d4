package session

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An inbound queue that never runs empty does not grow.
func TestQueueUsesItsMemoryAgain(t *testing.T) {
	var q queue
	for i := range 10_000 {
		q.push(&item{epoch: uint64(i)})
		if i >= 10 {
			require.Equal(t, uint64(i-10), q.popItem().epoch)
		}
	}
	require.LessOrEqual(t, cap(q.items), 64)
}
