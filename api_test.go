package netasync_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

func TestEcho(t *testing.T) {
	e, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	ln, err := e.Listen("127.0.0.1:0", netasync.ListenOptions{})
	require.NoError(t, err)
	go func() {
		for s := range ln.AcceptChan() {
			go func() {
				for ev := range s.ReadChan() {
					if ev.Kind == netasync.Message {
						s.WriteChan() <- append([]byte("ECHO/"), ev.Payload...)
					}
				}
			}()
		}
	}()
	c, err := e.Connect(ln.Addr().String(), netasync.ConnectOptions{})
	require.NoError(t, err)
	ev := <-c.ReadChan()
	require.Equal(t, netasync.Connected, ev.Kind)
	for i := range 1000 {
		c.WriteChan() <- []byte{byte(i), 1}
		ev := <-c.ReadChan()
		require.Equal(t, netasync.Message, ev.Kind)
		require.Equal(t, append([]byte("ECHO/"), byte(i), 1), ev.Payload)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	start := time.Now()
	require.NoError(t, e.Shutdown(ctx))
	t.Log(time.Since(start))
	ev = <-c.ReadChan()
	require.Equal(t, netasync.Closed, ev.Kind)
	_, ok := <-c.ReadChan()
	require.False(t, ok)
}
