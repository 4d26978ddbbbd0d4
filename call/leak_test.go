package call

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/netasynctest"
)

// idle wants a Peer to hold nothing.
func idle(t *testing.T, p *Peer) {
	t.Helper()
	c, sv := p.caller, p.server
	c.mu.Lock()
	defer c.mu.Unlock()
	sv.mu.Lock()
	defer sv.mu.Unlock()
	require.Empty(t, c.places)
	require.Empty(t, c.calls)
	require.Empty(t, sv.calls)
	require.Empty(t, sv.waiting)
	require.Zero(t, sv.held)
	require.Zero(t, sv.replies)
	c.control.mu.Lock()
	defer c.control.mu.Unlock()
	require.False(t, c.control.sending)
	require.Nil(t, c.control.refusals)
	require.Nil(t, c.control.cancels)
}

// Nothing is left of thousands of calls both ways, whatever became of them: done, given up at any time,
// refused, too large, failed, or cut off.
func TestNothingIsLeft(t *testing.T) {
	const callers, calls = 60, 100
	for name, resume := range map[string]bool{"plain": false, "resume": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := netasynctest.NewNetwork(t)
				ln, err := n.Engine("server", netasync.EngineOptions{}).Listen("server:1",
					netasync.ListenOptions{Resume: resume, ResumeOnly: resume, MaxPayload: 1000})
				require.NoError(t, err)
				session, err := n.Engine("client", netasync.EngineOptions{}).Connect("server:1", netasync.ConnectOptions{
					Resume: resume, MaxPayload: 1000, Backoff: netasync.FixedDelay(time.Millisecond), WriteBuffer: netasync.Fixed(10),
				})
				require.NoError(t, err)
				var mu sync.Mutex
				var peers []*Peer // mu guards it
				var server atomic.Pointer[Peer]
				begin := func(s *netasync.Session) *Peer {
					p := New(s, Options{MaxCalls: 20, MaxHandlers: 15})
					mu.Lock()
					defer mu.Unlock()
					peers = append(peers, p)
					go func() {
						_ = p.Serve(context.Background(), func(ctx context.Context, request []byte) ([]byte, error) {
							select {
							case <-ctx.Done():
							case <-time.After(rand.N(5 * time.Millisecond)):
							}
							return make([]byte, 2*len(request)), ctx.Err()
						})
					}()
					return p
				}
				client := begin(session)
				server.Store(begin(<-ln.AcceptChan()))
				go func() {
					for s := range ln.AcceptChan() {
						server.Store(begin(s))
					}
				}()
				link := n.Link("client", "server")
				link.Latency(time.Millisecond, time.Millisecond)
				var work sync.WaitGroup
				for c := range callers {
					work.Go(func() {
						for i := range calls {
							p := client
							if c%2 == 0 {
								p = server.Load()
							}
							ctx, cancel := context.WithTimeout(t.Context(), rand.N(20*time.Millisecond))
							_, _ = p.Call(ctx, make([]byte, rand.IntN(1100)))
							cancel()
							if i%20 == 19 && c == 0 {
								link.Cut(nil)
							}
						}
					})
				}
				work.Wait()
				for range 2 {
					time.Sleep(time.Minute)
					mu.Lock()
					for _, p := range peers {
						idle(t, p)
					}
					mu.Unlock()
					_ = client.Close()
				}
			})
		})
	}
}
