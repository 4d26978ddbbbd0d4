package main

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/netasync/netasync"
)

// fleet is all sensors: a session each, in one engine, and no goroutine of their own.
type fleet struct {
	engine  *netasync.Engine
	sensors []*netasync.Session
	taken   uint64 // readings so far; measure's, and anybody's when that has returned
}

func newFleet(o options, addr string) (*fleet, error) {
	engine, err := o.newEngine("sensors")
	if err != nil {
		return nil, err
	}
	f := &fleet{engine: engine}
	for range o.sensors {
		s, err := engine.Connect(addr, netasync.ConnectOptions{
			Name: "sensor",
			// While the collector is away the newest readings are kept. Older ones are dropped.
			WriteBuffer: netasync.Sliding(o.buffer),
			// Each waits anywhere between 0 and the delay: they do not come back all at once.
			Backoff: netasync.Backoff{Initial: 500 * time.Millisecond, Max: 2 * time.Second, Jitter: 1},
			// Nothing is sent to a collector that dies before it has greeted.
			AwaitPeer: true,
			// A session that only sends must still have its events read. This costs nothing.
			OnEvent: func(*netasync.Session, netasync.Event) {}, Inline: true,
		})
		if err != nil {
			return nil, errors.Join(err, shutNow(engine))
		}
		f.sensors = append(f.sensors, s)
	}
	return f, nil
}

// tick is how often measure looks which readings are due.
const tick = 5 * time.Millisecond

// measure makes each sensor send a reading every so often, by turns, until ctx ends. It never waits for
// the network: TrySend takes every reading, and drops the oldest where there is no room.
func (f *fleet) measure(ctx context.Context, every time.Duration) error {
	begin, all := time.Now(), uint64(len(f.sensors))
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		due := uint64(float64(time.Since(begin)) / float64(every) * float64(all))
		due = min(due, f.taken+all) // a machine that is too slow has fewer readings
		for ; f.taken < due; f.taken++ {
			sensor, number := f.taken%all, f.taken/all+1
			if err := f.sensors[sensor].TrySend(encode(sensor, number)); err != nil {
				return err
			}
		}
	}
}

// readingSize is that of a reading on the wire: which sensor it is from, and its number, from 1. A real
// one would go on with what was measured.
const readingSize = 4 + 8

func encode(sensor, number uint64) []byte {
	p := binary.BigEndian.AppendUint32(make([]byte, 0, readingSize), uint32(sensor))
	return binary.BigEndian.AppendUint64(p, number)
}

func decode(p []byte) (sensor, number uint64, ok bool) {
	if len(p) != readingSize {
		return 0, 0, false
	}
	return uint64(binary.BigEndian.Uint32(p)), binary.BigEndian.Uint64(p[4:]), true
}

// shutNow ends an engine hard: it flushes nothing, and cuts all connections.
func shutNow(engine *netasync.Engine) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return engine.Shutdown(ctx)
}
