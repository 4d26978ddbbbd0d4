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
