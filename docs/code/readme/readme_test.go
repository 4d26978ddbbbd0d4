package readme

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		go serve(n.Engine("server", netasync.EngineOptions{}))
		synctest.Wait()
		s, err := n.Engine("client", netasync.EngineOptions{}).Connect("server:8899", netasync.ConnectOptions{})
		require.NoError(t, err)
		s.WriteChan() <- []byte("hello")
		netasynctest.Expect(t, s, netasynctest.IsConnected, netasynctest.IsMessage("ECHO/hello"))
	})
}

func TestCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := netasynctest.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		peer := call.New(server, call.Options{})
		go func() {
			_ = peer.Serve(ctx, func(_ context.Context, request []byte) ([]byte, error) {
				return append([]byte("re: "), request...), nil
			})
		}()
		answers := make(chan string, 1)
		go func() {
			reply, err := peer.Call(t.Context(), []byte("b"))
			answers <- fmt.Sprintf("%s %v", reply, err)
			cancel()
		}()
		reply, err := ask(ctx, client, []byte("a"), func(request []byte) ([]byte, error) {
			return append(request, '!'), nil
		})
		require.NoError(t, err)
		require.Equal(t, "re: a", string(reply))
		require.Equal(t, "b! <nil>", <-answers)
	})
}

func TestBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := netasynctest.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{})
		require.Equal(t, broadcast.Result{Queued: 1}, tellAll(server, []byte("hello")))
		netasynctest.Expect(t, client, netasynctest.IsConnected, netasynctest.IsMessage("hello"))
	})
}
