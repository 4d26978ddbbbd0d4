package main

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/docs/code/internal/program"
	"github.com/netasync/netasync/internal/testkit"
)

// A session is answered by the gnet server.
func TestProgram(t *testing.T) {
	addr := freeAddr(t)
	program.Start(t, "main.go", "tcp://:9000", "tcp://"+addr)
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(testkit.Context(t)) })
	s, err := engine.Connect(addr, netasync.ConnectOptions{AwaitPeer: true})
	require.NoError(t, err)
	require.NoError(t, s.Send(testkit.Context(t), []byte("hello")))
	for payload, err := range s.Messages(testkit.Context(t)) {
		require.NoError(t, err)
		require.Equal(t, "ECHO/hello", string(payload))
		break
	}
}

// freeAddr returns an address that was free a moment ago. gnet does not tell which port it has chosen.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}
