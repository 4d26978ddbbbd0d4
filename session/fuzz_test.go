package session

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
)

// FuzzSession feeds a session arbitrary bytes in arbitrary chunks, in every format, to every kind of
// consumer and with every policy, and compares what comes out with a model: a decoder that shares
// no code with ours, and a queue that is a slice.
//
// All happens on one goroutine, except for ReadChan's pump and for writes: so the model says exactly
// which messages a lossy policy drops, save for ReadChan, where it depends on the pump.
func FuzzSession(f *testing.F) {
	frame := testkit.Framing{}.Frame
	wire := slices.Concat(frame([]byte("one")), frame(nil), frame([]byte("two")), frame(make([]byte, 300)),
		frame(nil), frame(nil), frame([]byte("three")), frame([]byte("4")), frame([]byte("5")))
	large := slices.Concat(frame([]byte("one")), frame([]byte("two")), frame(make([]byte, 5000)), frame(make([]byte, 900)), frame([]byte("6")))
	for way := range byte(128) {
		f.Add(byte(0), way, byte(0), uint16(6), uint16(5000), large, []byte{})
		f.Add(byte(0), way, byte(0), uint16(0), uint16(899), slices.Concat(large[:14], large[5018:]), []byte{})
		f.Add(byte(0), way, byte(2), uint16(200), uint16(1000), wire, []byte{3, 200, 1, 90})
		f.Add(byte(0), way, byte(0), uint16(0), uint16(1000), wire[:len(wire)-1], []byte{255})
		f.Add(byte(0), way, byte(1), uint16(1), uint16(299), wire, []byte{7, 0, 130})
		f.Add(byte(0x11), way, byte(3), uint16(9), uint16(1000), []byte{5, 'a', 'b', 'c', 'd', 'e', 0, 0, 1, 'x'}, []byte{0})
	}
	f.Fuzz(func(t *testing.T, kind, way, slots byte, bytes, most uint16, wire, chunks []byte) {
		format := codec.Format{Width: int(kind & 0xf), Varint: kind&0x10 != 0, LittleEndian: kind&0x20 != 0, IncludesHeader: kind&0x40 != 0}
		if format.Validate() != nil || len(wire) > maxFuzzWire {
			return
		}
		r := newFeeding(t, format, fuzzWay(way), Buffer{Cap: int(slots), Bytes: int(bytes)}, int(most))
		r.feedAll(wire, chunks)
		r.finish(wire)
	})
}

// maxFuzzWire bounds what is fed, in bytes: the model looks at a frame again for each of its chunks.
const maxFuzzWire = 8 << 10

// fuzzWay is how a session is fed and read, as a number that the fuzzer can change.
type fuzzWay byte

func (w fuzzWay) consumer() string { return []string{"Recv", "ReadChan", "OnEvent", "Inline"}[w&3] }
func (w fuzzWay) onLoop() bool     { return w&4 != 0 }
func (w fuzzWay) echoes() bool     { return w&0x20 != 0 }
func (w fuzzWay) tight() bool      { return w&0x40 != 0 } // the peer takes next to nothing, until the session leaves
func (w fuzzWay) policy() Policy   { return Policy(w>>3&3) % (PolicySliding + 1) }

// feeding is a session that is fed, and the model of it.
type feeding struct {
	t      *testing.T
	way    fuzzWay
	s      *Session
	c      *Conn
	link   *fakeLink
	host   *steppedHost
	format codec.Format
	limit  Buffer
	most   int
	onLoop bool

	got     []Event  // what came out
	waiting [][]byte // the model of what is queued
	want    [][]byte // the model of what came out
	fed     []byte   // what the session has taken and the model has not
	err     error    // of Feed
}

// steppedHost runs callbacks when the test says so, and never ticks.
type steppedHost struct {
	mu  sync.Mutex // the last writer of a session may dispatch, too
	due []Driver
}

func (h *steppedHost) Dispatch(d Driver) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.due = append(h.due, d)
}

func (h *steppedHost) Forget(Driver)                {}
func (h *steppedHost) Tick(*Conn, time.Time) Ticker { return noTicker{} }

// run runs the callbacks that are due, and reports whether there were any.
func (h *steppedHost) run() (any bool) {
	for {
		h.mu.Lock()
		due := h.due
		h.due = nil
		h.mu.Unlock()
		if len(due) == 0 {
			return any
		}
		any = true
		for _, d := range due {
			d.RunCallbacks()
		}
	}
}

func newFeeding(t *testing.T, format codec.Format, way fuzzWay, limit Buffer, most int) *feeding {
	r := &feeding{
		t: t, way: way, link: newFakeLink(unbounded), host: &steppedHost{}, format: format,
		most: min(most, format.Limit()), onLoop: way.onLoop(),
	}
	limit.Policy = way.policy()
	if r.tight() {
		r.link = newFakeLink(7)
	}
	r.s, _ = newFake(t, false, func(c *Config) {
		if r.tight() {
			c.WriteBuffer = Buffer{Cap: 2, Bytes: 20}
		}
		c.ReadBuffer, c.MaxPayload, c.Format, c.Host = limit, r.most, format, r.host
		c.HeartbeatPeriod, c.HeartbeatTimeout = time.Hour, 4*time.Hour
		c.Inline = way.consumer() == "Inline"
		if c.Inline || way.consumer() == "OnEvent" {
			c.OnEvent = func(_ *Session, ev Event) {
				r.received(ev)
				if way.echoes() && ev.Kind == Message {
					_ = r.s.Send(context.Background(), ev.Payload)
				}
			}
		}
	})
	r.limit = r.s.cfg.ReadBuffer
	if way.consumer() == "ReadChan" {
		r.s.ReadChan()
	}
	r.c = r.s.attach(r.link, 0)
	r.c.Start(r.onLoop)
	return r
}

// tightNoMore is how much a tight link takes in the end. It may come on top of unbounded.
const tightNoMore = 1 << 28

// tight reports whether what is sent waits: on a loop alone, since Send does not wait there.
func (r *feeding) tight() bool {
	return r.way.tight() && r.way.onLoop() && r.way.consumer() == "Inline"
}

// mayStay reports whether the outbound queue is not full.
func (r *feeding) mayStay() bool {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.s.hasRoom()
}

// received notes an event. What is lent is copied.
func (r *feeding) received(ev Event) {
	if ev.Kind == Message {
		ev.Payload = append([]byte{}, ev.Payload...)
	}
	r.got = append(r.got, ev)
}

// feedAll feeds the wire in chunks. The low bits of a chunk's byte say how long it is, the highest
// one that the consumer takes an event, or has its callbacks run, before it.
func (r *feeding) feedAll(wire, chunks []byte) {
	for i := 0; len(wire) > 0 && r.err == nil; i++ {
		size := len(wire)
		if len(chunks) > 0 {
			chunk := chunks[i%len(chunks)]
			size = min(size, 1+int(chunk&0x7f)*int(chunk&0x7f))
			if chunk&0x80 != 0 {
				r.take()
			}
		}
		p := slices.Clone(wire[:size]) // of its own, so that what is kept of it shows
		wire = wire[size:]
		r.feed(p)
		for i := range p[:cap(p)] {
			p[:cap(p)][i] = 0xaa
		}
	}
}

// feed feeds a chunk, and makes room when there is none.
func (r *feeding) feed(p []byte) {
	for r.err == nil {
		rest, leave, err := r.c.Feed(p, r.onLoop)
		if len(rest) > len(p) {
			r.t.Fatalf("%d bytes left of %d", len(rest), len(p))
		}
		r.fed, r.err = append(r.fed, p[:len(p)-len(rest)]...), err
		if err != nil {
			r.fed = append(r.fed, rest...) // the error is in there
		}
		r.model()
		r.bounded()
		if r.tight() && r.onLoop && !leave && err == nil && !r.mayStay() {
			r.t.Fatal("the outbound queue is past its mark, and the session stays on the loop")
		}
		if leave {
			r.onLoop = false
			r.link.allow(tightNoMore)
		}
		if len(rest) == 0 || err != nil {
			return
		}
		if !leave && r.way.onLoop() && r.onLoop {
			r.t.Fatalf("%d bytes are left, and the session is to stay on the loop", len(rest))
		}
		if r.limit.Policy != PolicyFixed && r.way.consumer() != "Inline" {
			r.t.Fatal("a lossy buffer pushes back")
		}
		if r.way.consumer() != "Inline" {
			r.makeRoom()
			r.c.Wait()
		}
		p = rest
	}
}

// take lets the consumer have an event, or a callback's batch, if there is any.
func (r *feeding) take() bool {
	switch r.way.consumer() {
	case "Recv":
		over, cancel := context.WithCancel(context.Background())
		cancel()
		ev, err := r.s.Recv(over)
		if err != nil {
			return false
		}
		r.received(ev)
		if ev.Kind == Message && r.limit.Policy != PolicyFixed {
			r.want = append(r.want, r.waiting[0])
			r.waiting = r.waiting[1:]
		}
	case "ReadChan":
		select {
		case ev := <-r.s.ReadChan():
			r.received(ev)
		default:
			return false
		}
	default:
		if !r.host.run() {
			return false
		}
		if r.limit.Policy != PolicyFixed {
			r.want, r.waiting = append(r.want, r.waiting...), nil
		}
	}
	return true
}

// makeRoom takes until the session has room. It has none only if there is something to take.
func (r *feeding) makeRoom() {
	for full := true; full; {
		if !r.take() {
			if r.way.consumer() != "ReadChan" {
				r.t.Fatal("there is no room, and nothing to take")
			}
			r.received(testkit.Take(r.t, r.s.ReadChan())) // the pump is about to bring it
		}
		r.s.in.mu.Lock()
		full = r.s.in.full()
		r.s.in.mu.Unlock()
	}
}
