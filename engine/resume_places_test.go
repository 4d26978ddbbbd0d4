//go:build unix

package engine

import (
	"net"
	"testing"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"
)

// atAddr is an onLoop whose peer has an address.
type atAddr struct{ *onLoop }

func (c atAddr) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// What a Handler refuses before it has read anything keeps no place of its address.
func TestHandlerThatRefusesGivesPlacesBack(t *testing.T) {
	for _, o := range []ListenOptions{
		{Resume: true, MaxSessionsPerAddr: 1},
		{Resume: true, MaxSessionsPerAddr: 1, MaxPending: 1},
	} {
		h, _ := handlerAlone(t, o)
		full := o.MaxPending > 0
		if full {
			require.True(t, h.tryTakeSlot())
		}
		for range 3 {
			_, action := h.OnOpen(atAddr{&onLoop{fd: -1}})
			require.Equal(t, gnet.Close, action)
		}
		if full {
			h.freeSlot()
			require.EqualValues(t, 3, h.Stats().RefusedBy.MaxPending)
		} else {
			require.EqualValues(t, 3, h.Stats().RefusedBy.System)
		}
		require.Empty(t, h.callers.n)
		require.Empty(t, h.addrs.n)
	}
}
