package engine

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// halfClosed is a connection whose peer has asked something, and finished. It takes what is written.
type halfClosed struct {
	net.Conn
	asked []byte
}

func (c *halfClosed) Read(p []byte) (n int, err error) {
	n = copy(p, c.asked)
	if c.asked = c.asked[n:]; n == 0 {
		err = io.EOF
	}
	return n, err
}

func (c *halfClosed) Write(p []byte) (int, error) { return len(p), nil }

// A session that is ended while it goes on for answers is waited for no longer than any other.
func TestShutdownBesideAPeerThatFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := NewEngine(EngineOptions{})
		require.NoError(t, err)
		p, err := (&ListenOptions{}).resolve(&e.host)
		require.NoError(t, err)
		s := e.host.sessions.Add(func(id uint64) *session.Session {
			return session.New(id, &p.Config, target{"tcp", "peer:1"})
		})
		ours, _ := net.Pipe()
		conn := &halfClosed{ours, testkit.Frames("question")}
		require.True(t, newLink(&e.host, s, ours.LocalAddr(), ours.RemoteAddr()).stream(conn))
		time.Sleep(300 * time.Millisecond) // of the 500 in which the user may be quiet
		require.Equal(t, session.StateConnected, s.State())
		begin := time.Now()
		require.NoError(t, e.Shutdown(t.Context()))
		require.Zero(t, time.Since(begin))
		require.Equal(t, session.StateClosed, s.State())
	})
}
