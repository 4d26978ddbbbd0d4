package e2e_test

import (
	"context"
	"errors"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// quick is a back-off for tests that wait for a session to come back.
var quick = netasync.FixedDelay(10 * time.Millisecond)

// brief is the Linger of sessions whose messages nobody will take.
const brief = 100 * time.Millisecond

// newEngine returns an engine that ends with the test.
func newEngine(t testing.TB) *netasync.Engine {
	t.Helper()
	e, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { endEngine(t, e) })
	return e
}

// endEngine shuts an engine down, unless the test has done so. What was not
// sent is no failure: peers are gone by now.
func endEngine(t testing.TB, e *netasync.Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	sessions := slices.Collect(e.Sessions())
	defer func() { requireAccounts(t, e.Stats(), sessions...) }()
	var unsent *netasync.UnsentError
	requireAccounts(t, e.Stats(), sessions...)
	if err := e.Shutdown(ctx); !errors.Is(err, netasync.ErrShutdown) && !errors.As(err, &unsent) {
		assert.NoError(t, err)
	}
}

// requireAccounts wants all that was handed over to be accounted for, by each of the sessions and by
// their engine or handler, and so each connection that was refused. Every test's engine is looked at
// before and after it ends, see endEngine.
func requireAccounts(t testing.TB, all netasync.Stats, sessions ...*netasync.Session) {
	t.Helper()
	for _, s := range sessions {
		st := s.Stats()
		sent := st.Sent
		if resumed := st.Acked + uint64(st.Unacked) + st.Lost; resumed > 0 {
			sent = resumed // Sent counts a message each time
		}
		assert.Equal(t, st.Accepted, sent+uint64(st.Queued)+st.Dropped-st.DroppedInbound+st.Discarded+st.Returned, "%+v", st)
	}
	m := all.Totals
	if !strings.HasPrefix(t.Name(), "TestResume") { // there, as above, Sent is more
		assert.Equal(t, m.Accepted, m.Sent+m.Queued+m.Unsent+m.Dropped-m.DroppedInbound+m.Discarded+m.Returned, "%+v", m)
	}
	if all.Sessions == 0 {
		assert.Zero(t, m.Queued, "%+v", m)
	}
	var refused uint64
	by := reflect.ValueOf(all.RefusedBy)
	for i := range by.NumField() {
		refused += by.Field(i).Uint()
	}
	assert.Equal(t, all.Refused, refused, "%+v", all.RefusedBy)
}

func listen(t testing.TB, e *netasync.Engine, o netasync.ListenOptions) *netasync.Listener {
	t.Helper()
	return listenAt(t, e, "127.0.0.1:0", o)
}

func listenAt(t testing.TB, e *netasync.Engine, addr string, o netasync.ListenOptions) *netasync.Listener {
	t.Helper()
	ln, err := e.Listen(addr, o)
	require.NoError(t, err)
	return ln
}

func connect(t testing.TB, e *netasync.Engine, addr net.Addr, o netasync.ConnectOptions) *netasync.Session {
	t.Helper()
	s, err := e.Connect(dialable(addr), o)
	require.NoError(t, err)
	return s
}

// dialable writes an address the way Connect wants it.
func dialable(addr net.Addr) string {
	if addr.Network() == "unix" {
		return "unix:" + addr.String()
	}
	return addr.String()
}

// pair returns both ends of one connection, after their Connected events.
func pair(t testing.TB, lo netasync.ListenOptions, co netasync.ConnectOptions) (dialed, accepted *netasync.Session) {
	t.Helper()
	e := newEngine(t)
	ln := listen(t, e, lo)
	dialed = connect(t, e, ln.Addr(), co)
	accepted = testkit.Take(t, ln.AcceptChan())
	expect(t, dialed, netasync.Connected)
	expect(t, accepted, netasync.Connected)
	return dialed, accepted
}

// next returns a session's next event.
func next(t testing.TB, s *netasync.Session) netasync.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	ev, err := s.Recv(ctx)
	require.NoError(t, err, "state %v, %+v", s.State(), s.Stats())
	return ev
}

// expect wants the next event to be of a kind.
func expect(t testing.TB, s *netasync.Session, kind netasync.EventKind) netasync.Event {
	t.Helper()
	ev := next(t, s)
	require.Equal(t, kind, ev.Kind, "%v %.40q %v, state %v, %+v", ev.Kind, ev.Payload, ev.Err, s.State(), s.Stats())
	return ev
}

func expectMessages(t testing.TB, s *netasync.Session, texts ...string) {
	t.Helper()
	for _, want := range texts {
		require.Equal(t, want, string(expect(t, s, netasync.Message).Payload))
	}
}

// expectClosed wants Closed to be the next event, and the last.
func expectClosed(t testing.TB, s *netasync.Session) netasync.Event {
	t.Helper()
	ev := expect(t, s, netasync.Closed)
	_, err := s.Recv(testkit.Context(t))
	require.ErrorIs(t, err, io.EOF)
	testkit.Ended(t, s.Done())
	require.Equal(t, netasync.StateClosed, s.State())
	return ev
}

// untilClosed returns a session's events up to Closed, the last.
func untilClosed(t testing.TB, s *netasync.Session) (before []netasync.Event, closed netasync.Event) {
	t.Helper()
	for {
		ev := next(t, s)
		if ev.Kind == netasync.Closed {
			_, err := s.Recv(testkit.Context(t))
			require.ErrorIs(t, err, io.EOF)
			return before, ev
		}
		before = append(before, ev)
	}
}

func send(t testing.TB, s *netasync.Session, texts ...string) {
	t.Helper()
	for _, text := range texts {
		require.NoError(t, s.Send(testkit.Context(t), []byte(text)))
	}
}

// echo answers every message of every session of a listener, until it ends.
func echo(accept <-chan *netasync.Session) {
	for s := range accept {
		go echoSession(s)
	}
}

func echoSession(s *netasync.Session) {
	for {
		ev, err := s.Recv(context.Background())
		if err != nil {
			return
		}
		if ev.Kind == netasync.Message {
			_ = s.Send(context.Background(), ev.Payload) // refused once the session is closing
		}
	}
}

func expectFrames(t testing.TB, r io.Reader, texts ...string) {
	t.Helper()
	for _, want := range texts {
		got, err := testkit.ReadMessage(r)
		require.NoError(t, err, "want %.40q", want)
		require.Equal(t, want, string(got))
	}
}

// expectEOF wants the peer to end the connection in an orderly way, heartbeats aside.
func expectEOF(t testing.TB, r io.Reader) {
	t.Helper()
	got, err := testkit.ReadMessage(r)
	require.ErrorIs(t, err, io.EOF, "got %.40q", got)
}

func portOf(addr net.Addr) int { return addr.(*net.TCPAddr).Port }
