package e2e_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// A session has a number of its own, room for its user's data, a state, and always addresses.
func TestSessionFacts(t *testing.T) {
	for _, kind := range []string{"127.0.0.1:0", "unix:" + socketPath(t)} {
		t.Run(kind, func(t *testing.T) {
			e := newEngine(t)
			ln := listenAt(t, e, kind, netasync.ListenOptions{})
			gate := make(chan struct{})
			c, err := e.Connect("127.0.0.1:1", netasync.ConnectOptions{Resolve: func(context.Context) ([]string, error) {
				<-gate
				return []string{dialable(ln.Addr())}, nil
			}})
			require.NoError(t, err)
			require.Equal(t, netasync.StateConnecting, c.State())
			require.Equal(t, "127.0.0.1:1", c.RemoteAddr().String())
			require.NotNil(t, c.LocalAddr())
			require.Nil(t, c.Value())
			c.SetValue("mine")
			close(gate)

			accepted := testkit.Take(t, ln.AcceptChan())
			require.NotEqual(t, c.ID(), accepted.ID())
			expect(t, c, netasync.Connected)
			sessions := slices.Collect(e.Sessions())
			require.Len(t, sessions, 2)
			require.Contains(t, sessions, c)
			require.Contains(t, sessions, accepted)
			require.NoError(t, c.Close())
			for _, s := range []*netasync.Session{c, accepted} {
				untilClosed(t, s)
				require.Equal(t, ln.Addr().Network(), s.LocalAddr().Network())
				require.Equal(t, ln.Addr().Network(), s.RemoteAddr().Network())
				require.NotPanics(t, func() { _ = s.LocalAddr().String() + s.RemoteAddr().String() })
			}
			require.Equal(t, ln.Addr().String(), c.RemoteAddr().String())
			require.Equal(t, ln.Addr().String(), accepted.LocalAddr().String())
			require.Equal(t, "mine", c.Value())
			require.Nil(t, accepted.Value())
			testkit.Eventually(t, func() bool { return e.Stats().Sessions == 0 }, "forgotten")
		})
	}
}

// A session that never connected has addresses, too, also when it has closed.
func TestAddressesWithoutConnection(t *testing.T) {
	c, err := newEngine(t).Connect("", netasync.ConnectOptions{
		Resolve: func(context.Context) ([]string, error) { return nil, errors.New("no") }, MaxAttempts: 1,
	})
	require.NoError(t, err)
	untilClosed(t, c)
	for _, addr := range []net.Addr{c.LocalAddr(), c.RemoteAddr()} {
		require.NotNil(t, addr)
		require.NotPanics(t, func() { _ = addr.Network() + addr.String() })
	}
}
