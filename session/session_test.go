package session

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// At every byte where a connection can break: what was wholly written is never
// sent again, what was partly written is sent again whole, and first.
func TestBreakAtEveryByte(t *testing.T) {
	large := string(bytes.Repeat([]byte("x"), copyLimit+1)) // goes by reference
	messages := []string{"one", "two", large, "three"}
	all := testkit.Frames(messages...)
	var cuts []int
	for cut := range len(all) {
		if cut < 20 || cut > len(all)-12 || cut%1000 == 0 {
			cuts = append(cuts, cut)
		}
	}
	for _, cut := range cuts {
		synctest.Test(t, func(t *testing.T) {
			s, dialer := newFake(t, true, nil)
			for _, m := range messages {
				require.NoError(t, s.Send(t.Context(), []byte(m)))
			}
			require.True(t, s.dialing())
			first := newFakeLink(cut)
			r := s.attach(first)
			require.Equal(t, Connected, recv(t, s).Kind)
			synctest.Wait()
			require.Equal(t, string(all[:cut]), string(first.written()))
			r.End(errCut)
			synctest.Wait()

			whole, rest := 0, all
			for whole < len(messages) && len(all)-len(rest)+4+len(messages[whole]) <= cut {
				rest = rest[4+len(messages[whole]):]
				whole++
			}
			ev := recv(t, s)
			require.Equal(t, Event{Kind: Disconnected, Err: errCut, Epoch: 1, Queued: len(messages) - whole}, ev)
			require.False(t, <-dialer.redials)

			require.True(t, s.dialing())
			second := newFakeLink(unbounded)
			s.attach(second)
			synctest.Wait()
			require.Equal(t, string(rest), string(second.written()), "cut at %d", cut)
			require.EqualValues(t, len(messages), s.Stats().Sent)
			s.CloseNow(errCut)
		})
	}
}

// A late word from an old connection changes nothing.
func TestLateCompletionsAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		s.dialing()
		old := s.attach(newFakeLink(unbounded))
		require.Equal(t, Connected, recv(t, s).Kind)
		_, _, err := old.Feed(testkit.Frames("first")[:6], false)
		require.NoError(t, err)
		old.End(errCut)
		require.Equal(t, Disconnected, recv(t, s).Kind)
		s.dialing()
		now := s.attach(newFakeLink(unbounded))
		_, _, err = old.Feed(testkit.Frames("first")[6:], false)
		require.NoError(t, err)
		old.End(io.EOF)
		_, _, err = now.Feed(testkit.Frames("second"), false)
		require.NoError(t, err)
		require.Equal(t, Connected, recv(t, s).Kind)
		require.Equal(t, "second", string(recv(t, s).Payload))
		require.Equal(t, StateConnected, s.State())
		s.CloseNow(errCut)
	})
}

// While we hold back, the acknowledgements of the peer's host prove life, and
// their absence ends the connection: a peer that vanished is found.
func TestVanishedPeerIsFoundWhileWeHoldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, func(c *Config) { c.ReadBuffer = Fixed(1) })
		s.dialing()
		link := newFakeLink(unbounded)
		r := s.attach(link)
		go func() {
			rest, _, _ := r.Feed(testkit.Frames("a", "b", "c"), false)
			require.NotEmpty(t, rest)
			r.Wait() // nobody consumes
		}()
		link.beat(Pulse{Data: time.Hour, Ack: 500 * time.Millisecond, Unread: true, Unanswered: true})
		time.Sleep(time.Minute)
		require.Equal(t, StateConnected, s.State(), "its host acknowledges")
		beats := len(link.written()) / len(testkit.Frames(""))
		require.InDelta(t, 60, beats, 1, "our heartbeats go on")
		link.beat(Pulse{Data: time.Hour, Ack: time.Hour, Unread: true})
		time.Sleep(time.Minute)
		require.Equal(t, StateConnected, s.State(), "its host owes us nothing")
		link.beat(Pulse{Data: time.Hour, Ack: 4 * time.Second, Unread: true, Unanswered: true})
		time.Sleep(1100 * time.Millisecond)
		require.Equal(t, StateDisconnected, s.State())
		<-dialer.redials
		for _, want := range []EventKind{Connected, Message} {
			require.Equal(t, want, recv(t, s).Kind)
		}
		require.ErrorIs(t, recv(t, s).Err, ErrHeartbeatTimeout)
		s.CloseNow(errCut)
	})
}

// Bytes that wait unread in the socket prove life, even if an event loop is
// too busy to read them; acknowledgements alone do not: a peer whose program
// hangs is stuck.
func TestLivenessIsJudgedByWhatArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		s.dialing()
		link := newFakeLink(unbounded)
		s.attach(link)
		link.beat(Pulse{Data: time.Second, Unread: true})
		time.Sleep(time.Minute)
		require.Equal(t, StateConnected, s.State())
		link.beat(Pulse{Data: time.Minute, Ack: 0})
		time.Sleep(5 * time.Second)
		require.Equal(t, StateDisconnected, s.State())
		s.CloseNow(errCut)
	})
}

// Liveness does not depend on our own writes: a peer that reads nothing but
// sends heartbeats is slow, not dead.
func TestPeerThatReadsNothingButSendsIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		s.dialing()
		link := newFakeLink(0)
		r := s.attach(link)
		require.NoError(t, s.Send(t.Context(), []byte("stuck")))
		for range 60 {
			time.Sleep(time.Second)
			_, _, err := r.Feed(testkit.Frames(""), false)
			require.NoError(t, err)
		}
		require.Equal(t, StateConnected, s.State())
		link.allow(unbounded)
		synctest.Wait()
		require.Equal(t, testkit.Frames("stuck"), link.written()[:9])
		s.CloseNow(errCut)
	})
}

// An end that the peer answers while we say goodbye is a clean one.
func TestPeersAnswerToOurGoodbyeIsNoError(t *testing.T) {
	for _, end := range []error{io.EOF, nil} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, false, nil)
			link := &goodbyeLink{fakeLink: newFakeLink(unbounded)}
			r := s.attach(link)
			link.onFinish = func() {
				if end != nil {
					r.End(end)
				}
			}
			require.NoError(t, s.Send(t.Context(), []byte("last words")))
			require.NoError(t, s.Close())
			require.Equal(t, Connected, recv(t, s).Kind)
			require.Equal(t, Event{Kind: Closed, Epoch: 1}, recv(t, s))
			_, err := s.Recv(t.Context())
			require.ErrorIs(t, err, io.EOF)
		})
	}
}

type goodbyeLink struct {
	*fakeLink
	onFinish func()
}

func (l *goodbyeLink) Finish(time.Time) { l.onFinish() }

// No wake-up is lost among many senders and a slow link.
func TestManySendersOfAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) {
			c.WriteBuffer = Fixed(2)
			c.HeartbeatTimeout = time.Hour // the peer says nothing
		})
		link := newFakeLink(0)
		s.attach(link)
		const senders, each = 20, 50
		done := make(chan error, senders)
		for range senders {
			go func() {
				for range each {
					if err := s.Send(context.Background(), []byte("m")); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		ctx, cancel := context.WithCancel(t.Context())
		var others sync.WaitGroup
		others.Go(func() { // senders that give up must not take a wake-up with them
			for ctx.Err() == nil {
				short, stop := context.WithTimeout(ctx, time.Millisecond)
				_ = s.Send(short, []byte("m"))
				stop()
			}
		})
		others.Go(func() {
			for ctx.Err() == nil {
				link.allow(5)
				time.Sleep(time.Millisecond)
			}
		})
		for range senders {
			require.NoError(t, <-done)
		}
		cancel()
		others.Wait()
		s.CloseNow(errCut)
	})
}
