package e2e_test

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
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// Why a call failed that had begun: its request was not sent, or its reply did not come.
var errNotExecuted, errLost = errors.New("it was not executed"), errors.New("it was executed, or not")

// caller is a program that makes calls by one session, each of them once.
type caller struct {
	s     *netasync.Session
	mu    sync.Mutex // guards all below
	up    bool       // as far as events tell: so no call is older than its connection
	calls map[uint64]chan<- error
}

// call makes a call, whose id no other has, and waits for the reply.
func (c *caller) call(id uint64) error {
	done := make(chan error, 1)
	c.mu.Lock()
	c.calls[id] = done
	if !c.up {
		c.end(id, netasync.ErrNotConnected)
	} else if err := c.s.TrySend(append(binary.BigEndian.AppendUint64(nil, id), make([]byte, 192)...)); err != nil {
		c.end(id, err)
	}
	c.mu.Unlock()
	return <-done
}

// end ends a call, unless it has ended. The caller holds mu.
func (c *caller) end(id uint64, err error) {
	if done, ok := c.calls[id]; ok {
		done <- err
		delete(c.calls, id)
	}
}

// run hands replies and failures to their calls, until the session has closed.
func (c *caller) run() {
	for ev := range c.s.Events(context.Background()) {
		c.mu.Lock()
		if ev.Kind == netasync.Message {
			c.end(binary.BigEndian.Uint64(ev.Payload), nil)
		} else { // at Connected, too: the loss of the connection before may not have been told
			for _, request := range ev.Unsent {
				c.end(binary.BigEndian.Uint64(request), errNotExecuted)
			}
			for id := range c.calls {
				c.end(id, errLost)
			}
			c.up = ev.Kind == netasync.Connected
		}
		c.mu.Unlock()
	}
}

// Each connection breaks. No call hangs, none is executed twice, and none that was said not to be.
func TestProgramRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, begin := netasynctest.NewNetwork(t), time.Now()
		client, server := n.Engine("client", netasync.EngineOptions{}), n.Engine("server", netasync.EngineOptions{})
		link := n.Link("client", "server")
		link.Buffer(4000) // so that requests wait
		link.Latency(time.Millisecond, time.Millisecond)
		s, err := client.Connect("server:1", netasync.ConnectOptions{WhileDown: netasync.Refuse, Backoff: quick, Hello: func(uint64) [][]byte {
			link.To([]string{"client", "server"}[rand.IntN(2)]).CutAfter(rand.IntN(20_000)) // each connection breaks
			return nil
		}})
		require.NoError(t, err)
		c := &caller{s: s, calls: make(map[uint64]chan<- error)}
		go c.run()
		results, executed := make([]error, 25_000), make([]atomic.Int32, 25_000)
		results[0] = c.call(0)
		require.ErrorIs(t, s.TrySend([]byte("a call")), netasync.ErrNotConnected)
		require.Zero(t, time.Since(begin), "at once")
		listenAt(t, server, "server:1", netasync.ListenOptions{OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				executed[binary.BigEndian.Uint64(ev.Payload)].Add(1)
				_ = s.Send(s.Context(), ev.Payload)
			}
		}})
		var work sync.WaitGroup
		for first := range 50 {
			work.Go(func() {
				for id := first + 1; id < len(results); id += 50 {
					results[id] = c.call(uint64(id))
					time.Sleep(3 * time.Millisecond) // of the bubble's: the user does something else
				}
			})
		}
		work.Wait()
		require.NoError(t, client.Shutdown(testkit.Context(t)))
		require.NoError(t, server.Shutdown(testkit.Context(t)))
		requireAccounts(t, client.Stats(), s)
		times := map[error][]int32{nil: {1}, errLost: {0, 1}, errNotExecuted: {0}, netasync.ErrNotConnected: {0}}
		count := make(map[error]int)
		for id, err := range results {
			count[err]++
			require.Contains(t, times[err], executed[id].Load())
		}
		require.Len(t, count, len(times), "%v", count)
		require.EqualValues(t, s.Stats().Returned, count[errNotExecuted])
	})
}
