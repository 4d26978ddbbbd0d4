// Package leak finds goroutines of the library that outlive the tests which started them.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// ours is what the names of functions begin with whose goroutines must end: all those of the
// module, its tests included, and the event loops, which belong to an engine. Importing gnet alone
// starts goroutines of other names.
var ours = []string{"github.com/netasync/netasync", "github.com/panjf2000/gnet/v2.(*eventloop)"}

// Run runs the tests of a package and returns the code to exit with, which is a failure if they leave
// a goroutine of ours that does not end within wait.
func Run(tests func() int, wait time.Duration) int {
	code := tests()
	if code != 0 {
		return code // a test that failed may well have left something
	}
	if left := Settle(goroutines, wait); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines are left after the tests:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
		return 1
	}
	return 0
}

// StartedSince returns a function that returns the stacks of those goroutines of ours that run now
// and did not when StartedSince was called.
func StartedSince() func() []string {
	before := make(map[string]bool)
	for _, stack := range Stacks() {
		before[id(stack)] = true
	}
	return func() (since []string) {
		for _, stack := range goroutines() {
			if !before[id(stack)] {
				since = append(since, stack)
			}
		}
		return since
	}
}

// Settle asks until there is nothing left of what leftovers returns, or time is up. What a session
// that was dropped has left ends with a garbage collection.
func Settle(leftovers func() []string, wait time.Duration) []string {
	for deadline := time.Now().Add(wait); ; time.Sleep(5 * time.Millisecond) {
		runtime.GC()
		left := leftovers()
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}

// goroutines returns the stacks of the others that run, or were started by, a function of ours.
func goroutines() (found []string) {
	for i, stack := range Stacks() {
		if i > 0 && isOurs(stack) { // the first is the caller's
			found = append(found, stack)
		}
	}
	return found
}

// isOurs leaves out tests. Lines with file names do not count: a checkout may lie anywhere.
func isOurs(stack string) bool {
	if strings.Contains(stack, "\ntesting.tRunner(") {
		return false
	}
	for _, name := range ours {
		if strings.Contains(stack, "\n"+name) || strings.Contains(stack, "\ncreated by "+name) {
			return true
		}
	}
	return false
}

// Stacks returns the stacks of all goroutines, the caller's first.
func Stacks() []string {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return strings.Split(string(buf[:n]), "\n\n")
		}
	}
}

// id is "goroutine" and its number, which is given to no other.
func id(stack string) string {
	number, _, _ := strings.Cut(stack, " [")
	return number
}
