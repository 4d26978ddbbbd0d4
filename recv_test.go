package netasync_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// ReadChan and Recv may be mixed: every event reaches exactly one of them, and each consumer sees its own in order.
func TestRecvAndReadChanMixed(t *testing.T) {
	const n, consumers = 20_000, 6
	c, server := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{})
	var mu sync.Mutex
	got := make([][]string, consumers)
	keep := func(i int, ev netasync.Event) {
		mu.Lock()
		defer mu.Unlock()
		got[i] = append(got[i], string(ev.Payload))
	}
	var all sync.WaitGroup
	for i := range consumers {
		all.Go(func() {
			for m := 0; ; m++ {
				if i%2 == 0 && (i == 0 || m > 500*i) { // some change over from one to the other
					for ev := range server.ReadChan() {
						keep(i, ev)
					}
					return
				}
				ev, err := server.Recv(context.Background())
				if err != nil {
					return
				}
				keep(i, ev)
			}
		})
	}
	for i := range n {
		send(t, c, fmt.Sprintf("%06d", i))
	}
	require.NoError(t, c.Close())
	all.Wait()

	var together []string
	for i := range got {
		require.True(t, slices.IsSorted(slices.DeleteFunc(slices.Clone(got[i]), func(s string) bool { return s == "" })))
		together = append(together, got[i]...)
	}
	slices.Sort(together)
	require.Equal(t, "", together[0], "Closed reached somebody")
	for i, text := range together[1:] {
		require.Equal(t, fmt.Sprintf("%06d", i), text)
	}
	require.Len(t, together, 1+n)
}

// Recv ends with its context, and takes nothing with it.
func TestRecvWithContext(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{})
	for _, text := range numbered(50) {
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan error, 1)
		var lucky string // Recv may be faster than cancel
		go func() {
			ev, err := server.Recv(ctx)
			lucky = string(ev.Payload)
			result <- err
		}()
		send(t, c, text)
		cancel()
		if err := take(t, result); err == nil {
			require.Equal(t, text, lucky)
			continue
		} else {
			require.ErrorIs(t, err, context.Canceled)
		}
		expectMessages(t, server, text)
	}
}
