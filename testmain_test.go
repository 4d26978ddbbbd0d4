package netasync_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the package if a goroutine of the library survives its tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := settle(func() []string { return goroutines(library) }); len(left) > 0 && code == 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines of the library are left:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
		code = 1
	}
	os.Exit(code)
}

// library is what the names of our functions begin with, in every room, and
// those of the event loops that belong to an engine. Importing gnet alone starts
// goroutines of other names.
var library = []string{"github.com/netasync/netasync/", "github.com/panjf2000/gnet/v2.(*eventloop)"}

// settle asks again until there are none, or time is up. What an abandoned
// session has left ends with a garbage collection.
func settle(leftovers func() []string) []string {
	deadline := time.Now().Add(patience)
	for {
		runtime.GC()
		left := leftovers()
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// more returns what settle may ask: the library's goroutines, if there are more of them now than at the
// call of more.
func more() func() []string {
	before := len(goroutines(library))
	return func() []string {
		if now := goroutines(library); len(now) > before {
			return now
		}
		return nil
	}
}

// goroutines returns the stacks of those that run, or were started by, a
// function whose name begins with one of the given. Lines with file names do not count: a
// checkout may lie anywhere.
func goroutines(names []string) []string {
	stacks := make([]byte, 1<<20)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	var found []string
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		for _, name := range names {
			if strings.Contains(stack, "\n"+name) || strings.Contains(stack, "\ncreated by "+name) {
				found = append(found, stack)
				break
			}
		}
	}
	return found
}
