package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/netasync/netasync"
)

// Errors of Post.
var (
	// ErrNoMailboxes is that the node has none, see Options.Dir.
	ErrNoMailboxes = errors.New("cluster: the node has no mailboxes")
	// ErrMailboxFull is that as many messages wait as MailboxMessages or MailboxBytes say. The message was
	// not stored.
	ErrMailboxFull = errors.New("cluster: the mailbox is full")
)

// Post stores a message in the mailbox of a name, for the session that holds it or the next one that
// does. It returns nil when the message is stored at a majority of Replicas; there it outlives sessions
// and nodes. Else the error says whether it may be stored: ErrUnknownOutcome that it may, all others
// that it is not. While there is no leader, as for some seconds after the death of a node, Post tries
// again until ctx ends, for 100 seconds at most; the message is stored once, however often it had to try.
//
// Who claims the name gets the messages of its mailbox in the order in which they were stored, each at
// least once, and before those that are sent to it meanwhile: Send to a name whose mailbox is being
// emptied for the first time waits behind that in a queue of 128 messages, unless the mailbox cannot be
// read at the moment. A message that is posted to a name that is claimed comes at once, in no order with
// those of Send. It is deleted when the session's peer has acknowledged it, or without Resume when it was
// given to the operating system, which may lose it when the connection breaks. So a session with
// Resume gets each message once, over any number of connections; a message comes twice where the node died,
// or the claim went to another session, between its arrival and its deletion. A message that is larger
// than the session's MaxPayload allows is dropped, and logged. One that is older than MailboxAge is
// deleted.
func (n *Node) Post(ctx context.Context, name string, payload []byte) error {
	if n.mail == nil {
		return ErrNoMailboxes
	}
	if err := checkName(name); err != nil {
		return err
	}
	if len(payload) == 0 {
		return netasync.ErrEmptyMessage
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !n.begin() {
		return ErrShutdown
	}
	defer n.work.Done()
	err := n.mail.store(ctx, &nats.Msg{
		Subject: n.mail.stream.subject(name), Data: payload,
		Header: nats.Header{nats.MsgIdHdr: []string{messageID()}},
	})
	if err == nil {
		n.say(append([]byte{kindPosted}, name...)) // to all, as a claim may be on its way
	}
	return err
}

// messageID returns one by which the stream knows a message that is stored again.
func messageID() string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // it does not fail
	return hex.EncodeToString(random[:])
}

// store stores a message, and tries until that is done, is refused, or time is over.
func (m *mailroom) store(ctx context.Context, message *nats.Msg) error {
	limit := m.stream.config.Duplicates * 5 / 6 // so that what is stored again is known again
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(m.node.ctx, cancel)
	defer stop()
	known := true // that it is not stored
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		answer, err := m.stream.request(ctx, message)
		if err == nil {
			err = decode(answer.Data, nil)
		}
		switch {
		case err == nil:
			return nil
		case isFull(err):
			return ErrMailboxFull
		case errors.Is(err, nats.ErrMaxPayload):
			return fmt.Errorf("%w: %w", netasync.ErrFrameTooLarge, err)
		case unanswered(err):
			known = false
		case !temporary(err) && known:
			return m.notStored(err)
		case !temporary(err):
			return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		}
		select {
		case <-time.After(pause):
			continue
		case <-ctx.Done():
		}
		if known {
			return m.notStored(fmt.Errorf("%w: %w", ctx.Err(), err))
		}
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, ctx.Err())
	}
}

func (m *mailroom) notStored(err error) error {
	if m.node.ctx.Err() != nil {
		return ErrShutdown
	}
	return fmt.Errorf("cluster: the message was not stored: %w", err)
}

// isFull reports whether a bound of the stream refuses a message. JetStream says so in words alone.
func isFull(err error) bool {
	if code(err) != server.JSStreamStoreFailedF {
		return false
	}
	switch text := describe(err); text {
	case server.ErrMaxMsgsPerSubject.Error(), server.ErrMaxBytes.Error(), server.ErrMaxMsgs.Error():
		return true
	}
	return false
}
