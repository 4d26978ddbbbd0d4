package engine

import (
	"context"
	"log/slog"
	"net"

	"github.com/netasync/netasync/internal/guard"
)

// A function of the user's that panics ends the program, and so does one that calls runtime.Goexit:
// the goroutine that it runs on is not the user's. It may be an event loop, whose other sessions
// would hang, and gnet's errgroup keeps a panic to itself in golang.org/x/sync v0.14 and v0.15.
//
// OnEvent is guarded where a session is told to run callbacks, and not call by call, which would
// cost 6 ns of the 100 that an inline message takes.

// guardResolve returns f, guarded.
func guardResolve(f func(context.Context) ([]string, error)) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		returned := false
		defer guard.MustReturn("Resolve", &returned)
		addrs, err := f(ctx)
		returned = true
		return addrs, err
	}
}

// guardDial returns f, guarded. A connection that is none is an error.
func guardDial(f dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		returned := false
		defer guard.MustReturn("Dial", &returned)
		conn, err := f(ctx, network, address)
		returned = true
		if err == nil && conn == nil {
			err = errNoConn
		}
		return conn, err
	}
}

// guardHello returns f, guarded; nil for nil.
func guardHello(f func(uint64) [][]byte) func(uint64) [][]byte {
	if f == nil {
		return nil
	}
	return func(epoch uint64) [][]byte {
		returned := false
		defer guard.MustReturn("Hello", &returned)
		words := f(epoch)
		returned = true
		return words
	}
}

// guardFollow returns f, guarded; nil for nil.
func guardFollow(f func(string) bool) func(string) bool {
	if f == nil {
		return nil
	}
	return func(addr string) bool {
		returned := false
		defer guard.MustReturn("FollowRedirect", &returned)
		follows := f(addr)
		returned = true
		return follows
	}
}

// start begins callbacks, guarded.
func (l *link) start(onLoop bool) {
	returned := false
	defer guard.MustReturn("OnEvent", &returned)
	l.inner.Start(onLoop)
	returned = true
}

// feedOnce gives the session what it has room for, guarded.
func (l *link) feedOnce(p []byte, onLoop bool) (rest []byte, leave bool, err error) {
	returned := false
	defer guard.MustReturn("OnEvent", &returned)
	rest, leave, err = l.inner.Feed(p, onLoop)
	returned = true
	return rest, leave, err
}

// guardedLog is a handler of the user's, guarded. What WithAttrs returns is not, and not used.
type guardedLog struct{ slog.Handler }

func (g guardedLog) Handle(ctx context.Context, r slog.Record) error {
	returned := false
	defer guard.MustReturn("Logger", &returned)
	err := g.Handler.Handle(ctx, r)
	returned = true
	return err
}

// guardLog returns log, guarded; nil is silent.
func guardLog(log *slog.Logger) *slog.Logger {
	if log == nil || log.Handler() == slog.DiscardHandler {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(guardedLog{log.Handler()})
}
