package netasync_test

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// The stories of net.async's own tests, told with channels as it does.

// A server pushes three messages to whoever connects.
func TestPush(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	server := take(t, ln.AcceptChan())
	for _, text := range []string{"1", "2", "3"} {
		put(t, server.WriteChan(), []byte(text))
	}

	events := c.ReadChan()
	ev := take(t, events)
	require.Equal(t, netasync.Connected, ev.Kind)
	require.EqualValues(t, 1, ev.Epoch)
	for _, text := range []string{"1", "2", "3"} {
		ev = take(t, events)
		require.Equal(t, netasync.Message, ev.Kind)
		require.Equal(t, text, string(ev.Payload))
		require.EqualValues(t, 1, ev.Epoch)
	}
	close(c.WriteChan())
	ev = take(t, events)
	require.Equal(t, netasync.Event{Kind: netasync.Closed, Epoch: 1}, ev)
	ended(t, events)
}

// A client pushes three messages and goes: the server sees connected, the three, closed.
func TestPushToServer(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	for _, text := range []string{"1", "2", "3"} {
		put(t, c.WriteChan(), []byte(text)) // at once: the network is somebody else's problem
	}
	expect(t, c, netasync.Connected)
	close(c.WriteChan())
	require.NoError(t, expectClosed(t, c).Err)

	events := take(t, ln.AcceptChan()).ReadChan()
	require.Equal(t, netasync.Connected, take(t, events).Kind)
	for _, text := range []string{"1", "2", "3"} {
		require.Equal(t, text, string(take(t, events).Payload))
	}
	ev := take(t, events)
	require.Equal(t, netasync.Closed, ev.Kind)
	require.ErrorIs(t, ev.Err, io.EOF)
	ended(t, events)
}

// A server asks its client, which answers.
func TestPoll(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{})
	for _, question := range numbered(3) {
		put(t, server.WriteChan(), []byte(question))
		require.Equal(t, question, string(take(t, c.ReadChan()).Payload))
		put(t, c.WriteChan(), []byte("answer to "+question))
		require.Equal(t, "answer to "+question, string(take(t, server.ReadChan()).Payload))
	}
}

// A client asks a server, which answers each question after the other.
func TestRequestReply(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	go echo(ln.AcceptChan())
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	require.Equal(t, netasync.Connected, take(t, c.ReadChan()).Kind)
	for _, text := range numbered(100) {
		put(t, c.WriteChan(), []byte(text))
		require.Equal(t, text, string(take(t, c.ReadChan()).Payload))
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
	for _, text := range numbered(50) {
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

// The server goes, another one binds the same port, the same session talks on.
func TestAutoReconnect(t *testing.T) {
	first := newEngine(t)
	ln := listen(t, first, netasync.ListenOptions{})
	go echo(ln.AcceptChan())
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: quick})
	expect(t, c, netasync.Connected)
	send(t, c, "one")
	expectMessages(t, c, "one")

	require.NoError(t, first.Shutdown(background(t)))
	lost := expect(t, c, netasync.Disconnected)
	require.ErrorIs(t, lost.Err, io.EOF)
	require.EqualValues(t, 1, lost.Epoch)
	send(t, c, "two") // waits for the next connection

	go echo(listenAt(t, newEngine(t), ln.Addr().String(), netasync.ListenOptions{}).AcceptChan())
	require.EqualValues(t, 2, expect(t, c, netasync.Connected).Epoch)
	expectMessages(t, c, "two")
}

// A client that is closed while its server is away does not come back.
func TestCloseDuringDisconnected(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Hour)})
	conn := rawAccept(t, ln)
	expect(t, c, netasync.Connected)
	require.NoError(t, conn.Close())
	expect(t, c, netasync.Disconnected)
	send(t, c, "lost")
	attempts := c.Stats().Attempts

	require.NoError(t, c.Close())
	ev := expectClosed(t, c)
	require.NoError(t, ev.Err)
	require.Equal(t, 1, ev.Queued)
	c.RetryNow()
	require.Equal(t, attempts, c.Stats().Attempts)
}

// The port of an engine is free for the next one when Shutdown returns, though a session was open.
func TestPortAfterShutdown(t *testing.T) {
	addr := "127.0.0.1:0"
	for range 5 {
		e := newEngine(t)
		ln := listenAt(t, e, addr, netasync.ListenOptions{})
		addr = ln.Addr().String()
		c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
		expect(t, c, netasync.Connected)
		require.NoError(t, e.Shutdown(background(t)))
		untilClosed(t, c) // its peer, of the same engine, may have been the first to close
	}
}

// A port in use is reported by Listen itself.
func TestPortInUse(t *testing.T) {
	ln := rawListen(t)
	_, err := newEngine(t).Listen(ln.Addr().String(), netasync.ListenOptions{})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}

// A client may be started before its server: many attempts, one Disconnected.
func TestClientBeforeServer(t *testing.T) {
	addr := deadAddr(t)
	c := connect(t, newEngine(t), addr, netasync.ConnectOptions{Backoff: quick})
	send(t, c, "early")
	ev := expect(t, c, netasync.Disconnected)
	require.ErrorIs(t, ev.Err, syscall.ECONNREFUSED)
	require.Zero(t, ev.Epoch)
	eventually(t, func() bool { return c.Stats().Attempts >= 10 }, "further attempts")
	require.Zero(t, c.Stats().Epoch)

	go echo(listenAt(t, newEngine(t), addr.String(), netasync.ListenOptions{}).AcceptChan())
	require.EqualValues(t, 1, expect(t, c, netasync.Connected).Epoch)
	expectMessages(t, c, "early")
}

// A server that is away for long, after it was there, is one outage, too.
func TestOneDisconnectedPerOutage(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: quick})
	expect(t, c, netasync.Connected)
	conn := rawAccept(t, ln)
	require.NoError(t, ln.Close())
	require.NoError(t, conn.SetLinger(0))
	require.NoError(t, conn.Close())

	ev := expect(t, c, netasync.Disconnected)
	require.True(t, errors.Is(ev.Err, syscall.ECONNRESET) || errors.Is(ev.Err, io.EOF), "%v", ev.Err)
	eventually(t, func() bool { return c.Stats().Attempts >= 10 }, "further attempts")
	rawAccept(t, rawListenAt(t, ln.Addr().String()))
	require.EqualValues(t, 2, expect(t, c, netasync.Connected).Epoch)
}
