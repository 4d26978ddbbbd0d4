package resume

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fault is how a connection ends.
type fault int

const (
	reset    fault = iota // both ends are told, by a reset
	finish                // both ends are told, in order
	halfNear              // only the dialer is told
	halfFar               // only the listener is told
	swallow               // one direction goes nowhere, and nobody is told
	late                  // the dialer is told. What it had said comes when the next connection is up
	faults
)

func (f fault) String() string {
	return [...]string{"reset", "finish", "half, near", "half, far", "swallow", "late"}[f]
}

// plan is what happens to a connection.
type plan struct {
	fault fault
	dir   int   // the direction whose bytes count, and that is swallowed: 0 is the dialer's
	both  bool  // both directions' count
	after int64 // bytes; negative: the connection lives
	mute  bool  // what the listener says is not read any more, after muteAfter
}

// muteAfter is more bytes than a handshake takes.
const muteAfter = 8 << 10

// proxy forwards connections, each until its plan ends it.
type proxy struct {
	network, addr string // where it listens
	target        net.Addr
	plan          func(n int) plan // of the n-th connection, from 0
	calm          atomic.Bool      // connections that begin from now on live
	made          [faults]atomic.Int64
	total         atomic.Int64 // cuts that were made
	told          atomic.Int64 // when the dialer was last told of one, as Unix time in nanoseconds

	ln      net.Listener
	work    sync.WaitGroup
	mu      sync.Mutex        // guards all below
	open    map[net.Conn]bool // whether the proxy has dialed it
	over    bool
	closing chan struct{} // closed with the proxy
	next    chan struct{} // closed when the listener has said something on a further connection
}

// newProxy returns a proxy in front of an address, on the same kind of socket. It ends with the test.
func newProxy(t testing.TB, target net.Addr, each func(n int) plan) *proxy {
	t.Helper()
	p := &proxy{network: "tcp", addr: "127.0.0.1:0", target: target, plan: each, open: map[net.Conn]bool{}, next: make(chan struct{}), closing: make(chan struct{})}
	if target.Network() == "unix" {
		p.network, p.addr = "unix", socketPath(t)
	}
	var err error
	p.ln, err = net.Listen(p.network, p.addr)
	require.NoError(t, err)
	p.addr = p.ln.Addr().String()
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) accept() {
	for n := 0; ; n++ {
		near, err := p.ln.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial(p.target.Network(), p.target.String())
		if err != nil {
			_ = near.Close()
			continue
		}
		if !p.hold(near, false) || !p.hold(far, true) {
			return
		}
		r := &relay{p: p, ends: [2]net.Conn{near, far}, plan: p.plan(n), tripped: make(chan struct{})}
		if r.left.Store(r.after); r.after < 0 || p.calm.Load() {
			r.left.Store(1 << 62)
		}
		p.work.Go(r.run)
	}
}

// hold notes a connection, which is closed with the proxy.
func (p *proxy) hold(c net.Conn, dialed bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		_ = c.Close()
		return false
	}
	p.open[c] = dialed
	return true
}

func (p *proxy) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

func (p *proxy) close() {
	_ = p.ln.Close()
	p.mu.Lock()
	if !p.over {
		close(p.closing)
	}
	p.over = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

// answered tells what waits for a further connection that the listener has said something.
func (p *proxy) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.next)
	p.next = make(chan struct{})
}

func (p *proxy) nextAnswer() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

// relay is one connection.
type relay struct {
	plan
	p       *proxy
	ends    [2]net.Conn // the dialer's, the listener's
	left    atomic.Int64
	once    sync.Once
	tripped chan struct{} // closed when the fault is made
}

func (r *relay) run() {
	var pumps sync.WaitGroup
	for dir := range r.ends {
		pumps.Go(func() { r.pump(dir) })
	}
	pumps.Wait()
	for _, c := range r.ends {
		r.p.drop(c)
	}
}

// pump forwards one direction until it ends, and so the other one, unless a fault says otherwise.
func (r *relay) pump(dir int) {
	from, to := r.ends[dir], r.ends[1-dir]
	buf := make([]byte, 16<<10)
	for first, passed := true, 0; ; {
		if r.mute && dir == 1 && passed > muteAfter {
			<-r.p.closing
			return
		}
		n, err := from.Read(buf)
		if first && n > 0 && dir == 1 {
			first = false
			r.p.answered()
		}
		passed += n
		keep := int64(n)
		if r.both || dir == r.dir {
			if left := r.left.Add(-keep); left <= 0 {
				keep = max(0, left+keep)
				r.write(to, buf[:keep])
				r.once.Do(func() { close(r.tripped); r.trip(dir, buf[keep:n]) })
				r.drain(from, buf)
				return
			}
		}
		select {
		case <-r.tripped:
			if r.fault != swallow { // the other direction goes on
				return
			}
		default:
		}
		if _, failed := r.write(to, buf[:n]); err != nil || failed {
			switch {
			case r.fault != halfNear:
				hangUp(to)
			case dir == 1:
				r.drain(from, buf)
			}
			return
		}
	}
}

func (r *relay) write(to net.Conn, b []byte) (n int, failed bool) {
	if len(b) == 0 {
		return 0, false
	}
	n, err := to.Write(b)
	return n, err != nil
}

// drain reads off what goes nowhere, until the end of the connection.
func (r *relay) drain(from net.Conn, buf []byte) {
	for _, err := from.Read(buf); err == nil; {
		_, err = from.Read(buf)
	}
	if r.fault == swallow { // it has given up; now the other end may know
		hangUp(r.ends[0])
		hangUp(r.ends[1])
	}
}

// trip makes the fault. rest is what was read and not forwarded, of a direction.
func (r *relay) trip(dir int, rest []byte) {
	r.p.made[r.fault].Add(1)
	r.p.total.Add(1)
	if r.fault != halfFar && r.fault != swallow {
		r.p.told.Store(time.Now().UnixNano())
	}
	switch near, far := r.ends[0], r.ends[1]; r.fault {
	case reset:
		cutOff(near)
		cutOff(far)
	case finish:
		hangUp(near)
		hangUp(far)
	case halfNear:
		cutOff(near)
	case halfFar:
		cutOff(far)
	case late:
		if dir == 1 {
			rest = nil
		}
		next := r.p.nextAnswer()
		held := append([]byte(nil), rest...)
		_ = near.SetReadDeadline(time.Now().Add(time.Millisecond))
		more := make([]byte, 64<<10)
		n, _ := near.Read(more)
		cutOff(near)
		select {
		case <-next:
		case <-time.After(100 * time.Millisecond):
		}
		_, _ = r.write(far, append(held, more[:n]...))
		hangUp(far)
	}
}

// cutOff ends a connection by a reset, where there are such.
func cutOff(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// hangUp ends a connection in order.
func hangUp(c net.Conn) {
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
	}
	_ = c.Close()
}

// anyPlan draws a plan: few bytes, so that the connection hardly begins, or many.
func anyPlan(rng *rand.Rand) plan {
	p := plan{fault: fault(rng.IntN(int(faults))), dir: rng.IntN(2), both: rng.IntN(2) == 0}
	if p.fault == swallow && rng.IntN(3) > 0 { // these take long
		p.fault = reset
	}
	switch n := rng.IntN(10); {
	case n < 2:
		p.after = rng.Int64N(100)
	case n < 4:
		p.after = rng.Int64N(1000)
	default:
		p.after = int64(rng.ExpFloat64() * 100_000)
	}
	return p
}
