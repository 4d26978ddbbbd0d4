package session

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// withHello returns a dialed session that introduces itself by these words on each connection.
func withHello(t *testing.T, hello func(uint64) [][]byte, more ...func(*Config)) (*Session, *fakeDialer) {
	return newFake(t, true, func(c *Config) {
		c.Hello = hello
		for _, change := range more {
			change(c)
		}
	})
}

// outbound returns what Stats say of messages to the peer.
func outbound(s *Session) (sent uint64, queued int) {
	st := s.Stats()
	return st.Sent, st.Queued
}

// The first words of each connection go before what is queued, and count nowhere.
func TestHelloGoesFirst(t *testing.T) {
	for name, buffer := range map[string]Buffer{"fixed": Fixed(2), "sliding": Sliding(2), "dropping": Dropping(2)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var epochs []uint64
				large := make([]byte, copyLimit+1)
				s, dialer := withHello(t, func(epoch uint64) [][]byte {
					epochs = append(epochs, epoch)
					return [][]byte{[]byte("I am"), large, []byte("here")}
				}, func(c *Config) { c.WriteBuffer = buffer })
				hello := testkit.Frames("I am", string(large), "here")
				send(t, s, "a", "b")
				for epoch := range 3 {
					s.dialing()
					link := newFakeLink(unbounded)
					conn := s.attach(link, 0)
					synctest.Wait()
					want := hello
					if epoch == 0 {
						want = append(want[:len(want):len(want)], testkit.Frames("a", "b")...)
					}
					require.Equal(t, string(want), string(link.written()))
					conn.End(errCut)
					<-dialer.redials
				}
				require.Equal(t, []uint64{1, 2, 3}, epochs)
				sent, queued := outbound(s)
				require.EqualValues(t, 2, sent)
				require.Zero(t, queued)
				require.EqualValues(t, 2, s.Stats().SentBytes)
				require.Zero(t, s.Stats().Dropped)
				s.CloseNow(nil)
			})
		})
	}
}

// At every byte where a connection can break: the next begins with its own first words, whole, and
// what was queued is sent once.
func TestHelloIsNotSentAgain(t *testing.T) {
	all := testkit.Frames("hello 1", "word", "m")
	for cut := range len(all) {
		synctest.Test(t, func(t *testing.T) {
			s, dialer := withHello(t, func(epoch uint64) [][]byte {
				return payloads("hello "+string(rune('0'+epoch)), "word")
			})
			send(t, s, "m")
			s.dialing()
			first := newFakeLink(cut)
			conn := s.attach(first, 0)
			synctest.Wait()
			require.Equal(t, string(all[:cut]), string(first.written()))
			_, queued := outbound(s)
			require.Equal(t, 1, queued)
			conn.End(errCut)
			<-dialer.redials
			s.dialing()
			second := newFakeLink(unbounded)
			s.attach(second, 0)
			synctest.Wait()
			require.Equal(t, string(testkit.Frames("hello 2", "word", "m")), string(second.written()))
			sent, queued := outbound(s)
			require.EqualValues(t, 1, sent)
			require.Zero(t, queued)
			s.CloseNow(nil)
		})
	}
}

// While Hello thinks, nothing is written, whatever is sent by whatever way; and the function may use
// the session.
func TestNothingOvertakesHello(t *testing.T) {
	for _, inline := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			think := make(chan struct{})
			var s *Session
			s, _ = withHello(t, func(uint64) [][]byte {
				require.Equal(t, StateConnected, s.State())
				require.NoError(t, s.TrySend([]byte("from hello")))
				<-think
				return payloads("hello")
			}, func(c *Config) {
				if c.Inline = inline; inline {
					c.OnEvent = func(s *Session, ev Event) { _ = s.Send(context.Background(), []byte("callback")) }
				}
			})
			s.dialing()
			link := newFakeLink(unbounded)
			conn := s.attach(link, 0)
			conn.Start(true)
			synctest.Wait()
			send(t, s, "sent")
			s.WriteChan() <- []byte("put")
			synctest.Wait()
			time.Sleep(2 * s.cfg.HeartbeatPeriod) // a heartbeat is due
			require.Empty(t, link.written())
			require.False(t, conn.HoldWriting(), "nor does the link move")
			close(think)
			require.NoError(t, s.Flush(t.Context()))
			require.Equal(t, string(testkit.Frames("hello")), string(link.written()[:9]))
			s.CloseNow(nil)
		})
	}
}

// With AwaitPeer, they go when the peer was heard.
func TestHelloAwaitsPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s, _ := withHello(t, func(uint64) [][]byte { calls++; return payloads("hello") },
			func(c *Config) { c.AwaitPeer = true })
		s.dialing()
		link := newFakeLink(unbounded)
		conn := s.attach(link, 0)
		send(t, s, "m")
		synctest.Wait()
		require.Zero(t, calls)
		_, _, err := conn.Feed(testkit.Frames(""), false)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, calls)
		require.Equal(t, testkit.Frames("hello", "m"), link.written())
		s.CloseNow(nil)
	})
}

// First words that cannot be sent end the connection, with nothing written; none at all are fine.
func TestHelloThatCannotBeSent(t *testing.T) {
	for name, c := range map[string]struct {
		words [][]byte
		err   error
	}{
		"empty":     {payloads("a", ""), ErrEmptyMessage},
		"too large": {[][]byte{make([]byte, 101)}, ErrFrameTooLarge},
		"none":      {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dialer := withHello(t, func(uint64) [][]byte { return c.words }, func(c *Config) { c.MaxPayload = 100 })
				send(t, s, "m")
				s.dialing()
				link := newFakeLink(unbounded)
				s.attach(link, 0)
				synctest.Wait()
				require.Equal(t, Connected, recv(t, s).Kind)
				if c.err == nil {
					require.Equal(t, testkit.Frames("m"), link.written())
				} else {
					ev := recv(t, s)
					require.Equal(t, Disconnected, ev.Kind)
					require.ErrorIs(t, ev.Err, c.err)
					require.ErrorContains(t, ev.Err, "Hello")
					require.Equal(t, 1, ev.Queued)
					require.Empty(t, link.written())
					require.True(t, link.closed)
					<-dialer.redials
				}
				s.CloseNow(nil)
				<-s.Done()
			})
		})
	}
}

// Ends while Hello is at work, and while it is being written.
func TestHelloAndTheEnds(t *testing.T) {
	for _, written := range []int{-1, 0, 5} {
		for name, end := range map[string]func(*Session, *Conn){
			"CloseNow": func(s *Session, _ *Conn) { s.CloseNow(errCut) },
			"a loss":   func(s *Session, c *Conn) { c.End(errCut) },
			"Close":    func(s *Session, _ *Conn) { _ = s.Close() },
		} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					think := make(chan struct{})
					if written >= 0 {
						close(think)
					}
					s, _ := withHello(t, func(uint64) [][]byte { <-think; return payloads("hello") })
					s.dialing()
					link := newFakeLink(max(written, 0))
					conn := s.attach(link, 0)
					synctest.Wait()
					end(s, conn)
					synctest.Wait()
					if written < 0 {
						require.NotEqual(t, StateClosed, s.State())
						close(think)
					}
					synctest.Wait()
					if name == "Close" {
						link.allow(unbounded)
						<-s.Done()
						require.Equal(t, testkit.Frames("hello"), link.written())
						return
					}
					require.True(t, s.out.empty())
					s.CloseNow(nil)
					<-s.Done()
				})
			})
		}
	}
}
