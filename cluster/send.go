package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/netasync/netasync"
)

// Errors of Send.
var (
	// ErrNoSession is that no session holds the name. The message was not queued.
	ErrNoSession = errors.New("cluster: no session has the name")
	// ErrQueueFull is that the session's WriteBuffer is full. The message was not queued.
	ErrQueueFull = netasync.ErrQueueFull
	// ErrUnknownOutcome is that the session's node has not answered: the message may be queued, or not. It
	// wraps the context's error if that ended.
	ErrUnknownOutcome = errors.New("cluster: it is not known whether the message was queued")
)

// What a node answers to a Send.
const (
	answerQueued = 'q'
	answerFull   = 'f'
	answerGone   = 'g'
	answerBad    = 'b' // the payload is empty, or larger than the session's MaxPayload
)

// Send sends a message to the session that holds a name, wherever it lives. It returns nil when the
// message is in that session's WriteBuffer; what becomes of it then is what the session promises. Else
// the error says whether it may be there: ErrNoSession and ErrQueueFull say that it is not, and so does
// a payload's error, netasync.ErrEmptyMessage or ErrFrameTooLarge. Messages of one caller to a name come in
// the order of the calls. It waits for the answer of the session's node until ctx ends. The payload is
// the node's from now on.
func (n *Node) Send(ctx context.Context, name string, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(payload) == 0 {
		return netasync.ErrEmptyMessage
	}
	h, held := n.directory.holder(name)
	if !held {
		return ErrNoSession
	}
	if h.node == n.id {
		return answerOf(n.queue(entryID{kindName, name, h.session}, payload))
	}
	request := appendText(nil, name)
	request = append(appendNumber(request, h.session), payload...)
	m, err := n.nats.RequestWithContext(ctx, n.to(h.node, "send"), request)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return ErrNoSession // its node is gone
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", netasync.ErrFrameTooLarge, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	case len(m.Data) != 1:
		return ErrUnknownOutcome
	}
	return answerOf(m.Data[0])
}

func answerOf(answer byte) error {
	switch answer {
	case answerQueued:
		return nil
	case answerFull:
		return ErrQueueFull
	case answerGone:
		return ErrNoSession
	case answerBad:
		return netasync.ErrFrameTooLarge
	}
	return ErrUnknownOutcome
}

// queue gives a message to a session of this node. It does not wait.
func (n *Node) queue(id entryID, payload []byte) (answer byte) {
	n.mu.Lock()
	c := n.claims[id]
	n.mu.Unlock()
	if c == nil {
		return answerGone
	}
	switch err := c.trySend(payload); {
	case err == nil:
		return answerQueued
	case errors.Is(err, netasync.ErrQueueFull):
		return answerFull
	case errors.Is(err, netasync.ErrEmptyMessage), errors.Is(err, netasync.ErrFrameTooLarge):
		return answerBad
	}
	return answerGone
}

// asked answers what this node alone is asked.
func (n *Node) asked(m *nats.Msg) {
	switch m.Subject[len(n.to(n.id, "")):] {
	case "send":
		r := reader{p: m.Data}
		id := entryID{kind: kindName, key: r.text(maxText), session: r.number()}
		if answer := byte(answerBad); !r.bad {
			answer = n.queue(id, r.p)
			_ = m.Respond([]byte{answer})
		}
	case "room":
		r := reader{p: m.Data}
		if room := r.text(maxText); !r.bad {
			n.hub.Send(room, r.p)
		}
	case "snapshot":
		n.work.Go(func() { n.sendSnapshot(m.Reply) })
	}
}
