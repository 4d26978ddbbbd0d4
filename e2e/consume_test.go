package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Every way to consume says the same on every transport.
func TestEveryWayOnEveryTransport(t *testing.T) {
	for _, tr := range transports {
		for _, w := range ways {
			t.Run(tr.name+"/"+w.name, func(t *testing.T) {
				c, events := tr.open(t, w)
				ev := testkit.Take(t, events)
				require.Equal(t, netasync.Event{Kind: netasync.Connected, Epoch: 1}, ev)
				sent := make(chan error, 1)
				go func() {
					for _, text := range conversation {
						if err := w.send(c, []byte(text)); err != nil {
							sent <- err
							return
						}
					}
					sent <- nil
				}()
				for i, want := range conversation {
					ev := testkit.Take(t, events)
					require.Equal(t, netasync.Message, ev.Kind, "%v", ev.Err)
					require.True(t, want == string(ev.Payload), "message %d: got %.40q, want %.40q", i, ev.Payload, want)
				}
				require.NoError(t, testkit.Take(t, sent))
				require.NoError(t, c.Close())
				require.Equal(t, netasync.Event{Kind: netasync.Closed, Epoch: 1}, testkit.Take(t, events))
				testkit.Ended(t, events)
			})
		}
	}
}

// A listener's sessions with OnEvent announce themselves by their events, in order, and nowhere
// else.
func TestOnEventInsteadOfAcceptChan(t *testing.T) {
	for _, inline := range []bool{false, true} {
		t.Run(fmt.Sprintf("inline %v", inline), func(t *testing.T) {
			told := make(chan netasync.Event, 10)
			sessions := make(chan *netasync.Session, 10)
			ln := listen(t, newEngine(t), netasync.ListenOptions{NoGreeting: true, Inline: inline, OnEvent: func(s *netasync.Session, ev netasync.Event) {
				ev.Payload = bytes.Clone(ev.Payload)
				told <- ev
				sessions <- s
			}})
			conn := testkit.Dial(t, ln.Addr())
			testkit.Write(t, conn, testkit.Frames("1", "2"))
			require.NoError(t, conn.Close())
			require.Equal(t, netasync.Connected, testkit.Take(t, told).Kind)
			require.Equal(t, "1", string(testkit.Take(t, told).Payload))
			require.Equal(t, "2", string(testkit.Take(t, told).Payload))
			ev := testkit.Take(t, told)
			require.Equal(t, netasync.Closed, ev.Kind)
			require.ErrorIs(t, ev.Err, io.EOF)
			require.Empty(t, ln.AcceptChan())

			s := testkit.Take(t, sessions)
			_, err := s.Recv(testkit.Context(t))
			require.ErrorIs(t, err, netasync.ErrCallbacks)
			testkit.Ended(t, s.ReadChan())
		})
	}
}

// ReadChan and Recv may be mixed: every event reaches exactly one of them, and each consumer sees
// its own in order.
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
	for _, text := range testkit.Texts(50) {
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
		if err := testkit.Take(t, result); err == nil {
			require.Equal(t, text, lucky)
			continue
		} else {
			require.ErrorIs(t, err, context.Canceled)
		}
		expectMessages(t, server, text)
	}
}
