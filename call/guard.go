package call

import (
	"context"

	"github.com/netasync/netasync/internal/guard"
)

// Handler answers one request. The request and the reply belong to who receives them. A nil reply and an
// empty one are the same. ctx ends when the caller has given up, or its deadline has passed, when nobody can
// have the reply any more, and with Serve's. A handler that panics, or ends its goroutine by
// runtime.Goexit, ends the program.
type Handler = func(ctx context.Context, request []byte) (reply []byte, err error)

// guarded calls a handler, and ends the program if that does not return: a caller would wait for ever.
func guarded(ctx context.Context, handle Handler, request []byte) (reply []byte, err error) {
	returned := false
	defer guard.MustReturn("a handler of calls", &returned)
	reply, err = handle(ctx, request)
	returned = true
	return reply, err
}
