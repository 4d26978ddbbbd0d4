package netasynctest

import (
	"os"
	"testing"

	"github.com/netasync/netasync/internal/leak"
)

// NoLeaks runs the tests of a package, and fails if they leave a goroutine of the library's, or one
// that waits in a call of it. It looks for the names of functions, so goroutines of others do not
// count. It is all that a TestMain needs, and does not return:
//
//	func TestMain(m *testing.M) { netasynctest.NoLeaks(m) }
func NoLeaks(m *testing.M) { os.Exit(leak.Run(m.Run, Patience)) }
