package netasync_test

import (
	"context"
	"sync"
	"testing"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// The first callback of a Handler's session waits for a lock of the user's, whose holder shuts the handler down.
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
	write(t, rawDial(t, addr), frames("x"))
	take(t, entered)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.True(t, in(patience, func() { require.Error(t, h.Shutdown(ctx)) }))
}
