package nodes

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"

	"github.com/netasync/netasync/bench/internal/calls"
	"github.com/netasync/netasync/bench/internal/child"
)

// pause is how long a sender waits when a session's WriteBuffer is full.
const pause = 100 * time.Microsecond

// sender sends to names, and waits until each message is queued.
type sender struct {
	send   func(ctx context.Context, name string, payload []byte) error
	queued atomic.Uint64
	turn   atomic.Uint64
}

// measure has so many goroutines send to as many names, and tells the parent when the measured time begins and ends.
func (s *sender) measure(a args) (any, error) {
	senders := a.number(0)
	names := make([]string, senders)
	for i := range names {
		names[i] = nameOf(i)
	}
	call := func(ctx context.Context, payload []byte) ([]byte, error) {
		name := names[s.turn.Add(1)%uint64(len(names))]
		for {
			err := s.send(ctx, name, payload)
			if err == nil {
				s.queued.Add(1)
				return payload, nil
			}
			if !errors.Is(err, netasync.ErrQueueFull) {
				return nil, err
			}
			time.Sleep(pause)
		}
	}
	return calls.Run(calls.Library{Dial: func(string) (calls.Call, error) { return call, nil }}, calls.Options{
		Window: senders, Payload: a.number(1), Warm: a.duration(2), Measure: a.duration(3),
		Begin: begun, End: ended,
	})
}

func begun() { _ = child.Say(child.Message{Event: child.Begin}) }
func ended() { _ = child.Say(child.Message{Event: child.End}) }
