// Package backpressure is what docs/back-pressure.md shows.
package backpressure

import (
	"cmp"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
)

// bounded are options of a server with many clients.
func bounded() netasync.ListenOptions {
	//doc:begin bounded
	return netasync.ListenOptions{
		MaxSessions:  10_000,
		MaxPayload:   16 << 10,
		ReadBuffer:   netasync.Buffer{Cap: 64, Bytes: 32 << 10},
		WriteBuffer:  netasync.Buffer{Cap: 256, Bytes: 64 << 10},
		WriteTimeout: time.Minute, // who takes nothing for so long is cut off
	}
	//doc:end
}

// positions connects to what sends positions.
func positions(engine *netasync.Engine, addr string) (*netasync.Session, error) {
	//doc:begin sliding
	return engine.Connect(addr, netasync.ConnectOptions{
		ReadBuffer: netasync.Sliding(1), // whoever reads gets the latest; the peer never waits
	})
	//doc:end
}

// overloaded counts requests that were not passed on.
var overloaded atomic.Int64

// pass passes a request on, or refuses it.
func pass(backend *netasync.Session, request []byte, refuse func()) {
	//doc:begin try
	switch err := backend.TrySend(request); {
	case errors.Is(err, netasync.ErrQueueFull):
		overloaded.Add(1)
		refuse() // at once: who waits holds a request, and soon all of them
	case err != nil:
		refuse()
	}
	//doc:end
}

// slowest returns the sessions for which most is queued.
func slowest(engine *netasync.Engine, n int) []*netasync.Session {
	//doc:begin slowest
	all := slices.Collect(engine.Sessions())
	queued := make(map[*netasync.Session]int, len(all))
	for _, s := range all {
		queued[s] = s.Stats().QueuedBytes
	}
	slices.SortFunc(all, func(a, b *netasync.Session) int { return cmp.Compare(queued[b], queued[a]) })
	return all[:min(n, len(all))]
	//doc:end
}

// newRoom returns a room whose slow members are told of, and ended if they stay so.
func newRoom(slow func(*netasync.Session)) *broadcast.Group {
	//doc:begin slow
	return broadcast.NewGroup(broadcast.Options{
		Slow:   broadcast.Latest, // state: the last message counts. Close: who missed one is of no use any more
		OnSlow: slow,
	})
	//doc:end
}
