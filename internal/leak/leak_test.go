package leak

import (
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// leakEnv makes this test binary one whose tests leave a goroutine.
const leakEnv = "NETASYNC_TEST_LEAK"

func TestMain(m *testing.M) {
	if os.Getenv(leakEnv) == "" {
		os.Exit(Run(m.Run, patience))
	}
	go linger(make(chan struct{}))
	os.Exit(Run(func() int { return 0 }, 50*time.Millisecond))
}

const patience = 20 * time.Second

// linger is a goroutine of ours until the channel is closed.
func linger(over <-chan struct{}) { <-over }

// A package whose tests leave a goroutine fails, and its output says which.
func TestMainFailsWithAGoroutineLeft(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), leakEnv+"=1")
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", out)
	require.Equal(t, 1, exit.ExitCode())
	require.Contains(t, string(out), "1 goroutines are left")
	require.Contains(t, string(out), "leak.linger")
}

// A goroutine that is there already may stay, a new one may not, and one that ends in time may.
func TestStartedSince(t *testing.T) {
	before, after := make(chan struct{}), make(chan struct{})
	go linger(before)
	since := StartedSince()
	require.Empty(t, since())
	go linger(after)
	left := Settle(since, 0)
	require.Len(t, left, 1)
	require.Contains(t, left[0], "leak.linger")

	close(before) // this makes no room for the other one
	require.NotEmpty(t, Settle(since, 20*time.Millisecond))
	close(after)
	require.Empty(t, Settle(since, patience))
}

// Goroutines of others do not count, but those that a function of ours has started do.
func TestWhoseGoroutinesCount(t *testing.T) {
	for stack, want := range map[string]bool{
		"goroutine 7 [select]:\nnet/http.(*Server).Serve()\n\t/x/github.com/netasync/netasync/http.go:1\ncreated by net/http.Serve":          false,
		"goroutine 7 [select]:\ntime.Sleep(1)\n\t/x/sleep.go:1\ncreated by github.com/netasync/netasync/engine.(*host).start in goroutine 1": true,
		"goroutine 7 [select]:\ngithub.com/netasync/netasync.example()\n\t/x/api.go:1":                                                       true,
		"goroutine 7 [select]:\ngithub.com/panjf2000/gnet/v2.(*eventloop).run(0x1)\n\t/x/loop.go:1":                                          true,
		"goroutine 7 [select]:\ngithub.com/panjf2000/ants/v2.(*Pool).ticktock(0x1)\n\t/x/pool.go:1":                                          false,
		"goroutine 7 [select]:\ngithub.com/netasync/netasync/e2e.TestX(0x1)\n\t/x/x.go:1\ntesting.tRunner(0x1)\n\t/x/testing.go:1":           false,
	} {
		require.Equal(t, want, isOurs(stack), stack)
	}
	var work sync.WaitGroup
	work.Add(1)
	since := StartedSince()
	go work.Wait() // runs nothing of ours, but was started here
	require.Len(t, since(), 1)
	work.Done()
	require.Empty(t, Settle(since, patience))
}
