package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// inBubble runs a test with an engine whose dials are answered by in-memory
// pipes, in fake time. peers gets the other end of each.
func inBubble(t *testing.T, test func(t *testing.T, e *Engine, peers <-chan *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e, err := NewEngine(EngineOptions{})
		require.NoError(t, err)
		peers := make(chan *peer, 100)
		e.dial = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			peers <- &peer{Conn: theirs, t: t, start: time.Now()}
			return ours, nil
		}
		test(t, e, peers)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = e.Shutdown(ctx)
		var unsent *UnsentError
		if !errors.As(err, &unsent) {
			require.NoError(t, err)
		}
		time.Sleep(time.Hour) // lets the peers find out that all is over
	})
}

// peer is the far end of a connection, spoken to frame by frame.
type peer struct {
	net.Conn
	t     *testing.T
	start time.Time
}

// frame is what a peer received, and when, since the connection began.
type frame struct {
	payload string
	at      time.Duration
}

func (p *peer) read() (frame, error) {
	payload, err := testkit.ReadFrame(p)
	if err != nil {
		return frame{}, err
	}
	return frame{string(payload), time.Since(p.start)}, nil
}

func (p *peer) mustRead() frame {
	p.t.Helper()
	f, err := p.read()
	require.NoError(p.t, err)
	return f
}

func (p *peer) send(payload string) error {
	_, err := p.Write(testkit.Frames(payload))
	return err
}

// swallow reads and forgets until the connection ends.
func (p *peer) swallow() { _, _ = io.Copy(io.Discard, p) }

// stayAlive sends a heartbeat each period until the connection ends.
func (p *peer) stayAlive(period time.Duration) {
	for p.send("") == nil {
		time.Sleep(period)
	}
}

func mustRecv(t *testing.T, s *session.Session) session.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	ev, err := s.Recv(ctx)
	require.NoError(t, err)
	return ev
}

func mustConnect(t *testing.T, e *Engine, o ConnectOptions) *session.Session {
	t.Helper()
	s, err := e.Connect("peer:1", o)
	require.NoError(t, err)
	return s
}
