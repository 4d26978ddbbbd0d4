package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

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
	// wraps why it was no longer waited for, which is the context's error if that ended.
	ErrUnknownOutcome = errors.New("cluster: it is not known whether the message was queued")
)

// Why an answer is not waited for any more.
var (
	errNodeGone = errors.New("cluster: its node is gone")
	errNoAnswer = errors.New("cluster: its node has not answered")
)

// What a node answers to a Send.
const (
	answerQueued = 'q'
	answerFull   = 'f'
	answerGone   = 'g' // the session has not the name; behind it who has, if the node knows that
	answerBad    = 'b' // the payload is empty, or larger than the session's MaxPayload
)

const (
	// answerPatience is how long Send waits for a node that lives. It answers at once, or never.
	answerPatience = 10 * time.Second
	// maxMoves is how often Send follows a name from session to session.
	maxMoves = 4
)

// Send sends a message to the session that holds a name, wherever it lives. It returns nil when the
// message is in that session's WriteBuffer; what becomes of it then is what the session promises. Else
// the error says whether it may be there: ErrNoSession, ErrQueueFull and ErrShutdown say that it is not, and
// so does a payload's error, netasync.ErrEmptyMessage or ErrFrameTooLarge: it is larger than the session's
// MaxPayload, or than what NATS takes, which is 8 MiB unless the servers are the user's. Messages of one
// caller to a name come in the order of the calls.
//
// It waits for the answer of the session's node until ctx ends, but not longer than the node lives, or
// 10 s. A name that moves meanwhile is followed: the message is given to the next session only after the
// one before has said that it did not take it. The payload is the node's from now on.
func (n *Node) Send(ctx context.Context, name string, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n.ctx.Err() != nil {
		return ErrShutdown
	}
	if len(payload) == 0 {
		return netasync.ErrEmptyMessage
	}
	h, held := n.directory.holder(name)
	for range maxMoves {
		if !held {
			break
		}
		answer, next, err := n.sendTo(ctx, h, name, payload)
		if answer != answerGone {
			return errors.Join(err, errorOf(answer))
		}
		if next == (holder{}) || next == h { // perhaps it is known by now
			next, held = n.directory.holder(name)
			held = held && next != h
		}
		h = next
	}
	return ErrNoSession
}

// errorOf returns what an answer means; nil also for none.
func errorOf(answer byte) error {
	switch answer {
	case 0, answerQueued:
		return nil
	case answerFull:
		return ErrQueueFull
	case answerBad:
		return netasync.ErrFrameTooLarge
	}
	return ErrUnknownOutcome
}

// sendTo sends a message to one session. If that has not the name, the answer may say who has.
func (n *Node) sendTo(ctx context.Context, h holder, name string, payload []byte) (answer byte, next holder, err error) {
	if h.node == n.id {
		return n.queue(entryID{kindName, name, h.session}, payload), holder{}, nil
	}
	ended := n.directory.ended(h.node)
	if ended == nil {
		return answerGone, holder{}, nil
	}
	request := appendText(nil, name)
	request = append(appendNumber(request, h.session), payload...)
	waits, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	defer context.AfterFunc(ended, cancel)()
	m, err := n.nats.RequestWithContext(waits, n.to(h.node, "send"), request)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return answerGone, holder{}, nil // its node is gone
	case errors.Is(err, nats.ErrMaxPayload):
		return 0, holder{}, fmt.Errorf("%w: %w", netasync.ErrFrameTooLarge, err)
	case err != nil:
		return 0, holder{}, fmt.Errorf("%w: %w", ErrUnknownOutcome, n.unanswered(ctx, ended, err))
	}
	answer, next = parseAnswer(m.Data)
	return answer, next, nil
}

// unanswered returns why no answer has come.
func (n *Node) unanswered(ctx, ended context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case n.ctx.Err() != nil:
		return ErrShutdown
	case ended.Err() != nil:
		return errNodeGone
	case errors.Is(err, context.DeadlineExceeded):
		return errNoAnswer
	}
	return err
}

func (h holder) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(h.node))
	return appendNumber(appendNumber(b, h.session), h.clock)
}

// parseAnswer parses what a node has answered. What is malformed is no known answer.
func parseAnswer(p []byte) (answer byte, next holder) {
	r := reader{p: p}
	answer = r.byte()
	if len(r.p) > 0 {
		next = holder{r.node(), r.number(), r.number()}
	}
	if r.bad {
		return '?', holder{}
	}
	return answer, next
}

// queue gives a message to a session of this node. It does not wait.
func (n *Node) queue(id entryID, payload []byte) (answer byte) {
	c := n.claim(id)
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
	r := reader{p: m.Data}
	switch m.Subject[len(n.to(n.id, "")):] {
	case "send":
		_ = m.Respond(n.answerSend(r))
	case "room":
		if room := r.text(maxText); !r.bad {
			n.hub.Send(room, r.p)
		}
	case "strict":
		n.work.Go(func() { n.strict.asked(m, r) })
	case "snapshot":
		n.work.Go(func() { n.answerSync(m.Reply) })
	}
}

func (n *Node) answerSend(r reader) []byte {
	id := entryID{kind: kindName, key: r.text(maxText), session: r.number()}
	if r.bad {
		return []byte{answerBad}
	}
	answer := []byte{n.queue(id, r.p)}
	if answer[0] == answerGone {
		if h, held := n.directory.holder(id.key); held && (h.node != n.id || h.session != id.session) {
			return h.append(answer)
		}
	}
	return answer
}
