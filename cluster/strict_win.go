package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// This is how a node comes to have a strict name: it writes the name's entry, after whoever had it has
// lost it.

// turn lets one claim after the other be under way for a name.
type turn struct {
	slot  chan struct{} // full: somebody has it
	users int           // that have it or wait for it
}

// turn waits for a claim's turn; end gives it on.
func (st *strict) turn(ctx context.Context, a *attempt) (end func(), err error) {
	st.mu.Lock()
	t := st.turns[a.name]
	if t == nil {
		t = &turn{slot: make(chan struct{}, 1)}
		st.turns[a.name] = t
	}
	t.users++
	st.mu.Unlock()
	select {
	case t.slot <- struct{}{}:
	case <-ctx.Done():
		err = ctx.Err()
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if err != nil {
		st.leaveTurn(a.name, t)
		return nil, err
	}
	st.trying[a.name] = a.number
	return func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		delete(st.trying, a.name)
		st.leaveTurn(a.name, t)
		<-t.slot
	}, nil
}

// leaveTurn is for who has had a turn, or does not wait for it any more. The caller holds mu.
func (st *strict) leaveTurn(name string, t *turn) {
	if t.users--; t.users == 0 {
		delete(st.turns, name)
	}
}

// errOthers is that others write the same entry at the same time.
var errOthers = errors.New("cluster: others claim the name at the same time")

// win writes that this node has a name, and returns when that is so.
func (st *strict) win(ctx context.Context, a *attempt) (g grant, err error) {
	var expected uint64
	for pause := time.Duration(0); ; pause = min(max(2*pause, retryFirst), retryMost) {
		epoch, err := st.leased(ctx)
		if err != nil {
			return g, err
		}
		g = grant{number: a.number, epoch: epoch}
		mine := nameEntry{st.node.id, epoch, a.number}
		g.sequence, err = st.stream.put(ctx, st.stream.subject(a.name), mine.append(nil), expected)
		if !refused(err) {
			a.wrote, a.over = true, a.over || expected > 0
		}
		if err == nil {
			return g, nil
		}
		if !wrongSequence(err) && !temporary(err) {
			return g, fmt.Errorf("cluster: the claim was not made: %w", err)
		}
		there, sequence, err := st.owner(ctx, a.name)
		if err == nil && there == mine { // it was written, without an answer
			g.sequence = sequence
			return g, nil
		}
		expected = 0 // which fails again, unless the entry was removed
		if err == nil {
			err = st.evict(ctx, a.name, there, a.mode)
		}
		if err == nil && sequence > 0 {
			expected, pause = sequence, 0
			continue
		}
		if err == nil {
			err = errOthers // it was there a moment ago
		}
		if errors.Is(err, ErrClaimed) {
			return g, err
		}
		if err = wait(ctx, pause, err); err != nil {
			return g, err
		}
	}
}

// wait waits before a claim tries again. An error says why it has tried in vain until ctx ended.
func wait(ctx context.Context, pause time.Duration, why error) error {
	if sleep(ctx, pause) == nil {
		return nil
	}
	if !errors.Is(why, errHolderSilent) && !errors.Is(why, errOthers) {
		why = ErrNoMajority
	}
	return fmt.Errorf("%w: %w", why, ctx.Err())
}

// owner reads who has a name: a zero sequence is nobody. An entry that is malformed is of nobody, too.
func (st *strict) owner(ctx context.Context, name string) (e nameEntry, sequence uint64, err error) {
	l, found, err := st.stream.get(ctx, getRequest{Last: st.stream.subject(name)})
	if err != nil || !found {
		return e, 0, err
	}
	return parseName(l.payload), l.sequence, nil
}

// evict returns nil when who had a name has it no more: a new entry may follow that one. It is ErrClaimed
// if it is to stay, and another error if it is to be tried again.
func (st *strict) evict(ctx context.Context, name string, e nameEntry, mode Mode) error {
	if e.node == 0 {
		return nil
	}
	if e.node == st.node.id { // a claim that has ended, or the one that this one replaces
		return nil
	}
	switch answer := st.askHolder(ctx, name, e, mode); {
	case answer == answerFree:
		return nil
	case mode == Refuse && answer != 0:
		return ErrClaimed
	case answer != 0:
		return errOthers // it is about to have the name, and then to lose it
	}
	dead, err := st.fence(ctx, e.node, e.epoch)
	switch {
	case err != nil || dead:
		return err
	case mode == Refuse:
		return ErrClaimed
	}
	return errHolderSilent
}

// What a node answers that is asked whether it has a name.
const (
	answerFree = 'f' // it has not, and that claim never will
	answerHeld = 'h'
	answerBusy = 'b' // a claim is under way, or a session has lost the name and has not closed
)

// askHolder asks a node whether a claim of its holds, or with Replace to end it. It returns 0 if there is
// no answer.
func (st *strict) askHolder(ctx context.Context, name string, e nameEntry, mode Mode) byte {
	request := appendNumber(appendText([]byte{byte(mode)}, name), e.number)
	m, err := st.stream.request(ctx, &nats.Msg{Subject: st.node.to(e.node, "strict"), Data: request})
	if err != nil || len(m.Data) != 1 {
		return 0
	}
	return m.Data[0]
}

// maxAsks is how many nodes' questions are answered at the same time. Those that are too many come again.
const maxAsks = 1 << 10

// busyAfter is how long a question waits for a session to close: less than who has asked waits.
const busyAfter = askPatience / 2

// asked answers askHolder.
func (st *strict) asked(m *nats.Msg, r reader) {
	if st == nil {
		return
	}
	mode, name, number := Mode(r.byte()), r.text(maxText), r.number()
	if r.bad || mode > Refuse {
		return
	}
	if st.asks.Add(1) <= maxAsks {
		_ = m.Respond([]byte{st.answer(mode, name, number)})
	}
	st.asks.Add(-1)
}

// answer gives a claim up, if it is to be replaced, and says whether it is there. A name is not free while
// a session that has lost it is open, whichever claim the question is about.
func (st *strict) answer(mode Mode, name string, number uint64) byte {
	st.mu.Lock()
	c, trying := st.held[name], st.trying[name] == number
	st.mu.Unlock()
	held := c != nil && c.grant.number == number
	switch {
	case held && mode == Refuse:
		return answerHeld
	case held:
		st.node.lose([]*Claim{c}, ErrReplaced)
	case trying:
		return answerBusy
	}
	if c = st.leaving(name); c == nil {
		return answerFree
	}
	if mode == Refuse {
		return answerBusy
	}
	select {
	case <-c.session.Done():
		return answerFree
	case <-time.After(busyAfter):
	case <-st.node.ctx.Done():
	}
	return answerBusy
}
