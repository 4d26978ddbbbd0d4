package call_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/netasynctest"
)

// A request has its reply, be they empty, small or large, from either end.
func TestCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{handle: echo, answer: echo})
		for name, p := range map[string]*call.Peer{"client": w.client, "server": <-w.servers} {
			for _, size := range []int{0, 1, 100, 5000, 1 << 20} {
				request := bytes.Repeat([]byte{7}, size)
				reply, err := p.Call(t.Context(), request)
				require.NoError(t, err, name)
				require.True(t, bytes.Equal(request, reply), "%s, %d bytes", name, size)
				require.Equal(t, len(reply), cap(reply))
			}
			reply, err := p.Call(t.Context(), nil)
			require.NoError(t, err)
			require.Empty(t, reply)
		}
		w.end()
	})
}

// A handler's error comes to the caller as its text.
func TestRemoteError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{handle: func(_ context.Context, request []byte) ([]byte, error) {
			return []byte("not this"), fmt.Errorf("%w: %s", errBoom, request)
		}})
		reply, err := w.client.Call(t.Context(), []byte("x"))
		require.Nil(t, reply)
		var remote *call.RemoteError
		require.ErrorAs(t, err, &remote)
		require.Equal(t, "boom: x", remote.Message)
		require.NotErrorIs(t, err, call.ErrLost)
		_, err = w.client.Call(t.Context(), bytes.Repeat([]byte("ä"), 100_000))
		require.ErrorAs(t, err, &remote)
		require.True(t, strings.HasPrefix(remote.Message, "boom: ä"))
		require.True(t, len(remote.Message) <= 4<<10 && len(remote.Message) > 4<<10-4, "%d bytes", len(remote.Message))
		w.end()
	})
}

// What is too large is an error of the one call, whichever way it goes.
func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{
			listen: netasync.ListenOptions{MaxPayload: 100}, connect: netasync.ConnectOptions{MaxPayload: 100},
			handle: func(_ context.Context, request []byte) ([]byte, error) { return bytes.Repeat(request, 2), nil },
		})
		_, err := w.client.Call(t.Context(), make([]byte, 100))
		require.ErrorIs(t, err, netasync.ErrFrameTooLarge)
		_, err = w.client.Call(t.Context(), make([]byte, 60))
		var remote *call.RemoteError
		require.ErrorAs(t, err, &remote)
		require.Contains(t, remote.Message, "138")
		reply, err := w.client.Call(t.Context(), make([]byte, 40))
		require.NoError(t, err)
		require.Len(t, reply, 80)
		w.end()
	})
}

// A handler's error is cut to what a message may have, and never within a letter.
func TestErrorsThatDoNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for most, want := range map[int]int{26: 6, 100: 80, 4114: 4094, 4115: 4096, 1 << 20: 4096} {
			w := newWorld(t, setting{
				listen: netasync.ListenOptions{MaxPayload: most},
				handle: func(context.Context, []byte) ([]byte, error) { return nil, errors.New(strings.Repeat("ä", 3000)) },
			})
			_, err := w.client.Call(t.Context(), nil)
			var remote *call.RemoteError
			require.ErrorAs(t, err, &remote)
			require.Equal(t, strings.Repeat("ä", want/2), remote.Message)
			w.end()
		}
	})
}

// What a handler's error says that is no text does not come to the other end.
func TestErrorsThatAreNoText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{handle: func(_ context.Context, request []byte) ([]byte, error) {
			return nil, errors.New(string(request))
		}})
		_, err := w.client.Call(t.Context(), []byte("a\xffb\xc3"))
		require.EqualError(t, err, "call: the peer's handler: ab")
		w.end()
	})
}

// A request is copied: its memory is the caller's again when Call has returned, also with an error.
func TestRequestIsCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan string, 1)
		w := newWorld(t, setting{handle: func(_ context.Context, request []byte) ([]byte, error) {
			got <- string(request)
			return nil, nil
		}})
		w.link.Latency(time.Second, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		request := bytes.Repeat([]byte("a"), 100_000)
		_, err := w.client.Call(ctx, request)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		for i := range request {
			request[i] = 'b'
		}
		require.Equal(t, strings.Repeat("a", 100_000), <-got)
		w.end()
	})
}

// Thousands of calls, both ways at once, and handlers that make calls themselves. Replies come in any
// order, and each to its request.
func TestBothWaysAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(prefix string, pause time.Duration) call.Handler {
			return func(_ context.Context, request []byte) ([]byte, error) {
				time.Sleep(pause * time.Duration(len(request)%7))
				return append([]byte(prefix), request...), nil
			}
		}
		w := newWorld(t, setting{handle: answer("S", time.Millisecond), answer: answer("C", 2*time.Millisecond)})
		w.link.Latency(time.Millisecond, time.Millisecond)
		var work sync.WaitGroup
		for prefix, p := range map[string]*call.Peer{"S": w.client, "C": <-w.servers} {
			for g := range 400 {
				work.Go(func() {
					for i := range 10 {
						request := strings.Repeat("x", i) + fmt.Sprint(g, ".", i)
						reply, err := p.Call(t.Context(), []byte(request))
						require.NoError(t, err)
						require.Equal(t, prefix+request, string(reply))
					}
				})
			}
		}
		work.Wait()
		w.end()
	})
}

// Handlers of both ends call each other to the depth that the bounds allow, and none waits for ever.
func TestNestedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ends [2]*call.Peer
		ready := make(chan struct{})
		nest := func(other int) call.Handler {
			return func(ctx context.Context, request []byte) ([]byte, error) {
				<-ready
				if len(request) == 0 {
					return nil, nil
				}
				reply, err := ends[other].Call(ctx, request[1:])
				return append(reply, request[0]), err
			}
		}
		w := newWorld(t, setting{handle: nest(1), answer: nest(0)})
		ends = [2]*call.Peer{w.client, <-w.servers}
		close(ready)
		var work sync.WaitGroup
		for _, p := range ends {
			for range 20 {
				work.Go(func() {
					reply, err := p.Call(t.Context(), []byte("0123456789"))
					require.NoError(t, err)
					require.Equal(t, "9876543210", string(reply))
				})
			}
		}
		work.Wait()
		w.end()
	})
}

// The deadline of a call is its handler's, less the way, and so is its end.
func TestDeadlinesAndCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left time.Duration
		ended := make(chan time.Time, 1)
		w := newWorld(t, setting{handle: func(ctx context.Context, _ []byte) ([]byte, error) {
			deadline, ok := ctx.Deadline()
			left = 0
			if ok {
				left = time.Until(deadline)
			}
			<-ctx.Done()
			ended <- time.Now()
			return nil, ctx.Err()
		}})
		require.NoError(t, w.session.WaitConnected(t.Context()))
		w.link.Latency(time.Second, 0)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := w.client.Call(ctx, nil)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, call.ErrLost)
		require.Equal(t, 10*time.Second, time.Since(begin))
		require.Equal(t, 11*time.Second, (<-ended).Sub(begin))
		require.Equal(t, 10*time.Second, left)

		begin = time.Now()
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		_, err = w.client.Call(ctx, nil)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, call.ErrLost)
		require.Equal(t, 5*time.Second, time.Since(begin))
		require.Equal(t, 6*time.Second, (<-ended).Sub(begin))
		require.Zero(t, left)

		_, err = w.client.Call(ctx, nil)
		require.Equal(t, context.Canceled, err) // it was not sent
		w.end()
	})
}

// Options at the edges: the error names the field, and the session stays the user's.
func TestOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{handle: echo})
		for _, c := range []struct {
			o    call.Options
			want string
		}{
			{call.Options{MaxCalls: -1}, "MaxCalls"},
			{call.Options{MaxCalls: 1<<16 + 1}, "MaxCalls"},
			{call.Options{MaxHandlers: -1}, "MaxHandlers"},
			{call.Options{MaxHandlerBytes: -1}, "MaxHandlerBytes"},
		} {
			p := call.New(w.session, c.o)
			_, err := p.Call(t.Context(), nil)
			require.ErrorContains(t, err, "call: "+c.want+" is ")
			require.Equal(t, err, p.Serve(t.Context(), echo))
		}
		_, err := w.client.Call(t.Context(), nil)
		require.NoError(t, err)
		w.end()
		for _, o := range []call.Options{
			{}, {MaxCalls: 1, MaxHandlers: 1, MaxHandlerBytes: 1}, {MaxCalls: 1 << 16},
		} {
			w := newWorld(t, setting{handle: echo, client: o, server: o})
			reply, err := w.client.Call(t.Context(), []byte("over a byte"))
			require.NoError(t, err)
			require.Equal(t, "over a byte", string(reply))
			w.end()
		}
	})
}

// A session that calls back, or may drop requests and replies, or has no room for them, cannot be used.
func TestSessionsThatDoNotDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, co := range map[string]netasync.ConnectOptions{
			"ReadBuffer":  {WriteBuffer: netasync.Dropping(1)},
			"WriteBuffer": {ReadBuffer: netasync.Sliding(1)},
			"OnEvent":     {OnEvent: func(*netasync.Session, netasync.Event) {}},
			"MaxPayload":  {MaxPayload: 25},
			"Refuse":      {WhileDown: netasync.Refuse, Resume: true},
		} {
			client, _ := netasynctest.Pair(t, co, netasync.ListenOptions{Resume: co.Resume})
			p := call.New(client, call.Options{})
			_, err := p.Call(t.Context(), nil)
			require.ErrorContains(t, err, want)
			require.Equal(t, err, p.Serve(t.Context(), echo))
			require.NoError(t, p.Close())
		}
	})
}
