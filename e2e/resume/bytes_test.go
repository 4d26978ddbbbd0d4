package resume

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// meeting is a short exchange: three messages each way, and a close.
type meeting struct {
	wrongs
	client, server *end
	flush          bool // the client closes when it knows that the server has all
	left           int  // sessions of the server that have waited in vain
}

const (
	everyByte = 1000 // from so many cuts on, see there
	few       = 3
	soon      = 50 * time.Millisecond
)

// A short exchange, from Hello to Bye, is cut after each of its bytes, in each direction, by a reset and
// in order, and both ends told, or one: both have all, once, and both close. Who waits until all is
// acknowledged before he closes knows that nothing is lost.
func TestCutsAtEveryByte(t *testing.T) {
	server, client := engine(t), engine(t)
	var runs, left atomic.Int64
	start := time.Now()
	for _, f := range []fault{reset, finish, halfNear} {
		for dir, speaker := range []string{"dialer", "listener"} {
			t.Run(fmt.Sprintf("%v/%s", f, speaker), func(t *testing.T) {
				t.Parallel()
				n, step := int64(0), int64(1)
				if *cuts < everyByte {
					n, step = rand.Int64N(3), 3
				}
				for ; ; n += step {
					runs.Add(2)
					cut := meet(t, server, client, plan{fault: f, dir: dir, after: n}, true, &left)
					if !meet(t, server, client, plan{fault: f, dir: dir, after: n}, false, &left) && !cut && n > 150 {
						t.Logf("up to %d bytes", n)
						return
					}
					if n > 1000 {
						require.Fail(t, "it never ends")
					}
				}
			})
		}
	}
	t.Cleanup(func() {
		t.Logf("%d exchanges in %v; after %d the server has waited in vain", runs.Load(), time.Since(start), left.Load())
	})
}

// meet has one exchange, whose first connection ends as planned, and reports whether it did.
func meet(t *testing.T, server, client *netasync.Engine, p plan, flush bool, left *atomic.Int64) bool {
	t.Helper()
	m := &meeting{flush: flush}
	m.client, m.server = newEnd("client", byInline, m.add), newEnd("server", byInline, m.add)
	ln, err := server.Listen("127.0.0.1:0", netasync.ListenOptions{
		Resume: true, ResumeOnly: true, HeartbeatPeriod: period, HeartbeatTimeout: 20 * timeout, HandshakeTimeout: opening,
		Inline: true, OnEvent: m.server.event,
	})
	require.NoError(t, err)
	defer ln.Close()
	px := newProxy(t, ln.Addr(), func(n int) plan {
		if n == 0 {
			return p
		}
		return plan{after: -1}
	})
	defer px.close()
	_, err = client.Connect(px.addr, netasync.ConnectOptions{
		Resume: true, HeartbeatPeriod: period, HeartbeatTimeout: 20 * timeout, Backoff: quick, DialTimeout: opening,
		Inline: true, OnEvent: m.client.event, Linger: testkit.Patience,
	})
	require.NoError(t, err)
	m.run(t, p)
	left.Add(int64(m.left))
	return px.total.Load() > 0
}

func (m *meeting) run(t *testing.T, p plan) {
	t.Helper()
	c := testkit.Take(t, m.client.session)
	say(t, m.client, c)
	s := testkit.Take(t, m.server.session)
	say(t, m.server, s)
	testkit.Eventually(t, func() bool { return m.client.got.Load() == few }, "%+v: the client has all: %+v", p, s.Stats())
	if m.flush {
		require.NoError(t, c.Flush(testkit.Context(t)))
		require.NoError(t, s.Flush(testkit.Context(t)))
	}
	require.NoError(t, c.Close())
	testkit.Eventually(t, func() bool { return len(m.client.closed) > 0 }, "%+v: the client closes: %+v", p, c.Stats())
	if !testkit.Within(soon, func() { <-s.Done() }) {
		m.left++ // the client has closed without a connection, and with nothing more to say
		s.CloseNow(nil)
	}
	for _, e := range []*end{m.client, m.server} {
		ev := testkit.Take(t, e.closed)
		require.False(t, badEnd(ev.Err), "%+v: %s: %v", p, e.name, ev.Err)
		require.Zero(t, ev.Queued, "%+v: %s", p, e.name)
		require.LessOrEqual(t, ev.Lost, int32(few), "%+v: %s", p, e.name)
		if m.flush {
			require.Zero(t, ev.Lost, "%+v: %s", p, e.name)
		}
	}
	require.EqualValues(t, few, m.server.got.Load(), "%+v", p)
	require.EqualValues(t, few, m.client.got.Load(), "%+v", p)
	m.check(t)
}

func say(t *testing.T, e *end, s *netasync.Session) {
	t.Helper()
	for i := range few {
		require.NoError(t, s.Send(testkit.Context(t), testkit.Numbered(i, testkit.MinNumbered+i)))
	}
	e.said.Store(few)
}
