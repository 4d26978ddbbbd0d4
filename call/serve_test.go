package call_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
)

// Requests wait for the first Serve, and are refused after the last.
func TestWhoServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{})
		early := async(t.Context(), w.client, "early")
		server := <-w.servers
		time.Sleep(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		g := newGate()
		served := make(chan error)
		go func() { served <- server.Serve(ctx, g.handle) }()
		require.Equal(t, "early", <-g.began)
		require.ErrorIs(t, server.Serve(ctx, echo), call.ErrServing)
		require.Error(t, server.Serve(ctx, nil))
		g.open <- struct{}{}
		require.Equal(t, result{reply: "re early"}, <-early)

		last := async(t.Context(), w.client, "last")
		require.Equal(t, "last", <-g.began)
		cancel()
		require.Equal(t, context.Canceled, <-served)
		require.Equal(t, context.Canceled, <-g.ended)
		var remote *call.RemoteError
		require.ErrorAs(t, (<-last).err, &remote) // Serve has waited for the handler, and for its answer
		_, err := w.client.Call(t.Context(), nil)
		require.Equal(t, call.ErrNotServed, err)
		require.Equal(t, context.Canceled, server.Serve(ctx, echo))
		var handled []context.Context
		go func() {
			served <- server.Serve(t.Context(), func(ctx context.Context, _ []byte) ([]byte, error) {
				handled = append(handled, ctx)
				return nil, nil
			})
		}()
		synctest.Wait()
		_, err = w.client.Call(t.Context(), nil)
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, handled, 1, "those that waited for the first Serve are handled once")
		require.Error(t, handled[0].Err(), "a context ends when its handler has returned")
		require.NoError(t, w.client.Close())
		require.ErrorIs(t, <-served, io.EOF)
		w.end()
	})
}

// Serve returns when its handlers have returned, whatever they do when their contexts end.
func TestServeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		r := async(t.Context(), w.client, "x")
		begin := time.Now()
		err := (<-w.servers).Serve(ctx, func(_ context.Context, request []byte) ([]byte, error) {
			time.Sleep(10 * time.Second)
			return request, nil
		})
		require.Equal(t, context.Canceled, err)
		require.Equal(t, 10*time.Second, time.Since(begin))
		require.Equal(t, result{reply: "x"}, <-r)
		w.end()
	})
}

// Serve says why the session has closed, and a context of a handler ends with that.
func TestServeEndsWithTheSession(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(w *world, server *call.Peer)
		want []error
	}{
		"this end":  {func(_ *world, server *call.Peer) { _ = server.Close() }, nil},
		"the other": {func(w *world, _ *call.Peer) { _ = w.client.Close() }, []error{netasync.ErrClosed, io.EOF}},
		"a cut":     {func(w *world, _ *call.Peer) { w.link.Cut(errBoom) }, []error{netasync.ErrClosed, errBoom}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setting{})
				server, g := <-w.servers, newGate()
				served := make(chan error)
				go func() { served <- server.Serve(t.Context(), g.handle) }()
				r := async(t.Context(), w.client, "x")
				<-g.began
				c.end(w, server)
				require.ErrorIs(t, <-g.ended, context.Canceled)
				err := <-served
				if c.want == nil {
					require.NoError(t, err)
				}
				for _, want := range c.want {
					require.ErrorIs(t, err, want)
				}
				require.ErrorIs(t, (<-r).err, call.ErrLost)
				w.end()
			})
		})
	}
}

// MaxCalls holds callers back, who may give up meanwhile: what they wanted was not sent then.
func TestMaxCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		w := newWorld(t, setting{client: call.Options{MaxCalls: 2}, handle: g.handle})
		a, b := async(t.Context(), w.client, "a"), async(t.Context(), w.client, "b")
		<-g.began
		<-g.began
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := w.client.Call(ctx, []byte("c"))
		require.Equal(t, context.DeadlineExceeded, err)
		d := async(t.Context(), w.client, "d")
		synctest.Wait()
		require.Empty(t, g.began)
		g.open <- struct{}{}
		require.Equal(t, "d", <-g.began)
		g.open <- struct{}{}
		g.open <- struct{}{}
		for _, r := range []<-chan result{a, b, d} {
			require.NoError(t, (<-r).err)
		}
		w.end()
	})
}

// A call that was given up keeps its place until the handler has returned: so the peer never has more.
func TestGivenUpCallsKeepTheirPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		w := newWorld(t, setting{
			client: call.Options{MaxCalls: 10}, server: call.Options{MaxHandlers: 10},
			handle: func(context.Context, []byte) ([]byte, error) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(10 * time.Second) // whatever its caller does
				now.Add(-1)
				return nil, nil
			},
		})
		var busy atomic.Int32
		for range 200 {
			w.serving.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := w.client.Call(ctx, nil); errors.Is(err, call.ErrBusy) {
					busy.Add(1)
				}
			})
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		require.Zero(t, busy.Load())
		require.EqualValues(t, 10, most.Load())
		w.end()
	})
}

// A peer that asks for more than MaxHandlers, or MaxHandlerBytes, gets ErrBusy at once, and nothing else
// suffers: the calls of the other direction neither.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		w := newWorld(t, setting{
			server: call.Options{MaxHandlers: 3, MaxHandlerBytes: 1000}, handle: g.handle, answer: echo,
		})
		first := async(t.Context(), w.client, strings.Repeat("x", 2000)) // a single one may
		<-g.began
		_, err := w.client.Call(t.Context(), make([]byte, 1))
		require.Equal(t, call.ErrBusy, err)
		g.open <- struct{}{}
		require.NoError(t, (<-first).err)
		synctest.Wait()
		var three []<-chan result
		for range 3 {
			three = append(three, async(t.Context(), w.client, "y"))
			<-g.began
		}
		begin := time.Now()
		for range 1000 {
			_, err := w.client.Call(t.Context(), nil)
			require.Equal(t, call.ErrBusy, err)
		}
		_, err = (<-w.servers).Call(t.Context(), nil)
		require.NoError(t, err)
		require.Zero(t, time.Since(begin))
		for range three { // whichever waits first
			g.open <- struct{}{}
		}
		for _, r := range three {
			require.NoError(t, (<-r).err)
		}
		w.end()
	})
}

// Handlers that never return end nothing but their own calls, at both ends.
func TestHandlersThatNeverReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stuck := func(_ context.Context, request []byte) ([]byte, error) {
			if len(request) == 0 {
				<-release
			}
			return request, nil
		}
		w := newWorld(t, setting{handle: stuck, answer: stuck})
		for _, p := range []*call.Peer{w.client, <-w.servers} {
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				_, err := p.Call(ctx, nil)
				cancel()
				require.ErrorIs(t, err, context.DeadlineExceeded)
				_, err = p.Call(t.Context(), []byte("x"))
				require.NoError(t, err)
			}
		}
		close(release)
		w.end()
	})
}

// Both ends ask for far more than the other one serves, through buffers of a few messages and with
// requests that fill them: nobody waits for ever.
func TestFloodsBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		few := call.Options{MaxCalls: 1000, MaxHandlers: 2}
		slow := func(_ context.Context, request []byte) ([]byte, error) {
			time.Sleep(time.Millisecond)
			return request, nil
		}
		w := newWorld(t, setting{
			connect: netasync.ConnectOptions{WriteBuffer: netasync.Fixed(2), ReadBuffer: netasync.Fixed(2)},
			listen:  netasync.ListenOptions{WriteBuffer: netasync.Fixed(2), ReadBuffer: netasync.Fixed(2)},
			client:  few, server: few, handle: slow, answer: slow,
		})
		w.link.Buffer(1000)
		var done, busy atomic.Int32
		for _, p := range []*call.Peer{w.client, <-w.servers} {
			for range 1000 {
				w.serving.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					defer cancel()
					switch _, err := p.Call(ctx, make([]byte, 300)); {
					case err == nil:
						done.Add(1)
					case errors.Is(err, call.ErrBusy):
						busy.Add(1)
					default:
						t.Error(err)
					}
				})
			}
		}
		time.Sleep(time.Minute)
		require.EqualValues(t, 2000, done.Load()+busy.Load())
		require.NotZero(t, done.Load())
		require.NotZero(t, busy.Load())
		w.end()
	})
}
