package resume

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// way is a way to consume a session.
type way int

const (
	byChannels way = iota // ReadChan, WriteChan
	byRecv                // Recv, Send
	byEvents              // a loop over Events, SendBatch
	byCallback            // OnEvent, TrySend where there is room
	byInline              // OnEvent with Inline, Send
	ways
)

func (w way) String() string {
	return [...]string{"channels", "recv", "events", "callback", "inline"}[w]
}

// called reports whether the session's events come by OnEvent.
func (w way) called() bool { return w >= byCallback }

// end is one end of a session, which talks, and takes what the other end says.
type end struct {
	way
	name    string
	wrong   func(format string, args ...any)
	seen    func(ev netasync.Event) // of each event but messages, if it is set
	raw     func(m []byte)          // gets messages, and nothing looks whether they follow on each other
	restart bool                    // a connection may begin anew, and the other end closes whenever it likes
	lost    int                     // of those, and of the end. The consumer's
	session chan *netasync.Session  // cap 1: the first that shows up
	closed  chan netasync.Event     // cap 1: the last event

	ends atomic.Bool  // the session may close while it talks
	said atomic.Int64 // messages that were given to the session
	got  atomic.Int64 // messages that have come
	back atomic.Int64 // connections that went on

	in testkit.Sequence  // the consumer's
	s  *netasync.Session // the consumer's
	up bool              // the consumer's
}

func newEnd(name string, w way, wrong func(string, ...any)) *end {
	return &end{
		way: w, name: name, wrong: wrong, session: make(chan *netasync.Session, 1), closed: make(chan netasync.Event, 1),
	}
}

// consume takes a session's events, unless they come by OnEvent.
func (e *end) consume(s *netasync.Session) {
	ctx := context.Background()
	switch e.way {
	case byChannels:
		for ev := range s.ReadChan() {
			e.event(s, ev)
		}
	case byRecv:
		for ev, err := s.Recv(ctx); err == nil; ev, err = s.Recv(ctx) {
			e.event(s, ev)
		}
	case byEvents:
		for ev := range s.Events(ctx) {
			e.event(s, ev)
		}
	}
}

// event takes an event. All must be of one session, and go on from one connection to the next.
func (e *end) event(s *netasync.Session, ev netasync.Event) {
	if e.s == nil {
		e.s = s
		e.session <- s
	}
	if e.s != s {
		e.wrong("%s: a second session: %v %v", e.name, ev.Kind, ev.Err)
		return
	}
	if ev.Kind != netasync.Message && e.seen != nil {
		e.seen(ev)
	}
	switch ev.Kind {
	case netasync.Message:
		if e.raw != nil {
			e.raw(ev.Payload)
			return
		}
		if err := e.in.Take(ev.Payload); err != nil {
			e.wrong("%s: epoch %d: %v", e.name, ev.Epoch, err)
		}
		e.got.Store(int64(e.in.Next()))
	case netasync.Connected:
		if e.restart && !ev.Resumed {
			e.lost += int(ev.Lost)
			e.in = testkit.Sequence{}
			return
		}
		if e.up || ev.Resumed != (ev.Epoch > 1) || ev.Lost != 0 {
			e.wrong("%s: connected %v: epoch %d, resumed %v, lost %d", e.name, e.up, ev.Epoch, ev.Resumed, ev.Lost)
		}
		if e.up = true; ev.Resumed {
			e.back.Add(1)
		}
	case netasync.Disconnected:
		e.up = false
		if badEnd(ev.Err) {
			e.wrong("%s: epoch %d ended by %v", e.name, ev.Epoch, ev.Err)
		}
	case netasync.Closed:
		e.closed <- ev
	}
}

// badEnd reports whether an error says that the other end has said what it never does.
func badEnd(err error) bool {
	return errors.Is(err, netasync.ErrFrameTooLarge) || errors.Is(err, netasync.ErrBadHeader) ||
		errors.Is(err, netasync.ErrBadAck) || errors.Is(err, netasync.ErrNotResumable)
}

// mayEnd reports whether the other end closes whenever it likes.
func (e *end) mayEnd() bool { return e.restart || e.ends.Load() }

// size returns how large the next message is: most are small, and few are huge.
func size(rng *rand.Rand) int {
	switch n := rng.IntN(300); {
	case n == 0:
		return 100<<10 + rng.IntN(200<<10)
	case n < 5:
		return 8<<10 + rng.IntN(60<<10)
	case n < 40:
		return 200 + rng.IntN(8<<10)
	}
	return testkit.MinNumbered + rng.IntN(200)
}

// talk sends messages until ctx ends.
func (e *end) talk(ctx context.Context, s *netasync.Session, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, uint64(e.way)))
	for i := 0; ctx.Err() == nil; i = int(e.said.Load()) {
		batch := [][]byte{testkit.Numbered(i, size(rng))}
		if e.way == byEvents {
			for range rng.IntN(20) {
				batch = append(batch, testkit.Numbered(i+len(batch), testkit.MinNumbered+rng.IntN(300)))
			}
		}
		n, err := e.send(ctx, s, batch)
		e.said.Add(int64(n))
		if e.mayEnd() && errors.Is(err, netasync.ErrClosed) {
			return
		}
		if err != nil && ctx.Err() == nil {
			e.wrong("%s: message %d: %v", e.name, i, err)
			return
		}
		if rng.IntN(50) == 0 {
			time.Sleep(time.Duration(rng.IntN(3)) * time.Millisecond)
		}
	}
}

func (e *end) send(ctx context.Context, s *netasync.Session, batch [][]byte) (int, error) {
	switch e.way {
	case byChannels:
		select {
		case s.WriteChan() <- batch[0]:
			return 1, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	case byEvents:
		return s.SendBatch(ctx, batch)
	case byCallback:
		if s.TrySend(batch[0]) == nil {
			return 1, nil
		}
	}
	if err := s.Send(ctx, batch[0]); err != nil {
		return 0, err
	}
	return 1, nil
}

// wrongs gathers what goes wrong in all goroutines of a test.
type wrongs struct {
	mu    sync.Mutex
	texts []string
	count int
}

func (w *wrongs) add(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count++; w.count <= 10 {
		w.texts = append(w.texts, fmt.Sprintf(format, args...))
	}
}

func (w *wrongs) check(t testing.TB) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Zero(t, w.count, "%s", bytes.Join(quote(w.texts), []byte("\n")))
}

func quote(texts []string) (all [][]byte) {
	for _, s := range texts {
		all = append(all, []byte(s))
	}
	return all
}

// talking talks until the function that it returns is called.
func (e *end) talking(s *netasync.Session) (hush func()) {
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() { defer close(over); e.talk(ctx, s, 1) }()
	return func() { cancel(); <-over }
}
