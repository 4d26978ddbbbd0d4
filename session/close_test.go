package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// countingDialer counts how often it is kicked and stopped.
type countingDialer struct {
	*fakeDialer
	kicked, stopped int
}

func (d *countingDialer) Kick() { d.kicked++ }
func (d *countingDialer) Stop() { d.stopped++ }

// graceful are the ways to end a session gracefully.
var graceful = map[string]func(*Session){
	"Close":            func(s *Session) { _ = s.Close() },
	"close(WriteChan)": func(s *Session) { close(s.WriteChan()) },
}

// dialedWithout returns a dialed session without a connection: before its first, or after an
// outage.
func dialedWithout(t *testing.T, first bool) (*Session, *countingDialer) {
	s, fake := newFake(t, false, nil)
	d := &countingDialer{fakeDialer: fake}
	Drive(s).Dial(d)
	require.True(t, s.dialing())
	if !first {
		s.attach(newFakeLink(unbounded), 0).End(errCut)
		<-d.redials
	}
	return s, d
}

// A dialed session that is closing, has no connection and holds messages goes on dialing, at
// once, and flushes when it has a connection within Linger.
func TestGracefulEndFlushesAcrossAnOutage(t *testing.T) {
	for name, endIt := range graceful {
		for _, first := range []bool{true, false} {
			for _, attempts := range []int{0, 3} { // that fail before one succeeds
				t.Run(fmt.Sprint(name, first, attempts), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s, d := dialedWithout(t, first)
						require.NoError(t, s.Send(t.Context(), []byte("one")))
						if name != "Close" {
							s.WriteChan() <- []byte("two")
						} else {
							require.NoError(t, s.Send(t.Context(), []byte("two")))
						}
						endIt(s)
						synctest.Wait()
						require.Equal(t, 1, d.kicked, "the wait under way is cut short")
						require.ErrorIs(t, s.TrySend([]byte("late")), ErrClosed)
						for range attempts {
							require.True(t, s.dialing())
							s.dialFailed(errCut)
							time.Sleep(s.cfg.Linger / 4)
						}
						require.True(t, s.dialing())
						link := newFakeLink(unbounded)
						s.attach(link, 0)
						synctest.Wait()
						require.Equal(t, testkit.Frames("one", "two"), link.written())
						require.Equal(t, StateClosed, s.State())
						require.Equal(t, Event{Kind: Closed, Epoch: s.epoch}, last(t, s))
						require.False(t, s.dialing())
					})
				})
			}
		}
	}
}

// When no connection comes within Linger, Closed tells exactly how many messages were lost.
func TestLingerEndsWithoutAConnection(t *testing.T) {
	for name, endIt := range graceful {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprint(name, first), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, _ := dialedWithout(t, first)
					w := s.WriteChan()
					for range 3 {
						require.NoError(t, s.Send(t.Context(), []byte("m")))
						w <- []byte("m")
					}
					begin := time.Now()
					endIt(s)
					synctest.Wait()
					s.dialFailed(errCut)
					<-s.Done()
					require.Equal(t, s.cfg.Linger, time.Since(begin))
					ev := last(t, s)
					require.Equal(t, 6, ev.Queued)
					require.ErrorIs(t, ev.Err, ErrLinger)
					require.ErrorIs(t, ev.Err, errCut, "why there was no connection")
				})
			})
		}
	}
}

// Without messages there is nothing to wait for.
func TestCloseWithoutMessagesNeedsNoConnection(t *testing.T) {
	for name, endIt := range graceful {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprint(name, first), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, _ := dialedWithout(t, first)
					begin := time.Now()
					endIt(s)
					<-s.Done()
					require.Zero(t, time.Since(begin))
					require.Equal(t, Event{Kind: Closed, Epoch: s.epoch}, last(t, s))
				})
			})
		}
	}
}

// A heartbeat that could not be sent is no message.
func TestCloseDoesNotWaitForAHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		s.dialing()
		c := s.attach(newFakeLink(0), 0)
		time.Sleep(s.cfg.HeartbeatPeriod)
		synctest.Wait()
		require.False(t, s.out.empty(), "a heartbeat is under way")
		c.End(errCut)
		synctest.Wait()
		require.NoError(t, s.Close())
		require.Equal(t, StateClosed, s.State())
	})
}

// Nor is one that waits when the connection breaks: the session ends with the reason, and dials no
// more.
func TestAHeartbeatIsNotFlushedAcrossAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newFake(t, true, nil)
		s.dialing()
		conn := s.attach(newFakeLink(0), 0)
		time.Sleep(s.cfg.HeartbeatPeriod)
		synctest.Wait()
		require.NoError(t, s.Close())
		conn.End(errCut)
		synctest.Wait()
		require.Equal(t, StateClosed, s.State())
		require.Equal(t, Event{Kind: Closed, Err: errCut, Epoch: 1}, last(t, s))
		require.Empty(t, d.redials)
	})
}

// The connection breaks while the session flushes: it dials again, and what was not wholly
// written is written again, once.
func TestGracefulEndSurvivesABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := dialedWithout(t, true)
		for _, m := range []string{"one", "two", "three"} {
			require.NoError(t, s.Send(t.Context(), []byte(m)))
		}
		require.NoError(t, s.Close())
		c := s.attach(newFakeLink(len(testkit.Frames("one"))+5), 0)
		synctest.Wait()
		c.End(errCut)
		synctest.Wait()
		require.Equal(t, StateDisconnected, s.State())
		require.True(t, s.dialing())
		link := newFakeLink(unbounded)
		s.attach(link, 0)
		synctest.Wait()
		require.Equal(t, testkit.Frames("two", "three"), link.written())
		require.Equal(t, Event{Kind: Closed, Epoch: 2}, last(t, s))
	})
}

// CloseNow ends a session in every state at once, with its cause.
func TestCloseNow(t *testing.T) {
	kick := errors.New("thrown out")
	states := map[string]func(t *testing.T, s *Session){
		"connecting":   func(*testing.T, *Session) {},
		"disconnected": func(_ *testing.T, s *Session) { s.dialFailed(errCut) },
		"connected":    func(_ *testing.T, s *Session) { s.attach(newFakeLink(unbounded), 0) },
		"writing":      func(_ *testing.T, s *Session) { s.attach(newFakeLink(0), 0) },
		"closing":      func(_ *testing.T, s *Session) { _ = s.Close() },
		"flushing":     func(_ *testing.T, s *Session) { s.attach(newFakeLink(0), 0); _ = s.Close() },
		"outage":       func(_ *testing.T, s *Session) { s.attach(newFakeLink(0), 0).End(errCut) },
		"goodbye": func(t *testing.T, s *Session) {
			link := newFakeLink(unbounded)
			s.attach(&goodbyeLink{link, link.awaitClose}, 0)
			_ = s.Close()
			synctest.Wait()
			require.Equal(t, goodbye, s.phase)
		},
	}
	for name, arrange := range states {
		for _, cause := range []error{nil, kick} {
			for _, withChan := range []bool{false, true} {
				t.Run(fmt.Sprint(name, cause, withChan), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s, _ := dialedWithout(t, true)
						if withChan {
							s.WriteChan() <- []byte("held")
							synctest.Wait()
						}
						require.NoError(t, s.Send(t.Context(), []byte("held")))
						arrange(t, s)
						synctest.Wait()
						begin := time.Now()
						s.CloseNow(cause)
						s.CloseNow(errCut) // the first counts
						<-s.Done()
						require.Zero(t, time.Since(begin))
						ev := last(t, s)
						require.Equal(t, cause, ev.Err)
						st := s.Stats()
						held := 1
						if withChan {
							held = 2
						}
						require.Equal(t, held, int(st.Sent)+ev.Queued)
						require.ErrorIs(t, s.TrySend([]byte("late")), ErrClosed)
					})
				})
			}
		}
	}
	t.Run("closed", func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		s.attach(newFakeLink(unbounded), 0)
		s.CloseNow(nil)
		s.CloseNow(kick)
		require.NoError(t, last(t, s).Err)
	})
}

// last returns the last event of a session that ends, which is Closed.
func last(t *testing.T, s *Session) (ev Event) {
	t.Helper()
	for {
		next, err := s.Recv(context.Background())
		if errors.Is(err, io.EOF) {
			require.Equal(t, Closed, ev.Kind)
			return ev
		}
		require.NoError(t, err)
		ev = next
	}
}

// stubborn is a link whose Close does not free a blocked Write at once.
type stubborn struct {
	*fakeLink
	release chan struct{}
}

func (l *stubborn) Write([][]byte, bool) (int, error) { <-l.release; return 0, errCut }

// What remains to be sent is known when the writer has returned, and not before.
func TestEndsWaitForTheWriter(t *testing.T) {
	for name, end := range map[string]func(*Session){
		"Close":    func(s *Session) { _ = s.Close() },
		"CloseNow": func(s *Session) { s.CloseNow(errCut) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newFake(t, false, nil)
				link := &stubborn{newFakeLink(0), make(chan struct{})}
				conn := s.attach(link, 0)
				go func() { _ = s.Send(context.Background(), []byte("x")) }()
				synctest.Wait()
				conn.End(errCut)
				end(s)
				synctest.Wait()
				require.NotEqual(t, StateClosed, s.State(), "what remains is not known yet")
				close(link.release)
				synctest.Wait()
				require.Equal(t, StateClosed, s.State())
				recv(t, s)
				require.Equal(t, 1, recv(t, s).Queued)
			})
		})
	}
}

// A session that has closed dials no more, and RetryNow does nothing while an attempt is under way.
func TestCloseStopsDialing(t *testing.T) {
	s, fake := newFake(t, false, nil)
	d := &countingDialer{fakeDialer: fake}
	Drive(s).Dial(d)
	s.RetryNow()
	require.Zero(t, d.kicked)
	require.NoError(t, s.Close())
	require.Equal(t, 1, d.stopped)
}
