package cluster

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// stuck returns a session that does not close until let is called, as a callback of its runs.
func stuck(t testing.TB) (s *netasync.Session, let func()) {
	t.Helper()
	return stuckAt(t, newEngine(t).Listen)
}

// stuckAt is stuck with a listener of its own.
func stuckAt(
	t testing.TB, listen func(string, netasync.ListenOptions) (*netasync.Listener, error),
) (s *netasync.Session, let func()) {
	t.Helper()
	began, ends := make(chan *netasync.Session), make(chan struct{})
	let = sync.OnceFunc(func() { close(ends) })
	t.Cleanup(let)
	l, err := listen("127.0.0.1:0", netasync.ListenOptions{
		Resume: true, Inline: true,
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				began <- s
				<-ends
			}
		},
	})
	require.NoError(t, err)
	client, err := newEngine(t).Connect(l.Addr().String(), netasync.ConnectOptions{Resume: true})
	require.NoError(t, err)
	t.Cleanup(func() { client.CloseNow(nil) })
	require.NoError(t, client.Send(within(t), []byte("wait")))
	select {
	case s = <-began:
	case <-within(t).Done():
		require.Fail(t, "no message came")
	}
	return s, let
}

// A session that has lost its name and has not closed keeps others from it, at its node and at others,
// however often they ask.
func TestStrictWaitsForTheClose(t *testing.T) {
	for _, at := range []int{0, 1} {
		nodes, _ := strictLong(t, 3)
		old, let := stuck(t)
		_, err := nodes[0].Claim(within(t), "ada", old, Replace)
		require.NoError(t, err)
		next, refused := nodes[at].local(t), nodes[2].local(t)
		got := make(chan error, 1)
		patient := within(t)
		go func() {
			_, err := nodes[at].Claim(patient, "ada", next, Replace)
			got <- err
		}()
		eventually(t, func() bool { return nodes[0].strict.holder("ada") == nil }, "it has lost the name")
		for begun := time.Now(); time.Since(begun) < 2*askPatience; { // the first question goes unanswered
			_, err = nodes[2].Claim(patient, "ada", refused, Refuse)
			require.ErrorIs(t, err, ErrClaimed)
			if at != 0 { // else it waits until the other claim has ended
				_, err = nodes[0].Claim(patient, "ada", refused, Refuse)
				require.ErrorIs(t, err, ErrClaimed)
			}
			select {
			case err := <-got:
				require.Fail(t, "the older session is open", "%v", err)
			case <-time.After(50 * time.Millisecond):
			}
		}
		require.False(t, isDone(old))
		let()
		require.NoError(t, <-got)
		require.True(t, isDone(old))
		require.ErrorIs(t, context.Cause(old.Context()), ErrReplaced)
		eventually(t, func() bool { return nodes[0].strict.isEmpty() }, "it is forgotten")
	}
}

// isEmpty reports whether no sessions that have lost names are remembered.
func (st *strict) isEmpty() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.closing) == 0
}

// A session that was to close since the lease was lost keeps the name from others while its node answers,
// also when that has got a new lease.
func TestStrictWaitsInANewEpoch(t *testing.T) {
	nodes, _ := strictNodes(t, 1)
	old, let := stuck(t)
	_, err := nodes[0].Claim(within(t), "ada", old, Replace)
	require.NoError(t, err)
	nodes[0].strict.end(time.Time{}) // the next renewal brings a lease again
	next := nodes[0].local(t)
	_, err = nodes[0].Claim(within(t), "bob", next, Refuse)
	require.NoError(t, err, "there is a lease again")
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = nodes[0].Claim(short, "ada", next, Replace)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, isDone(old))
	let()
	_, err = nodes[0].Claim(within(t), "ada", next, Replace)
	require.NoError(t, err)
	require.ErrorIs(t, context.Cause(old.Context()), ErrLeaseLost)
}

// A lease is given back also if its last renewal was stored and the node did not hear of it.
func TestStrictGivesBackTheLast(t *testing.T) {
	nodes, _ := strictLong(t, 2)
	first, second := nodes[0], nodes[1]
	_, err := first.Claim(within(t), "ada", first.local(t), Replace)
	require.NoError(t, err)
	_, err = second.Claim(within(t), "eve", second.local(t), Replace)
	require.NoError(t, err)
	st := second.strict
	subject := st.stream.leaseSubject(first.id)
	l, found, err := st.stream.get(within(t), getRequest{Last: subject})
	require.NoError(t, err)
	require.True(t, found)
	e := parseLease(l.payload)
	e.counter++
	_, err = st.stream.put(within(t), subject, e.append(nil), l.sequence)
	require.NoError(t, err)
	require.NoError(t, first.Shutdown(within(t)))
	_, found, err = st.stream.get(within(t), getRequest{Last: subject})
	require.NoError(t, err)
	require.False(t, found, "no lease is left")
	_, err = second.Claim(within(t), "ada", second.local(t), Refuse)
	require.NoError(t, err)
}

// A claim that waits ends when its node begins to end, and not when all sessions have closed.
func TestStrictShutdownEndsClaims(t *testing.T) {
	nodes, _ := strictLong(t, 2)
	n := nodes[0]
	patient, next := within(t), n.local(t)
	old, let := stuckAt(t, n.Listen) // with all of the engine's loop
	_, err := n.Claim(within(t), "ada", old, Replace)
	require.NoError(t, err)
	claimed, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := n.Claim(patient, "ada", next, Replace)
		claimed <- err
	}()
	eventually(t, func() bool { return n.strict.leaving("ada") != nil }, "it waits")
	go func() { ended <- n.Shutdown(patient) }()
	require.ErrorIs(t, <-claimed, ErrShutdown)
	require.False(t, isDone(old))
	let()
	require.NoError(t, <-ended)
}
