package resume

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// A session is closed with everything in flight, while its connections are cut: what its Closed does not
// tell, as Queued or as Lost, has arrived, once and in order; and if it tells of nothing, all has.
func TestCloseUnderCuts(t *testing.T) {
	rng, waits := rand.New(rand.NewPCG(7, 7)), rand.New(rand.NewPCG(8, 8))
	var mu sync.Mutex
	whole, told, doubtful := 0, 0, 0
	for i := range max(25, *cuts/10) {
		w := way(i) % ways
		tr := &trial{}
		if i%3 == 0 {
			tr.linger = time.Duration(1+waits.IntN(50)) * time.Millisecond
		}
		tr.begin(t, doors[i%3], w, (w+2)%ways, i, func(addr net.Addr) (network, at string) {
			tr.proxy = newProxy(t, addr, func(int) plan {
				mu.Lock()
				defer mu.Unlock()
				p := anyPlan(rng)
				p.after = rng.Int64N(50_000)
				return p
			})
			return tr.proxy.network, tr.proxy.addr
		})
		c := testkit.Take(t, tr.client.session)
		s := testkit.Take(t, tr.server.session)
		tr.server.ends.Store(true)
		hush, hushed := tr.client.talking(c), tr.server.talking(s)
		time.Sleep(time.Duration(waits.IntN(30)) * time.Millisecond)
		hush()
		if i%2 == 0 {
			tr.proxy.calm.Store(true)
		}
		if w == byChannels {
			require.NoError(t, c.Flush(testkit.Context(t)))
		}
		require.NoError(t, c.Close())
		ev := testkit.Take(t, tr.client.closed)
		require.False(t, badEnd(ev.Err), "%v", ev.Err)
		if !testkit.Within(soon, func() { <-s.Done() }) {
			s.CloseNow(nil) // its client has closed without a connection
		}
		testkit.Take(t, tr.server.closed)
		hushed()
		said, got := int(tr.client.said.Load()), int(tr.server.got.Load())
		require.GreaterOrEqual(t, got+ev.Queued+int(ev.Lost), said, "%d: %+v", i, ev)
		require.LessOrEqual(t, got+ev.Queued, said, "%d: %+v", i, ev)
		st := c.Stats()
		require.EqualValues(t, said, st.Acked+st.Lost+uint64(st.Queued), "%d: %+v", i, st)
		if got == said {
			whole++
		}
		if ev.Queued+int(ev.Lost) > 0 {
			told++
			doubtful += int(ev.Lost)
		}
		tr.check(t)
	}
	t.Logf("%d arrived whole; %d told of something, %d messages were doubtful", whole, told, doubtful)
}
