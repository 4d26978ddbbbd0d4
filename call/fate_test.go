package call

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/session"
)

var errCut = errors.New("cut")

// A call whose Send returns when the outage has been told, or the end of the session, ends as others do.
func TestSendReturnsLate(t *testing.T) {
	for name, c := range map[string]struct {
		number uint64
		ended  bool
		want   error // nil: it goes on
	}{
		"sent before the outage": {5, false, ErrLost},
		"sent by the next":       {6, false, nil},
		"sent before the end":    {5, true, ErrLost},
		"never sent":             {6, true, session.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			calls := newCaller(session.Driver{}, new(control), 1, Options{MaxCalls: 2})
			calls.places <- struct{}{}
			id, w := calls.begin()
			calls.lose(5, errCut, false)
			calls.lose(5, errOtherPeer, true) // as the next Connected tells, too
			if c.ended {
				calls.finish(session.ErrClosed)
			}
			require.Empty(t, w.done, "its number is not known")
			calls.accepted(id, w, c.number)
			if c.want == nil {
				require.Empty(t, w.done)
				require.Len(t, calls.places, 1)
				return
			}
			<-w.done
			require.ErrorIs(t, w.err, c.want)
			require.Equal(t, c.number == 5, errors.Is(w.err, errCut))
			require.Empty(t, calls.places)
			require.Empty(t, calls.calls)
		})
	}
}

// An answer may come before Send returns. A request that the peer took no whole of is not lost.
func TestFates(t *testing.T) {
	calls := newCaller(session.Driver{}, new(control), 1, Options{MaxCalls: 3})
	var ids [3]callID
	var ws [3]*waiter
	for i := range ids {
		calls.places <- struct{}{}
		ids[i], ws[i] = calls.begin()
	}
	require.NoError(t, calls.answered(&frame{kind: kindReply, id: ids[0], rest: []byte("early")}))
	calls.accepted(ids[0], ws[0], 1)
	<-ws[0].done
	require.Equal(t, "early", string(ws[0].reply))
	calls.accepted(ids[1], ws[1], 2)
	calls.accepted(ids[2], ws[2], 3)
	calls.lose(3, session.ErrUndeliverable, true)
	<-ws[1].done
	<-ws[2].done
	require.ErrorIs(t, ws[1].err, ErrLost)
	require.NotErrorIs(t, ws[2].err, ErrLost)
	require.ErrorIs(t, ws[2].err, session.ErrUndeliverable)
	require.NoError(t, calls.answered(&frame{kind: kindReply, id: ids[1]}), "it is late")
	require.Error(t, calls.answered(&frame{kind: kindReply, id: callID{1, 4}}))
}

// An answer that came before Send has returned counts, whatever comes after it, and gives the place back once.
func TestAnswerBeforeSendReturns(t *testing.T) {
	calls := newCaller(session.Driver{}, new(control), 1, Options{MaxCalls: 3})
	calls.places <- struct{}{}
	calls.places <- struct{}{}
	id, w := calls.begin()
	_, other := calls.begin()
	require.NoError(t, calls.answered(&frame{kind: kindReply, id: id, rest: []byte("early")}))
	calls.lose(5, errCut, false)
	calls.accepted(id, w, 5)
	require.Len(t, calls.places, 1)
	reply, err := calls.giveUp(t.Context(), id, w)
	require.NoError(t, err)
	require.Equal(t, "early", string(reply))
	require.Equal(t, &waiter{done: w.done}, w, "nothing of this call is in the one that uses it next")
	require.Empty(t, w.done)
	require.Len(t, calls.calls, 1)
	require.Empty(t, other.done)
}

// A session hands back requests, and what else was queued. That has numbers of calls, too.
func TestReturned(t *testing.T) {
	calls := newCaller(session.Driver{}, new(control), 1, Options{MaxCalls: 3})
	calls.places <- struct{}{}
	calls.places <- struct{}{}
	sent, a := calls.begin()
	unsent, b := calls.begin()
	calls.accepted(sent, a, 1)
	calls.accepted(unsent, b, 2)
	calls.returned([][]byte{
		replyFrame(callID{2, 1}, nil), failureFrame(callID{2, 1}, codeBusy, ""), cancelFrame(sent), nil,
		requestFrame(unsent, 0, nil), requestFrame(callID{1, 99}, 0, nil),
	}, session.ErrNotConnected)
	require.Empty(t, a.done)
	<-b.done
	require.Equal(t, session.ErrNotConnected, b.err)
	require.Len(t, calls.places, 1)
}

// What the control says is for the peer that is there, and about calls that go on.
func TestControlForgets(t *testing.T) {
	c := &control{sending: true}
	for n := range uint64(4) {
		require.NoError(t, c.refuse(callID{2, n}, codeBusy))
		c.cancel(callID{1, n})
	}
	c.forget(func(call uint64) bool { return call%2 == 1 })
	require.Equal(t, [][]byte{cancelFrame(callID{1, 1}), cancelFrame(callID{1, 3})}, c.take())
	require.Nil(t, c.take())
	require.Equal(t, &control{}, c)
}

// What is left of a deadline is at least something: 0 means that there is none, and less is an error.
func TestRemaining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.Zero(t, remaining(t.Context()))
		for _, left := range []time.Duration{math.MinInt64, -1, 0, 1, time.Hour, math.MaxInt64} {
			ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(left))
			got := remaining(ctx)
			require.Equal(t, max(1, left), got)
			f, err := parse(requestFrame(callID{1, 2}, got, nil))
			require.NoError(t, err)
			require.Equal(t, got, f.timeout)
			cancel()
		}
		// Beyond what a duration can say.
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().AddDate(1000, 0, 0))
		defer cancel()
		require.Equal(t, time.Duration(math.MaxInt64), remaining(ctx))
	})
}

// A request whose reply is being sent does not count as worked on, up to a bound, but its bytes do.
func TestRoomForRequests(t *testing.T) {
	sv := newServer(nil, new(control), 1, Options{MaxHandlers: 2, MaxHandlerBytes: 100})
	last := uint64(0)
	add := func(replied bool) {
		last++
		w := &work{id: callID{2, last}, replied: replied}
		sv.calls[w.id] = w
		if replied {
			sv.replies++
		}
	}
	add(false)
	for range maxReplies + 1 {
		add(true)
		require.False(t, sv.full(1000))
	}
	add(true)
	require.True(t, sv.full(0))
	sv.drop(sv.calls[callID{2, 2}])
	require.False(t, sv.full(0))
	add(false)
	require.True(t, sv.full(0))
	sv.drop(sv.calls[callID{2, 1}])
	sv.held = 60
	require.False(t, sv.full(40))
	require.True(t, sv.full(41))
}
