package session

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// slowLink takes everything, a millisecond a write, and nothing at once.
type slowLink struct{ *fakeLink }

func (l slowLink) Write(bufs [][]byte, wait bool) (int, error) {
	if !wait {
		return 0, nil
	}
	time.Sleep(time.Millisecond)
	return l.fakeLink.Write(bufs, wait)
}

// A Send that is called faster than the link writes keeps a flush going for ever, which the pump of
// the write channel must not be part of.
func TestWriteChanBesideSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.HeartbeatTimeout = time.Hour })
		s.attach(slowLink{newFakeLink(unbounded)}, 0)
		w := s.WriteChan()
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			time.Sleep(100 * time.Millisecond)
			w <- []byte("by the channel")
			synctest.Wait()
		}
		var taken atomic.Int64
		go func() {
			for s.Send(ctx, []byte("by Send")) == nil {
			}
		}()
		go func() {
			for ctx.Err() == nil {
				select {
				case w <- []byte("by the channel"):
					taken.Add(1)
				case <-ctx.Done():
				}
			}
		}()
		time.Sleep(time.Second)
		before := taken.Load()
		time.Sleep(time.Second)
		require.Greater(t, taken.Load(), before)
		cancel()
		synctest.Wait()
		s.CloseNow(errCut)
		close(w)
		time.Sleep(2 * time.Second)
	})
}

// burst sends until the channel takes no more, or limit messages, on a link that takes no more than
// one. It returns how many the channel took.
func burst(t *testing.T, s *Session, link *fakeLink, limit int) (taken int) {
	t.Helper()
	w := s.WriteChan()
	link.allow(len(testkit.Frames("m")))
	for ; taken < limit; taken++ {
		select {
		case w <- []byte("m"):
			synctest.Wait()
		case <-time.After(100 * time.Millisecond):
			return taken
		}
	}
	return taken
}

// A message in the channel does not wait while the write buffer has room.
func TestWriteChanUsesTheWholeBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.WriteBuffer = Fixed(10_000) })
		link := newFakeLink(0)
		s.attach(link, 0)
		require.Equal(t, 10_000, burst(t, s, link, 10_000), "accepted before the user waits")
		s.CloseNow(errCut)
		synctest.Wait()
		close(s.w.c)
	})
}

// What the channel took before the end was either sent or is said not to have been.
func TestClosedCountsWhatTheWriteChannelHeld(t *testing.T) {
	for name, end := range map[string]func(*Session){
		"linger":          func(s *Session) { _ = s.Close() },
		"at once":         func(s *Session) { s.CloseNow(errCut) },
		"linger, at once": func(s *Session) { _ = s.Close(); s.CloseNow(errCut) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newFake(t, false, func(c *Config) { c.WriteBuffer = Fixed(10) })
				link := newFakeLink(0)
				s.attach(link, 0)
				taken := burst(t, s, link, 30)
				require.Greater(t, taken, 12, "some wait in the channel")
				end(s)
				<-s.Done()
				synctest.Wait()
				require.Equal(t, Connected, recv(t, s).Kind)
				ev, st := recv(t, s), s.Stats()
				require.Equal(t, taken, int(st.Sent)+ev.Queued, "discarded: %d", st.Discarded)
				require.Equal(t, ev.Queued, s.Stats().Queued)
				close(s.w.c)
			})
		})
	}
}

// A message that WriteChan refuses needs no room, and takes none from a Send that waits.
func TestRefusedMessageDoesNotUseUpAWakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.WriteBuffer = Fixed(1) })
		link := newFakeLink(0)
		s.attach(link, 0)
		require.NoError(t, s.Send(t.Context(), []byte("x")))
		w := s.WriteChan()
		w <- nil
		synctest.Wait()
		sent := make(chan error, 1)
		go func() { sent <- s.Send(context.Background(), []byte("y")) }()
		synctest.Wait()
		link.allow(unbounded)
		synctest.Wait()
		require.Len(t, sent, 1)
		s.CloseNow(errCut)
		close(w)
	})
}

// A lossy write buffer never makes its user wait, whatever the peer does.
func TestLossyWriteChanNeverBlocks(t *testing.T) {
	for _, buffer := range []Buffer{Sliding(8), Dropping(8)} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, false, func(c *Config) { c.WriteBuffer = buffer })
			s.attach(newFakeLink(0), 0)
			w := s.WriteChan()
			for i := range 200 {
				select {
				case w <- []byte("m"):
				case <-time.After(time.Second):
					t.Fatalf("message %d waits", i)
				}
			}
			s.CloseNow(errCut)
			close(w)
		})
	}
}
