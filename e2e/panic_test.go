package e2e_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// mischiefs are what a function of the user's may do instead of returning.
var mischiefs = map[string]func(){
	"panic":  func() { panic("boom") },
	"Goexit": runtime.Goexit,
}

// traces is what a program's last words have to tell of them.
var traces = map[string]string{"panic": "panic: boom", "Goexit": "panic: runtime.Goexit was called"}

// onMessage calls f for the first message.
func onMessage(f func()) func(*netasync.Session, netasync.Event) {
	return func(_ *netasync.Session, ev netasync.Event) {
		if ev.Kind == netasync.Message {
			f()
		}
	}
}

// listening has an engine call f.
func listening(o func(f func()) netasync.ListenOptions, co netasync.ConnectOptions) func(*testing.T, func()) {
	return func(t *testing.T, f func()) {
		e := newEngine(t)
		c := connect(t, e, listen(t, e, o(f)).Addr(), co)
		send(t, c, "x")
	}
}

func inline(f func()) netasync.ListenOptions {
	return netasync.ListenOptions{OnEvent: onMessage(f), Inline: true}
}

func pool(f func()) netasync.ListenOptions {
	return netasync.ListenOptions{OnEvent: onMessage(f)}
}

func atOnce(f func()) netasync.ListenOptions {
	return netasync.ListenOptions{OnEvent: func(*netasync.Session, netasync.Event) { f() }, Inline: true}
}

func offLoop(f func()) netasync.ListenOptions {
	return netasync.ListenOptions{OnEvent: onMessage(f), Inline: true, TLS: certificates().server(false)}
}

func telling(f func()) netasync.ListenOptions {
	return netasync.ListenOptions{Logger: slog.New(&failing{slog.DiscardHandler, f})}
}

// failing is a handler of lines that calls f.
type failing struct {
	slog.Handler
	f func()
}

func (*failing) Enabled(context.Context, slog.Level) bool { return true }

func (h *failing) Handle(context.Context, slog.Record) error { h.f(); return nil }

func authorize(f func()) netasync.ListenOptions {
	return netasync.ListenOptions{Authorize: func(net.Conn) error { f(); return nil }}
}

// places are where functions of the user's are called.
func places() map[string]func(t *testing.T, mischief func()) {
	return map[string]func(*testing.T, func()){
		"OnEvent inline":               listening(inline, netasync.ConnectOptions{}),
		"OnEvent inline, Connected":    listening(atOnce, netasync.ConnectOptions{}),
		"OnEvent on the pool":          listening(pool, netasync.ConnectOptions{}),
		"OnEvent off the loop":         listening(offLoop, netasync.ConnectOptions{TLS: certificates().client(false)}),
		"Authorize":                    listening(authorize, netasync.ConnectOptions{}),
		"a handler's OnEvent inline":   hosting(inline),
		"a handler's first event":      hosting(atOnce),
		"a handler's OnEvent, on pool": hosting(pool),
		"a handler's Authorize":        hosting(authorize),
		"Logger":                       listening(telling, netasync.ConnectOptions{}),
		"a handler's Logger":           hosting(telling),
		"Hello": func(t *testing.T, f func()) {
			ln := testkit.Listen(t)
			connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Hello: func(uint64) [][]byte { f(); return nil }})
		},
		"Resolve": func(t *testing.T, f func()) {
			_, err := newEngine(t).Connect("", netasync.ConnectOptions{Resolve: func(context.Context) ([]string, error) { f(); return nil, nil }})
			require.NoError(t, err)
		},
	}
}

const (
	mischiefEnv = "NETASYNC_TEST_MISCHIEF"
	placeEnv    = "NETASYNC_TEST_PLACE"
)

// TestMischief is a program for TestFunctionsThatDoNotReturn.
func TestMischief(t *testing.T) {
	f, place := mischiefs[os.Getenv(mischiefEnv)], places()[os.Getenv(placeEnv)]
	if f == nil || place == nil {
		t.Skip("run by TestFunctionsThatDoNotReturn")
	}
	place(t, func() { misbehave(f) })
	<-testkit.Context(t).Done()
}

//go:noinline
func misbehave(f func()) { f() }

// A function of the user's that panics, or ends its goroutine, ends the program, which says where.
func TestFunctionsThatDoNotReturn(t *testing.T) {
	for mischief, words := range traces {
		for place := range places() {
			t.Run(mischief+"/"+place, func(t *testing.T) {
				cmd := exec.CommandContext(testkit.Context(t), os.Args[0], "-test.run=^TestMischief$")
				cmd.Env = append(os.Environ(), mischiefEnv+"="+mischief, placeEnv+"="+place)
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				require.True(t, errors.As(err, &exit), "%v\n%s", err, out)
				require.Equal(t, 2, exit.ExitCode(), "%s", out)
				require.Contains(t, string(out), words)
				require.Contains(t, string(out), "misbehave(", "the trace is that of the function")
			})
		}
	}
}
