package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
)

// sized returns the n-th message, whose size up to most is the number's own.
func sized(n, most int) []byte {
	return testkit.Numbered(n, testkit.MinNumbered+int(uint64(n)*0x9e3779b97f4a7c15>>40)%most)
}

// follower checks that messages are the next ones.
type follower struct {
	t    *testing.T
	who  string
	seq  testkit.Sequence
	next atomic.Int64
}

func (f *follower) take(m []byte) {
	if err := f.seq.Take(m); err != nil {
		f.t.Errorf("%s: %v", f.who, err)
	}
	f.next.Store(int64(f.seq.Next()))
}

// The ways to consume.
const (
	byRecv = iota
	byChan
	byCallback
	byInline
	waysToConsume
)

// resumable returns a Config of a session that is consumed one way, and what consumes it.
func resumable(t *testing.T, way int, f *follower) (*Config, func(*Session)) {
	cfg := &Config{
		Start: time.Now(), HeartbeatPeriod: time.Second, HeartbeatTimeout: 4 * time.Second, Linger: time.Hour,
		MaxPayload: codec.DefaultMaxPayload, Host: fakeHost{}, Greets: true,
		Resume: true, Unacked: Buffer{Cap: 1 + rand.IntN(300), Bytes: 1 + rand.IntN(1<<20)},
		ReadBuffer: Buffer{Cap: 1 + rand.IntN(100), Bytes: 1 << 20}, WriteBuffer: Buffer{Cap: 1 + rand.IntN(100), Bytes: 1 << 20},
	}
	event := func(_ *Session, ev Event) {
		if ev.Kind == Message {
			f.take(ev.Payload)
		} else if ev.Kind == Connected && ev.Epoch > 1 && !ev.Resumed {
			t.Errorf("%s: not resumed: %+v", f.who, ev)
		}
	}
	switch way {
	case byCallback, byInline:
		cfg.OnEvent, cfg.Inline = event, way == byInline
		return cfg, func(s *Session) { <-s.Done() }
	case byChan:
		return cfg, func(s *Session) {
			for ev := range s.ReadChan() {
				event(s, ev)
			}
		}
	}
	return cfg, func(s *Session) {
		for {
			ev, err := s.Recv(context.Background())
			if err != nil {
				return
			}
			event(s, ev)
		}
	}
}

// Both ends send numbered messages of all sizes while connections are cut after any number of bytes
// and Welcomes are lost: each end receives exactly what the other one sent, once and in order.
func TestResumedSessionsLoseNothing(t *testing.T) {
	for way := range waysToConsume {
		for _, most := range []int{100, 9_000, 300_000} {
			t.Run(fmt.Sprintf("way %d, up to %d bytes", way, most), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { cutAndResume(t, way, most) })
			})
		}
	}
}

func cutAndResume(t *testing.T, way, most int) {
	messages := 20_000
	if most > 100 {
		messages = 2_000
	}
	if most > 100_000 {
		messages = 100
	}
	atNear := &follower{t: t, who: "near"}
	atFar := &follower{t: t, who: "far"}
	nearConfig, nearConsumes := resumable(t, way, atNear)
	farConfig, farConsumes := resumable(t, (way+rand.IntN(2))%waysToConsume, atFar)
	w := newResumeWorld(t, nearConfig, farConfig)
	w.plan = func() (int, int, bool) {
		least := most * rand.IntN(3)
		return least + rand.IntN(20*most), least + rand.IntN(20*most), rand.IntN(5) > 0
	}
	w.work.Go(w.dial)
	far := <-w.accepted
	w.work.Go(func() { nearConsumes(w.near) })
	w.work.Go(func() { farConsumes(far) })
	for _, s := range []*Session{w.near, far} {
		w.work.Go(func() {
			for n := range messages {
				if err := s.Send(t.Context(), sized(n, most)); err != nil {
					t.Errorf("send %d: %v", n, err)
					return
				}
			}
		})
	}
	for _, s := range []*Session{w.near, far} {
		for s.Stats().Accepted < uint64(messages) {
			time.Sleep(time.Second)
		}
		require.NoError(t, s.Flush(t.Context()))
	}
	time.Sleep(time.Minute) // a read channel takes its time
	synctest.Wait()
	require.EqualValues(t, messages, atNear.next.Load())
	require.EqualValues(t, messages, atFar.next.Load())
	w.plan = func() (int, int, bool) { return unbounded, unbounded, true }
	epoch := w.near.Stats().Epoch
	w.cut()
	for w.near.Stats().Epoch == epoch || w.near.State() != StateConnected {
		time.Sleep(time.Second)
	}
	require.NoError(t, w.near.Close())
	<-w.near.Done()
	<-far.Done()
	w.stop()
	w.work.Wait()
	for _, s := range []*Session{w.near, far} {
		st := s.Stats()
		require.Zero(t, st.Lost)
		require.Zero(t, st.Unacked)
		require.EqualValues(t, messages, st.Acked)
		require.EqualValues(t, messages, st.Received)
	}
	require.Empty(t, w.accepted, "one session only")
	t.Logf("%d connections", w.cuts)
}
