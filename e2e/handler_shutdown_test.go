package e2e_test

import (
	"context"
	"sync"
	"testing"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Shutdown ends the sessions, flushed, and nothing else of the user's engine.
func TestHandlerShutdown(t *testing.T) {
	h, addr := embed(t, netasync.ListenOptions{})
	text := testkit.Dial(t, addr)
	testkit.Write(t, text, []byte("text"))
	conn := testkit.Dial(t, addr)
	testkit.Write(t, conn, testkit.Frames("hello"))
	s := testkit.Take(t, h.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "hello")
	texts := testkit.Texts(100)
	for _, text := range texts {
		testkit.Put(t, s.WriteChan(), []byte(text))
	}
	require.NoError(t, h.Shutdown(testkit.Context(t)))
	require.NoError(t, expectClosed(t, s).Err)
	testkit.Ended(t, h.AcceptChan())
	expectFrames(t, conn, texts...)
	expectEOF(t, conn)
	require.Zero(t, h.Stats().Sessions)

	late := testkit.Dial(t, addr)
	testkit.Write(t, late, testkit.Frames("hello"))
	_, err := late.Read(make([]byte, 1))
	require.Error(t, err)
	require.ErrorIs(t, h.Shutdown(testkit.Context(t)), netasync.ErrShutdown)
	testkit.Write(t, text, []byte(" goes on"))
	expectText(t, text, "TEXT GOES ON")
}

// A gnet engine that is stopped without Shutdown ends the sessions, too, and AcceptChan.
func TestHandlerWithoutShutdown(t *testing.T) {
	h, err := netasync.NewHandler(netasync.ListenOptions{})
	require.NoError(t, err)
	booted := make(chan gnet.Engine, 1)
	engine, addr := run(t, &host{bare{h, booted}}, booted)
	conn := testkit.Dial(t, addr)
	testkit.Write(t, conn, testkit.Frames("hello"))
	s := testkit.Take(t, h.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "hello")
	require.NoError(t, engine.Stop(testkit.Context(t)))
	expectClosed(t, s)
	expectEOF(t, conn)
	testkit.Ended(t, h.AcceptChan())
}

// The first callback of a Handler's session waits for a lock of the user's, whose holder shuts the
// handler down.
func TestHandlerShutdownBesideAWaitingCallback(t *testing.T) {
	var users sync.Mutex
	entered := make(chan struct{}, 1)
	h, err := netasync.NewHandler(netasync.ListenOptions{Inline: true, OnEvent: func(_ *netasync.Session, ev netasync.Event) {
		if ev.Kind == netasync.Connected {
			entered <- struct{}{}
			users.Lock()
			defer users.Unlock()
		}
	}})
	require.NoError(t, err)
	booted := make(chan gnet.Engine, 1)
	_, addr := run(t, &host{bare{h, booted}}, booted)
	users.Lock()
	defer users.Unlock()
	testkit.Write(t, testkit.Dial(t, addr), testkit.Frames("x"))
	testkit.Take(t, entered)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.True(t, testkit.Within(testkit.Patience, func() { require.Error(t, h.Shutdown(ctx)) }))
}
