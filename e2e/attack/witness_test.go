//go:build linux

package attack

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// The heartbeats of a witness and its clients: a busy machine is no reason to take either for dead.
const (
	calm        = 2 * period
	calmTimeout = 2 * timeout
)

// number returns a message: who speaks, and how many this one has said before.
func number(stream byte, n uint64) []byte {
	m := make([]byte, 1000)
	m[0] = stream
	binary.BigEndian.PutUint64(m[1:], n)
	return m
}

// sequence is what was got of a stream, on whatever connections.
type sequence struct{ got, next uint64 }

// take wants a message to be later than all before: none comes twice, or out of order. What is
// missing was under way when a connection was lost.
func (s *sequence) take(m []byte) error {
	if len(m) != 1000 {
		return fmt.Errorf("a message of %d bytes", len(m))
	}
	n := binary.BigEndian.Uint64(m[1:])
	if n < s.next {
		return fmt.Errorf("message %d of %d came behind %d", n, m[0], s.next)
	}
	s.got, s.next = s.got+1, n+1
	return nil
}

// talker says numbered messages of one stream. Only one goroutine at a time has it.
type talker struct {
	stream byte
	said   atomic.Uint64
}

// say says the next message, unless the session takes none any more.
func (t *talker) say(ctx context.Context, s *netasync.Session) error {
	err := s.Send(ctx, number(t.stream, t.said.Load()))
	if err == nil {
		t.said.Add(1)
	}
	return err
}

// chat says messages, a few at a time, until the session takes no more, or ctx ends.
func (t *talker) chat(ctx context.Context, s *netasync.Session) {
	for {
		for range 10 {
			if t.say(ctx, s) != nil {
				return
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// witness is a server that takes numbered messages of several clients, and talks to each.
type witness struct {
	mu      sync.Mutex // guards all below
	streams map[byte]*stream
}

// stream is one client, over all its sessions.
type stream struct {
	in   sequence
	turn sync.Mutex // guards out: the talk of one session ends before that of the next begins
	out  talker
}

// playWitness takes messages, and talks to those who have said something. It says "closed", who it
// was, and why, when one of its sessions has ended, and at the end "got", who, and how many.
func playWitness(r role) error {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return err
	}
	o := serverOptions(r)
	o.HeartbeatPeriod, o.HeartbeatTimeout, o.Linger = calm, calmTimeout, timeout
	o.WriteTimeout = 0 // who is held back acknowledges nothing
	ln, err := engine.Listen(r.Addr, o)
	if err != nil {
		return err
	}
	w := &witness{streams: make(map[byte]*stream)}
	go func() {
		for s := range ln.AcceptChan() {
			go w.serve(s)
		}
	}()
	say("ready %v", ln.Addr())
	waitForEnd()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	var unsent *netasync.UnsentError
	if err := engine.Shutdown(ctx); err != nil && !errors.As(err, &unsent) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for who, st := range w.streams {
		say("got %d %d", who, st.in.got)
	}
	say("end")
	return nil
}

// serve takes the messages of one session. The first one says whose it is.
func (w *witness) serve(s *netasync.Session) {
	var st *stream
	for {
		ev, err := s.Recv(context.Background())
		if err != nil {
			return
		}
		switch {
		case ev.Kind == netasync.Closed && st != nil:
			say("closed %d %v", st.out.stream, ev.Err)
		case ev.Kind != netasync.Message:
		default:
			if st == nil {
				st = w.stream(ev.Payload[0])
				go st.talk(s)
			}
			w.mu.Lock()
			err := st.in.take(ev.Payload)
			w.mu.Unlock()
			if err != nil {
				say("violation %v", err)
			}
		}
	}
}

func (w *witness) stream(who byte) *stream {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams[who] == nil {
		w.streams[who] = &stream{out: talker{stream: who}}
	}
	return w.streams[who]
}

// talk talks to a session until it ends, or says one word to one that is to be idle.
func (st *stream) talk(s *netasync.Session) {
	st.turn.Lock()
	defer st.turn.Unlock()
	if mode(st.out.stream)%modes == idleMode {
		_ = st.out.say(context.Background(), s)
		return
	}
	st.out.chat(context.Background(), s)
}
