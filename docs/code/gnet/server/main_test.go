package main

import (
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// The program answers at the port of its flag, and ends cleanly: its session has an end, and no reset.
func TestProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server")
	said, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput()
	require.NoError(t, err, "%s", said)
	port := freePort(t)
	server := exec.Command(file, "--port", strconv.Itoa(port), "--multicore=true")
	require.NoError(t, server.Start())
	t.Cleanup(func() { _ = server.Process.Kill() })

	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(testkit.Context(t)) })
	s, err := engine.Connect("127.0.0.1:"+strconv.Itoa(port), netasync.ConnectOptions{AwaitPeer: true})
	require.NoError(t, err)
	for ev, err := s.Recv(testkit.Context(t)); ev.Kind != netasync.Connected; ev, err = s.Recv(testkit.Context(t)) {
		require.NoError(t, err) // it may come before the server
	}
	require.NoError(t, s.Send(testkit.Context(t), []byte("hello")))
	netasynctest.ExpectWithin(t, testkit.Patience, s, netasynctest.IsMessage("hello"))

	require.NoError(t, server.Process.Signal(syscall.SIGTERM))
	netasynctest.ExpectWithin(t, testkit.Patience, s, netasynctest.IsDisconnected(io.EOF))
	require.NoError(t, server.Wait())
}

// freePort returns a port that was free a moment ago. gnet does not tell which one it has chosen.
func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().(*net.TCPAddr).Port
}
