package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/docs/code/internal/program"
	"github.com/netasync/netasync/internal/testkit"
)

// The program gets its answer, tells that the server is gone, and comes back.
func TestProgram(t *testing.T) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(testkit.Context(t)) })
	listener, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{})
	require.NoError(t, err)
	client := program.Start(t, "main.go", "127.0.0.1:8899", listener.Addr().String())

	s := testkit.Take(t, listener.AcceptChan())
	for payload, err := range s.Messages(testkit.Context(t)) {
		require.NoError(t, err)
		require.NoError(t, s.Send(testkit.Context(t), append([]byte("ECHO/"), payload...)))
		break
	}
	client.Want("<- ECHO/hello")
	s.Close()
	client.Want("gone: ")
	testkit.Take(t, listener.AcceptChan())
}
