package main

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// bubble runs a test in fake time, with a chat server at server:1 of a network in memory.
func bubble(t *testing.T, test func(t *testing.T, n *netasynctest.Network)) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		_, err := listen(n.Engine("server", netasync.EngineOptions{}), ":1")
		require.NoError(t, err)
		test(t, n)
	})
}

// settle waits until all that follows from what was done has happened. That takes some time: a session
// may keep a small message for a moment, to write several at once.
func settle() {
	time.Sleep(time.Millisecond)
	synctest.Wait()
}

func TestFlags(t *testing.T) {
	o, err := parse([]string{"-web", "127.0.0.1:1", "-listen", "unix:/tmp/x", "-connect", "other:2"})
	require.NoError(t, err)
	require.Equal(t, options{web: "127.0.0.1:1", listen: "unix:/tmp/x", connect: "other:2"}, o)
	_, err = parse([]string{"more"})
	require.ErrorContains(t, err, `unexpected argument "more"`)
	o, err = parse([]string{"-cluster", "-talk"})
	require.NoError(t, err)
	require.Equal(t, options{cluster: []string{"-talk"}}, o)
	_, err = parse([]string{"-web", "127.0.0.1:1", "-cluster"})
	require.ErrorContains(t, err, "-cluster has to be the first")
}

// Where the other program is not, the command is said.
func TestClusterElsewhere(t *testing.T) {
	err := run(t.Context(), options{cluster: []string{"-talk"}})
	require.ErrorContains(t, err, "say go -C "+otherDir+" run . -talk in the root of the repository")
	require.FileExists(t, filepath.Join("..", "..", otherDir, "main.go"))
}

func TestRunSaysWhatIsTaken(t *testing.T) {
	o := options{web: "127.0.0.1:0", listen: "127.0.0.1:70000"}
	require.Error(t, run(t.Context(), o))
	o = options{web: "127.0.0.1:70000", listen: "127.0.0.1:0"}
	require.Error(t, run(t.Context(), o))
}

// All of it on real sockets, which ends by the context, as by ^C.
func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(testkit.Context(t))
	cancel()
	require.NoError(t, run(ctx, options{web: "127.0.0.1:0", listen: "127.0.0.1:0"}))
}
