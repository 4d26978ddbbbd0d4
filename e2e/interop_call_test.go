//go:build interop

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/e2e/testdata/interop"
	"github.com/netasync/netasync/internal/testkit"
)

// interopCalls has a test talk to each peer that makes calls, dialed and accepted.
func interopCalls(t *testing.T, test func(t *testing.T, p *call.Peer, s *netasync.Session, peer *interop.Peer)) {
	for _, language := range interop.Languages {
		t.Run(language.Name+"/dialed", func(t *testing.T) {
			peer := language.StartCall(t, "listen", "0")
			s, err := resumeEngine(t).Connect("127.0.0.1:"+peer.Port, netasync.ConnectOptions{MaxAttempts: 1})
			require.NoError(t, err)
			test(t, call.New(s, call.Options{}), s, peer)
		})
		t.Run(language.Name+"/accepted", func(t *testing.T) {
			ln, err := resumeEngine(t).Listen("127.0.0.1:0", netasync.ListenOptions{})
			require.NoError(t, err)
			peer := language.StartCall(t, "connect", tcpPort(t, ln.Addr().String()))
			s := testkit.Take(t, ln.AcceptChan())
			test(t, call.New(s, call.Options{}), s, peer)
		})
	}
}

// TestInteropCall makes calls of a peer that was written from docs/call.md, which makes calls of us: many at
// once both ways, with errors, cancellations, deadlines, and more than it has room for.
func TestInteropCall(t *testing.T) {
	interopCalls(t, func(t *testing.T, p *call.Peer, _ *netasync.Session, peer *interop.Peer) {
		ctx, stop := context.WithCancel(testkit.Context(t))
		var serving sync.WaitGroup
		defer serving.Wait()
		defer stop()
		ended := make(chan error, 10)
		serving.Go(func() { _ = p.Serve(ctx, answerer(ended)) })

		peer.Tell(t, "many 200")
		var callers sync.WaitGroup
		for i := range 40 { // at once, for which it has room
			callers.Go(func() {
				for n := range 20 {
					request := fmt.Appendf(nil, "echo %d %d %s", i, n, strings.Repeat("y", i*n*7%3000))
					reply, err := p.Call(ctx, request)
					if err != nil || !bytes.Equal(reply, request[5:]) {
						t.Errorf("%.20q: %.20q, %v", request, reply, err)
					}
				}
			})
		}
		callers.Wait()
		peer.Want(t, "all")

		_, err := p.Call(ctx, []byte("fail for this reason"))
		require.Equal(t, &call.RemoteError{Message: "for this reason"}, err)
		peer.Tell(t, "call fail for that reason")
		peer.Want(t, "failure 1 for that reason")

		deadline, _ := ctx.Deadline()
		most := time.Until(deadline)
		reply, err := p.Call(ctx, []byte("left"))
		require.NoError(t, err)
		left, err := strconv.ParseInt(string(reply), 10, 64)
		require.NoError(t, err)
		require.LessOrEqual(t, time.Duration(left), most)
		require.GreaterOrEqual(t, time.Duration(left), time.Until(deadline))

		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, err = p.Call(short, []byte("wait"))
		if !errors.As(err, new(*call.RemoteError)) { // the timers of Node may be early
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		peer.Want(t, "stopped")
		peer.Tell(t, "hurry wait")
		require.ErrorIs(t, testkit.Take(t, ended), context.DeadlineExceeded)
		peer.Want(t, "failure 1 "+context.DeadlineExceeded.Error())
		peer.Tell(t, "cancel wait")
		if answer := peer.Want(t, "failure"); !strings.HasPrefix(answer, "failure 130") { // it had begun
			require.ErrorIs(t, testkit.Take(t, ended), context.Canceled)
		}

		waiting, cancel := context.WithCancel(ctx)
		defer cancel()
		const room = 50
		refused := make(chan error, room+1)
		for range room + 1 {
			go func() {
				_, err := p.Call(waiting, []byte("wait"))
				refused <- err
			}()
		}
		require.ErrorIs(t, testkit.Take(t, refused), call.ErrBusy)
		cancel()
		for range room {
			require.ErrorIs(t, testkit.Take(t, refused), context.Canceled)
			peer.Want(t, "stopped")
		}
		require.NoError(t, p.Close())
		peer.Want(t, "end")
	})
}

// TestInteropCallThatLies has the peer answer a call that nobody has made: that is its end. An answer to another
// end is late, and nothing.
func TestInteropCallThatLies(t *testing.T) {
	interopCalls(t, func(t *testing.T, p *call.Peer, s *netasync.Session, peer *interop.Peer) {
		serving := make(chan error, 1)
		go func() { serving <- p.Serve(testkit.Context(t), answerer(nil)) }()
		peer.Tell(t, "stray")
		reply, err := p.Call(testkit.Context(t), []byte("echo still here"))
		require.NoError(t, err)
		require.Equal(t, "still here", string(reply))
		peer.Tell(t, "stray theirs")
		<-s.Done()
		if err := <-serving; strings.HasSuffix(t.Name(), "accepted") { // a dialed one ends since it may not dial again
			require.ErrorIs(t, err, call.ErrProtocol)
		}
		peer.Want(t, "end")
	})
}

// answerer serves what call.js serves.
func answerer(ended chan<- error) call.Handler {
	return func(ctx context.Context, request []byte) ([]byte, error) {
		verb, text, _ := strings.Cut(string(request), " ")
		switch verb {
		case "fail":
			return nil, fmt.Errorf("%s", text)
		case "wait":
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		case "echo":
			return []byte(text), nil
		}
		return request, nil // of many
	}
}
