package main

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/docs/code/internal/program"
	"github.com/netasync/netasync/internal/testkit"
)

// The service flushes, and says how it has ended, when it is told to end.
func TestProgram(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr()
	require.NoError(t, ln.Close()) // free a moment ago
	service := program.Start(t, "main.go", ":8899", addr.String())
	var conn net.Conn
	testkit.Eventually(t, func() bool {
		conn, err = net.Dial("tcp", addr.String())
		return err == nil
	}, "the service listens")
	service.Want("connected")
	service.Interrupt()
	service.Want("stopped: <nil>")
	require.NoError(t, conn.Close())
}
