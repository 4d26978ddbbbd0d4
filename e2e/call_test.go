package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/internal/testkit"
)

// Calls both ways at once on real sockets, with small and large requests.
func TestCalls(t *testing.T) {
	for name, secure := range map[string]bool{"tcp": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			var server, client *tls.Config
			if secure {
				server, client = certificates().server(false), certificates().client(false)
			}
			ln := listen(t, newEngine(t), netasync.ListenOptions{TLS: server})
			dialed := call.New(connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{TLS: client}), call.Options{})
			accepted := call.New(testkit.Take(t, ln.AcceptChan()), call.Options{})
			var work, serving sync.WaitGroup
			for _, p := range []*call.Peer{dialed, accepted} {
				serving.Go(func() {
					_ = p.Serve(context.Background(), func(_ context.Context, request []byte) ([]byte, error) {
						return append([]byte("re "), request...), nil
					})
				})
				for g := range 50 {
					work.Go(func() {
						for i := range 20 {
							request := fmt.Sprint(g, ".", i) + strings.Repeat("x", g*g*i%70_000)
							reply, err := p.Call(testkit.Context(t), []byte(request))
							if err != nil || string(reply) != "re "+request {
								t.Errorf("%.20q: %.20q, %v", request, reply, err)
								return
							}
						}
					})
				}
			}
			work.Wait()
			require.NoError(t, dialed.Close())
			serving.Wait()
		})
	}
}

// With Resume, on each kind of socket: calls while the connection is cut again and again are executed once.
func TestResumeCalls(t *testing.T) {
	const calls = 400
	for _, door := range resumeDoors {
		t.Run(door.name, func(t *testing.T) {
			addr, accept := door.open(t, netasync.ListenOptions{Resume: true})
			var cutter cutter
			o := netasync.ConnectOptions{Resume: true, Backoff: quick, Dial: cutter.dial}
			if door.tls {
				o.TLS = certificates().client(true)
			}
			client := call.New(connect(t, newEngine(t), addr, o), call.Options{})
			server := call.New(testkit.Take(t, accept), call.Options{})
			var executed [calls]atomic.Int32
			served := make(chan error, 1)
			go func() {
				served <- server.Serve(context.Background(), func(_ context.Context, request []byte) ([]byte, error) {
					executed[int(request[0])<<8|int(request[1])].Add(1)
					return request, nil
				})
			}()
			var work sync.WaitGroup
			var done atomic.Int32
			for g := range 20 {
				work.Go(func() {
					for n := g; n < calls; n += 20 {
						reply, err := client.Call(testkit.Context(t), []byte{byte(n >> 8), byte(n)})
						if err != nil || int(reply[0])<<8|int(reply[1]) != n {
							t.Errorf("%d: %v, %v", n, reply, err)
						}
						if done.Add(1)%40 == 20 { // and not when all is over: then the goodbye might be lost
							cutter.cut(n%2 == 0)
						}
					}
				})
			}
			work.Wait()
			for n := range executed {
				require.EqualValues(t, 1, executed[n].Load(), n)
			}
			require.NoError(t, client.Close())
			require.NoError(t, server.Close()) // the client's goodbye may be lost
			<-served
		})
	}
}
