package engine

import (
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// A shutdown may begin while a connection becomes a session. The race detector tells if that is
// counted as work from zero while the shutdown begins to wait.
func TestShutdownWhileAccepting(t *testing.T) {
	for range 100 {
		e, err := NewEngine(EngineOptions{Loops: 1})
		require.NoError(t, err)
		l, err := e.Listen("127.0.0.1:0", ListenOptions{})
		require.NoError(t, err)
		conn, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		for e.Stats().Sessions == 0 { // no pause: what is tested lasts as long as to enroll takes
			runtime.Gosched()
		}
		require.NoError(t, e.Shutdown(testkit.Context(t)))
		_ = conn.Close()
	}
}
