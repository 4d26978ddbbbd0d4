package e2e_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// A message that is too large for the peer does not stand in the way of those behind it for ever.
func TestMessageThatThePeerDoesNotTake(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{MaxPayload: 1 << 20})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{MaxPayload: 12 << 20, Backoff: quick, Linger: brief,
		WriteBuffer: netasync.Buffer{Bytes: 16 << 20}})
	send(t, c, strings.Repeat("x", 12<<20), "behind")

	arrived := make(chan string, 1)
	go func() {
		for s := range ln.AcceptChan() {
			for ev := range s.ReadChan() {
				if ev.Kind == netasync.Message {
					arrived <- string(ev.Payload)
				}
			}
		}
	}()
	for told := false; !told; {
		if ev := next(t, c); ev.Kind == netasync.Disconnected {
			told = strings.Contains(ev.Err.Error(), netasync.ErrUndeliverable.Error())
			if told {
				require.ErrorIs(t, ev.Err, netasync.ErrUndeliverable)
				require.Equal(t, 1, ev.Queued)
			}
		}
	}
	require.Equal(t, "behind", testkit.Take(t, arrived))
	st := c.Stats()
	require.EqualValues(t, 1, st.Undeliverable)
	require.EqualValues(t, 1, st.Dropped)
	require.EqualValues(t, 1, st.Sent)
	require.NoError(t, c.Close())
}
