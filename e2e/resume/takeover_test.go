package resume

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// forgetful returns a proxy whose connections can be forgotten.
func forgetful(t *testing.T, addr net.Addr) (px *proxy, forget func()) {
	t.Helper()
	px = newProxy(t, addr, func(int) plan { return plan{fault: halfNear, after: -1} })
	return px, px.forget
}

// forget tells all dialers that their connections are over, and no listener.
func (p *proxy) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c, dialed := range p.open {
		if !dialed {
			cutOff(c)
		}
	}
}

// A peer comes back while its old connection is half open, and while an Inline callback of that blocks,
// as often as it likes, and where there is no room for another session: it gets its session, whose user
// is told ErrTakenOver, and nothing is missing or doubled.
func TestTakeOver(t *testing.T) {
	for w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			const times, burst = 10, 20
			var all wrongs
			e := newEnd("server", w, all.add)
			var mu sync.Mutex
			outages := map[bool]int{}
			e.seen = func(ev netasync.Event) {
				mu.Lock()
				defer mu.Unlock()
				if ev.Kind == netasync.Disconnected {
					outages[errors.Is(ev.Err, netasync.ErrTakenOver)]++
				}
			}
			block, release := make(chan struct{}, 1), make(chan struct{})
			event := func(s *netasync.Session, ev netasync.Event) {
				e.event(s, ev)
				if ev.Kind == netasync.Message {
					select {
					case <-block:
						<-release
					default:
					}
				}
			}
			server := engine(t)
			lo := netasync.ListenOptions{Resume: true, MaxSessions: 1, MaxSessionsPerAddr: 1, Inline: w == byInline}
			if w.called() {
				lo.OnEvent = event
			}
			ln, err := server.Serve(bareListener{testkit.Listen(t)}, lo) // off the loops, where a callback may block
			require.NoError(t, err)
			if !w.called() {
				go func() { e.consume(<-ln.AcceptChan()) }()
			}
			px, forget := forgetful(t, ln.Addr())
			client := newEnd("client", byRecv, all.add)
			c, err := engine(t).Connect(px.addr, netasync.ConnectOptions{Resume: true, Backoff: quick})
			require.NoError(t, err)
			go client.consume(c)
			said := 0
			say := func() {
				for range burst {
					require.NoError(t, c.Send(testkit.Context(t), testkit.Numbered(said, testkit.MinNumbered+said)))
					said++
				}
			}
			say()
			s := testkit.Take(t, e.session)
			require.NoError(t, c.WaitConnected(testkit.Context(t)))
			for i := range times {
				if w.called() {
					block <- struct{}{}
				}
				say()
				if w.called() {
					testkit.Eventually(t, func() bool { return len(block) == 0 }, "a callback blocks")
				}
				forget()
				say()
				testkit.Eventually(t, func() bool { return c.Stats().Resumed == uint64(i+1) }, "%d: the client is back: %+v", i, c.Stats())
				require.NoError(t, s.Send(testkit.Context(t), testkit.Numbered(i, 100)))
				testkit.Eventually(t, func() bool { return client.got.Load() == int64(i+1) }, "%d: it is heard: %+v", i, s.Stats())
				if w.called() {
					release <- struct{}{}
				}
				testkit.Eventually(t, func() bool { return e.got.Load() == int64(said) }, "%d: all came: %d of %d: %+v, %+v",
					i, e.got.Load(), said, c.Stats(), s.Stats())
			}
			require.NoError(t, c.Close())
			require.NoError(t, testkit.Take(t, e.closed).Err)
			require.NoError(t, testkit.Take(t, client.closed).Err)
			all.check(t)
			require.Equal(t, map[bool]int{true: times}, outages)
			require.EqualValues(t, 1, server.Stats().Accepted)
		})
	}
}

// A peer comes back while we are stuck writing to its old connection, which is half open, with the
// buffers of both hosts full. Until it is taken over that has no end.
func TestTakeOverOfAStuckWriter(t *testing.T) {
	for i, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			const calm = time.Minute // no heartbeat finds anything
			var all wrongs
			server, client := newEnd("server", byRecv, all.add), newEnd("client", byRecv, all.add)
			addr, accept := d.open(t, netasync.ListenOptions{
				Resume: true, HeartbeatPeriod: calm, Unacked: netasync.Buffer{Bytes: 64 << 20}, SocketWriteBuffer: 64 << 10,
			})
			px := newProxy(t, addr, func(n int) plan { return plan{fault: halfNear, after: -1, mute: n == 0} })
			o := netasync.ConnectOptions{Resume: true, Backoff: quick, HeartbeatPeriod: calm, SocketReadBuffer: 64 << 10}
			if d.tls {
				o.TLS = papers().client
			}
			c, err := engine(t).Connect(dialable(px.network, px.addr), o)
			require.NoError(t, err)
			go client.consume(c)
			go func() { server.consume(<-accept) }()
			s := testkit.Take(t, server.session)
			require.NoError(t, c.WaitConnected(testkit.Context(t)))
			const many, large = 100, 200 << 10 // more than the hosts hold
			over := make(chan struct{})
			go func() {
				defer close(over)
				for n := range many {
					if s.Send(testkit.Context(t), testkit.Numbered(n, large)) != nil {
						return
					}
				}
			}()
			for before := uint64(1 << 63); s.Stats().SentBytes != before; time.Sleep(20 * time.Millisecond) {
				before = s.Stats().SentBytes
			}
			require.Less(t, s.Stats().SentBytes, uint64(many*large), "it is stuck")
			px.forget()
			start := time.Now()
			testkit.Eventually(t, func() bool { return c.Stats().Resumed == 1 }, "%d: it is back", i)
			t.Logf("back after %v and %d attempts", time.Since(start), c.Stats().Attempts)
			testkit.Eventually(t, func() bool { return client.got.Load() == many }, "%d: all comes", i)
			testkit.Ended(t, over)
			require.EqualValues(t, 2, c.Stats().Epoch)
			require.NoError(t, c.Close())
			require.NoError(t, testkit.Take(t, server.closed).Err)
			all.check(t)
		})
	}
}

// The window ends at about the time at which the peer comes back: either the session goes on, or a new
// one begins, and Lost bounds what is missing. Nothing comes twice, and nobody hangs.
func TestWindowEndsAsThePeerComes(t *testing.T) {
	const window = 15 * time.Millisecond
	times := *cuts / 3
	var all wrongs
	var mu sync.Mutex
	came, sessions, expired := map[int]int{}, map[*netasync.Session]int{}, 0
	ln, err := engine(t).Listen("127.0.0.1:0", netasync.ListenOptions{
		Resume: true, ResumeWindow: window,
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			mu.Lock()
			defer mu.Unlock()
			switch ev.Kind {
			case netasync.Message:
				n, err := testkit.Number(ev.Payload)
				if before, ok := sessions[s]; err != nil || ok && n <= before {
					all.add("message %d behind %d: %v", n, before, err)
				}
				if came[n]++; came[n] > 1 {
					all.add("message %d comes twice", n)
				}
				sessions[s] = n
			case netasync.Closed:
				if errors.Is(ev.Err, netasync.ErrResumeExpired) {
					expired++
				}
			}
		},
	})
	require.NoError(t, err)
	px, forget := forgetful(t, ln.Addr())
	rng := rand.New(rand.NewPCG(5, 5))
	e := newEnd("client", byRecv, all.add)
	e.restart = true
	first := true
	c, err := engine(t).Connect(px.addr, netasync.ConnectOptions{
		Resume: true, Backoff: quick,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if !first { // one dial at a time
				time.Sleep(window/2 + time.Duration(rng.Int64N(int64(window))))
			}
			first = false
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	})
	require.NoError(t, err)
	go e.consume(c)
	testkit.Take(t, e.session)
	done := e.talking(c)
	for i := range times {
		require.NoError(t, c.WaitConnected(testkit.Context(t)))
		epoch := c.Stats().Epoch
		if i%2 == 0 {
			forget()
		} else {
			px.cutAll()
		}
		testkit.Eventually(t, func() bool { return c.Stats().Epoch > epoch }, "it comes back: %v %+v", c.State(), c.Stats())
	}
	done()
	require.NoError(t, c.Flush(testkit.Context(t)))
	require.NoError(t, c.Close())
	require.NoError(t, testkit.Take(t, e.closed).Err)
	said := int(e.said.Load())
	mu.Lock()
	defer mu.Unlock()
	missing := said - len(came)
	t.Logf("%d outages: %d went on, %d expired; %d said, %d missing, at most %d lost", times, c.Stats().Resumed, expired, said, missing, e.lost)
	require.LessOrEqual(t, missing, e.lost)
	all.check(t)
}

// cutAll resets all connections.
func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		cutOff(c)
	}
}
