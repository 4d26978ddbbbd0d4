package session

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
)

// This is the engine's side of a storm: its connections, and the dialer.

// stormLink takes what it likes, breaks at any time, and notes what it got.
type stormLink struct {
	w       *storm
	over    chan struct{} // closed by us
	broken  chan struct{} // nothing is taken any more, and the reader finds the end
	once    sync.Once
	breaks  sync.Once
	writing atomic.Bool
	got     []byte
}

func (l *stormLink) TLS() *tls.ConnectionState { return nil }

func (l *stormLink) Write(bufs [][]byte, wait bool) (n int, err error) {
	if l.writing.Swap(true) {
		l.w.t.Errorf("seed %d: two write at a time", l.w.seed)
	}
	defer l.writing.Store(false)
	for _, b := range bufs {
		for len(b) > 0 {
			select {
			case <-l.over:
				return n, net.ErrClosed
			case <-l.broken:
				return n, errCut
			default:
			}
			took := min(len(b), l.w.lot(2*len(b)+1))
			l.got = append(l.got, b[:took]...)
			b, n = b[took:], n+took
			if len(b) == 0 {
				continue
			}
			if !wait {
				return n, nil
			}
			d := l.w.upTo(50 * time.Millisecond)
			if l.w.one(20) {
				d = time.Minute
			}
			select {
			case <-time.After(d):
			case <-l.over:
			case <-l.broken:
			}
		}
	}
	return n, nil
}

func (l *stormLink) Finish(deadline time.Time) {
	select {
	case <-time.After(min(time.Until(deadline), l.w.upTo(time.Second))):
	case <-l.over:
	case <-l.broken:
	}
}

func (l *stormLink) Close()                      { l.once.Do(func() { close(l.over) }) }
func (l *stormLink) cut()                        { l.breaks.Do(func() { close(l.broken) }) }
func (l *stormLink) Pulse() (p Pulse, ok bool)   { return Pulse{}, l.w.one(2) }
func (l *stormLink) Backlog() Backlog            { return Backlog{Bytes: l.w.lot(2), Acked: uint64(l.w.lot(3))} }
func (l *stormLink) Addrs() (net.Addr, net.Addr) { return unbound{}, unbound{} }

// Redial, Kick and Stop are of the dialer.
func (w *storm) Redial(bool, error) { w.work.Go(w.dial) }
func (w *storm) Kick()              {}
func (w *storm) Stop()              {}

func (w *storm) dial() {
	for {
		w.pause(500 * time.Millisecond)
		if !w.s.dialing() {
			return
		}
		if w.one(3) {
			w.s.dialFailed(errCut)
			continue
		}
		w.connect()
		return
	}
}

func (w *storm) connect() {
	l := &stormLink{w: w, over: make(chan struct{}), broken: make(chan struct{})}
	w.mu.Lock()
	w.links = append(w.links, l)
	w.mu.Unlock()
	c := w.s.attach(l, 0)
	if c == nil {
		return
	}
	life := w.upTo(10 * time.Second)
	if w.one(3) {
		life /= 100
	}
	timer := time.AfterFunc(life, l.cut)
	w.work.Go(func() {
		defer timer.Stop()
		w.read(c, l)
	})
}

// read is the engine's side of a connection.
func (w *storm) read(c *Conn, l *stormLink) {
	w.mu.Lock()
	w.epochs++
	of := 1000 + w.epochs
	w.mu.Unlock()
	onLoop := w.one(2)
	c.Start(onLoop)
	var stream []byte
	silent := w.one(8)
	for seq := uint32(0); ; {
		for range w.lot(6) {
			if w.one(5) {
				stream = append(stream, testkit.Frames("")...)
				continue
			}
			stream = codec.Format{}.AppendFrame(stream, stormMessage(of, seq, w.size()))
			seq++
		}
		n := w.lot(len(stream) + 1)
		if w.one(3) {
			n = len(stream)
		}
		p := append([]byte(nil), stream[:n]...)
		stream = stream[n:]
		if silent {
			p, stream = nil, nil
		}
		for rest := p; len(rest) > 0; {
			left, leave, err := c.Feed(rest, onLoop)
			if err != nil {
				w.t.Errorf("seed %d: Feed: %v", w.seed, err)
			}
			left = bytes.Clone(left)
			for i := range rest {
				rest[i] = 0xEE // an event loop uses its memory for others
			}
			onLoop = onLoop && !leave && len(left) == 0
			if rest = left; len(rest) > 0 {
				c.Wait()
			}
		}
		if !onLoop && w.one(4) && c.CaughtUp() && c.HoldWriting() {
			w.pause(time.Millisecond)
			c.ReleaseWriting()
			onLoop = true
		}
		if w.one(40) {
			if c.PeerFinished() {
				w.answer(c, l)
			}
			c.End(io.EOF)
			l.Close()
			return
		}
		d := w.upTo(100 * time.Millisecond)
		if w.one(15) {
			d = w.upTo(5 * time.Second)
		}
		select {
		case <-time.After(d):
		case <-l.over:
			c.End(net.ErrClosed)
			return
		case <-l.broken:
			c.End(io.EOF)
			return
		}
	}
}

func (w *storm) answer(c *Conn, l *stormLink) {
	for c.Owes() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-l.broken:
			return
		}
	}
}
