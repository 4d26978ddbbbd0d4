package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// census is what the sessions of all nodes have received.
type census struct {
	sessions atomic.Int64

	mu  sync.Mutex
	got map[string]int
}

// serve answers each message of a gate's sessions, until all have ended.
func (c *census) serve(g gate) {
	var all sync.WaitGroup
	for s := range g.public.AcceptChan() {
		c.sessions.Add(1)
		all.Go(func() {
			for ev := range s.ReadChan() {
				if ev.Kind == netasync.Message {
					c.mu.Lock()
					c.got[string(ev.Payload)]++
					c.mu.Unlock()
					_ = s.Send(context.Background(), ev.Payload)
				}
			}
		})
	}
	all.Wait()
}

// traveller is a client that sends one message after the other, and what it went through.
type traveller struct {
	*netasync.Session
	sent, answered []string
	lost           uint64
	outage         time.Duration
	resumed        bool
}

// travel sends and reads until the session has moved, and then some more.
func (c *traveller) travel(t *testing.T, name string) {
	ctx := within(t)
	var gone time.Time
	for rest := 10; rest > 0; {
		text := fmt.Sprint(name, " ", len(c.sent))
		if err := c.Send(ctx, []byte(text)); err != nil {
			t.Error(err)
			break
		}
		c.sent = append(c.sent, text)
		for answered := false; !answered; {
			ev, err := c.Recv(ctx)
			if err != nil {
				t.Error(name, err)
				rest = 0
				break
			}
			switch ev.Kind {
			case netasync.Message:
				c.answered = append(c.answered, string(ev.Payload))
				answered = string(ev.Payload) == text
			case netasync.Disconnected:
				gone = time.Now()
			case netasync.Connected:
				if c.lost += uint64(ev.Lost); !gone.IsZero() {
					c.outage, c.resumed = time.Since(gone), ev.Resumed
				}
				answered = true // or its answer is lost, as that session has ended
			}
		}
		if c.outage > 0 {
			rest--
		}
	}
}

// The clients of a node that ends go on at another one. What was answered had come, nothing came twice,
// and of what did not come each client knows how much it was.
func TestShutdownMovesClients(t *testing.T) {
	nodes := gates(t, 2, netasync.ListenOptions{})
	c := &census{got: map[string]int{}}
	var serving sync.WaitGroup
	for _, g := range nodes {
		serving.Go(func() { c.serve(g) })
	}
	first, second := nodes[0].public.Addr().String(), nodes[1].public.Addr().String()
	e := newEngine(t)
	clients := make([]*traveller, 300)
	var ends sync.WaitGroup
	var others atomic.Bool // they know the other node, too
	for i := range clients {
		s, err := e.Connect("", netasync.ConnectOptions{
			Resume: true, Backoff: netasync.Backoff{Initial: 5 * time.Millisecond, Max: 100 * time.Millisecond},
			Resolve: func(context.Context) ([]string, error) {
				if others.Load() {
					return []string{first, second}, nil
				}
				return []string{first}, nil
			},
		})
		require.NoError(t, err)
		clients[i] = &traveller{Session: s}
	}
	for i, c := range clients {
		require.NoError(t, c.WaitConnected(within(t)))
		ends.Go(func() { c.travel(t, fmt.Sprint(i)) })
	}
	others.Store(true)
	// A session that nobody has taken from AcceptChan may end with its listener, and what it has received.
	eventually(t, func() bool { return c.sessions.Load() >= int64(len(clients)) }, "all were taken")
	t.Logf("%d sessions for %d clients", c.sessions.Load(), len(clients))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begin := time.Now()
	require.NoError(t, nodes[0].Shutdown(ctx))
	took := time.Since(begin)
	ends.Wait()

	var outages []time.Duration
	lost := uint64(0)
	for i, client := range clients {
		outages = append(outages, client.outage)
		lost += client.lost
		require.False(t, client.resumed, "it is another session")
		missing := uint64(0)
		for _, text := range client.sent {
			require.LessOrEqual(t, c.got[text], 1, "twice")
			if c.got[text] == 0 {
				missing++
			}
		}
		require.LessOrEqual(t, missing, client.lost, "client %d", i)
		for _, text := range client.answered {
			require.Equal(t, 1, c.got[text])
		}
	}
	slices.Sort(outages)
	t.Logf("Shutdown took %v; outages of %d clients: median %v, longest %v; %d messages may be lost",
		took, len(clients), outages[len(clients)/2], outages[len(clients)-1], lost)
	require.GreaterOrEqual(t, took, time.Duration(len(clients)-1)*time.Second/evacuation, "not all at once")
	require.NoError(t, e.Shutdown(within(t)))
	require.NoError(t, nodes[1].Shutdown(within(t)))
	serving.Wait()
}

// A session that does not end in time is left to the engine.
func TestShutdownInTime(t *testing.T) {
	nodes := gates(t, 1, netasync.ListenOptions{})
	_, accepted := visit(t, nodes[0])
	for accepted.TrySend(make([]byte, 1<<16)) == nil { // the client does not read
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	require.ErrorIs(t, nodes[0].Shutdown(ctx), context.DeadlineExceeded)
	require.Less(t, time.Since(begin), patience/2)
	require.Equal(t, time.Second/evacuation, pace(context.Background(), 100_000))
	require.LessOrEqual(t, pace(within(t), 100_000), patience/2/100_000)
}

// What is called while a node ends either counts, or says that it came too late. Nothing is left.
func TestShutdownRaces(t *testing.T) {
	for range 3 {
		nodes := startMany(t, 2)
		n := nodes[0]
		sessions := []*netasync.Session{n.local(t), n.local(t)}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				s := sessions[i%2]
				for j := 0; ; j++ {
					name := fmt.Sprint(j % 10)
					_ = n.Send(within(t), name, []byte("hello"))
					n.Broadcast(name, []byte("hello"))
					n.Stats()
					if errors.Is(n.Join(name, s), ErrShutdown) {
						return
					}
					ctx, cancel := context.WithCancel(context.Background())
					watch := n.Watch(ctx, name)
					_, err := n.Claim(within(t), name, s, Refuse)
					if err != nil && !errors.Is(err, ErrClaimed) && !errors.Is(err, ErrShutdown) {
						t.Error(err)
					}
					cancel()
					for range watch {
					}
				}
			})
		}
		eventually(t, func() bool { return nodes[1].Stats().Names > 0 }, "they are busy")
		require.NoError(t, n.Shutdown(within(t)))
		all.Wait()
		s := n.Stats()
		require.Zero(t, s.OwnNames+s.OwnMembers)
		require.Zero(t, n.hub.Send("1", []byte("hello")).Queued, "they have left the rooms")
		eventually(t, func() bool { s := nodes[1].Stats(); return s.Names+s.Members+s.Nodes == 0 }, "it is forgotten")
		for _, session := range sessions {
			session.CloseNow(nil)
		}
	}
}
