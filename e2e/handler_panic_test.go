package e2e_test

import (
	"testing"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// swallowing is a user's handler around ours that keeps panics to itself, as gnet's errgroup does
// with some versions of golang.org/x/sync.
type swallowing struct{ bare }

func (s *swallowing) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	defer func() { _ = recover() }()
	return s.Handler.OnOpen(c)
}

func (s *swallowing) OnTraffic(c gnet.Conn) gnet.Action {
	defer func() { _ = recover() }()
	return s.Handler.OnTraffic(c)
}

// hosting has a handler call f, in a gnet engine.
func hosting(o func(f func()) netasync.ListenOptions) func(*testing.T, func()) {
	return func(t *testing.T, f func()) {
		h, err := netasync.NewHandler(o(f))
		require.NoError(t, err)
		booted := make(chan gnet.Engine, 1)
		_, addr := run(t, &swallowing{bare{h, booted}}, booted)
		testkit.Write(t, testkit.Dial(t, addr), testkit.Frames("x"))
	}
}
