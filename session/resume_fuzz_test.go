package session

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/internal/testkit"
)

// FuzzResumedReceiver feeds a connected session with Resume arbitrary bytes in chunks. A model that
// shares no code with ours says what they mean: which messages come, how many of ours are
// acknowledged, and whether and where the peer breaks the protocol.
func FuzzResumedReceiver(f *testing.F) {
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	good := join(frame("a"), ackOf(1), question(), messages(5), ackOf(1), ackOf(3), frame("b"), byeOf(7))
	for _, wire := range [][]byte{
		good, good[:len(good)-1], good[:17], join(ackOf(4)), join(ackOf(2), ackOf(1)), join(frame("m"), byeOf(0)),
		testkit.Frames("", ""), testkit.Frames("", "x"), join(controlFrame(make([]byte, 513))), join(frame("a"), ackOf(3), byeOf(1), frame("b")),
		join(controlFrame(append(resume.AppendAck(nil, 2), 1, 2, 3)), frame("late")), {0, 0, 0, 0, 0xff}, join(frame(string(make([]byte, 600)))),
	} {
		for _, chunks := range [][]byte{nil, {1}, {3, 0x85, 40}, {0xff}} {
			for way := range byte(8) {
				f.Add(way, wire, chunks)
			}
		}
	}
	f.Fuzz(func(t *testing.T, way byte, wire, chunks []byte) {
		if len(wire) > maxFuzzWire {
			return
		}
		r := newReceiving(t, way)
		r.feedAll(wire, chunks)
		r.compare(wire)
		r.s.CloseNow(nil)
		accountsAddUp(t, r.s)
	})
}

// receiving is a session that is fed by the fuzzer.
type receiving struct {
	t    *testing.T
	s    *Session
	c    *Conn
	got  [][]byte
	fed  int // bytes of the wire that the session has taken
	err  error
	most int // of the inbox
}

// fuzzPayload is the MaxPayload: less than a control frame may have, or more.
func fuzzPayload(way byte) int {
	if way&4 != 0 {
		return 7
	}
	return 700
}

func newReceiving(t *testing.T, way byte) *receiving {
	r := &receiving{t: t, most: 3}
	note := func(_ *Session, ev Event) {
		if ev.Kind == Message {
			r.got = append(r.got, bytes.Clone(ev.Payload))
		}
	}
	r.s, _ = newFake(t, true, func(c *Config) {
		c.Resume, c.Unacked, c.MaxPayload = true, Buffer{Cap: 10, Bytes: 1000}, fuzzPayload(way)
		c.HeartbeatPeriod, c.HeartbeatTimeout, c.Host = time.Hour, 4*time.Hour, &steppedHost{}
		if c.ReadBuffer.Cap = r.most; way&1 != 0 {
			c.Inline, c.OnEvent = true, note
		}
	})
	d := Drive(r.s)
	if way&2 != 0 {
		d.Resumable(0, resume.Keep{})
		d.Dialing()
		d.Greeting()
		if err := d.Welcomed(&resume.Welcome{Version: 1, Token: []byte("token"), Keep: resume.Keep{Messages: 8, Bytes: 100}}); err != nil {
			t.Fatal(err)
		}
		r.c = d.Attach(newFakeLink(unbounded), 0)
	} else {
		d.Resumable(1, resume.Keep{Messages: 8, Bytes: 100})
		r.c = d.Attach(newFakeLink(unbounded), 1)
	}
	r.c.Start(false)
	for _, m := range testkit.Texts(3) {
		for len(m) > 7 {
			m = m[:7]
		}
		if err := r.s.Send(t.Context(), []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, func() bool { return r.s.Stats().Sent == 3 }, "all is sent")
	return r
}

// feedAll feeds the wire in chunks; see feeding.feedAll.
func (r *receiving) feedAll(wire, chunks []byte) {
	for i := 0; len(wire) > 0 && r.err == nil; i++ {
		size := len(wire)
		if len(chunks) > 0 {
			chunk := chunks[i%len(chunks)]
			size = min(size, 1+int(chunk&0x7f)*int(chunk&0x7f))
		}
		p := bytes.Clone(wire[:size])
		wire = wire[size:]
		for len(p) > 0 && r.err == nil {
			rest, _, err := r.c.Feed(p, false)
			if r.err = err; err == nil {
				r.fed += len(p) - len(rest)
			}
			if unread := r.s.Stats().Unread; unread > r.most {
				r.t.Fatalf("%d messages in an inbox for %d", unread, r.most)
			}
			r.take()
			p = rest
		}
	}
}

// take takes what is queued.
func (r *receiving) take() {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for r.s.cfg.OnEvent == nil {
		ev, err := r.s.Recv(over)
		if err != nil {
			return
		}
		if ev.Kind == Message {
			r.got = append(r.got, bytes.Clone(ev.Payload))
		}
	}
}

// compare compares what came of the wire with what the model says.
func (r *receiving) compare(wire []byte) {
	frames, _, _ := testkit.Framing{}.Split(wire, 1<<20)
	var want [][]byte
	acked, escaped, bad, parted := uint64(0), false, false, false
	for _, f := range frames {
		switch {
		case escaped:
			n, ok := meaning(f, acked, uint64(len(want)))
			if acked, bad = n, !ok; ok && f[0] == resume.KindBye {
				parted = true
			}
			escaped = false
		case len(f) == 0:
			escaped = true
		case len(f) > r.s.cfg.MaxPayload:
			bad = true
		default:
			want = append(want, f)
		}
		if bad {
			break
		}
	}
	if parted { // the connection may be over at any time
		return
	}
	if bad && r.err == nil {
		r.t.Fatalf("%x is accepted", wire)
	}
	if r.err != nil && !errors.Is(r.err, ErrBadAck) && !errors.Is(r.err, ErrFrameTooLarge) && !errors.Is(r.err, ErrBadHeader) {
		r.t.Fatal(r.err)
	}
	st := r.s.Stats()
	if st.Acked != acked || len(r.got) != len(want) || r.c.acks.taken.Load() != uint64(len(want)) {
		r.t.Fatalf("acked %d, want %d; %d messages, want %d; counted %d", st.Acked, acked, len(r.got), len(want), r.c.acks.taken.Load())
	}
	for i := range want {
		if !bytes.Equal(want[i], r.got[i]) {
			r.t.Fatalf("message %d is %x, want %x", i, r.got[i], want[i])
		}
	}
}

// meaning returns how many messages are acknowledged after a control frame, given how many were before,
// and how many of the peer's have come. Three were sent.
func meaning(body []byte, acked, got uint64) (after uint64, ok bool) {
	if len(body) == 0 || len(body) > 512 {
		return acked, false
	}
	number := uint64(0)
	if len(body) > 8 {
		for _, b := range body[1:9] {
			number = number<<8 | uint64(b)
		}
	}
	switch body[0] {
	case 'Q':
		return acked, true
	case 'A':
		if len(body) < 9 || number < acked || number > 3 {
			return acked, false
		}
		return number, true
	case 'B':
		return acked, len(body) > 9 && number == got
	}
	return acked, false
}
