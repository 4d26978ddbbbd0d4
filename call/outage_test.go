package call_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/internal/testkit"
)

// A plain session: what was sent when its connection broke is lost, at once, and the handler's context ends.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		w := newWorld(t, setting{handle: g.handle})
		r := async(t.Context(), w.client, "x")
		<-g.began
		begin := time.Now()
		w.link.Cut(errBoom)
		err := (<-r).err
		require.ErrorIs(t, err, call.ErrLost)
		require.ErrorIs(t, err, errBoom)
		require.NotErrorIs(t, err, netasync.ErrClosed)
		require.Equal(t, context.Canceled, <-g.ended)
		require.Zero(t, time.Since(begin))

		r = async(t.Context(), w.client, "again")
		require.Equal(t, "again", <-g.began)
		g.open <- struct{}{}
		require.Equal(t, "re again", (<-r).reply)
		w.end()
	})
}

// What was not sent goes out on the next connection, and is not lost, nor is what was cut within.
func TestNotSentYet(t *testing.T) {
	for name, unsent := range map[string]bool{"queued": true, "cut within": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate()
				w := newWorld(t, setting{handle: g.handle})
				require.NoError(t, w.session.WaitConnected(t.Context()))
				synctest.Wait()
				if unsent {
					w.link.Vanish()
					w.link.Buffer(1)
				} else {
					w.link.To("server").CutAfter(20)
				}
				a := async(t.Context(), w.client, "a")
				synctest.Wait()
				b := async(t.Context(), w.client, "b")
				synctest.Wait()
				w.link.Heal()
				w.link.Buffer(0)
				if unsent {
					w.link.Cut(nil)
				}
				first, second := <-g.began, <-g.began
				require.ElementsMatch(t, []string{"a", "b"}, []string{first, second})
				g.open <- struct{}{}
				g.open <- struct{}{}
				require.Equal(t, result{reply: "re a"}, <-a)
				require.Equal(t, result{reply: "re b"}, <-b)
				require.Empty(t, g.began)
				w.end()
			})
		})
	}
}

// Some requests of a connection that breaks are sent, some are not: each has the error, or the reply, that
// is due to it.
func TestSomeWereSent(t *testing.T) {
	for name, down := range map[string]netasync.WhileDown{"queue": netasync.Queue, "refuse": netasync.Refuse} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate()
				w := newWorld(t, setting{connect: netasync.ConnectOptions{WhileDown: down}, handle: g.handle})
				require.NoError(t, w.session.WaitConnected(t.Context()))
				synctest.Wait()
				w.link.To("server").Buffer(100) // three requests of 31 bytes, and a part
				w.link.To("server").Latency(time.Hour, 0)
				var calls []<-chan result
				for range 6 {
					calls = append(calls, async(t.Context(), w.client, "x"))
					synctest.Wait()
				}
				require.EqualValues(t, 3, w.session.Stats().Sent)
				w.link.Cut(nil)
				w.link.To("server").Latency(0, 0)
				w.link.To("server").Buffer(0)
				for _, r := range calls[:3] {
					require.ErrorIs(t, (<-r).err, call.ErrLost)
				}
				if down == netasync.Queue {
					for range 3 {
						g.open <- struct{}{}
					}
				}
				for _, r := range calls[3:] {
					if down == netasync.Refuse {
						require.Equal(t, netasync.ErrNotConnected, (<-r).err)
					} else {
						require.NoError(t, (<-r).err)
					}
				}
				synctest.Wait()
				require.Len(t, g.began, 3-3*int(down))
				w.end()
			})
		})
	}
}

// FailFast, and WhileDown: Refuse, let a call end at once without a connection, whatever it waits for.
func TestFailFast(t *testing.T) {
	for name, s := range map[string]setting{
		"FailFast":            {client: call.Options{FailFast: true, MaxCalls: 5}},
		"Refuse":              {connect: netasync.ConnectOptions{WhileDown: netasync.Refuse}, client: call.Options{MaxCalls: 5}},
		"FailFast and Resume": setting{client: call.Options{FailFast: true, MaxCalls: 5}}.resumable(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				g := newGate()
				s.handle = g.handle
				s.connect.WriteBuffer = netasync.Fixed(2)
				w := newWorld(t, s)
				synctest.Wait()
				w.net.Refuse("server", errBoom)
				w.link.Cut(nil)
				synctest.Wait()
				for range 10 {
					_, err := w.client.Call(t.Context(), nil)
					require.Equal(t, netasync.ErrNotConnected, err)
				}
				w.net.Refuse("server", nil)
				require.NoError(t, w.session.WaitConnected(t.Context()))
				synctest.Wait()
				begin = begin.Add(10 * time.Millisecond) // the back-off
				require.False(t, time.Now().Before(begin))

				// The link is full, then the buffer, then the places. Some wait for each.
				w.link.To("server").Buffer(30)
				w.link.To("server").Latency(time.Hour, 0)
				var calls []<-chan result
				for range 10 {
					calls = append(calls, async(t.Context(), w.client, "a request"))
				}
				synctest.Wait()
				w.net.Refuse("server", errBoom)
				now := time.Now()
				w.link.Cut(nil)
				synctest.Wait()
				require.Zero(t, time.Since(now))
				count := 0
				for _, r := range calls {
					select {
					case r := <-r:
						require.ErrorIs(t, r.err, netasync.ErrNotConnected)
						count++
					default: // it waits for the next connection, in WriteBuffer
					}
				}
				want := map[string]int{"FailFast": 7, "Refuse": 5, "FailFast and Resume": 7}[name]
				require.GreaterOrEqual(t, count, want)
				w.end()
			})
		})
	}
}

// With Resume a call survives outages at any time: before it is sent, while it is handled, and while the
// reply is on its way.
func TestResumedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		w := newWorld(t, setting{handle: g.handle, answer: g.handle}.resumable())
		server := <-w.servers
		for _, p := range []*call.Peer{w.client, server} {
			synctest.Wait()
			w.link.Cut(nil)
			r := async(t.Context(), p, "x")
			require.Equal(t, "x", <-g.began)
			for range 3 {
				w.link.Cut(nil)
				time.Sleep(time.Second)
			}
			require.Empty(t, g.ended)
			w.link.Vanish()
			g.open <- struct{}{}
			synctest.Wait()
			w.link.Cut(nil)
			w.link.Heal()
			require.Equal(t, result{reply: "re x"}, <-r)
		}
		require.Empty(t, g.began)
		w.end()
	})
}

// A server that was started anew knows nothing of the session: calls that it may have had are lost, others go
// to the new one, and handlers that worked for the old one find their contexts ended.
func TestNotResumed(t *testing.T) {
	for name, s := range map[string]setting{"plain": {}, "resume": setting{}.resumable()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate()
				s.handle, s.answer = g.handle, g.handle
				w := newWorld(t, s)
				server := <-w.servers
				there, back := async(t.Context(), w.client, "there"), async(t.Context(), server, "back")
				<-g.began
				<-g.began
				w.link.Cut(nil)
				_ = w.engines[1].Shutdown(canceled(t))
				require.ErrorIs(t, (<-back).err, call.ErrLost)
				require.ErrorIs(t, <-g.ended, context.Canceled)
				later := async(t.Context(), w.client, "later")
				synctest.Wait()
				w.engines = append(w.engines, w.net.Engine("server", netasync.EngineOptions{}))
				w.listen(w.engines[2], s)
				err := (<-there).err
				require.ErrorIs(t, err, call.ErrLost)
				require.NotErrorIs(t, err, netasync.ErrClosed)
				require.ErrorIs(t, <-g.ended, context.Canceled)
				require.Equal(t, "later", <-g.began)
				g.open <- struct{}{}
				require.Equal(t, result{reply: "re later"}, <-later)
				require.Empty(t, g.began)
				w.end()
			})
		})
	}
}

// Close, and an engine's Shutdown, end calls: what was sent is lost, the rest is ErrClosed.
func TestCloseDuringCalls(t *testing.T) {
	for name, end := range map[string]func(w *world) error{
		"Close":    func(w *world) error { return w.client.Close() },
		"CloseNow": func(w *world) error { w.session.CloseNow(errBoom); return nil },
		"Shutdown": func(w *world) error { return w.engines[0].Shutdown(testkit.Context(w.t)) },
	} {
		for _, resume := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newGate()
					s := setting{handle: g.handle, answer: g.handle, client: call.Options{MaxCalls: 2}}
					if resume {
						s = s.resumable()
					}
					w := newWorld(t, s)
					sent := async(t.Context(), w.client, "sent")
					<-g.began
					back := async(t.Context(), <-w.servers, "back")
					<-g.began
					w.link.To("server").Buffer(1)
					w.link.Vanish()
					unsent := async(t.Context(), w.client, "unsent")
					synctest.Wait()
					waits := async(t.Context(), w.client, "waits")
					synctest.Wait()
					err := end(w)
					if name != "Shutdown" {
						require.NoError(t, err)
					}
					require.ErrorIs(t, (<-sent).err, call.ErrLost)
					for _, r := range []<-chan result{unsent, waits} {
						err := (<-r).err
						require.ErrorIs(t, err, netasync.ErrClosed)
						require.False(t, errors.Is(err, call.ErrLost) && !resume, "%v", err)
					}
					_, err = w.client.Call(t.Context(), nil)
					require.ErrorIs(t, err, netasync.ErrClosed)
					require.NotErrorIs(t, err, call.ErrLost)
					w.link.Heal()
					w.link.Cut(io.EOF)
					_ = w.engines[1].Shutdown(canceled(t))
					require.ErrorIs(t, (<-back).err, call.ErrLost)
					synctest.Wait()
					require.Len(t, g.ended, 2)
					w.end()
				})
			})
		}
	}
}
