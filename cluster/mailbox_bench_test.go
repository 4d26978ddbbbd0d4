package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// BenchmarkPost measures Post at a node alone, and at one of three; 128 bytes, one after the other.
func BenchmarkPost(b *testing.B) {
	for _, count := range []int{1, 3} {
		b.Run(fmt.Sprint("nodes=", count), func(b *testing.B) {
			p := mailNodes(b, count)[0]
			payload := make([]byte, 128)
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				begun := time.Now()
				require.NoError(b, p.Post(within(b), fmt.Sprint("name ", i%1000), payload))
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkDelivery measures how fast a mailbox is emptied; 128 bytes.
func BenchmarkDelivery(b *testing.B) {
	for _, count := range []int{1, 3} {
		b.Run(fmt.Sprint("nodes=", count), func(b *testing.B) {
			nodes := mailNodes(b, count)
			for i := range b.N {
				require.NoError(b, nodes[0].Post(within(b), fmt.Sprint("name ", i/5000), make([]byte, 128)))
			}
			l, err := nodes[count-1].engine.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
			require.NoError(b, err)
			nodes[count-1].listener = l
			client, accepted := nodes[count-1].session(b, netasync.ConnectOptions{Resume: true})
			b.ResetTimer()
			for i := 0; i < b.N; i += 5000 {
				_, err := nodes[count-1].Claim(within(b), fmt.Sprint("name ", i/5000), accepted, Replace)
				require.NoError(b, err)
			}
			for range b.N {
				message(b, client)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}
