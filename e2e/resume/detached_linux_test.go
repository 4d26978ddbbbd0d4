package resume

import (
	"encoding/binary"
	"flag"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// clients is how many come and go.
var clients = flag.Int("clients", 1000, "how many clients connect and leave")

// descriptors returns how many this process has open.
func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// hello is what a client says first: its n-th session's first connection. Behind it comes a message,
// which says that it has its session.
func hello(n int) []byte {
	body := append([]byte("Hnetasync-resume"), 1, 0)
	body = binary.BigEndian.AppendUint64(body, 1) // the connection's number
	nonce := make([]byte, 16)
	binary.BigEndian.PutUint64(nonce, uint64(n)+1)
	body = append(body, nonce...)
	body = binary.BigEndian.AppendUint64(body, 0) // received
	body = binary.BigEndian.AppendUint32(body, 1000)
	body = binary.BigEndian.AppendUint32(body, 1<<20)
	return testkit.Frames("", string(append(body, 0)), "here I am")
}

// plainly is a client that says as much, without Resume.
func plainly(int) []byte { return testkit.Frames("here I am") }

// visit connects a client.
func visit(addr net.Addr, first []byte, answer int) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr.String(), testkit.Patience)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
	if _, err = conn.Write(first); err == nil {
		_, err = io.ReadFull(conn, make([]byte, answer))
	}
	if err != nil {
		cutOff(conn)
	}
	return conn, err
}

// answered is how many bytes a client waits for, so that it has its session: a Welcome.
const answered = 4 + 4 + 1 + 1 + 1 + 8 + 4 + 4 + 4 + 1 + 16

// visitors serves sessions whose messages nobody needs, and counts those that were heard.
func visitors(t testing.TB, o netasync.ListenOptions) (*netasync.Engine, net.Addr, *atomic.Int64) {
	t.Helper()
	var heard atomic.Int64
	o.Inline, o.OnEvent = true, func(_ *netasync.Session, ev netasync.Event) {
		if ev.Kind == netasync.Message {
			heard.Add(1)
		}
	}
	o.HeartbeatPeriod = time.Minute
	e := engine(t)
	ln, err := e.Listen("127.0.0.1:0", o)
	require.NoError(t, err)
	return e, ln.Addr(), &heard
}

// Clients connect and leave without a word, many more than MaxDetached: what the server keeps of them is
// bounded, and the rest has ended. Sessions that wait for their peer have no goroutine and no
// descriptor.
func TestClientsThatLeave(t *testing.T) {
	const most, workers = 50, 8
	e, addr, _ := visitors(t, netasync.ListenOptions{Resume: true, MaxDetached: most})
	var all sync.WaitGroup
	var failed atomic.Int64
	come := func(from, to int) {
		for w := range workers {
			all.Go(func() {
				for i := from + w; i < to; i += workers {
					conn, err := visit(addr, hello(i), answered)
					if err != nil {
						failed.Add(1)
						continue
					}
					cutOff(conn) // by a reset, which leaves the port free
				}
			})
		}
		all.Wait()
		testkit.Eventually(t, func() bool { st := e.Stats(); return st.Sessions == st.Detached && st.Detached <= most }, "%+v", e.Stats())
	}
	come(0, 200)
	heap, open, routines := testkit.Heap(), descriptors(t), runtime.NumGoroutine()
	start := time.Now()
	come(200, 200+*clients)
	took := time.Since(start)
	grown := testkit.Heap() - heap
	require.Zero(t, failed.Load())
	require.EqualValues(t, 200+*clients, e.Stats().Accepted)
	require.Equal(t, most, e.Stats().Detached)
	testkit.Eventually(t, func() bool { return descriptors(t) <= open && runtime.NumGoroutine() <= routines }, "nothing is left open")
	t.Logf("%d clients in %v, %.0f a second; the heap had %d bytes, and has grown by %d", *clients, took, float64(*clients)/took.Seconds(), heap, grown)
	require.Less(t, grown, int64(4<<20))
}

// objects is testkit.Heap without the stacks of goroutines: those of gnet's pool live on for a while.
func objects() int64 {
	testkit.Heap()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What a session takes on the server, beside the client's socket: an idle plain one, an idle one that can
// be resumed, and one that waits for its peer. Figures are what this is for; the bounds are wide.
func TestSessionsAtRest(t *testing.T) {
	n := min(1000, *clients/2)
	bytes := map[string]int64{}
	for _, c := range []struct {
		name   string
		resume bool
		leave  bool
	}{{"plain", false, false}, {"resumable", true, false}, {"detached", true, true}} {
		first, answer := plainly, 0
		if c.resume {
			first, answer = hello, answered
		}
		e, addr, heard := visitors(t, netasync.ListenOptions{Resume: c.resume})
		conns := make([]net.Conn, 0, 2*n)
		come := func(n int) {
			for range n {
				conn, err := visit(addr, first(len(conns)), answer)
				require.NoError(t, err)
				conns = append(conns, conn)
			}
			testkit.Eventually(t, func() bool { return heard.Load() == int64(len(conns)) }, "all are heard")
			if c.leave {
				for _, conn := range conns {
					cutOff(conn)
				}
				testkit.Eventually(t, func() bool { return e.Stats().Detached == len(conns) }, "all have left")
			}
		}
		come(n) // what grows in steps has grown
		time.Sleep(300 * time.Millisecond)
		heap, open, since := objects(), descriptors(t), testkit.StartedSince()
		come(n)
		time.Sleep(300 * time.Millisecond) // the first acknowledgement
		bytes[c.name] = (objects() - heap) / int64(n)
		if c.leave {
			require.LessOrEqual(t, descriptors(t), open)
		}
		require.Empty(t, since(), "no goroutine for a session")
		for _, conn := range conns {
			cutOff(conn)
		}
	}
	t.Logf("bytes of a session, and of the client's socket where there is one: %v", bytes)
	require.Less(t, bytes["resumable"]-bytes["plain"], int64(2<<10))
	require.Less(t, bytes["detached"], int64(8<<10))
}

// A session whose connections are cut time and again takes no more memory, goroutines and descriptors
// than before.
func TestNothingGrowsWithCuts(t *testing.T) {
	var n atomic.Int64
	tr := begin(t, doors[0], byInline, byRecv, 2, func(int) plan {
		return plan{fault: fault(n.Add(1) % 2), both: true, after: 1 + n.Load()*7919%100_000}
	})
	enough := int64(max(*cuts/2, 200))
	tr.talkWhile(t, func(_, _ *netasync.Session) {
		until := func(cut int64) {
			testkit.Eventually(t, func() bool { return tr.proxy.total.Load() >= cut }, "%d cuts", cut)
		}
		until(enough / 4)
		heap, open, routines := testkit.Heap(), descriptors(t), runtime.NumGoroutine()
		for cut := enough / 4; cut <= enough; cut += 50 {
			until(cut)
		}
		grown := testkit.Heap() - heap
		t.Logf("%d to %d cuts: the heap had %d bytes, and has grown by %d; %d descriptors, then %d; %d goroutines, then %d", enough/4, enough,
			heap, grown, open, descriptors(t), routines, runtime.NumGoroutine())
		require.Less(t, grown, int64(4<<20))
		require.Less(t, descriptors(t), open+16)
		require.Less(t, runtime.NumGoroutine(), routines+16)
		tr.proxy.calm.Store(true)
	})
}
