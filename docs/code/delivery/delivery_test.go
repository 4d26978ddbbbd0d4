package delivery

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A world is a client and a server, with fake time.
type world struct {
	*testing.T
	net    *netasynctest.Network
	engine *netasync.Engine // the client's
	accept <-chan *netasync.Session
	server *netasync.Engine
}

// inWorld runs a test in fake time.
func inWorld(t *testing.T, lo netasync.ListenOptions, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, net: netasynctest.NewNetwork(t)}
		w.serve(lo)
		w.engine = w.net.Engine("client", netasync.EngineOptions{})
		f(w)
	})
}

// serve starts the server.
func (w *world) serve(lo netasync.ListenOptions) {
	w.Helper()
	w.server = w.net.Engine("server", netasync.EngineOptions{})
	listener, err := w.server.Listen(":8899", lo)
	require.NoError(w, err)
	w.accept = listener.AcceptChan()
}

// crash ends the server so that nobody hears of it.
func (w *world) crash() {
	w.Helper()
	link := w.net.Link("client", "server")
	link.Vanish()
	ctx, cancel := context.WithCancel(w.Context())
	cancel()
	_ = w.server.Shutdown(ctx)
	link.Cut(nil)
	link.Heal()
}

func (w *world) connect(co netasync.ConnectOptions) *netasync.Session {
	w.Helper()
	s, err := w.engine.Connect("server:8899", co)
	require.NoError(w, err)
	require.NoError(w, s.WaitConnected(w.Context()))
	synctest.Wait()
	return s
}

func (w *world) send(s *netasync.Session, texts ...string) {
	w.Helper()
	for _, text := range texts {
		require.NoError(w, s.Send(w.Context(), []byte(text)))
	}
}

// closed skips events up to Closed.
func (w *world) closed(s *netasync.Session) netasync.Event {
	w.Helper()
	for ev := range s.Events(w.Context()) {
		if ev.Kind == netasync.Closed {
			return ev
		}
	}
	require.Fail(w, "there was no Closed")
	return netasync.Event{}
}

// texts returns the messages that have come within some time.
func (w *world) texts(s *netasync.Session, d time.Duration) (all []string) {
	ctx, cancel := context.WithTimeout(w.Context(), d)
	defer cancel()
	for payload, err := range s.Messages(ctx) {
		if err == nil {
			all = append(all, string(payload))
		}
	}
	return all
}

func TestQuotes(t *testing.T) {
	inWorld(t, netasync.ListenOptions{}, func(w *world) {
		s, err := connectQuotes(w.engine, "server:8899")
		require.NoError(w, err)
		peer := <-w.accept
		require.NoError(w, s.WaitConnected(w.Context()))
		synctest.Wait()
		require.Nil(w, offer(w.Context(), s, []byte("1")))
		require.Equal(w, []string{"1"}, w.texts(peer, time.Second))
		w.net.Link("client", "server").Vanish() // nothing is taken any more, beyond what fits
		for range 100 {
			require.Nil(w, offer(w.Context(), s, make([]byte, 1000)))
		}
		synctest.Wait()
		w.net.Link("client", "server").Cut(nil)
		synctest.Wait()
		require.Equal(w, []byte("refused"), offer(w.Context(), s, []byte("refused")))
		s.Close()
		unsent := collect(w.Context(), s)
		require.NotEmpty(w, unsent)
		require.Less(w, len(unsent), 100)
		require.Len(w, unsent[len(unsent)-1], 1000)
	})
}

func TestOrders(t *testing.T) {
	inWorld(t, netasync.ListenOptions{Resume: true}, func(w *world) {
		s, err := connectOrders(w.engine, "server:8899")
		require.NoError(w, err)
		followed := make(chan []int)
		go func() {
			resumed, lost, unsent := follow(w.Context(), s)
			followed <- []int{resumed, int(lost), unsent}
		}()
		peer := <-w.accept
		require.NoError(w, s.WaitConnected(w.Context()))
		link := w.net.Link("client", "server")
		link.Latency(100*time.Millisecond, 0)
		w.send(s, "1", "2")
		time.Sleep(time.Millisecond) // of the bubble's clock
		link.Cut(nil)                // both are under way
		require.Equal(w, []string{"1", "2"}, w.texts(peer, time.Minute))
		require.NoError(w, place(w.Context(), s, []byte("3")))
		w.send(s, "4")
		w.crash()
		w.send(s, "5")
		w.serve(netasync.ListenOptions{Resume: true})
		require.Equal(w, []string{"5"}, w.texts(<-w.accept, time.Minute))
		s.Close()
		require.Equal(w, []int{1, 1, 0}, <-followed)
	})
}

// A call is made again while the peer is busy, and not where it may have been executed.
func TestTransfer(t *testing.T) {
	inWorld(t, netasync.ListenOptions{}, func(w *world) {
		client := call.New(w.connect(netasync.ConnectOptions{}), call.Options{})
		server := call.New(<-w.accept, call.Options{MaxHandlers: 1})
		var calls atomic.Int64
		release := make(chan struct{})
		serve := func(_ context.Context, request []byte) ([]byte, error) {
			calls.Add(1)
			<-release
			if string(request) == "bad" {
				return nil, context.Canceled
			}
			return request, nil
		}
		go func() { _ = server.Serve(w.Context(), serve) }()
		go func() { _, _ = client.Call(w.Context(), []byte("first")) }()
		synctest.Wait()
		time.AfterFunc(time.Second, func() { close(release) })
		reply, err := transfer(w.Context(), client, []byte("second"))
		require.NoError(w, err)
		require.Equal(w, "second", string(reply))
		_, err = transfer(w.Context(), client, []byte("bad"))
		require.ErrorAs(w, err, new(*call.RemoteError))
		require.EqualValues(w, 3, calls.Load())

		release = make(chan struct{})
		defer close(release)
		time.AfterFunc(time.Second, func() { w.net.Link("client", "server").Cut(nil) })
		_, err = transfer(w.Context(), client, []byte("lost"))
		require.ErrorIs(w, err, call.ErrLost)
		_, err = transfer(w.Context(), client, make([]byte, 5<<20))
		require.ErrorIs(w, err, netasync.ErrFrameTooLarge)
	})
}
