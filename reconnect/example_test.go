package reconnect_test

import (
	"fmt"
	"time"

	"github.com/netasync/netasync/reconnect"
)

// The waits of a Backoff, in the middle of what its jitter allows.
func ExampleBackoff() {
	b, err := reconnect.Backoff{Max: time.Second}.Resolve()
	if err != nil {
		fmt.Println(err) // names the field
	}
	for failures := range 7 {
		fmt.Println(b.Delay(failures, 0.5).Round(time.Millisecond))
	}
	// Output:
	// 100ms
	// 160ms
	// 256ms
	// 410ms
	// 655ms
	// 1s
	// 1s
}

// With a Jitter of 1 a wait is anywhere between nothing and the delay, so that the clients of a
// server that restarts do not come back all at once.
func ExampleBackoff_jitter() {
	b, _ := reconnect.Backoff{Initial: time.Second, Jitter: 1}.Resolve()
	for _, random := range []float64{0, 0.25, 0.5, 0.999} {
		fmt.Println(b.Delay(0, random))
	}
	// Output:
	// 0s
	// 250ms
	// 500ms
	// 999ms
}

// The rule of net.async: a second, always.
func ExampleFixedDelay() {
	b, _ := reconnect.FixedDelay(time.Second).Resolve()
	fmt.Println(b.Delay(0, 0.1), b.Delay(100, 0.9))
	// Output: 1s 1s
}
