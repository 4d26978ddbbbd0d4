package resume

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// The heartbeats of both ends: short, as they find what nobody is told of.
const (
	period  = 25 * time.Millisecond
	timeout = 4 * period
	// opening bounds how long it takes to find that a connection was cut before the session had it.
	opening = 300 * time.Millisecond
)

var quick = netasync.FixedDelay(time.Millisecond)

// trial is two ends that talk through a proxy.
type trial struct {
	wrongs
	client, server *end
	proxy          *proxy
	linger         time.Duration // of the client; 0 is long
	mu             sync.Mutex
	times          []time.Duration // from when the dialer was told of a cut until it was connected
}

// buffers are the bounds of a trial's sessions, which differ from trial to trial.
func buffers(i int) (unacked, in, out netasync.Buffer) {
	switch i % 4 {
	case 1:
		unacked = netasync.Fixed(3)
	case 2:
		unacked, in, out = netasync.Buffer{Bytes: 310 << 10}, netasync.Fixed(4), netasync.Fixed(4)
	case 3:
		unacked, in = netasync.Fixed(100), netasync.Fixed(1)
	}
	return unacked, in, out
}

// begin opens a door, and connects to it by a proxy.
func begin(t *testing.T, d door, near, far way, i int, each func(n int) plan) *trial {
	t.Helper()
	tr := &trial{}
	tr.begin(t, d, near, far, i, func(addr net.Addr) (network, at string) {
		tr.proxy = newProxy(t, addr, each)
		return tr.proxy.network, tr.proxy.addr
	})
	return tr
}

// begin opens a door, and connects to what front makes in front of it.
func (tr *trial) begin(t *testing.T, d door, near, far way, i int, front func(net.Addr) (network, at string)) {
	t.Helper()
	tr.client, tr.server = newEnd("client", near, tr.add), newEnd("server", far, tr.add)
	unacked, in, out := buffers(i)
	lo := netasync.ListenOptions{
		Resume: true, ResumeOnly: true, HeartbeatPeriod: period, HeartbeatTimeout: timeout, Unacked: unacked, ReadBuffer: in, WriteBuffer: out,
		HandshakeTimeout: opening,
	}
	if lo.Inline = far == byInline; far.called() {
		lo.OnEvent = tr.server.event
	}
	addr, accept := d.open(t, lo)
	if !far.called() {
		go func() {
			s := <-accept
			go tr.server.consume(s)
		}()
	}
	network, at := front(addr)
	co := netasync.ConnectOptions{
		Resume: true, HeartbeatPeriod: period, HeartbeatTimeout: timeout, Backoff: quick, Unacked: unacked, ReadBuffer: in, WriteBuffer: out,
		Linger: cmp.Or(tr.linger, testkit.Patience), DialTimeout: opening,
	}
	if d.tls {
		co.TLS = papers().client
	}
	if co.Inline = near == byInline; near.called() {
		co.OnEvent = tr.client.event
	}
	tr.client.seen = tr.measure
	s, err := engine(t).Connect(dialable(network, at), co)
	require.NoError(t, err)
	if !near.called() {
		go tr.client.consume(s)
	}
}

// measure notes how long the client was without a connection.
func (tr *trial) measure(ev netasync.Event) {
	if !ev.Resumed || tr.proxy == nil {
		return
	}
	if told := tr.proxy.told.Swap(0); told > 0 {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.times = append(tr.times, time.Duration(time.Now().UnixNano()-told))
	}
}

// talk has both ends talk until enough connections were cut, and then wants both to have all.
func (tr *trial) talk(t *testing.T, enough int64) {
	t.Helper()
	tr.talkWhile(t, func(c, s *netasync.Session) {
		for before := int64(-1); tr.proxy.total.Load() < enough; { // some cut in each Patience
			now := tr.proxy.total.Load()
			require.Greater(t, now, before, "it hangs: %+v, %+v", c.Stats(), s.Stats())
			before = now
			for end := time.Now().Add(testkit.Patience); tr.proxy.total.Load() < min(enough, now+50) && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			tr.check(t)
		}
		tr.proxy.calm.Store(true)
	})
}

// talkWhile has both ends talk while something is done to them, and then wants both to have all.
func (tr *trial) talkWhile(t *testing.T, haunt func(c, s *netasync.Session)) {
	t.Helper()
	ctx, hush := context.WithCancel(context.Background())
	defer hush()
	var talkers sync.WaitGroup
	c := testkit.Take(t, tr.client.session)
	talkers.Go(func() { tr.client.talk(ctx, c, 1) })
	s := testkit.Take(t, tr.server.session)
	talkers.Go(func() { tr.server.talk(ctx, s, 2) })
	haunt(c, s)
	hush()
	talkers.Wait()
	tr.agree(t, c, s)
	tr.part(t, c, s)
	tr.check(t)
}

// agree wants each end to have all that the other has sent, and to know it.
func (tr *trial) agree(t *testing.T, c, s *netasync.Session) {
	t.Helper()
	for _, x := range []struct {
		from, to *end
		s        *netasync.Session
	}{{tr.client, tr.server, c}, {tr.server, tr.client, s}} {
		testkit.Eventually(t, func() bool { return x.to.got.Load() == x.from.said.Load() },
			"%s: %d of %d: %+v, %+v", x.to.name, x.to.got.Load(), x.from.said.Load(), c.Stats(), s.Stats())
		require.NoError(t, x.s.Flush(testkit.Context(t)))
		st := x.s.Stats()
		require.EqualValues(t, x.from.said.Load(), st.Acked, "%s: %+v", x.from.name, st)
		require.Equal(t, st.Accepted, st.Acked, "%s: %+v", x.from.name, st)
		require.Zero(t, st.Lost, "%s", x.from.name)
	}
}

// part closes the session.
func (tr *trial) part(t *testing.T, c, s *netasync.Session) {
	t.Helper()
	require.NoError(t, c.Close())
	for _, e := range []*end{tr.client, tr.server} {
		ev := testkit.Take(t, e.closed)
		require.NoError(t, ev.Err, "%s", e.name)
		require.Zero(t, ev.Queued, "%s", e.name)
		require.Zero(t, ev.Lost, "%s", e.name)
	}
	testkit.Ended(t, s.Done())
}

// Connections are cut at random bytes, in all manners, on all kinds of sockets and with all ways to
// consume at both ends, which talk as fast as they can: each has all that the other has sent, once and
// in order.
func TestCutsAtRandomBytes(t *testing.T) {
	var all []time.Duration
	var made [faults]int64
	var messages int64
	start := time.Now()
	each := *cuts / (len(doors) * int(ways))
	for i, d := range doors {
		for w := range ways {
			t.Run(fmt.Sprintf("%s/%v", d.name, w), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(uint64(i), uint64(w)))
				var mu sync.Mutex
				tr := begin(t, d, w, (w+way(i))%ways, i*int(ways)+int(w), func(int) plan {
					mu.Lock()
					defer mu.Unlock()
					return anyPlan(rng)
				})
				tr.talk(t, int64(each))
				all = append(all, tr.times...)
				messages += tr.client.got.Load() + tr.server.got.Load()
				for f := range faults {
					made[f] += tr.proxy.made[f].Load()
				}
			})
		}
	}
	took := time.Since(start)
	slices.Sort(all)
	total := int64(0)
	for f, n := range made {
		total += n
		t.Logf("%v: %d", fault(f), n)
	}
	t.Logf("%d cuts in %v, %.0f a second, %d messages", total, took, float64(total)/took.Seconds(), messages)
	if n := len(all); n > 0 {
		t.Logf("connected again after the dialer was told: p50 %v, p99 %v, most %v, of %d", all[n/2], all[n*99/100], all[n-1], n)
	}
}
