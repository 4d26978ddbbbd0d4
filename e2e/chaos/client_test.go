//go:build linux

package chaos

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"
)

// contact is what a client knows of one connection.
type contact struct {
	epoch  uint64
	serial uint32 // of the server's session; 0: not heard
	next   uint32 // what it waits for of the server's stream
	ack    uint32 // what the server waits for of the client's
}

// client is a dialed session and what both of its ends say.
type client struct {
	role
	stream uint8
	s      *netasync.Session
	report func(format string, args ...any)
	closed chan struct{} // Closed was told
	mayEnd bool          // the session is closed while it talks

	said atomic.Uint32 // messages given to the session, and the number of the next. The talker's
	rng  *rand.Rand    // the consumer's

	mu       sync.Mutex // guards all below
	up       bool
	epoch    uint64
	contacts []contact
	seen     uint64 // messages that the consumer has got
	gaps     uint64 // messages within connections that it has not
	outages  int
}

func newClient(stream int, seed uint64, report func(string, ...any)) *client {
	return &client{
		role: roleOf(stream), stream: uint8(stream), closed: make(chan struct{}), report: report,
		rng: rand.New(rand.NewPCG(seed, uint64(stream))),
	}
}

// connect dials, and begins to consume.
func (c *client) connect(e *netasync.Engine, addr string, o netasync.ConnectOptions) (err error) {
	o.ReadBuffer, o.WriteBuffer, o.Inline = c.in, c.out, c.way == byInline
	o.MaxPayload, o.HeartbeatPeriod, o.HeartbeatTimeout = maxMessage, period, timeout
	o.AwaitPeer = c.await
	o.Backoff = netasync.FixedDelay(20 * time.Millisecond)
	if !c.tls {
		o.TLS = nil
	}
	if c.way == byCallback || c.way == byInline {
		o.OnEvent = c.event
	}
	if c.s, err = e.Connect(addr, o); err != nil {
		return err
	}
	switch c.way {
	case byChannels:
		go func() {
			for ev := range c.s.ReadChan() {
				c.event(c.s, ev)
			}
		}()
	case byRecv:
		go c.recv()
	}
	return nil
}

func (c *client) recv() {
	for {
		ev, err := c.s.Recv(context.Background())
		if err != nil {
			if !errors.Is(err, io.EOF) {
				c.violation("Recv: %v", err)
			}
			return
		}
		c.event(c.s, ev)
	}
}

func (c *client) violation(format string, args ...any) {
	c.report("client %d %+v: "+format, append([]any{c.stream, c.role}, args...)...)
}

// event takes an event of the session, which may be there before Connect has returned it.
func (c *client) event(s *netasync.Session, ev netasync.Event) {
	if c.narrow && ev.Kind == netasync.Connected {
		squeeze(s)
	}
	c.take(ev)
	switch slow := c.rng.IntN(150) == 0 || c.inLossy && c.rng.IntN(10) == 0; {
	case ev.Kind == netasync.Closed:
		close(c.closed)
	case slow && c.way != byInline:
		time.Sleep(time.Duration(c.rng.IntN(150)) * time.Millisecond)
	}
}

func (c *client) take(ev netasync.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch ev.Kind {
	case netasync.Connected:
		if c.up || ev.Epoch <= c.epoch {
			c.violation("Connected %d after epoch %d, connected: %v", ev.Epoch, c.epoch, c.up)
		}
		c.up, c.epoch = true, ev.Epoch
		c.contacts = append(c.contacts, contact{epoch: ev.Epoch})
	case netasync.Disconnected:
		if !c.up && c.outages > 0 || ev.Epoch != c.epoch {
			c.violation("Disconnected %d in epoch %d, connected: %v", ev.Epoch, c.epoch, c.up)
		}
		c.up = false
		c.outages++
		if corrupt(ev.Err) {
			c.violation("connection %d ended by %v", ev.Epoch, ev.Err)
		}
	case netasync.Message:
		if !c.up || ev.Epoch != c.epoch {
			c.violation("a message of epoch %d in epoch %d, connected: %v", ev.Epoch, c.epoch, c.up)
			return
		}
		c.takeMessage(ev.Payload, &c.contacts[len(c.contacts)-1])
	}
}

// takeMessage takes a message of the server. The caller holds mu.
func (c *client) takeMessage(p []byte, at *contact) {
	c.seen++
	m, err := decode(byServer, p)
	if err != nil {
		c.violation("epoch %d: %v; %d was due", at.epoch, err, at.next)
		return
	}
	if m.stream != c.stream && m.stream != nobody {
		c.violation("epoch %d: message %d for client %d", at.epoch, m.seq, m.stream)
		return
	}
	if m.wide {
		c.meet(at, m)
	}
	if at.serial != 0 && byte(m.origin) != byte(at.serial) {
		c.violation("epoch %d: message %d of session %d, this is session %d", at.epoch, m.seq, m.origin, at.serial)
	}
	if want := max(size(key(byServer, 0, at.serial), m.seq), wideIf(m.seq == 0)); at.serial != 0 && want != len(p) {
		c.violation("epoch %d: message %d has %d bytes, it was made with %d", at.epoch, m.seq, len(p), want)
	}
	if m.seq < at.next || m.seq > at.next && !c.inLossy {
		c.violation("epoch %d: message %d of session %d came, %d was due", at.epoch, m.seq, at.serial, at.next)
	}
	c.gaps += uint64(m.seq - at.next)
	at.next = m.seq + 1
}

func wideIf(first bool) int {
	if first {
		return wide
	}
	return 0
}

// meet takes who sent a message, and what that waits for. The caller holds mu.
func (c *client) meet(at *contact, m message) {
	if at.serial == 0 {
		at.serial = m.origin
		for _, before := range c.contacts[:len(c.contacts)-1] {
			if before.serial == m.origin {
				c.violation("epoch %d: session %d, which was that of epoch %d", at.epoch, m.origin, before.epoch)
			}
		}
	}
	if m.origin != at.serial {
		c.violation("epoch %d: message %d of session %d, this is session %d", at.epoch, m.seq, m.origin, at.serial)
	}
	if m.ack < at.ack || m.ack > c.said.Load()+1 { // one may be under way to be said
		c.violation("epoch %d: the server waits for %d, after %d, and %d were said", at.epoch, m.ack, at.ack, c.said.Load())
	}
	at.ack = m.ack
}

// talk sends messages in bursts until ctx ends.
func (c *client) talk(ctx context.Context, rng *rand.Rand) {
	for ctx.Err() == nil {
		for range 1 + rng.IntN(30) {
			c.speak(ctx, rng)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.IntN(300)) * time.Millisecond):
		}
	}
}

// speak gives the next message to the session, unless it takes none in time: then that is the next
// one still.
func (c *client) speak(ctx context.Context, rng *rand.Rand) {
	if rng.IntN(4) == 0 {
		short, cancel := context.WithTimeout(ctx, time.Duration(rng.IntN(20))*time.Millisecond)
		defer cancel()
		ctx = short
	}
	seq := c.said.Load()
	p := encode(byClient, message{seq: seq, stream: c.stream, origin: uint32(c.s.Stats().Epoch)},
		size(key(byClient, c.stream, 0), seq))
	var err error
	switch {
	case c.way == byChannels:
		select {
		case c.s.WriteChan() <- p:
		case <-ctx.Done():
			err = ctx.Err()
		}
	case rng.IntN(8) == 0:
		err = c.s.TrySend(p)
	default:
		err = c.s.Send(ctx, p)
	}
	switch {
	case err == nil:
		c.said.Add(1)
	case c.mayEnd && errors.Is(err, netasync.ErrClosed):
	case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) && !errors.Is(err, netasync.ErrQueueFull):
		c.violation("message %d was refused: %v", seq, err)
	}
}

// heard reports whether the server has said, on the current connection, that it has got all.
func (c *client) heard() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up && len(c.contacts) > 0 && c.contacts[len(c.contacts)-1].ack == c.said.Load()
}
