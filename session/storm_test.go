package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
)

var storms = flag.Int("storms", 100, "how many sessions TestStorm makes")

// storm is one session of which everything is drawn by lot: its options, what its connections and its
// user do, and when.
type storm struct {
	t    *testing.T
	seed uint64
	s    *Session
	host forgetful
	over chan struct{} // the session is to end, or has
	work sync.WaitGroup

	mu     sync.Mutex // guards all below
	rng    *rand.Rand
	links  []*stormLink
	epochs uint32
	given  atomic.Uint64
}

func (w *storm) lot(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

func (w *storm) upTo(most time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.rng.Int64N(int64(most)))
}

func (w *storm) one(in int) bool { return w.lot(in) == 0 }

func (w *storm) pause(most time.Duration) { time.Sleep(w.upTo(most)) }

// stormMessage tells of whom it is, and the rest of it follows from that.
func stormMessage(of, seq uint32, size int) []byte {
	m := binary.BigEndian.AppendUint32(nil, of)
	m = binary.BigEndian.AppendUint32(m, seq)
	for i := range size {
		m = append(m, byte(of*7+seq*13+uint32(i)))
	}
	return m
}

func (w *storm) size() int {
	if w.one(8) {
		return copyLimit + w.lot(3*copyLimit)
	}
	return w.lot(100)
}

// send sends by one way until the session takes no more.
func (w *storm) send(of uint32) {
	way := w.lot(4)
	if of == 1 {
		way = 4
	}
	for seq := uint32(0); ; seq++ {
		m, err := stormMessage(of, seq, w.size()), error(nil)
		switch {
		case way == 4:
			select {
			case <-w.over:
				if w.one(2) {
					close(w.s.WriteChan())
				}
				return
			case w.s.WriteChan() <- m:
			}
		case way == 3:
			err = w.s.TrySend(m)
		default:
			ctx, cancel := context.WithTimeout(context.Background(), w.upTo(time.Second))
			err = w.s.Send(ctx, m)
			cancel()
		}
		switch {
		case err == nil:
			w.given.Add(1)
		case errors.Is(err, ErrClosed):
			return
		case !errors.Is(err, ErrQueueFull) && !errors.Is(err, context.DeadlineExceeded):
			w.t.Errorf("seed %d: %v", w.seed, err)
		}
		if w.one(3) {
			w.pause(200 * time.Millisecond)
		}
	}
}

// callback is OnEvent.
func (w *storm) callback(s *Session, ev Event) {
	if ev.Kind != Message {
		return
	}
	w.check(ev.Payload)
	switch w.lot(12) {
	case 0:
		w.pause(3 * time.Second)
	case 1: // another sends, and is waited for
		m := bytes.Clone(ev.Payload)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if s.Send(context.Background(), m) == nil {
				w.given.Add(1)
			}
		}()
		<-done
	default:
		if s.Send(context.Background(), ev.Payload) == nil {
			w.given.Add(1)
		}
	}
}

func (w *storm) check(m []byte) (of, seq uint32) {
	if len(m) >= 8 {
		of, seq = binary.BigEndian.Uint32(m), binary.BigEndian.Uint32(m[4:])
		if bytes.Equal(m, stormMessage(of, seq, len(m)-8)) {
			return of, seq
		}
	}
	w.t.Errorf("seed %d: a message of %d bytes was altered: %.16x", w.seed, len(m), m)
	return of, seq
}

// consume takes events until there are no more.
func (w *storm) consume(byChan bool) {
	var last EventKind
	take := func(ev Event) {
		if last == Closed {
			w.t.Errorf("seed %d: %v after closed", w.seed, ev.Kind)
		}
		last = ev.Kind
		if ev.Kind == Message {
			w.check(ev.Payload)
			if w.one(50) {
				w.pause(2 * time.Second)
			}
		}
	}
	if byChan {
		for ev := range w.s.ReadChan() {
			take(ev)
		}
	} else {
		for ev, err := w.s.Recv(context.Background()); err == nil; ev, err = w.s.Recv(context.Background()) {
			take(ev)
		}
	}
	if last != Closed && w.s.Stats().Epoch > 0 {
		w.t.Errorf("seed %d: %v is the last event", w.seed, last)
	}
}

func (w *storm) buffer() Buffer {
	return []Buffer{{}, Fixed(1), Fixed(3), Dropping(2), Sliding(2), {Bytes: 9000}}[w.lot(6)]
}

func (w *storm) options(c *Config, byCallback bool) {
	c.Host = &w.host
	c.ReadBuffer, c.WriteBuffer = w.buffer(), w.buffer()
	c.AwaitPeer, c.Greets = w.one(2), w.one(2)
	c.Linger = w.upTo(3 * time.Second)
	c.Group = new(Group)
	if w.one(2) {
		c.WriteTimeout = 1 + w.upTo(3*time.Second)
	}
	if w.one(2) {
		c.MinRate = 240
	}
	if w.one(4) {
		c.Assembly = NewAssembly(copyLimit, func(f func()) { go f() })
	}
	if w.one(2) {
		c.Log = slog.New(&told{level: slog.LevelDebug, on: func(slog.Record) { w.pause(100 * time.Millisecond) }})
	}
	if byCallback {
		c.OnEvent, c.Inline = w.callback, w.one(2)
	}
}

func (w *storm) run() {
	byCallback, dialed := w.one(2), w.one(2)
	w.s, _ = newFake(w.t, dialed, func(c *Config) { w.options(c, byCallback) })
	if dialed {
		w.s.dial = w
		w.work.Go(w.dial)
	} else {
		w.connect()
	}
	if !byCallback {
		w.work.Go(func() { w.consume(w.one(2)) })
	}
	for of := range uint32(1 + w.lot(4)) {
		if of > 0 || w.one(2) {
			w.work.Go(func() { w.send(1 + of) })
		}
	}
	life := w.upTo(15 * time.Second)
	if !dialed && w.one(2) {
		life = 5 * time.Minute // it ends with its connection
	}
	select {
	case <-time.After(life):
		require.NotEqual(w.t, 5*time.Minute, life, "seed %d: an accepted session does not end", w.seed)
	case <-w.s.Done():
	}
	close(w.over)
	if w.one(3) {
		w.s.CloseNow(errCut)
	} else {
		_ = w.s.Close()
	}
	select {
	case <-w.s.Done():
	case <-time.After(5 * time.Minute):
		w.t.Errorf("seed %d: Closed does not come: %+v %+v", w.seed, w.s.Stats(), w.s.cfg)
		panic(fmt.Sprintf("seed %d", w.seed))
	}
	w.work.Wait()
	time.Sleep(time.Minute) // lines
	synctest.Wait()
	w.verdict()
}

func (w *storm) verdict() {
	st := w.s.Stats()
	require.Equal(w.t, st.Accepted, st.Sent+uint64(st.Queued)+st.Dropped-st.DroppedInbound+st.Discarded, "seed %d: %+v", w.seed, st)
	require.Equal(w.t, w.given.Load(), st.Accepted, "seed %d: %+v", w.seed, st)
	require.EqualValues(w.t, 1, w.host.times.Load(), "seed %d: forgotten", w.seed)
	var sent uint64
	next := map[uint32]uint32{}
	for _, l := range w.links {
		payloads, _, _ := testkit.Framing(codec.Format{}).Split(l.got, codec.DefaultMaxPayload)
		for _, m := range payloads {
			if len(m) == 0 {
				continue
			}
			sent++
			of, seq := w.check(m)
			if of < 1000 {
				require.GreaterOrEqual(w.t, seq, next[of], "seed %d: a message of %d came twice or late", w.seed, of)
				next[of] = seq + 1
			}
		}
	}
	require.Equal(w.t, sent, st.Sent, "seed %d", w.seed)
}

// Whatever comes together: what is sent comes out whole, once and in order, all is accounted for, one
// at a time writes, the session ends when it is to, tells so last, and leaves nothing behind.
func TestStorm(t *testing.T) {
	for i := range *storms {
		seed := uint64(i)
		synctest.Test(t, func(t *testing.T) {
			w := &storm{t: t, seed: seed, over: make(chan struct{}), rng: rand.New(rand.NewPCG(seed, 0))}
			w.run()
		})
		if t.Failed() {
			return
		}
	}
}
