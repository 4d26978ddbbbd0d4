package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// At every byte where a connection can break: what was wholly written is never sent again, what was
// partly written is sent again whole, and first.
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
			conn := s.attach(first, 0)
			require.Equal(t, Connected, recv(t, s).Kind)
			synctest.Wait()
			require.Equal(t, string(all[:cut]), string(first.written()))
			conn.End(errCut)
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
			s.attach(second, 0)
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
		old := s.attach(newFakeLink(unbounded), 0)
		require.Equal(t, Connected, recv(t, s).Kind)
		_, _, err := old.Feed(testkit.Frames("first")[:6], false)
		require.NoError(t, err)
		old.End(errCut)
		require.Equal(t, Disconnected, recv(t, s).Kind)
		s.dialing()
		now := s.attach(newFakeLink(unbounded), 0)
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

// What one connection has proved says nothing of the next.
func TestEachConnectionProvesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, nil)
		s.dialing()
		conn := s.attach(newFakeLink(unbounded), 0)
		_, _, _ = conn.Feed(testkit.Frames("proof"), false)
		conn.End(errCut)
		require.True(t, <-dialer.redials)
		s.dialing()
		s.attach(newFakeLink(unbounded), 0).End(errCut)
		require.False(t, <-dialer.redials)
		s.CloseNow(errCut)
	})
}

// A session that nobody reads stays small however often it reconnects, with every policy, and
// what is read afterwards is true: states take turns, epochs grow, the last event is the last
// state.
func TestManyReconnectsThatNobodyReads(t *testing.T) {
	reconnects := 100_000
	if raceEnabled { // sync.Pool throws away, and all is slow
		reconnects = 5_000
	}
	for name, c := range map[string]struct {
		buffer Buffer
		each   []byte // what a connection carries
	}{
		"silent":   {Fixed(128), nil},
		"fixed":    {Fixed(128), testkit.Frames("m")},
		"sliding":  {Sliding(8), testkit.Frames("a", "b", "c")},
		"dropping": {Dropping(8), testkit.Frames("a", "b", "c")},
	} {
		for _, channel := range []bool{false, true} {
			t.Run(fmt.Sprint(name, channel), func(t *testing.T) {
				s, d := newFake(t, true, func(cfg *Config) { cfg.ReadBuffer = c.buffer })
				if channel {
					s.ReadChan()
				}
				link := newFakeLink(unbounded)
				reconnect := func() {
					require.True(t, s.dialing())
					conn := s.attach(link, 0)
					rest, _, err := conn.Feed(c.each, false)
					require.NoError(t, err)
					require.True(t, len(rest) == 0 || c.buffer.Policy == PolicyFixed)
					conn.End(errCut)
					<-d.redials
				}
				for range 1000 {
					reconnect()
				}
				before := testkit.Heap()
				for range reconnects - 1000 {
					reconnect()
				}
				require.Less(t, testkit.Heap()-before, int64(256<<10), "bytes more than after 1000")
				s.CloseNow(errCut)

				connected, epoch := false, uint64(0)
				for {
					ev, err := s.Recv(t.Context())
					if errors.Is(err, io.EOF) {
						break
					}
					require.NoError(t, err)
					switch ev.Kind {
					case Connected:
						require.False(t, connected)
						require.Greater(t, ev.Epoch, epoch)
						connected, epoch = true, ev.Epoch
					case Message:
						require.True(t, connected)
						require.Equal(t, epoch, ev.Epoch)
					case Disconnected:
						require.True(t, connected)
						require.Equal(t, epoch, ev.Epoch)
						connected = false
					case Closed:
						require.False(t, connected, "the last state was an outage")
						require.EqualValues(t, reconnects, ev.Epoch)
						require.EqualValues(t, reconnects, epoch, "the last connection is told")
					}
				}
				runtime.KeepAlive(s)
			})
		}
	}
}
