package session

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

type goodbyeLink struct {
	*fakeLink
	onFinish func()
}

func (l *goodbyeLink) Finish(time.Time) { l.onFinish() }

// An end that the peer answers while we say goodbye is a clean one.
func TestPeersAnswerToOurGoodbyeIsNoError(t *testing.T) {
	for _, end := range []error{io.EOF, nil} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, false, nil)
			link := &goodbyeLink{fakeLink: newFakeLink(unbounded)}
			conn := s.attach(link, 0)
			link.onFinish = func() {
				if end != nil {
					conn.End(end)
				}
			}
			require.NoError(t, s.Send(t.Context(), []byte("last words")))
			require.NoError(t, s.Close())
			require.Equal(t, Connected, recv(t, s).Kind)
			require.Equal(t, Event{Kind: Closed, Epoch: 1}, recv(t, s))
			_, err := s.Recv(t.Context())
			require.ErrorIs(t, err, io.EOF)
		})
	}
}

// Our goodbye was planned, whatever the peer was about to say.
func TestGoodbyeWithinAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		link := &goodbyeLink{fakeLink: newFakeLink(unbounded)}
		conn := s.attach(link, 0)
		link.onFinish = func() { conn.End(io.EOF) }
		_, _, err := conn.Feed(testkit.Frames("half")[:6], false)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		recv(t, s)
		require.Equal(t, Event{Kind: Closed, Epoch: 1}, recv(t, s))
	})
}
