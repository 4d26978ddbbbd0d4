package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// pipes is a listener in memory.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	over  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), over: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.over) }); return nil }
func (p *pipes) Addr() net.Addr { return target{"pipe", "here"} }

// stage is a listener in a bubble, in fake time, and what a test needs of it.
type stage struct {
	*testing.T
	e  *Engine
	ln *Listener
	p  *pipes
}

// onStage runs a test of a listener in fake time.
func onStage(t *testing.T, o ListenOptions, test func(t *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e, err := NewEngine(EngineOptions{})
		require.NoError(t, err)
		p := newPipes()
		ln, err := e.Serve(p, o)
		require.NoError(t, err)
		s := &stage{t, e, ln, p}
		defer time.Sleep(time.Hour) // lets the peers find out that all is over
		defer s.shutdown()
		test(s)
	})
}

// shutdown ends the engine, if the test has not.
func (t *stage) shutdown() {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := t.e.Shutdown(ctx)
	if !errors.Is(err, session.ErrShutdown) && !errors.As(err, new(*UnsentError)) {
		require.NoError(t, err)
	}
}

// connect returns the peer's end of a new connection.
func (t *stage) connect() *peer {
	ours, theirs := net.Pipe()
	t.p.conns <- theirs
	t.Cleanup(func() { _ = ours.Close() })
	return &peer{Conn: ours, t: t.T, start: time.Now()}
}

// accepted returns the next session, nil if there is none.
func (t *stage) accepted() *session.Session {
	synctest.Wait()
	select {
	case s := <-t.ln.AcceptChan():
		return s
	default:
		return nil
	}
}

// says writes from the peer, which may be cut off meanwhile.
func (t *stage) says(p net.Conn, wire []byte) { _, _ = p.Write(wire) }

// isCut expects that the listener has closed the connection, and that this was counted.
func (t *stage) isCut(p *peer, because refusal) {
	t.Helper()
	synctest.Wait()
	_ = p.SetReadDeadline(time.Now().Add(time.Nanosecond))
	_, err := p.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.EqualValues(t, 1, t.e.host.figures.refused[because].Load(), "%+v", t.e.Stats().RefusedBy)
	require.EqualValues(t, 1, t.e.Stats().Refused)
	require.Nil(t, t.accepted())
	require.Zero(t, t.e.Stats().Sessions)
}

// hello is a Hello as it stands on the wire.
func hello(f codec.Format, h resume.Hello) []byte {
	if h.Version == 0 {
		h.Version = resume.Version
	}
	if h.Number == 0 {
		h.Number = 1
	}
	return controlFrame(f, h.Append(nil))
}

// client is a dialer of a session that can be resumed, spoken by hand.
type client struct {
	*stage
	resume.Hello
}

func (t *stage) client(nonce byte) *client {
	return &client{t, resume.Hello{Version: resume.Version, Nonce: resume.Nonce{nonce}, Keep: resume.Keep{Messages: 100, Bytes: 1000}}}
}

// dial says the client's Hello on a new connection.
func (c *client) dial() *peer {
	p := c.connect()
	c.Number++
	go c.says(p, hello(codec.Format{}, c.Hello))
	return p
}

// enters dials, and returns the Welcome.
func (c *client) enters() (*peer, *resume.Welcome) {
	c.Helper()
	p := c.dial()
	require.Empty(c, p.mustRead().payload)
	w, _, err := resume.ParseAnswer([]byte(p.mustRead().payload))
	require.NoError(c, err)
	require.NotNil(c, w, "it is refused")
	require.Equal(c, byte(resume.Version), w.Version)
	return p, w
}

// holds notes a Welcome: from now on the client continues that session.
func (c *client) holds(w *resume.Welcome) { c.Token, c.Continue = w.Token, true }

// proves makes the listener hear from the client.
func (c *client) proves(p *peer) {
	go p.swallow()
	c.says(p, controlFrame(codec.Format{}, resume.AppendAck(nil, 0)))
	synctest.Wait()
}

// known returns how many sessions the table finds by their tokens, and by their nonces.
func (t *stage) known() (tokens, nonces int) {
	synctest.Wait()
	table := &t.e.host.resumptions
	table.mu.Lock()
	defer table.mu.Unlock()
	return len(table.byToken), len(table.byNonce)
}

// knows expects that the table has so many sessions, and nothing else.
func (t *stage) knows(sessions int) {
	t.Helper()
	tokens, nonces := t.known()
	require.Equal(t, sessions, tokens)
	require.Equal(t, sessions, nonces)
}

func mustEvent(t testing.TB, s *session.Session, kind session.EventKind) session.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	ev, err := s.Recv(ctx)
	require.NoError(t, err, "want %v", kind)
	require.Equal(t, kind, ev.Kind, "%v", ev.Err)
	return ev
}
