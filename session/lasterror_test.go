package session

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// LastError is the latest cause, whatever Disconnected told, and nil once the peer was heard.
func TestLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, nil)
		require.NoError(t, s.Stats().LastError)
		for _, err := range []error{errCut, io.ErrNoProgress} {
			require.True(t, s.dialing())
			s.dialFailed(err)
			require.Equal(t, err, s.Stats().LastError)
		}
		require.Equal(t, errCut, recv(t, s).Err)

		s.dialing()
		c := s.attach(newFakeLink(unbounded), 0)
		require.Equal(t, io.ErrNoProgress, s.Stats().LastError, "nothing was heard yet")
		_, _, err := c.Feed(testkit.Frames(""), false)
		require.NoError(t, err)
		require.NoError(t, s.Stats().LastError)
		c.End(io.EOF)
		require.Equal(t, io.EOF, s.Stats().LastError)
		<-dialer.redials

		s.dialing()
		s.attach(newFakeLink(unbounded), 0).End(errCut)
		require.Equal(t, errCut, s.Stats().LastError, "unproven, and lost")
		s.CloseNow(nil)
		require.Equal(t, errCut, s.Stats().LastError)
	})
}
