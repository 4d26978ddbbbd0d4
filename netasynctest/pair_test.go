package netasynctest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	nt "github.com/netasync/netasync/netasynctest"
)

// A pair talks, in every way at either end, in a bubble and outside of one, and nobody closes anything.
func TestPair(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		test := func(t *testing.T) {
			var co netasync.ConnectOptions
			var lo netasync.ListenOptions
			left, right := nt.Recorder(), nt.Recorder()
			if w == byOnEvent || w == byInline {
				co.OnEvent, lo.OnEvent = left.OnEvent, right.OnEvent
				co.Inline, lo.Inline = w == byInline, w == byInline
			}
			client, server := nt.Pair(t, co, lo)
			sources := [...]nt.Source{client, server}
			switch {
			case w == byChannels:
				sources = [...]nt.Source{events(client.ReadChan()), events(server.ReadChan())}
			case co.OnEvent != nil:
				sources = [...]nt.Source{left, right}
			}
			w.send(t, client, "to the server")
			w.send(t, server, "to the client")
			nt.ExpectWithin(t, testkit.Patience, sources[0], nt.IsConnected, nt.IsMessage("to the client"))
			nt.ExpectWithin(t, testkit.Patience, sources[1], nt.IsConnected, nt.IsMessage("to the server"))
		}
		t.Run("bubble", func(t *testing.T) { synctest.Test(t, test) })
		t.Run("real time", test)
	})
}

// One end closes: the other one hears of it, and a client is refused from then on.
func TestPairCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := nt.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{})
		require.NoError(t, server.Send(t.Context(), []byte("last words")))
		require.NoError(t, server.Close())
		nt.Expect(t, server, nt.IsConnected, nt.IsClosed(nil))
		nt.Expect(t, client, nt.IsConnected, nt.IsMessage("last words"), nt.IsDisconnected(nil))
		nt.Quiet(t, client, time.Minute)
		require.ErrorIs(t, client.Stats().LastError, syscall.ECONNREFUSED)
	})
}

// A pair that cannot be says why, and does not wait for ever.
func TestPairFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		why := failure(t, func(t testing.TB) {
			nt.Pair(t, netasync.ConnectOptions{Addrs: []string{"server:2"}, Resolve: nobody}, netasync.ListenOptions{})
		})
		require.Contains(t, why, errCut.Error())
		require.Equal(t, nt.Patience, time.Since(begin))
	})
}

// nobody knows no server.
func nobody(context.Context) ([]string, error) { return nil, errCut }

// In memory no event loop runs: it would wait for the network, and a bubble's clock for it.
func TestNoEventLoop(t *testing.T) {
	since := testkit.StartedSince()
	synctest.Test(t, func(t *testing.T) {
		client, _ := nt.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{})
		nt.Expect(t, client, nt.IsConnected)
		for _, stack := range since() {
			require.NotContains(t, stack, "gnet")
		}
	})
}

// Sessions that were used, closed and dropped are collected in the bubble, and those that are not
// closed live: the bubble ends either way.
func TestDroppedInABubble(t *testing.T) {
	for _, closes := range []bool{false, true} {
		everyWay(t, func(t *testing.T, w way) {
			synctest.Test(t, func(t *testing.T) {
				n := nt.NewNetwork(t)
				w.echo(t, n.Engine("server", netasync.EngineOptions{}))
				e := n.Engine("client", netasync.EngineOptions{})
				var dropped []weak.Pointer[netasync.Session]
				for range 10 {
					client, source := w.connect(t, e, "server:1")
					w.send(t, client, "m")
					nt.Expect(t, source, nt.IsConnected, nt.IsMessage("m"))
					if closes {
						w.send(t, client, "unread")
						require.NoError(t, client.Close())
					}
					dropped = append(dropped, weak.Make(client))
				}
				for range 5 {
					time.Sleep(time.Minute)
					runtime.GC()
				}
				for _, s := range dropped {
					require.Equal(t, closes, s.Value() == nil)
				}
			})
		})
	}
}

// A test that fails half way ends its bubble, too: with a vanished link, a full session, a goroutine
// that waits for room, and one that waits for an event.
func TestABubbleEndsWithAGoroutineThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := nt.NewNetwork(t)
		byChannels.echo(t, n.Engine("server", netasync.EngineOptions{}))
		client, source := byChannels.connect(t, n.Engine("client", netasync.EngineOptions{}), "server:1")
		nt.Expect(t, source, nt.IsConnected)
		n.Link("client", "server").Vanish()
		ended := make(chan struct{}, 2)
		go func() {
			for range 10_000 {
				client.WriteChan() <- make([]byte, 10_000)
			}
			ended <- struct{}{}
		}()
		go func() {
			for range client.ReadChan() {
			}
			ended <- struct{}{}
		}()
		synctest.Wait()
		require.Empty(t, ended)
	})
}

// TLS goes over a network in memory, with the names of its hosts.
func TestTLSInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := tlsConfigs() // valid in the year 2000, which is the bubble's
		dialed, accepted := nt.Pair(t, netasync.ConnectOptions{TLS: client}, netasync.ListenOptions{TLS: server})
		nt.Expect(t, dialed, nt.IsConnected)
		require.NoError(t, dialed.Send(t.Context(), []byte("secret")))
		nt.Expect(t, accepted, nt.IsConnected, nt.IsMessage("secret"))
		require.NoError(t, dialed.Close())
		nt.Expect(t, dialed, nt.IsClosed(nil))
		nt.Expect(t, accepted, nt.IsClosed(io.EOF))
	})
}

// tlsConfigs returns what a client and the host "server" use.
func tlsConfigs() (client, server *tls.Config) {
	authority := testkit.NewAuthority()
	server = &tls.Config{Certificates: []tls.Certificate{authority.Issue("server", x509.ExtKeyUsageServerAuth, "server")}}
	return &tls.Config{RootCAs: authority.Pool()}, server
}
