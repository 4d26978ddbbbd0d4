//go:build unix

package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// BenchmarkSendRemote measures Send to names at another node, one goroutine for each name; 128 bytes.
func BenchmarkSendRemote(b *testing.B) {
	toOthers(b, func(n *Node, name string) (func([]byte) error, func() error) {
		return func(p []byte) error { return n.Send(context.Background(), name, p) }, func() error { return nil }
	})
}

// BenchmarkRemoteSession measures the same by a RemoteSession for each name.
func BenchmarkRemoteSession(b *testing.B) {
	toOthers(b, func(n *Node, name string) (func([]byte) error, func() error) {
		s := n.Session(name)
		return func(p []byte) error { return s.Send(context.Background(), p) },
			func() error { return s.Flush(context.Background()) }
	})
}

// toOthers sends b.N messages to 1, 16 and 256 names, whose clients count them.
func toOthers(b *testing.B, open func(n *Node, name string) (send func([]byte) error, flush func() error)) {
	for _, count := range []int{1, 16, 256} {
		b.Run(fmt.Sprint("names=", count), func(b *testing.B) {
			nodes := startMany(b, 2)
			var received sync.WaitGroup
			each := b.N/count + 1
			counting := newEngine(b)
			for i := range count {
				left := each
				received.Add(1)
				_, err := counting.Connect(nodes[1].listener.Addr().String(), netasync.ConnectOptions{
					Inline: true, OnEvent: func(_ *netasync.Session, ev netasync.Event) {
						if ev.Kind == netasync.Message {
							if left--; left == 0 {
								received.Done()
							}
						}
					},
				})
				require.NoError(b, err)
				_, err = nodes[1].Claim(within(b), fmt.Sprint("name ", i), <-nodes[1].listener.AcceptChan(), Replace)
				require.NoError(b, err)
			}
			eventually(b, func() bool { return nodes[0].Stats().Names == count }, "they are known")
			b.ResetTimer()
			begun, cpu := time.Now(), cpuTime()
			var sending sync.WaitGroup
			for i := range count {
				sending.Go(func() {
					send, flush := open(nodes[0].Node, fmt.Sprint("name ", i))
					for range each {
						for {
							err := send(make([]byte, 128))
							if err == nil {
								break
							}
							if !errors.Is(err, ErrQueueFull) {
								b.Error(err)
								return
							}
						}
					}
					if err := flush(); err != nil {
						b.Error(err)
					}
				})
			}
			sending.Wait()
			received.Wait()
			all := float64(each * count)
			b.ReportMetric(all/time.Since(begun).Seconds(), "msg/s")
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/all, "cpu-ns/msg")
		})
	}
}

// cpuTime is what the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
