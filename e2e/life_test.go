package e2e_test

import (
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// A closed session ends what works for it, and says why.
func TestContextOfASession(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{})
	ctx := server.Context()
	c.CloseNow(nil)
	select {
	case <-ctx.Done():
	case <-time.After(testkit.Patience):
		require.Fail(t, "the context did not end")
	}
	require.ErrorIs(t, server.WaitConnected(testkit.Context(t)), netasync.ErrClosed)
}

// Each listener has its own sessions, and they go when they close.
func TestSessionsOfAListener(t *testing.T) {
	e := newEngine(t)
	first, second := listen(t, e, netasync.ListenOptions{}), listen(t, e, netasync.ListenOptions{})
	of := func(ln *netasync.Listener) (ids []uint64) {
		for s := range ln.Sessions() {
			ids = append(ids, s.ID())
		}
		return ids
	}
	require.Empty(t, of(first))
	connect(t, e, first.Addr(), netasync.ConnectOptions{})
	a := testkit.Take(t, first.AcceptChan())
	connect(t, e, second.Addr(), netasync.ConnectOptions{})
	b := testkit.Take(t, second.AcceptChan())
	require.Equal(t, []uint64{a.ID()}, of(first))
	require.Equal(t, []uint64{b.ID()}, of(second))
	a.CloseNow(nil)
	testkit.Eventually(t, func() bool { return len(of(first)) == 0 }, "the session is forgotten")
	require.Equal(t, []uint64{b.ID()}, of(second))
}

// So has a handler.
func TestSessionsOfAHandler(t *testing.T) {
	h, addr := embedBare(t, netasync.ListenOptions{})
	c := connect(t, newEngine(t), addr, netasync.ConnectOptions{})
	accepted := testkit.Take(t, h.AcceptChan())
	for s := range h.Sessions() {
		require.Same(t, accepted, s)
	}
	require.Equal(t, 1, len(slices.Collect(h.Sessions())))
	c.CloseNow(nil)
	testkit.Eventually(t, func() bool { return len(slices.Collect(h.Sessions())) == 0 }, "the session is forgotten")
}

// A request and its answer by loops at both ends: everything that was sent comes back in order, by
// an event loop and by TLS.
func TestLoopsOverMessages(t *testing.T) {
	for _, secure := range []bool{false, true} {
		lo, co := netasync.ListenOptions{}, netasync.ConnectOptions{}
		if secure {
			lo.TLS, co.TLS = certificates().server(false), certificates().client(false)
		}
		c, server := pair(t, lo, co)
		ended := make(chan error, 1)
		go func() {
			for payload, err := range server.Messages(testkit.Context(t)) {
				if err == nil {
					err = server.Send(testkit.Context(t), payload)
				}
				if err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
		texts := testkit.Texts(5000)
		go func() {
			_, _ = c.SendBatch(testkit.Context(t), words(texts...))
		}()
		n := 0
		for payload, err := range c.Messages(testkit.Context(t)) {
			require.NoError(t, err)
			require.Equal(t, texts[n], string(payload))
			if n++; n == len(texts) {
				break
			}
		}
		require.NoError(t, c.Close())
		require.ErrorIs(t, testkit.Take(t, ended), io.EOF, "the peer has ended the session")
		expectClosed(t, c)
	}
}
