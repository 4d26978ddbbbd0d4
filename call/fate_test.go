package call

import (
	"errors"
	"testing"

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
