package e2e_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// A port in use is reported by Listen itself.
func TestPortInUse(t *testing.T) {
	ln := testkit.Listen(t)
	_, err := newEngine(t).Listen(ln.Addr().String(), netasync.ListenOptions{})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}

// When AcceptChan is full, accepting pauses; nobody is lost, and the sessions there are go on.
func TestAcceptBufferFull(t *testing.T) {
	const clients = 40
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{AcceptBuffer: 1})
	first := testkit.Dial(t, ln.Addr())
	go echoSession(testkit.Take(t, ln.AcceptChan()))
	texts := testkit.Texts(clients)
	for _, text := range texts {
		testkit.Write(t, testkit.Dial(t, ln.Addr()), testkit.Frames(text))
	}
	for range 200 { // time enough to accept them all
		testkit.Write(t, first, testkit.Frames("well?"))
		expectFrames(t, first, "well?")
	}
	require.Less(t, e.Stats().Sessions, clients/2)

	missing := make(map[string]bool)
	for _, text := range texts {
		missing[text] = true
	}
	for range clients {
		s := testkit.Take(t, ln.AcceptChan())
		expect(t, s, netasync.Connected)
		delete(missing, string(expect(t, s, netasync.Message).Payload))
	}
	require.Empty(t, missing)
}

// Over MaxSessions, connections are closed at once; when a session ends, there is room again.
func TestMaxSessions(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{MaxSessions: 2})
	first := testkit.Dial(t, ln.Addr())
	s := testkit.Take(t, ln.AcceptChan())
	testkit.Dial(t, ln.Addr())
	testkit.Take(t, ln.AcceptChan())
	expectEOF(t, testkit.Dial(t, ln.Addr()))
	require.EqualValues(t, 1, e.Stats().Refused)
	require.Equal(t, 2, e.Stats().Sessions)

	require.NoError(t, first.Close())
	expect(t, s, netasync.Connected)
	expectClosed(t, s)
	testkit.Write(t, testkit.Dial(t, ln.Addr()), testkit.Frames("hello"))
	s = testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "hello")
}

// Listener.Close frees the port and ends AcceptChan; sessions live on, also those that wait there.
func TestListenerClose(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	expect(t, c, netasync.Connected)
	taken := testkit.Take(t, ln.AcceptChan())
	go echoSession(taken)
	waiting := testkit.Dial(t, ln.Addr())
	testkit.Write(t, waiting, testkit.Frames("hello"))
	testkit.Eventually(t, func() bool { return len(ln.AcceptChan()) == 1 }, "it waits")

	require.NoError(t, ln.Close())
	require.NoError(t, ln.Close())
	again := listenAt(t, e, ln.Addr().String(), netasync.ListenOptions{})
	s := testkit.Take(t, ln.AcceptChan())
	testkit.Ended(t, ln.AcceptChan())
	go echoSession(s)
	expectFrames(t, waiting, "hello")
	send(t, c, "still here")
	expectMessages(t, c, "still here")

	testkit.Write(t, testkit.Dial(t, again.Addr()), testkit.Frames("new"))
	s = testkit.Take(t, again.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "new")
}

// Sessions that the user will not hear of are closed.
func TestListenerCloseWhileAcceptChanIsFull(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{AcceptBuffer: 1})
	for range 4 {
		testkit.Dial(t, ln.Addr())
	}
	testkit.Eventually(t, func() bool { return e.Stats().Sessions == 4 && len(ln.AcceptChan()) == 1 },
		"one waits in AcceptChan, the others for room there")
	require.NoError(t, ln.Close())
	testkit.Eventually(t, func() bool { return e.Stats().Sessions == 1 }, "the others are closed")
}

// Close does not wait for a silent handshake, which is given 5 s.
func TestListenerCloseEndsHandshakes(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{TLS: certificates().server(false)})
	testkit.Dial(t, ln.Addr())
	require.NoError(t, ln.Close())
	require.True(t, testkit.Within(4*time.Second, func() { testkit.Ended(t, ln.AcceptChan()) }))
}
