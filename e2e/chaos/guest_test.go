//go:build linux

package chaos

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// guest is an accepted session at the server. Its stream of messages begins at 0.
type guest struct {
	s      *netasync.Session
	slot   *slot
	serial uint32
	talked chan struct{} // closed when no more is said, where a goroutine talks

	// stream is the client's number, or nobody. Set by the consumer, as next, which is what it waits
	// for of the client's stream.
	stream, next atomic.Uint32

	rng   *rand.Rand // the consumer's
	epoch byte       // the last one that the client gave. The consumer's

	said  uint32 // messages given to the session. The talker's
	voice *rand.Rand
}

func (s *server) welcome(session *netasync.Session) *guest {
	n := s.guests.Add(1) // 0 is no serial
	if n >= 1<<serialBits {
		violation("too many sessions for a ledger")
		n = 1<<serialBits - 1
	}
	g := &guest{
		s: session, slot: &s.ledger[n], serial: s.Incarnation<<serialBits | n, talked: make(chan struct{}),
		rng:   rand.New(rand.NewPCG(s.Seed, uint64(n))),
		voice: rand.New(rand.NewPCG(s.Seed+1, uint64(n))),
	}
	g.stream.Store(nobody)
	return g
}

// readChan is a consumer.
func (g *guest) readChan() {
	for ev := range g.s.ReadChan() {
		g.event(ev)
	}
}

// recv is a consumer.
func (g *guest) recv() {
	for {
		ev, err := g.s.Recv(context.Background())
		if err != nil {
			if !errors.Is(err, io.EOF) {
				violation("Recv: %v", err)
			}
			return
		}
		g.event(ev)
	}
}

func (g *guest) event(ev netasync.Event) {
	switch ev.Kind {
	case netasync.Message:
		g.take(ev.Payload)
		if g.rng.IntN(150) == 0 && roleOf(int(g.stream.Load())).way != byInline {
			time.Sleep(time.Duration(g.rng.IntN(150)) * time.Millisecond) // slow, to make the peer wait
		}
	case netasync.Closed:
		if corrupt(ev.Err) {
			violation("session %d of client %d ended by %v", g.serial, g.stream.Load(), ev.Err)
		}
		go g.closed() // what was accepted is counted later, and this may be the event loop
	}
}

// take takes a message of the client.
func (g *guest) take(p []byte) {
	m, err := decode(byClient, p)
	if err != nil {
		violation("session %d: from client %d: %v; %d was due", g.serial, g.stream.Load(), err, g.next.Load())
		return
	}
	if want := size(key(byClient, m.stream, 0), m.seq); want != len(p) {
		violation("message %d of client %d has %d bytes, it was made with %d", m.seq, m.stream, len(p), want)
	}
	next, stream := g.next.Load(), g.stream.Load()
	switch {
	case stream == nobody:
		g.slot.first.Store(uint64(m.seq))
		g.slot.next.Store(uint64(m.seq))
		g.slot.heard.Store(1 + uint64(m.stream))
		g.stream.Store(uint32(m.stream))
		next = m.seq
		g.epoch = byte(m.origin)
		if roleOf(int(m.stream)).narrow {
			squeeze(g.s)
		}
	case stream != uint32(m.stream):
		violation("session %d of client %d got message %d of client %d", g.serial, stream, m.seq, m.stream)
		return
	}
	if m.seq < next || m.seq > next && !roleOf(int(m.stream)).outLossy {
		violation("session %d: message %d of client %d came, %d was due", g.serial, m.seq, m.stream, next)
	}
	if back := g.epoch - byte(m.origin); back != 0 && back < 128 { // it is given modulo 256
		violation("session %d of client %d: epoch %d after %d", g.serial, m.stream, byte(m.origin), g.epoch)
	}
	g.epoch = byte(m.origin)
	g.slot.gaps.Add(uint64(m.seq - next))
	g.slot.next.Store(uint64(m.seq) + 1)
	g.next.Store(m.seq + 1)
}

// talk sends messages in bursts until the session has closed.
func (g *guest) talk(send func([]byte) bool) {
	defer close(g.talked)
	for {
		for range 1 + g.voice.IntN(30) {
			if !g.speak(send) {
				return
			}
		}
		select {
		case <-g.s.Done():
			return
		case <-time.After(time.Duration(g.voice.IntN(300)) * time.Millisecond):
		}
	}
}

// speak sends the next message, and reports whether the session took it.
func (g *guest) speak(send func([]byte) bool) bool {
	n := size(key(byServer, 0, g.serial), g.said)
	if g.said == 0 {
		n = max(n, wide) // the client learns whom it talks to
	}
	m := message{seq: g.said, stream: uint8(g.stream.Load()), origin: g.serial, ack: g.next.Load()}
	if !send(encode(byServer, m, n)) {
		return false
	}
	g.said++
	return true
}

// send is Send.
func (g *guest) send(p []byte) bool {
	err := g.s.Send(context.Background(), p)
	if err != nil && !errors.Is(err, netasync.ErrClosed) {
		violation("session %d: Send: %v", g.serial, err)
	}
	return err == nil
}

// putOnChan sends by the channel.
func (g *guest) putOnChan(p []byte) bool {
	select {
	case g.s.WriteChan() <- p:
		return true
	case <-g.s.Done():
		return false
	}
}

// closed writes down what became of what was said. WriteChan counts what came too late some time
// after.
func (g *guest) closed() {
	<-g.talked
	var err error
	for deadline := time.Now().Add(testkit.Patience); ; time.Sleep(10 * time.Millisecond) {
		if err = unaccounted(g.s, uint64(g.said)); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		violation("session %d: %v", g.serial, err)
	}
	st := g.s.Stats()
	if got := uint64(g.slot.next.Load() - g.slot.first.Load()); g.slot.heard.Load() > 0 &&
		st.Received != got-g.slot.gaps.Load() {
		violation("session %d: received %d, delivered %d less %d", g.serial, st.Received, got, g.slot.gaps.Load())
	}
	g.slot.sent.Store(st.Sent)
	g.slot.queued.Store(uint64(st.Queued))
	g.slot.closed.Store(1)
}
