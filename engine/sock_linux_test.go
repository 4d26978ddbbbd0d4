package engine

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// A reset is seen also when a write was told of it: the system says it once. Otherwise a goodbye to a
// peer that has finished, and has gone, would wait for acknowledgements until Linger ends.
func TestResetIsSeenAfterAWriteWasToldOfIt(t *testing.T) {
	ln := testkit.Listen(t)
	conn, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	peer := testkit.Accept(t, ln)
	reset := func() (reset bool) {
		controlFD(conn, func(fd int) { reset = isReset(fd) })
		return reset
	}
	require.False(t, reset())
	require.NoError(t, peer.SetLinger(0))
	require.NoError(t, peer.Close())
	testkit.Eventually(t, func() bool {
		_, err := conn.Write([]byte("m"))
		return err != nil
	}, "a write fails")
	require.True(t, reset())
}
