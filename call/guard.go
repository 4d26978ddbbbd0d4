package call

import (
	"context"
	"fmt"
	"runtime/debug"
)

// Handler answers one request. The request and the reply belong to who receives them. A nil reply and an
// empty one are the same. ctx ends when the caller has given up, or its deadline has passed, when nobody can
// have the reply any more, and with Serve's. A handler that panics, or ends its goroutine by
// runtime.Goexit, ends the program.
type Handler = func(ctx context.Context, request []byte) (reply []byte, err error)

// guarded calls a handler, and ends the program if that does not return: a caller would wait for ever.
func guarded(ctx context.Context, handle Handler, request []byte) (reply []byte, err error) {
	returned := false
	defer mustReturn(&returned)
	reply, err = handle(ctx, request)
	returned = true
	return reply, err
}

// mustReturn ends the program if the function that defers it has not set returned. It is deferred
// itself, as recover wants it.
func mustReturn(returned *bool) {
	if *returned {
		return
	}
	reason := "runtime.Goexit was called"
	if v := recover(); v != nil {
		reason = fmt.Sprint(v)
	}
	go die(fmt.Sprintf("%s\n\nin a handler of calls, %s", reason, debug.Stack())) // the stack is still whole
	select {}                                                                     // whoever called must not go on
}

// die panics where nobody can recover.
func die(why string) { panic(why) }
