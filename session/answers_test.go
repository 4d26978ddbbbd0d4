package session

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// owing asks as an engine does, until the connection is over, and returns for how long it was not.
func owing(c *Conn) time.Duration {
	begin := time.Now()
	for c.Owes() {
		time.Sleep(10 * time.Millisecond)
	}
	c.End(io.EOF)
	return time.Since(begin)
}

// The session ends when its user has been quiet for a tenth of Linger, and no sooner.
func TestPeerThatFinishedIsAnswered(t *testing.T) {
	for name, work := range map[string]func(t *testing.T, s *Session){
		"Recv": func(t *testing.T, s *Session) {
			recv(t, s)
			time.Sleep(300 * time.Millisecond)
			for range 2 {
				require.NoError(t, s.Send(t.Context(), recv(t, s).Payload))
				time.Sleep(90 * time.Millisecond)
			}
		},
		"ReadChan": func(t *testing.T, s *Session) {
			<-s.ReadChan()
			time.Sleep(300 * time.Millisecond)
			for range 2 {
				require.NoError(t, s.Send(t.Context(), (<-s.ReadChan()).Payload))
				time.Sleep(90 * time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newFake(t, false, func(c *Config) { c.Linger = time.Second })
				link := newFakeLink(unbounded)
				c := s.attach(link, 0)
				_, _, err := c.Feed(testkit.Frames("one", "two"), false)
				require.NoError(t, err)
				require.True(t, c.PeerFinished())
				go work(t, s)
				require.InDelta(t, 490, owing(c).Milliseconds(), 20)
				require.Equal(t, testkit.Frames("one", "two"), link.written())
				require.Equal(t, StateClosed, s.State())
			})
		})
	}
}

// A peer that has asked nothing is owed nothing, and a dialed session connects again.
func TestPeerThatFinishesWithoutAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		c := s.attach(newFakeLink(unbounded), 0)
		recv(t, s)
		_, _, err := c.Feed(testkit.Frames(""), false)
		require.NoError(t, err)
		require.False(t, c.PeerFinished())
		c.End(io.EOF)
		require.ErrorIs(t, recv(t, s).Err, io.EOF)

		s, dialer := newFake(t, true, nil)
		s.dialing()
		c = s.attach(newFakeLink(unbounded), 0)
		_, _, err = c.Feed(testkit.Frames("question"), false)
		require.NoError(t, err)
		require.False(t, c.PeerFinished())
		c.End(io.EOF)
		<-dialer.redials
		s.CloseNow(errCut)
	})
}
