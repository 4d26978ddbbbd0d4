package call_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
)

// ledger has calls, each with a number of its own, and how often each was executed.
type ledger struct {
	t        *testing.T
	executed []atomic.Int32
	results  []error
	pause    time.Duration // of a handler, at most
}

func newLedger(t *testing.T, calls int) *ledger {
	return &ledger{t: t, executed: make([]atomic.Int32, calls), results: make([]error, calls)}
}

// handle executes a call.
func (l *ledger) handle(_ context.Context, request []byte) ([]byte, error) {
	n := binary.BigEndian.Uint64(request)
	l.executed[n].Add(1)
	if l.pause > 0 {
		time.Sleep(rand.N(l.pause))
	}
	if n%5 == 4 {
		return nil, errBoom
	}
	return append(request[:8:8], "done"...), nil
}

// call makes a call, and wants its own reply, if any.
func (l *ledger) call(ctx context.Context, p *call.Peer, n int) {
	request := append(binary.BigEndian.AppendUint64(nil, uint64(n)), make([]byte, n%300)...)
	reply, err := p.Call(ctx, request)
	var remote *call.RemoteError
	switch {
	case err == nil:
		require.Equal(l.t, string(request[:8])+"done", string(reply))
		require.NotEqual(l.t, 4, n%5)
	case errors.As(err, &remote):
		require.Equal(l.t, 4, n%5)
		err = nil
	}
	l.results[n] = err
}

// settle wants each call to have been executed as often as its result says, and returns how many were lost and
// how many were not executed.
func (l *ledger) settle() (done, lost, not int) {
	for n, err := range l.results {
		times := l.executed[n].Load()
		switch {
		case err == nil:
			require.EqualValues(l.t, 1, times, "call %d", n)
			done++
		case errors.Is(err, call.ErrLost):
			require.LessOrEqual(l.t, times, int32(1), "call %d: %v", n, err)
			lost++
		default:
			require.Zero(l.t, times, "call %d: %v", n, err)
			not++
		}
	}
	return done, lost, not
}

// kinds are the sessions that calls are made by.
var kinds = map[string]setting{
	"queue":  {},
	"refuse": {connect: netasync.ConnectOptions{WhileDown: netasync.Refuse}},
	"resume": setting{}.resumable(),
}

// The connection is cut after each byte of a conversation, in each direction. Each call has the result that
// is due to it.
func TestCutAfterEachByte(t *testing.T) {
	for name, s := range kinds {
		for _, to := range []string{"client", "server"} {
			t.Run(name+" to "+to, func(t *testing.T) {
				for cut := range 200 {
					synctest.Test(t, func(t *testing.T) {
						l := newLedger(t, 7)
						s.handle, s.answer = l.handle, l.handle
						w := newWorld(t, s)
						server := <-w.servers
						require.NoError(t, w.session.WaitConnected(t.Context()))
						synctest.Wait()
						w.link.To(to).CutAfter(cut)
						var work sync.WaitGroup
						for n := range 7 {
							p := w.client
							if n%2 == 0 {
								p = server
							}
							work.Go(func() { l.call(t.Context(), p, n) })
							synctest.Wait()
						}
						work.Wait()
						done, lost, _ := l.settle()
						if name == "resume" {
							require.Equal(t, 7, done)
						}
						if name == "queue" && to == "server" && cut < 30 { // within the client's first request
							require.LessOrEqual(t, lost, 1)
						}
						w.end()
					})
				}
			})
		}
	}
}

// Thousands of calls both ways, while each connection is cut after some bytes. Callers give up now and then.
func TestManyCuts(t *testing.T) {
	for name, s := range kinds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const calls, callers = 6000, 40
				l := newLedger(t, calls)
				l.pause = 3 * time.Millisecond
				s.handle, s.answer = l.handle, l.handle
				s.client.MaxCalls, s.server.MaxCalls = 30, 30
				w := newWorld(t, s)
				w.link.Buffer(3000)
				w.link.Latency(time.Millisecond, time.Millisecond)
				cuts, stop := 0, make(chan struct{})
				var cutting, work sync.WaitGroup
				cutting.Go(func() {
					for ; ; cuts++ {
						select {
						case <-stop:
							return
						case <-time.After(rand.N(100 * time.Millisecond)):
						}
						if rand.IntN(3) == 0 {
							w.link.Cut(nil)
						} else {
							w.link.To([]string{"client", "server"}[rand.IntN(2)]).CutAfter(rand.IntN(3000))
						}
					}
				})
				var server atomic.Pointer[call.Peer]
				server.Store(<-w.servers)
				cutting.Go(func() {
					for {
						select {
						case p := <-w.servers:
							server.Store(p)
						case <-stop:
							return
						}
					}
				})
				gaveUp := atomic.Int32{}
				for c := range callers {
					work.Go(func() {
						for n := c; n < calls; n += callers {
							p := w.client
							if c%2 == 0 {
								p = server.Load()
							}
							ctx, cancel := t.Context(), context.CancelFunc(func() {})
							if n%10 == 3 {
								ctx, cancel = context.WithTimeout(ctx, rand.N(20*time.Millisecond))
							}
							l.call(ctx, p, n)
							if ctx.Err() != nil {
								gaveUp.Add(1)
							}
							cancel()
							time.Sleep(rand.N(20 * time.Millisecond))
						}
					})
				}
				work.Wait()
				close(stop)
				cutting.Wait()
				time.Sleep(time.Minute)
				done, lost, not := l.settle()
				t.Logf("%d connections, %d cuts: %d done, %d lost, %d not executed, %d given up",
					w.session.Stats().Epoch, cuts, done, lost, not, gaveUp.Load())
				require.Greater(t, done, calls/4)
				require.Greater(t, w.session.Stats().Epoch, uint64(10))
				if name == "resume" {
					require.LessOrEqual(t, lost+not, int(gaveUp.Load()))
				} else {
					require.NotZero(t, lost)
				}
				w.end()
			})
		})
	}
}

// A dialed end that answers a former server, late, does not answer the one that is there now, whose calls
// have the same numbers.
func TestLateRepliesAreNobodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := newWorld(t, setting{answer: func(_ context.Context, request []byte) ([]byte, error) {
			if string(request) == "old" {
				<-release // it does not look at its context
			}
			return append([]byte("re "), request...), nil
		}})
		old := async(t.Context(), <-w.servers, "old")
		synctest.Wait()
		w.link.Cut(nil)
		require.ErrorIs(t, (<-old).err, call.ErrLost)
		server := <-w.servers
		w.link.To("server").Latency(time.Second, 0)
		r := async(t.Context(), server, "new")
		close(release)
		require.Equal(t, result{reply: "re new"}, <-r)
		w.end()
	})
}

// A reply that waits in the session's buffer for a connection goes to the next one, and is nobody's there.
func TestQueuedRepliesAreNobodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		w := newWorld(t, setting{answer: g.handle})
		old := async(t.Context(), <-w.servers, "old")
		<-g.began
		w.link.To("server").Buffer(1) // the reply is not sent
		w.link.To("server").Latency(time.Hour, 0)
		g.open <- struct{}{}
		synctest.Wait()
		w.link.Cut(nil)
		w.link.To("server").Buffer(0)
		w.link.To("server").Latency(0, 0)
		require.ErrorIs(t, (<-old).err, call.ErrLost)
		server := <-w.servers
		r := async(t.Context(), server, "new")
		require.Equal(t, "new", <-g.began)
		synctest.Wait()
		require.Empty(t, r)
		g.open <- struct{}{}
		require.Equal(t, result{reply: "re new"}, <-r)
		w.end()
	})
}
