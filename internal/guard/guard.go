// Package guard ends the program where a function of the user's does not return: by a panic, or by
// runtime.Goexit. The goroutines that such functions run on are not the user's, and others wait for them.
package guard

import (
	"fmt"
	"runtime/debug"
)

// MustReturn ends the program if the function that defers it has not set returned. It is deferred
// itself, as recover wants it. what says whose function it is.
func MustReturn(what string, returned *bool) {
	if *returned {
		return
	}
	reason := "runtime.Goexit was called"
	if v := recover(); v != nil {
		reason = fmt.Sprint(v)
	}
	go die(fmt.Sprintf("%s\n\nin %s, %s", reason, what, debug.Stack())) // the stack is still whole
	select {}                                                           // whoever called must not go on
}

// die panics where nobody can recover.
func die(why string) { panic(why) }
