package call_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// mischiefs are what a handler may do instead of returning, and what the program's last words are then.
var mischiefs = map[string]struct {
	handle call.Handler
	words  string
}{
	"panic":  {func(context.Context, []byte) ([]byte, error) { panic("boom") }, "panic: boom"},
	"Goexit": {func(context.Context, []byte) ([]byte, error) { runtime.Goexit(); return nil, nil }, "panic: runtime.Goexit was called"},
}

// mischief says to a further process of the test which of them to be the victim of.
const mischief = "NETASYNC_CALL_MISCHIEF"

// A handler that does not return ends the program, with its trace.
func TestHandlersThatPanic(t *testing.T) {
	if name := os.Getenv(mischief); name != "" {
		client, server := netasynctest.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{})
		p := call.New(server, call.Options{})
		go func() { _ = p.Serve(context.Background(), mischiefs[name].handle) }()
		_, err := call.New(client, call.Options{}).Call(testkit.Context(t), nil)
		t.Fatal("the program goes on: ", err)
	}
	for name, want := range mischiefs {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(testkit.Context(t), os.Args[0], "-test.run=^TestHandlersThatPanic$")
			cmd.Env = append(os.Environ(), mischief+"="+name)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.True(t, errors.As(err, &exit), "%v: %s", err, out)
			require.Contains(t, string(out), want.words)
			require.Contains(t, string(out), "guard_test.go", "the trace is the handler's")
			require.NotContains(t, string(out), "goes on")
		})
	}
}
