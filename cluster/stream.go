package cluster

import (
	"context"
	"fmt"
	"sync"

	"github.com/netasync/netasync"
)

// RemoteSession sends messages to a name in a stream: in order, and without waiting for an answer to
// each. It is made by [Node.Session], and safe for concurrent use. There is nothing to close.
//
// A message that Send has accepted waits in a window, of 512 messages or 512 KiB, until it is in the
// WriteBuffer of the session that holds the name, wherever that lives: only [RemoteSession.Flush] says
// what has become of it. Where that session is slow the window gets full, and Send waits; other names do
// not notice, also where their sessions live at the same node.
//
// Messages come in the order in which they were sent. When the name moves to another session those that
// the first has not taken go to the next, after the first's node has said which those are: no message is
// given to two sessions, and none comes before one that was sent earlier. Where nobody has the name then,
// they are not queued. When a node dies, or cannot be reached for 5 s, it is not known of those that were
// under way to it; the RemoteSession goes on.
type RemoteSession struct {
	node *Node
	name string

	mu       sync.Mutex    // guards all below. Under it come the node's locks, those of links and of outlets
	queue    [][]byte      // accepted, and not settled, in order
	bytes    int           // of queue
	sent     int           // of queue, the first ones, that were given to at
	at       *binding      // where they go; nil: nowhere, or they wait for room for a stream, see route
	moves    int           // since a message was settled
	accepted uint64        // messages, so far
	fate     fate          // of messages that were not queued, since Flush was told
	change   chan struct{} // closed when a message is settled; nil: nobody waits
}

// Session returns a stream of messages to a name, whoever holds that. It asks nobody. Order is kept among
// the messages of one RemoteSession: with another one, and with Send of the node, there is none.
func (n *Node) Session(name string) *RemoteSession { return &RemoteSession{node: n, name: name} }

// Name returns the name.
func (s *RemoteSession) Name() string { return s.name }

// Send accepts a message, and waits for room in the window until ctx ends. nil means that it will be
// given to the session that holds the name, of which Flush tells more. Else it is not: ErrNoSession,
// ErrNoLink, ErrShutdown, netasync.ErrEmptyMessage, ErrFrameTooLarge for one over 8 MiB, and ctx's error.
// The payload is the node's from now on.
func (s *RemoteSession) Send(ctx context.Context, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for {
		room, err := s.accept(payload)
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.node.ctx.Done():
			return ErrShutdown
		}
	}
}

// TrySend is Send that returns ErrQueueFull instead of waiting.
func (s *RemoteSession) TrySend(payload []byte) error {
	room, err := s.accept(payload)
	if room != nil {
		return ErrQueueFull
	}
	return err
}

// accept takes a message. If there is no room, it returns a channel that is closed when there may be.
func (s *RemoteSession) accept(payload []byte) (room <-chan struct{}, err error) {
	switch {
	case len(payload) == 0:
		return nil, netasync.ErrEmptyMessage
	case len(payload) > maxMessage:
		return nil, netasync.ErrFrameTooLarge
	case s.node.ctx.Err() != nil:
		return nil, ErrShutdown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		if over, room, err := s.direct(payload); over {
			return room, err
		}
	}
	if fills(len(s.queue), s.bytes) {
		return s.changes(), nil
	}
	s.queue = append(s.queue, payload)
	s.bytes += len(payload)
	s.accepted++
	if s.at != nil { // else the messages before it wait for room for a stream
		s.at.offer()
	}
	return nil, nil
}

// Flush waits until it is known of all messages that Send and TrySend have accepted before the call what
// has become of them. nil means that all are in the WriteBuffer of a session that had the name. Else it is
// an [*UndeliveredError], which counts those that are not since Flush has told of some last: each is told
// once. If ctx ends first, the error is ctx's, and changes nothing.
func (s *RemoteSession) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.await(ctx); err != nil {
		return err
	}
	return s.fate.take()
}

// await waits until all that was accepted so far is settled. The caller holds mu, which is free while it
// waits.
func (s *RemoteSession) await(ctx context.Context) error {
	for until := s.accepted; s.accepted-uint64(len(s.queue)) < until; {
		c := s.changes()
		s.mu.Unlock()
		select {
		case <-c:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if err := ctx.Err(); err != nil && s.accepted-uint64(len(s.queue)) < until {
			return fmt.Errorf("cluster: %d messages are under way: %w", len(s.queue), err)
		}
	}
	return nil
}

// changes returns a channel that is closed when a message is settled. The caller holds mu.
func (s *RemoteSession) changes() <-chan struct{} {
	if s.change == nil {
		s.change = make(chan struct{})
	}
	return s.change
}

// settle takes out the first messages, as it is known what has become of them. The caller holds mu.
func (s *RemoteSession) settle(count int) {
	if count == 0 {
		return
	}
	for i, m := range s.queue[:count] {
		s.bytes -= len(m)
		s.queue[i] = nil
	}
	if s.queue = s.queue[count:]; len(s.queue) == 0 {
		s.queue = nil
	}
	s.sent = max(0, s.sent-count)
	if s.change != nil {
		close(s.change)
		s.change = nil
	}
}

// UndeliveredError says how many messages of a [RemoteSession] were not queued, or may not have been.
type UndeliveredError struct {
	NotQueued int   // that no session has or will have
	Unknown   int   // that a session may have or not, as its node has died, or cannot be reached
	Why       error // of the first that was not queued; nil: there is none
	Doubt     error // of the first that is not known, an ErrUnknownOutcome; nil: there is none
}

// Error says how many, and why.
func (e *UndeliveredError) Error() string {
	switch {
	case e.Unknown == 0:
		return fmt.Sprintf("cluster: %d messages were not queued: %v", e.NotQueued, e.Why)
	case e.NotQueued == 0:
		return fmt.Sprintf("cluster: of %d messages: %v", e.Unknown, e.Doubt)
	}
	return fmt.Sprintf("cluster: %d messages were not queued: %v; of %d others: %v",
		e.NotQueued, e.Why, e.Unknown, e.Doubt)
}

// Unwrap returns Why and Doubt.
func (e *UndeliveredError) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Why, e.Doubt} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// fate is what has become of messages that were not queued.
type fate struct{ UndeliveredError }

func (f *fate) refused(count int, why error) {
	if count == 0 {
		return
	}
	if f.NotQueued += count; f.Why == nil {
		f.Why = why
	}
}

func (f *fate) unknown(count int, why error) {
	if count == 0 {
		return
	}
	if f.Unknown += count; f.Doubt == nil {
		f.Doubt = fmt.Errorf("%w: %w", ErrUnknownOutcome, why)
	}
}

// take returns the error to be told, and begins anew.
func (f *fate) take() error {
	e := f.UndeliveredError
	f.UndeliveredError = UndeliveredError{}
	if e.NotQueued == 0 && e.Unknown == 0 {
		return nil
	}
	return &e
}
