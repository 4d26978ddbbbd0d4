package nodes

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// Subjects of a stream by hand, and what the receiver says of it.
const (
	streamSubject = "stream"
	ackSubject    = "stream-acks"
)

const (
	// natsWindow is how many messages may be under way: NATS throws away what a subscriber has no room for.
	natsWindow = 4 << 10
	ackEvery   = 128
)

// acks are of the publisher: how many messages were received, as far as it knows.
type acks struct {
	received atomic.Uint64
	more     chan struct{}
	sent     uint64
}

// take receives a stream, and has something done with each message.
func (s *natsServer) take(each func(payload []byte) error) error {
	count := uint64(0)
	sub, err := s.nats.Subscribe(streamSubject, func(m *nats.Msg) {
		if each(m.Data) != nil {
			return
		}
		if count++; count%ackEvery == 0 {
			_ = s.nats.Publish(ackSubject, binary.BigEndian.AppendUint64(nil, count))
		}
	})
	if err != nil {
		return err
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	return s.nats.Flush()
}

// passOn gives a message of a stream to a session, and waits while that has no room.
func (s *natsServer) passOn(payload []byte) error {
	s.mu.Lock()
	session := s.sessions[subjectOf(nameOf(0))]
	s.mu.Unlock()
	return session.Send(context.Background(), payload)
}

// stream publishes as fast as the receiver takes.
func (s *natsServer) stream(a args) (any, error) {
	s.acks.more = make(chan struct{}, 1)
	_, err := s.nats.Subscribe(ackSubject, func(m *nats.Msg) {
		s.acks.received.Store(binary.BigEndian.Uint64(m.Data))
		select {
		case s.acks.more <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return nil, err
	}
	if err := s.nats.Flush(); err != nil {
		return nil, err
	}
	if _, err := s.hears(streamSubject, 1); err != nil {
		return nil, err
	}
	return flow(a, func(ctx context.Context, payload []byte) error {
		for s.acks.sent-s.acks.received.Load() >= natsWindow {
			select {
			case <-s.acks.more:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		s.acks.sent++
		s.sender.queued.Add(1)
		return s.nats.Publish(streamSubject, payload)
	})
}
