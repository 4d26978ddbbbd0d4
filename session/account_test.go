package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// balanced wants a session's messages to add up.
func balanced(t testing.TB, s *Session) {
	t.Helper()
	st := s.Stats()
	require.Equal(t, st.Accepted, st.Sent+uint64(st.Queued)+st.Dropped-st.DroppedInbound+st.Discarded+st.Returned, "%+v", st)
}

// Whatever happens to messages, they are accounted for at every instant.
func TestAccountOfASession(t *testing.T) {
	for policy := PolicyFixed; policy <= PolicySliding; policy++ {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			s, dialer := newFake(t, true, func(c *Config) {
				c.WriteBuffer = Buffer{Cap: 4, Policy: policy}
				c.ReadBuffer = Buffer{Cap: 2, Policy: policy}
				c.MaxPayload, c.Linger = 10, time.Millisecond
			})
			send := func(n int) {
				for range n {
					_ = s.TrySend([]byte("message"))
					balanced(t, s)
				}
			}
			require.Error(t, s.TrySend(nil))
			require.Error(t, s.TrySend(make([]byte, 11)))
			send(6)
			s.dialing()
			link := newFakeLink(15) // within the second frame
			c := s.attach(link, 0)
			send(6)
			_, _, err := c.Feed(testkit.Frames("a", "b"), false)
			require.NoError(t, err)
			if policy != PolicyFixed {
				_, _, err = c.Feed(testkit.Frames("c", "d"), false)
				require.NoError(t, err)
				require.EqualValues(t, 2, s.Stats().DroppedInbound)
			}
			for range 3 {
				s.WriteChan() <- []byte("by channel")
				s.WriteChan() <- nil
			}
			c.End(errCut)
			link.Close()
			<-dialer.redials
			balanced(t, s)
			send(6)
			s.dialing()
			s.attach(newFakeLink(30), 0)
			send(6)
			s.CloseNow(errCut)
			balanced(t, s)
			require.ErrorIs(t, s.TrySend([]byte("late")), ErrClosed)
			<-s.Done()
			for range 3 * maxSlots {
				s.WriteChan() <- []byte("late")
			}
			st := s.Stats()
			require.Greater(t, st.Discarded, uint64(2*maxSlots))
			balanced(t, s)
		})
	}
}

// The same while all happens at once, and somebody looks. Sums of a registry hold, too, and never
// get smaller, whatever closes meanwhile.
func TestAccountsWhileSessionsComeAndGo(t *testing.T) {
	const sessions, workers = 30, 3
	var r Registry
	host, group := &registryHost{r: &r}, r.Group("")
	looking, looked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(looked)
		var last Totals
		for {
			now := addsUp(t, &r)
			grows(t, last, now)
			last = now
			select {
			case <-looking:
				return
			default:
			}
		}
	}()
	var all []*Session
	var mu sync.Mutex
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for i := range sessions / workers {
				s := r.Add(func(id uint64) *Session {
					s, _ := newFake(t, true, func(c *Config) {
						c.Host, c.Group = host, group
						c.WriteBuffer = Buffer{Cap: 3, Policy: Policy(i % 3)}
						c.Linger = time.Millisecond
					})
					s.id = id
					return s
				})
				live(s)
				mu.Lock()
				all = append(all, s)
				mu.Unlock()
			}
		})
	}
	work.Wait()
	close(looking)
	<-looked
	var want Totals
	for _, s := range all {
		<-s.Done()
		balanced(t, s)
	}
	testkit.Eventually(t, func() bool { return r.Len() == 0 }, "all are removed")
	sum := addsUp(t, &r)
	for _, s := range all {
		st := s.Stats()
		want.add(&Totals{
			Connections: st.Epoch, DialedConnections: st.Epoch, Attempts: st.Attempts, Received: st.Received, ReceivedBytes: st.ReceivedBytes,
			Accepted: st.Accepted, Sent: st.Sent, SentBytes: st.SentBytes, Unsent: uint64(st.Queued),
			Dropped: st.Dropped, DroppedInbound: st.DroppedInbound, Undeliverable: st.Undeliverable,
			Discarded: st.Discarded, Returned: st.Returned,
		})
	}
	want.Disconnects, want.FailedAttempts = sum.Disconnects, sum.FailedAttempts // counted by the group
	require.Equal(t, want, sum, "each counts once")
	ended := uint64(0)
	for _, n := range sum.Disconnects {
		ended += n
	}
	require.Equal(t, sum.Connections, ended, "each connection has ended once")
	require.NotZero(t, sum.Unsent)
	require.NotZero(t, sum.Discarded)

	closed := all[0].WriteChan()
	for range 2 * maxSlots { // after it was removed
		closed <- []byte("late")
	}
	now := addsUp(t, &r)
	require.Greater(t, now.Discarded, sum.Discarded)
	grows(t, sum, now)
}

// live is the life of a session: it sends, its connections break, and then it closes.
func live(s *Session) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	var senders sync.WaitGroup
	senders.Go(func() {
		for range 50 {
			_ = s.Send(ctx, []byte("by Send"))
		}
	})
	senders.Go(func() {
		for range 50 {
			s.WriteChan() <- make([]byte, rand.IntN(3))
		}
	})
	for range 4 {
		if !s.dialing() {
			break
		}
		link := newFakeLink(rand.IntN(200))
		c := s.attach(link, 0)
		if c == nil {
			break
		}
		time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond) // so that it sends meanwhile
		link.Close()
		c.End(errCut)
	}
	s.CloseNow(errCut)
	senders.Wait()
}

// addsUp wants the sums of a registry to hold.
func addsUp(t testing.TB, r *Registry) Totals {
	t.Helper()
	a := r.Total()
	require.Equal(t, a.Accepted, a.Sent+a.Queued+a.Unsent+a.Dropped-a.DroppedInbound+a.Discarded+a.Returned, "%+v", a)
	return a
}

// grows wants no figure to be smaller than before, but for Queued.
func grows(t testing.TB, before, now Totals) {
	t.Helper()
	for _, c := range [][2]uint64{
		{before.Accepted, now.Accepted},
		{before.Sent, now.Sent},
		{before.Unsent, now.Unsent},
		{before.Dropped, now.Dropped},
		{before.DroppedInbound, now.DroppedInbound},
		{before.Discarded, now.Discarded},
		{before.Connections, now.Connections},
		{before.DialedConnections, now.DialedConnections},
		{before.Attempts, now.Attempts},
		{before.Received, now.Received},
		{before.SentBytes, now.SentBytes},
		{before.Disconnects[ReasonOther], now.Disconnects[ReasonOther]},
	} {
		require.GreaterOrEqual(t, c[1], c[0], "%+v, then %+v", before, now)
	}
}

// registryHost removes sessions that have closed from a registry.
type registryHost struct {
	fakeHost
	r *Registry
}

func (h *registryHost) Forget(d Driver) { h.r.Remove(d.Session()) }
