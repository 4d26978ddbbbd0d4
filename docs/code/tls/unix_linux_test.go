package tlspage

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

func TestProcess(t *testing.T) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(testkit.Context(t)) })
	addr := "unix:" + filepath.Join(t.TempDir(), "s")
	listener, err := engine.Listen(addr, netasync.ListenOptions{Identify: process})
	require.NoError(t, err)
	_, err = engine.Connect(addr, netasync.ConnectOptions{})
	require.NoError(t, err)
	s := testkit.Take(t, listener.AcceptChan())
	require.Equal(t, fmt.Sprintf("uid:%d", os.Getuid()), s.Identity())
}
