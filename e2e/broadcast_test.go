package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
	"github.com/netasync/netasync/internal/testkit"
)

// everyDoor are listeners of all kinds, as far as they differ for who writes.
var everyDoor = map[string]struct {
	listen  netasync.ListenOptions
	connect netasync.ConnectOptions
}{
	"on loops": {},
	"inline":   {listen: netasync.ListenOptions{Inline: true}},
	"tls": {
		netasync.ListenOptions{TLS: certificates().server(true)},
		netasync.ConnectOptions{TLS: certificates().client(true)},
	},
	"another codec": {
		netasync.ListenOptions{Codec: netasync.Codec{Varint: true}},
		netasync.ConnectOptions{Codec: netasync.Codec{Varint: true}},
	},
}

// Broadcast: all members of a group get all messages in one order, whatever they are connected by and
// whatever a member that reads nothing does; no receiver can change what another one gets.
func TestBroadcast(t *testing.T) {
	for name, door := range everyDoor {
		t.Run(name, func(t *testing.T) {
			const members, messages = 20, 200
			e, g := newEngine(t), broadcast.NewGroup(broadcast.Options{})
			door.listen.WriteBuffer = netasync.Buffer{Cap: messages, Bytes: 64 << 20}
			called := make(chan *netasync.Session, members+1)
			if door.listen.Inline {
				door.listen.OnEvent = func(s *netasync.Session, ev netasync.Event) {
					if ev.Kind == netasync.Connected {
						called <- s
					}
				}
			}
			ln := listen(t, e, door.listen)
			accepted := ln.AcceptChan()
			if door.listen.Inline {
				accepted = called
			}
			var readers []*netasync.Session
			for range members {
				readers = append(readers, connect(t, e, ln.Addr(), door.connect))
				require.True(t, g.Add(testkit.Take(t, accepted)))
			}
			deaf := connect(t, e, ln.Addr(), door.connect) // nobody reads its messages
			g.Add(testkit.Take(t, accepted))
			require.Equal(t, members+1, g.Len())
			broadcastAll(t, g, readers, messages)
			deaf.CloseNow(nil)
			testkit.Eventually(t, func() bool { return g.Len() == members }, "it leaves by itself")
			ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
			defer cancel()
			require.NoError(t, e.Shutdown(ctx))
			require.Zero(t, g.Len(), "none of its sessions is a member")
		})
	}
}

// broadcastAll has two senders broadcast to all members of a group, for whom there is room, and wants readers,
// the peers of some of them, to get all messages in one order, in memory of their own.
func broadcastAll(t *testing.T, g *broadcast.Group, readers []*netasync.Session, messages int) {
	t.Helper()
	const senders = 2
	all := broadcast.Result{Queued: g.Len()}
	var work sync.WaitGroup
	for n := range senders {
		work.Go(func() {
			for i := range messages / senders {
				payload := fmt.Appendf(nil, "%d/%d ", n, i)
				payload = append(payload, bytes.Repeat([]byte{'x'}, []int{0, 100, 1000, 50_000}[i%4])...)
				if r := g.Send(payload); r != all {
					t.Errorf("%+v", r)
				}
				clear(payload)
			}
		})
	}
	got := make([][]string, len(readers))
	for i, s := range readers {
		work.Go(func() {
			for payload, err := range s.Messages(testkit.Context(t)) {
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = append(got[i], string(payload))
				clear(payload) // it is ours
				if len(got[i]) == messages {
					return
				}
			}
		})
	}
	work.Wait()
	for i := range got {
		require.True(t, slices.Equal(got[0], got[i]), "reader %d", i)
	}
}

// One that reads nothing delays nobody, whatever Slow says.
func TestBroadcastBesideOneThatReadsNothing(t *testing.T) {
	for slow, name := range []string{"Drop", "Close", "Latest"} {
		t.Run(name, func(t *testing.T) {
			var told atomic.Int64
			g := broadcast.NewGroup(broadcast.Options{
				Slow: broadcast.Slow(slow), OnSlow: func(*netasync.Session) { told.Add(1) },
			})
			e := newEngine(t)
			ln := listen(t, e, netasync.ListenOptions{WriteBuffer: netasync.Fixed(16), Linger: brief})
			reader := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
			g.Add(testkit.Take(t, ln.AcceptChan()))
			conn := testkit.Dial(t, ln.Addr()) // reads nothing
			deaf := testkit.Take(t, ln.AcceptChan())
			g.Add(deaf)
			expect(t, reader, netasync.Connected)
			payload := make([]byte, 64<<10)
			i, slowed := 0, false
			for ; !slowed; i++ {
				copy(payload, fmt.Sprint(i, " "))
				r := g.Send(payload)
				require.Equal(t, 2, r.Queued+r.Slow, "%+v", r)
				slowed = r.Slow > 0
				require.Contains(t, string(expect(t, reader, netasync.Message).Payload[:20]), fmt.Sprint(i, " "))
			}
			for range 100 {
				g.Send(payload)
				expect(t, reader, netasync.Message)
			}
			require.EqualValues(t, 1, told.Load())
			if broadcast.Slow(slow) == broadcast.Close {
				_, closed := untilClosed(t, deaf)
				require.ErrorIs(t, closed.Err, broadcast.ErrSlow)
			} else {
				require.True(t, g.Has(deaf))
			}
			_ = conn.Close()
		})
	}
}

// Members that can be resumed get every message once, in order, over any number of cuts.
func TestResumeBroadcast(t *testing.T) {
	const members, messages = 8, 2000
	e, g := newEngine(t), broadcast.NewGroup(broadcast.Options{})
	ln := listen(t, e, netasync.ListenOptions{Resume: true, WriteBuffer: netasync.Fixed(messages)})
	cutter := testkit.NewCutter(t, ln.Addr().String(), 300_000)
	t.Cleanup(func() { endEngine(t, e) }) // before the proxy waits for its connections
	var readers []*netasync.Session
	for range members {
		s, err := e.Connect(cutter.Addr, netasync.ConnectOptions{Resume: true, Backoff: quick})
		require.NoError(t, err)
		readers = append(readers, s)
		accepted := testkit.Take(t, ln.AcceptChan())
		go func() {
			for {
				if _, err := accepted.Recv(context.Background()); err != nil {
					return
				}
			}
		}()
		require.True(t, g.Add(accepted))
	}
	var work sync.WaitGroup
	for n, s := range readers {
		work.Go(func() {
			var all testkit.Sequence
			got := 0
			for payload, err := range s.Messages(testkit.Context(t)) {
				if err == nil {
					err = all.Take(payload)
				}
				if err != nil {
					t.Errorf("member %d, after %d: %v", n, got, err)
					return
				}
				if got++; got == messages {
					return
				}
			}
		})
	}
	for i := range messages {
		payload := testkit.Numbered(i, testkit.MinNumbered+i%3*600)
		require.Equal(t, broadcast.Result{Queued: members}, g.Send(payload))
		clear(payload)
		if i%10 == 0 {
			time.Sleep(time.Millisecond) // spread over connections
		}
	}
	work.Wait()
	require.NotZero(t, cutter.Cuts.Load())
	t.Logf("%d cuts", cutter.Cuts.Load())
	cutter.Calm()
}

// With Latest, what a member that can be resumed misses is what was replaced: no message comes twice, none
// out of order, and the last one comes.
func TestResumeBroadcastOfStates(t *testing.T) {
	const members, messages = 4, 3000
	e, g := newEngine(t), broadcast.NewGroup(broadcast.Options{Slow: broadcast.Latest})
	ln := listen(t, e, netasync.ListenOptions{
		Resume: true, WriteBuffer: netasync.Fixed(4), Unacked: netasync.Buffer{Cap: 8},
	})
	cutter := testkit.NewCutter(t, ln.Addr().String(), 100_000)
	t.Cleanup(func() { endEngine(t, e) }) // before the proxy waits for its connections
	var readers []*netasync.Session
	for range members {
		s, err := e.Connect(cutter.Addr, netasync.ConnectOptions{Resume: true, Backoff: quick})
		require.NoError(t, err)
		readers = append(readers, s)
		accepted := testkit.Take(t, ln.AcceptChan())
		go func() {
			for {
				if _, err := accepted.Recv(context.Background()); err != nil {
					return
				}
			}
		}()
		require.True(t, g.Add(accepted))
	}
	var work sync.WaitGroup
	for n, s := range readers {
		work.Go(func() {
			all, got := testkit.Sequence{Gaps: true}, 0
			for payload, err := range s.Messages(testkit.Context(t)) {
				if err == nil {
					err = all.Take(payload)
				}
				if err != nil {
					t.Errorf("member %d, after %d: %v", n, got, err)
					return
				}
				got++
				if last, _ := testkit.Number(payload); last == messages-1 {
					return
				}
			}
		})
	}
	var slow int
	for i := range messages {
		r := g.Send(testkit.Numbered(i, testkit.MinNumbered+i%3*600))
		require.Equal(t, members, r.Queued+r.Slow)
		slow += r.Slow
		if i%20 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	work.Wait()
	require.NotZero(t, slow)
	require.NotZero(t, cutter.Cuts.Load())
	cutter.Calm()
}
