package cluster

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/netasync/netasync"
)

// deliveryState says who will go on with a delivery.
type deliveryState uint8

const (
	idle    deliveryState = iota // somebody who says that there is a message
	ready                        // a worker that is free
	running                      // a worker has it
	parked                       // its timer
)

const (
	never time.Duration = -1
	// pauseFirst and pauseMost are how long a delivery waits for its session, or for JetStream.
	pauseFirst = 5 * time.Millisecond
	pauseMost  = 500 * time.Millisecond
	// flushPatience is how long a worker waits for a batch to arrive. Then others have their turn.
	flushPatience = 20 * time.Millisecond
)

// delivery is the way of a mailbox's messages to the session that claims its name: a batch is read,
// sent, and deleted when the session's figures say that it has arrived; then comes the next one. It has no
// goroutine: workers take it on step by step.
type delivery struct {
	room    *mailroom
	name    string
	session *netasync.Session
	hold    hold

	// mailroom.mu guards these.
	state deliveryState
	again bool                   // there was news while it was running
	timer *time.Timer            // of parked
	ended *netasync.SessionStats // the session's when the claim ended; nil: it has not

	// These are the worker's that runs it.
	cursor uint64        // what is up to here was delivered and deleted
	until  uint64        // the last one of those that nothing is sent before; 0: not known
	most   int           // that are read at once
	pause  time.Duration // the next one
	sent   []uint64      // sequences of the batch under way
	goal   uint64        // the batch has arrived when so many messages of the session are gone
	before netasync.SessionStats
}

// step takes a delivery on. It returns after which pause it is to go on: 0, or never unless there is
// news. An error is for the log.
func (d *delivery) step(ctx context.Context) (pause time.Duration, err error) {
	ended := d.whenEnded()
	if len(d.sent) > 0 {
		if err = d.settle(ctx, ended); err != nil || len(d.sent) > 0 {
			if ended != nil && err == nil {
				return d.part(ctx) // the rest is for the next claim
			}
			return d.later(), err
		}
	}
	if ended != nil {
		return d.part(ctx)
	}
	if !d.room.node.strict.valid() { // the claim is about to end, or another node may have the name
		return d.later(), nil
	}
	batch, last, err := d.room.stream.read(ctx, d.name, d.cursor+1, d.most)
	if err != nil || len(batch) == 0 {
		if !d.hold.release(ctx, d.session) || err != nil {
			return d.later(), err
		}
		d.pause = 0
		return never, nil
	}
	d.until = cmp.Or(d.until, last)
	if err = d.send(ctx, batch); err != nil {
		return d.onError(err)
	}
	if d.sent[len(d.sent)-1] >= d.until {
		d.hold.release(ctx, d.session)
	}
	flushing, cancel := context.WithTimeout(ctx, flushPatience)
	defer cancel()
	_ = d.session.Flush(flushing) // the session's figures say what has become of it
	return 0, nil
}

// part is the last of a claim that has ended: Send has said of what was held back that the session has it, and
// that may live on.
func (d *delivery) part(ctx context.Context) (pause time.Duration, err error) {
	if d.room.node.strict.valid() && !d.hold.release(ctx, d.session) {
		return d.later(), nil
	}
	return never, nil
}

// whenEnded returns the session's figures when the claim ended, or nil.
func (d *delivery) whenEnded() *netasync.SessionStats {
	d.room.mu.Lock()
	defer d.room.mu.Unlock()
	return d.ended
}

// later returns the next pause, each twice as long as the one before.
func (d *delivery) later() time.Duration {
	d.pause = min(max(2*d.pause, pauseFirst), pauseMost)
	return d.pause
}

// onError says how it goes on when nothing was sent.
func (d *delivery) onError(err error) (time.Duration, error) {
	switch {
	case errors.Is(err, netasync.ErrClosed):
		return never, nil // the claim ends, too
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, netasync.ErrNotConnected):
		return d.later(), nil
	}
	return d.later(), err
}

// send sends what the session has room for.
func (d *delivery) send(ctx context.Context, batch []letter) error {
	payloads := make([][]byte, len(batch))
	for i, l := range batch {
		payloads[i] = l.payload
		if d.room.node.opts.MailboxSequence {
			payloads[i] = append(binary.BigEndian.AppendUint64(nil, l.sequence), l.payload...)
		}
	}
	patience, cancel := context.WithTimeout(ctx, roomPatience)
	defer cancel()
	d.before = d.session.Stats()
	sent, err := d.session.SendBatch(patience, payloads)
	d.goal = 0
	if sent == 0 {
		if !errors.Is(err, netasync.ErrFrameTooLarge) && !errors.Is(err, netasync.ErrEmptyMessage) {
			return err
		}
		d.room.node.opts.Logger.Warn("cluster: a message of a mailbox cannot be sent and is dropped",
			"name", d.name, "sequence", batch[0].sequence, "error", err)
		sent = 1
	} else {
		d.goal = taken(d.session.Stats())
	}
	d.sent = d.sent[:0]
	for _, l := range batch[:sent] {
		d.sent = append(d.sent, l.sequence)
	}
	if d.most = batchMessages; sent < len(batch) {
		d.most = max(1, 2*sent) // the rest was read in vain
	}
	return nil
}

// taken is how many messages a session has taken so far, as they are counted here.
func taken(st netasync.SessionStats) uint64 { return st.Accepted - st.Discarded }

// settle deletes what has arrived of the batch under way. What may be lost is read again.
func (d *delivery) settle(ctx context.Context, ended *netasync.SessionStats) error {
	st := d.session.Stats()
	if ended != nil {
		st = *ended
	}
	arrived, broken := d.arrived(&st)
	if arrived > 0 {
		last := d.sent[arrived-1]
		if err := d.room.stream.purge(ctx, d.name, last); err != nil {
			return err
		}
		d.cursor, d.sent, d.pause = last, d.sent[arrived:], 0
	}
	if broken && ended == nil {
		d.sent = nil
	}
	return nil
}

// arrived returns how many messages of the batch have arrived, the first ones: the peer has
// acknowledged them, or without Resume the operating system has them. It reports whether the others will
// not, since the session goes on without them. A session sends in order, and what others have sent in
// between only makes it later here.
func (d *delivery) arrived(st *netasync.SessionStats) (arrived int, broken bool) {
	lost := st.Lost - d.before.Lost
	afresh := st.Epoch-st.Resumed != d.before.Epoch-d.before.Resumed
	if st.Returned != d.before.Returned || lost > 0 && afresh {
		return 0, true
	}
	left := uint64(st.Unacked) + uint64(st.Queued) + lost // lost is the end of a session that has closed
	gone := taken(*st) - left
	if gone >= d.goal {
		return len(d.sent), false
	}
	return max(0, len(d.sent)-int(d.goal-gone)), false
}
