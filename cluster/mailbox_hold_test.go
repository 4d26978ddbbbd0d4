package cluster

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// What Send has brought while a mailbox was emptied reaches the session, also if the name is given back
// before that has ended: Send has said that the session has it.
func TestMailboxHoldOfAReleasedName(t *testing.T) {
	p := mailNode(t, Options{})
	client, accepted := p.session(t, netasync.ConnectOptions{})
	to := p.Node.Session("ada")
	for i := range 20 {
		c, err := p.Claim(within(t), "ada", accepted, Replace)
		require.NoError(t, err)
		text := fmt.Sprint("message ", i)
		if i%2 == 0 {
			require.NoError(t, p.Send(within(t), "ada", []byte(text)))
		} else {
			require.NoError(t, to.Send(within(t), []byte(text)))
			require.NoError(t, to.Flush(within(t)))
		}
		c.Release()
		require.Equal(t, text, message(t, client))
	}
}

// The same where the node begins to end.
func TestMailboxHoldOfANodeThatEnds(t *testing.T) {
	p := mailNode(t, Options{})
	client, accepted := p.session(t, netasync.ConnectOptions{})
	_, err := p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	require.NoError(t, p.Send(within(t), "ada", []byte("hello")))
	require.NoError(t, p.Shutdown(within(t)))
	require.Equal(t, "hello", message(t, client))
}

// What a session would not take is not kept back for it.
func TestMailboxHoldOfAClosedSession(t *testing.T) {
	p := mailNode(t, Options{})
	_, accepted := p.session(t, netasync.ConnectOptions{})
	c := &Claim{node: p.Node, name: "ada", session: accepted, mail: p.mail.delivery("ada", accepted)}
	accepted.CloseNow(nil)
	require.ErrorIs(t, c.trySend([]byte("hello")), netasync.ErrClosed)
}
