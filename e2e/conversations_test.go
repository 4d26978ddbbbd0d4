package e2e_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Two ends that talk: the stories of net.async's own tests, told with channels as it does.

// A server pushes three messages to whoever connects.
func TestPush(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	server := testkit.Take(t, ln.AcceptChan())
	for _, text := range []string{"1", "2", "3"} {
		testkit.Put(t, server.WriteChan(), []byte(text))
	}

	events := c.ReadChan()
	ev := testkit.Take(t, events)
	require.Equal(t, netasync.Connected, ev.Kind)
	require.EqualValues(t, 1, ev.Epoch)
	for _, text := range []string{"1", "2", "3"} {
		ev = testkit.Take(t, events)
		require.Equal(t, netasync.Message, ev.Kind)
		require.Equal(t, text, string(ev.Payload))
		require.EqualValues(t, 1, ev.Epoch)
	}
	close(c.WriteChan())
	ev = testkit.Take(t, events)
	require.Equal(t, netasync.Event{Kind: netasync.Closed, Epoch: 1}, ev)
	testkit.Ended(t, events)
}

// A client pushes three messages and goes: the server sees connected, the three, closed.
func TestPushToServer(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	for _, text := range []string{"1", "2", "3"} {
		testkit.Put(t, c.WriteChan(), []byte(text)) // at once, without a look at the network
	}
	expect(t, c, netasync.Connected)
	close(c.WriteChan())
	require.NoError(t, expectClosed(t, c).Err)

	events := testkit.Take(t, ln.AcceptChan()).ReadChan()
	require.Equal(t, netasync.Connected, testkit.Take(t, events).Kind)
	for _, text := range []string{"1", "2", "3"} {
		require.Equal(t, text, string(testkit.Take(t, events).Payload))
	}
	ev := testkit.Take(t, events)
	require.Equal(t, netasync.Closed, ev.Kind)
	require.ErrorIs(t, ev.Err, io.EOF)
	testkit.Ended(t, events)
}

// A server asks its client, which answers.
func TestPoll(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{})
	for _, question := range testkit.Texts(3) {
		testkit.Put(t, server.WriteChan(), []byte(question))
		require.Equal(t, question, string(testkit.Take(t, c.ReadChan()).Payload))
		testkit.Put(t, c.WriteChan(), []byte("answer to "+question))
		require.Equal(t, "answer to "+question, string(testkit.Take(t, server.ReadChan()).Payload))
	}
}

// A client asks a server, which answers each question after the other.
func TestRequestReply(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	go echo(ln.AcceptChan())
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	require.Equal(t, netasync.Connected, testkit.Take(t, c.ReadChan()).Kind)
	for _, text := range testkit.Texts(100) {
		testkit.Put(t, c.WriteChan(), []byte(text))
		require.Equal(t, text, string(testkit.Take(t, c.ReadChan()).Payload))
	}
}

// Two clients of one server do not hear each other.
func TestTwoClients(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	go echo(ln.AcceptChan())
	a := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	b := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	expect(t, a, netasync.Connected)
	expect(t, b, netasync.Connected)
	for _, text := range testkit.Texts(50) {
		send(t, a, "a "+text)
		send(t, b, "b "+text)
		expectMessages(t, b, "b "+text)
		expectMessages(t, a, "a "+text)
	}
	require.NoError(t, a.Close())
	require.NoError(t, expectClosed(t, a).Err)
	send(t, b, "still here")
	expectMessages(t, b, "still here")
}
