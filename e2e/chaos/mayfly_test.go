//go:build linux

package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

const (
	firstMayfly = 64 // the number of the first client of this kind
	mayflies    = 8  // at a time, one for each port of the server
)

var errEnough = errors.New("enough")

// mayfly dials one session after the other, each for a second at most, and ends it in the midst of
// all faults, in order or at once, while it talks. Closed comes, and each message is accounted for.
func (all *crowd) mayfly(ctx context.Context, i int, v *violations) {
	rng := rand.New(rand.NewPCG(*seed+4, uint64(i)))
	for ctx.Err() == nil {
		c := newClient(firstMayfly+i, rng.Uint64(), v.report)
		c.mayEnd = true
		if err := c.connect(all.engine, all.addrs[c.port()], netasync.ConnectOptions{TLS: all.tls, Linger: period}); err != nil {
			v.report("connect: %v", err)
			return
		}
		talking, hush := context.WithCancel(context.Background())
		hushed := make(chan struct{})
		voice := rand.New(rand.NewPCG(rng.Uint64(), 0))
		go func() { c.talk(talking, voice); close(hushed) }()
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
		if rng.IntN(2) == 0 {
			assert.NoError(all.t, c.s.Close())
		} else {
			c.s.CloseNow(errEnough)
		}
		select {
		case <-c.closed:
		case <-time.After(3 * testkit.Patience):
			c.violation("Closed does not come: %v, %+v", c.s.State(), c.s.Stats())
		}
		hush()
		<-hushed
		err := unaccounted(c.s, uint64(c.said.Load()))
		for wait := time.Now(); err != nil && time.Since(wait) < testkit.Patience; time.Sleep(10 * time.Millisecond) {
			err = unaccounted(c.s, uint64(c.said.Load())) // what came too late is counted later
		}
		if err != nil {
			c.violation("%v", err)
		}
		all.short.Add(1)
	}
}
