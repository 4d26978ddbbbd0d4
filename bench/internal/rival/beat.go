package rival

import (
	"bufio"
	"net"
	"sync"
	"time"

	"github.com/netasync/netasync/bench/internal/wire"
)

// beatSlots is over how many moments of a period the heartbeats are spread.
const beatSlots = 50

// Beat is no contestant but a yardstick: a bare loop that writes an empty frame to every connection once a period
// and does nothing else. What a heartbeat costs beyond that is this library's own doing.
func Beat(o Options) (net.Addr, error) {
	b := &beater{}
	if o.Heartbeat > 0 {
		go b.run(o.Heartbeat / beatSlots)
	}
	return listen(o, func(c net.Conn) {
		// One echo, so that it can be opened like the others; then the connection belongs to the loop.
		if echoOnce(c) == nil {
			b.add(c)
		}
	})
}

func echoOnce(c net.Conn) error {
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	header, err := r.Peek(wire.HeaderLen)
	if err != nil {
		return err
	}
	if err := echoSmall(r, w, wire.FrameLen(wire.Length(header))); err != nil {
		return err
	}
	return w.Flush()
}

type beater struct {
	mu    sync.Mutex
	slots [beatSlots][]net.Conn // guarded by mu
	next  int                   // guarded by mu
}

func (b *beater) add(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slots[b.next] = append(b.slots[b.next], c)
	b.next = (b.next + 1) % beatSlots
}

// run writes to one slot after the other.
func (b *beater) run(every time.Duration) {
	var empty [wire.HeaderLen]byte
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := 0; ; i = (i + 1) % beatSlots {
		<-tick.C
		b.mu.Lock()
		due := b.slots[i]
		b.mu.Unlock()
		for _, c := range due {
			_, _ = c.Write(empty[:])
		}
	}
}
