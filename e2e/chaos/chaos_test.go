//go:build linux

package chaos

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// violations gathers what was broken: the first ones in words, the others as a number.
type violations struct {
	began time.Time
	mu    sync.Mutex
	texts []string
	count int
}

func (v *violations) report(format string, args ...any) {
	const most = 20
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.count++; v.count <= most {
		v.texts = append(v.texts, fmt.Sprintf("after %.1fs: ", time.Since(v.began).Seconds())+fmt.Sprintf(format, args...))
	}
}

func (v *violations) check(t *testing.T) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.count > 0 {
		t.Errorf("%d violations, the first:\n%s", v.count, strings.Join(v.texts, "\n"))
	}
}

// Fifty sessions talk with a server process in both directions, by all ways to consume, by TCP and by
// TLS, while a proxy cuts, resets, stalls and leaves half open, and the process is killed and
// stopped. Within a connection no message is missing, save what a lossy buffer has counted; none
// comes twice, out of order or altered, ever; no more is lost than was under way. Then there are
// no more faults: every session talks, closes in order, and nothing is left of it all.
func TestChaos(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	faultTime := *duration
	if testing.Short() {
		faultTime = min(faultTime, 2*time.Second)
	}
	t.Logf("go test ./e2e/chaos -chaos %v -seed %d", faultTime, *seed)
	v := &violations{began: time.Now()}
	defer v.check(t)
	content()
	open, since, heap := descriptors(), testkit.StartedSince(), testkit.Heap()

	dir := t.TempDir()
	authority := writeIdentity(t, dir)
	h := &host{t: t, report: v.report, config: serverConfig{Dir: dir, Ports: make([]int, ports), Seed: *seed}}
	h.start()
	t.Cleanup(func() { h.p.kill() })
	px := newProxy(*seed)
	t.Cleanup(px.close)
	all := dial(t, h.config.Ports, px, &tls.Config{RootCAs: authority}, v)

	talking, hush := context.WithCancel(context.Background())
	defer hush()
	var talkers sync.WaitGroup
	for _, c := range all.clients {
		talkers.Go(func() { c.talk(talking, rand.New(rand.NewPCG(*seed+2, uint64(c.stream)))) })
	}
	for i := range mayflies {
		talkers.Go(func() { all.mayfly(talking, i, v) })
	}
	h.haunt(rand.New(rand.NewPCG(*seed, 0)), time.Now().Add(faultTime))
	px.calm()
	hush()
	talkers.Wait()

	calm := time.Now()
	all.echo()
	t.Logf("all have talked %v after the last fault", time.Since(calm))
	all.close(t)
	px.close()
	if !h.p.end() {
		v.report("the server did not end in order")
	}
	t.Logf("all is closed %v after it", time.Since(calm))
	all.verdict(t, dir, h.config.Incarnation)
	t.Logf("%v; %d kills, %d stops; %d sessions closed in between", px, h.kills, h.stopped, all.short.Load())
	all.clients = nil
	if err := restored(open, since, heap); err != nil {
		v.report("left: %v", err)
	}
}

// crowd is all clients.
type crowd struct {
	t       *testing.T
	engine  *netasync.Engine
	clients []*client
	addrs   []string // of the proxy
	tls     *tls.Config
	short   atomic.Int64 // sessions of mayflies
}

// dial connects all clients, most of them by the proxy.
func dial(t *testing.T, at []int, px *proxy, tlsConfig *tls.Config, v *violations) *crowd {
	t.Helper()
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	all := &crowd{t: t, engine: engine, tls: tlsConfig}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		_ = engine.Shutdown(ctx)
	})
	direct, proxied := make([]string, ports), make([]string, ports)
	for i, port := range at {
		direct[i] = fmt.Sprintf("127.0.0.1:%d", port)
		proxied[i], err = px.listen(direct[i])
		require.NoError(t, err)
	}
	all.addrs = proxied
	for i := range clients {
		c := newClient(i, *seed+3, v.report)
		addr := proxied[c.port()]
		if c.direct {
			addr = direct[c.port()]
		}
		require.NoError(t, c.connect(engine, addr, netasync.ConnectOptions{TLS: tlsConfig}))
		all.clients = append(all.clients, c)
	}
	return all
}

// echo wants each session to talk: the server says that it has got the last message. Where it does
// not, because its answer had no room for that, or a buffer has dropped the message, there is one
// more.
func (all *crowd) echo() {
	var waiting sync.WaitGroup
	for _, c := range all.clients {
		waiting.Go(c.echo)
	}
	waiting.Wait()
}

func (c *client) echo() {
	rng := rand.New(rand.NewPCG(0, 0))
	ctx, cancel := context.WithTimeout(context.Background(), 3*testkit.Patience) // all talk at once
	defer cancel()
	for ctx.Err() == nil {
		c.speak(ctx, rng)
		for range 50 {
			if c.heard() {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	c.violation("no echo of %d messages: %v, %+v", c.said.Load(), c.s.State(), c.s.Stats())
}

// close closes all sessions, and the engine.
func (all *crowd) close(t *testing.T) {
	t.Helper()
	for _, c := range all.clients {
		if c.way == byChannels {
			close(c.s.WriteChan())
		} else {
			require.NoError(t, c.s.Close())
		}
	}
	for _, c := range all.clients {
		select {
		case <-c.closed:
		case <-time.After(testkit.Patience):
			c.violation("Closed does not come: %v, %+v", c.s.State(), c.s.Stats())
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	err := all.engine.Shutdown(ctx)
	var unsent *netasync.UnsentError
	require.True(t, err == nil || errors.As(err, &unsent), "%v", err)
}

// verdict compares what all clients know with what the server processes have written down.
func (all *crowd) verdict(t *testing.T, dir string, processes uint32) {
	t.Helper()
	var ls ledgers
	for i := range processes {
		l, err := openLedger(dir, i)
		require.NoError(t, err)
		ls = append(ls, l)
		defer func() { require.NoError(t, l.close()) }()
	}
	held, err := heldPerConnection()
	require.NoError(t, err)
	var sum figures
	var outages, said uint64
	for _, c := range all.clients {
		sum.add(c.verdict(ls, held))
		outages += uint64(c.outages)
		said += uint64(c.said.Load())
	}
	t.Logf("%d outages, %d accepted sessions heard; clients said %d, %d were got, %d were not, at most %d bytes with one connection; "+
		"%d came back, at most %d bytes lost with one connection; %d connections with small buffers lost %d bytes",
		outages, sum.sessions, said, sum.taken, sum.lost, sum.worst, sum.back, sum.worstBack, sum.breaks, sum.lostFixed)
}
