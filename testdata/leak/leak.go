// Package leak fails a test binary whose own goroutines outlive its tests.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Main runs the tests, then fails if goroutines of the library are left. Those of others,
// such as the pools that importing gnet starts, do not count.
func Main(m *testing.M) {
	code := m.Run()
	if left := Goroutines(); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "goroutines left after the tests:\n\n"+left)
		code = 1
	}
	os.Exit(code)
}

// Goroutines returns the stacks of goroutines that run the library's code,
// after they had a second to end: those behind dropped sessions need
// the garbage collector for that.
func Goroutines() string {
	var left []string
	for range 50 {
		runtime.GC()
		buf := make([]byte, 4<<20)
		left = nil
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			ours := strings.Contains(g, "github.com/netasync/netasync/") || strings.Contains(g, "github.com/netasync/netasync.")
			if ours && !strings.Contains(g, "testing.(*M).Run") && !strings.Contains(g, "testdata/leak.") && !strings.Contains(g, "testing.tRunner(") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return ""
		}
		time.Sleep(20 * time.Millisecond)
	}
	return strings.Join(left, "\n\n")
}
