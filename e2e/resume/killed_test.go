//go:build unix

package resume

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// kills is how often processes are killed.
var kills = flag.Int("kills", 8, "how often each process is killed or stopped")

// A proxy's process is killed and started again, and stopped in between, under load both ways.
func TestProxyIsKilled(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	tr := &trial{}
	var px *process
	tr.begin(t, doors[0], byRecv, byEvents, 0, func(addr net.Addr) (network, at string) {
		px = start(t, part{Play: "proxy", Addr: "127.0.0.1:0", Target: addr.String()}, tr.add)
		return "tcp", px.Addr
	})
	tr.talkWhile(t, func(c, s *netasync.Session) {
		for i := range *kills {
			time.Sleep(time.Duration(rng.Int64N(int64(50 * time.Millisecond))))
			if i%4 == 3 {
				stop(px, rng)
				continue
			}
			px.kill()
			px.again(t)
			require.NoError(t, c.WaitConnected(testkit.Context(t)))
			require.NoError(t, s.WaitConnected(testkit.Context(t)))
		}
	})
	t.Logf("%d kills and stops, %d messages; the client came back %d times", *kills, tr.client.got.Load()+tr.server.got.Load(), tr.client.back.Load())
}

// stop stops a process for a while: that may be shorter than HeartbeatTimeout, or longer.
func stop(x *process, rng *rand.Rand) {
	_ = x.cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(time.Duration(rng.Int64N(int64(3 * timeout))))
	_ = x.cmd.Process.Signal(syscall.SIGCONT)
}

// One end's process is stopped, for longer than HeartbeatTimeout or not, under load both ways.
func TestEndIsStopped(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	tr := &trial{}
	server := start(t, part{Play: "server", Addr: "127.0.0.1:0"}, tr.add)
	c := talkTo(t, tr, server.Addr, func() {
		for range *kills {
			stop(server, rng)
			time.Sleep(time.Duration(rng.Int64N(int64(timeout))))
		}
	})
	tr.reconcile(t, c, server)
	t.Logf("%d stops, %d messages; the client came back %d times", *kills, tr.client.got.Load()+tr.client.said.Load(), tr.client.back.Load())
}

// talkTo has a client talk to a process while something is done.
func talkTo(t *testing.T, tr *trial, addr string, haunt func()) *netasync.Session {
	t.Helper()
	tr.client = newEnd("client", byRecv, tr.add)
	c, err := engine(t).Connect(addr, netasync.ConnectOptions{
		Resume: true, HeartbeatPeriod: period, HeartbeatTimeout: timeout, Backoff: quick, DialTimeout: opening, Linger: testkit.Patience,
	})
	require.NoError(t, err)
	go tr.client.consume(c)
	testkit.Take(t, tr.client.session)
	done := tr.client.talking(c)
	haunt()
	done()
	return c
}

// reconcile wants a client and the process of its server to have all of each other's.
func (tr *trial) reconcile(t *testing.T, c *netasync.Session, server *process) {
	t.Helper()
	var got, said, acked, lost int64
	testkit.Eventually(t, func() bool {
		_, err := io.WriteString(server.stdin, "how\n")
		require.NoError(t, err)
		_, err = fmt.Sscan(server.hears(t), &got, &said, &acked, &lost)
		require.NoError(t, err)
		return got == tr.client.said.Load() && said == tr.client.got.Load() && acked == said
	}, "all is there: %d of %d; %d of %d: %+v", got, tr.client.said.Load(), tr.client.got.Load(), said, c.Stats())
	require.Zero(t, lost)
	require.NoError(t, c.Close())
	ev := testkit.Take(t, tr.client.closed)
	require.NoError(t, ev.Err)
	require.Zero(t, ev.Lost)
	require.Zero(t, ev.Queued)
	tr.check(t)
}

// The server's process is killed and started again under load. It knows nothing then: that is said by
// Connected, whose Lost bounds what is missing, and nothing comes twice. With ResendLost nothing is
// missing. What the library has acknowledged and the process has not written down counts as processed:
// with Inline callbacks that is one message for each kill at most.
func TestServerIsKilled(t *testing.T) {
	for _, resend := range []bool{false, true} {
		t.Run(fmt.Sprintf("resend %v", resend), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 3))
			var w wrongs
			file := filepath.Join(t.TempDir(), "ledger")
			server := start(t, part{Play: "ledger", Addr: "127.0.0.1:0", File: file}, w.add)
			e := newEnd("client", byRecv, w.add)
			e.restart = true
			c, err := engine(t).Connect(server.Addr, netasync.ConnectOptions{
				Resume: true, ResendLost: resend, HeartbeatPeriod: period, HeartbeatTimeout: timeout, Backoff: quick, DialTimeout: opening,
			})
			require.NoError(t, err)
			go e.consume(c)
			testkit.Take(t, e.session)
			done := e.talking(c)
			for range *kills {
				time.Sleep(time.Duration(rng.Int64N(int64(100 * time.Millisecond))))
				server.kill()
				server.again(t)
				require.NoError(t, c.WaitConnected(testkit.Context(t)))
			}
			done()
			require.NoError(t, c.Flush(testkit.Context(t)))
			require.NoError(t, c.Close())
			ev := testkit.Take(t, e.closed)
			require.NoError(t, ev.Err)
			require.Zero(t, ev.Lost)
			w.check(t)
			balance(t, ledger(t, file), int(e.said.Load()), e.lost, resend)
		})
	}
}

// balance compares what was said with what was written down.
func balance(t *testing.T, numbers []int, said, lost int, resend bool) {
	t.Helper()
	times := make([]int, said)
	for i, n := range numbers {
		require.Less(t, n, said)
		times[n]++
		if !resend && i > 0 {
			require.Greater(t, n, numbers[i-1], "none twice, and in order")
		}
	}
	missing, twice := 0, 0
	for _, n := range times {
		if n == 0 {
			missing++
		}
		twice += max(0, n-1)
	}
	t.Logf("%d said, %d missing, %d twice; at most %d lost were told", said, missing, twice, lost)
	if resend {
		lost = 0
	}
	require.LessOrEqual(t, missing, lost+*kills)
}

// The client's process is killed and started again: that is a new session, and the old one waits for its
// window to end.
func TestClientIsKilled(t *testing.T) {
	const window = time.Second
	var w wrongs
	e := engine(t)
	ln, err := e.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true, ResumeWindow: window})
	require.NoError(t, err)
	client := start(t, part{Play: "client", Addr: ln.Addr().String()}, w.add)
	for range min(5, *kills/4) {
		s := testkit.Take(t, ln.AcceptChan())
		x := newEnd("server", byRecv, w.add)
		go x.consume(s)
		testkit.Eventually(t, func() bool { return x.got.Load() > 10 }, "the client talks")
		client.kill()
		testkit.Eventually(t, func() bool { return e.Stats().Detached == 1 }, "it waits")
		left := time.Now()
		client.again(t)
		ev := testkit.Take(t, x.closed)
		require.ErrorIs(t, ev.Err, netasync.ErrResumeExpired)
		require.Greater(t, time.Since(left), window/2)
	}
	// The last one is not read, and may be between two connections.
	testkit.Eventually(t, func() bool { return e.Stats().Detached == 0 }, "nothing waits")
	w.check(t)
}
