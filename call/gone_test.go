package call_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
)

// Replies that wait for room are dropped with the peer that they are for: Serve does not wait for the next
// one, and whoever that is finds room for its requests.
func TestRepliesToNobodyAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{connect: netasync.ConnectOptions{WriteBuffer: netasync.Fixed(1)}})
		server := <-w.servers
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		g := newGate()
		go func() { served <- w.client.Serve(ctx, g.handle) }()
		synctest.Wait()
		w.link.To("server").Buffer(1)
		w.link.To("server").Latency(time.Hour, 0)
		for range 3 {
			r := async(t.Context(), server, "x")
			<-g.began
			g.open <- struct{}{}
			synctest.Wait()
			require.Empty(t, r)
		}
		w.net.Refuse("server", errBoom)
		w.link.Cut(nil)
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.Len(t, served, 1)
		require.Equal(t, context.Canceled, <-served)
		w.end()
	})
}

// Requests that wait for the first Serve are not handled when their peer is gone, and hold no place.
func TestRequestsOfNobodyAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{client: call.Options{MaxHandlers: 1}})
		old := async(t.Context(), <-w.servers, "old")
		synctest.Wait()
		w.link.Cut(nil)
		require.ErrorIs(t, (<-old).err, call.ErrLost)
		r := async(t.Context(), <-w.servers, "new")
		synctest.Wait()
		g := newGate()
		w.serving.Go(func() { _ = w.client.Serve(t.Context(), g.handle) })
		require.Equal(t, "new", <-g.began)
		synctest.Wait()
		require.Empty(t, g.began)
		g.open <- struct{}{}
		require.Equal(t, result{reply: "re new"}, <-r)
		w.end()
	})
}

// A request that waits for Serve and is given up by its caller is never handled, and holds no place.
func TestGivenUpBeforeServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{server: call.Options{MaxHandlers: 1}, client: call.Options{MaxCalls: 1}})
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := w.client.Call(ctx, []byte("nobody"))
			cancel()
			require.ErrorIs(t, err, call.ErrLost)
		}
		synctest.Wait()
		g := newGate()
		w.serving.Go(func() { _ = (<-w.servers).Serve(t.Context(), g.handle) })
		r := async(t.Context(), w.client, "somebody")
		require.Equal(t, "somebody", <-g.began)
		synctest.Wait()
		require.Empty(t, g.began)
		g.open <- struct{}{}
		require.NoError(t, (<-r).err)
		w.end()
	})
}

// While a Serve whose context has ended waits for its handlers, another one may serve.
func TestServeTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{server: call.Options{MaxHandlers: 2}})
		server := <-w.servers
		ctx, cancel := context.WithCancel(t.Context())
		release, served := make(chan struct{}), make(chan error, 1)
		go func() {
			served <- server.Serve(ctx, func(context.Context, []byte) ([]byte, error) {
				<-release
				return []byte("late"), nil
			})
		}()
		old := async(t.Context(), w.client, "old")
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.Empty(t, served)
		w.serving.Go(func() { _ = server.Serve(t.Context(), echo) })
		synctest.Wait()
		require.Equal(t, result{reply: "new"}, <-async(t.Context(), w.client, "new"))
		close(release)
		require.Equal(t, result{reply: "late"}, <-old)
		require.Equal(t, context.Canceled, <-served)
		require.Equal(t, result{reply: "on"}, <-async(t.Context(), w.client, "on"))
		w.end()
	})
}

// With FailFast and Resume calls that were sent survive an outage, with their places. One that waits for a
// place does not wait for the outage to end, and its context may end before.
func TestFailFastWaitsForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		w := newWorld(t, setting{handle: g.handle, client: call.Options{FailFast: true, MaxCalls: 1}}.resumable())
		require.NoError(t, w.session.WaitConnected(t.Context()))
		synctest.Wait()
		sent := async(t.Context(), w.client, "sent")
		<-g.began
		ctx, cancel := context.WithCancel(t.Context())
		first, second := async(ctx, w.client, "first"), async(t.Context(), w.client, "second")
		synctest.Wait()
		cancel()
		require.Equal(t, context.Canceled, (<-first).err)
		w.net.Refuse("server", errBoom)
		w.link.Cut(nil)
		synctest.Wait()
		require.Len(t, second, 1)
		require.Equal(t, netasync.ErrNotConnected, (<-second).err)
		require.Empty(t, sent)
		w.net.Refuse("server", nil)
		g.open <- struct{}{}
		require.Equal(t, result{reply: "re sent"}, <-sent)
		_, err := w.client.Call(ctx, nil)
		require.Equal(t, context.Canceled, err, "there is room, and nobody who wants it")
		synctest.Wait()
		require.Empty(t, g.began)
		w.end()
	})
}

// With FailFast a call that waits for room ends with its context, and is not executed. After the end of the
// session it says that, and why.
func TestFailFastEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{
			connect: netasync.ConnectOptions{WriteBuffer: netasync.Fixed(1)}, client: call.Options{FailFast: true},
		})
		require.NoError(t, w.session.WaitConnected(t.Context()))
		synctest.Wait()
		w.link.To("server").Buffer(1)
		w.link.To("server").Latency(time.Hour, 0)
		var calls []<-chan result
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			calls = append(calls, async(ctx, w.client, "x"))
			synctest.Wait()
		}
		cancel()
		require.ErrorIs(t, (<-calls[0]).err, call.ErrLost)
		for _, r := range calls[1:] {
			require.Equal(t, context.Canceled, (<-r).err)
		}
		_, err := w.client.Call(ctx, nil)
		require.Equal(t, context.Canceled, err)
		w.session.CloseNow(errBoom)
		synctest.Wait()
		_, err = w.client.Call(t.Context(), nil)
		require.ErrorIs(t, err, netasync.ErrClosed)
		require.ErrorIs(t, err, errBoom)
		require.NotErrorIs(t, err, call.ErrLost)
		w.end()
	})
}
