package session

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A connection that ends behind our goodbye, which the peer has not acknowledged: to a dialed session
// that is an outage as any, and Disconnected says why. An accepted one has nothing left, and is over.
func TestEndBehindAGoodbye(t *testing.T) {
	for _, dialed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, dialed, nil)
			require.Equal(t, Connected, recv(t, k.s).Kind)
			require.NoError(t, k.s.Close())
			require.Equal(t, []string{"B 0"}, k.hears())
			k.c.End(io.EOF)
			ev := recv(t, k.s)
			if dialed {
				require.Equal(t, Disconnected, ev.Kind)
				require.Equal(t, io.EOF, ev.Err)
			} else {
				require.Equal(t, Closed, ev.Kind)
				require.NoError(t, ev.Err)
			}
			k.s.CloseNow(nil)
		})
	}
}

// An accepted session that is being closed does not wait for its peer when it loses the connection, and
// tells what may not have arrived.
func TestCutDuringCloseOfAnAcceptedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, false, nil)
		k.sends("1", "2", "3")
		k.hears()
		require.NoError(t, k.says(ackOf(1)))
		require.NoError(t, k.s.Close())
		require.Equal(t, []string{"B 3"}, k.hears())
		k.cut()
		ev := k.closed()
		require.ErrorIs(t, ev.Err, errCut)
		require.Zero(t, ev.Queued)
		require.EqualValues(t, 2, ev.Lost)
	})
}
