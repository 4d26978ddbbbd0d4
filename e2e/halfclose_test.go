package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// A peer that has said all may wait for answers: it half-closes, and reads.

// halfCloser is what plain TCP, unix sockets and TLS have in common.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// halfClosers dial a listener of each kind.
var halfClosers = map[string]func(t *testing.T, o netasync.ListenOptions) (halfCloser, *netasync.Listener){
	"tcp": func(t *testing.T, o netasync.ListenOptions) (halfCloser, *netasync.Listener) {
		ln := listen(t, newEngine(t), o)
		return testkit.Dial(t, ln.Addr()), ln
	},
	"unix": func(t *testing.T, o netasync.ListenOptions) (halfCloser, *netasync.Listener) {
		path := filepath.Join(t.TempDir(), "s")
		ln := listenAt(t, newEngine(t), "unix:"+path, o)
		conn, err := net.Dial("unix", path)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn.(*net.UnixConn), ln
	},
	"tls": func(t *testing.T, o netasync.ListenOptions) (halfCloser, *netasync.Listener) {
		o.TLS = certificates().server(false)
		ln := listen(t, newEngine(t), o)
		conn, err := tls.Dial("tcp", ln.Addr().String(), certificates().client(false))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn, ln
	},
}

// answering returns options and a function that answers what a listener's sessions receive, each
// after a delay, and tells how they closed.
func answering(way string, delay time.Duration) (o netasync.ListenOptions, serve func(*netasync.Listener), closed chan netasync.Event) {
	closed = make(chan netasync.Event, 10)
	answer := func(s *netasync.Session, ev netasync.Event, send func([]byte)) {
		switch ev.Kind {
		case netasync.Message:
			time.Sleep(delay) // that is what the user's work takes
			send(bytes.Clone(ev.Payload))
		case netasync.Closed:
			closed <- ev
		}
	}
	bySend := func(s *netasync.Session) func([]byte) {
		return func(p []byte) { _ = s.Send(context.Background(), p) }
	}
	switch way {
	case "OnEvent", "Inline":
		o.Inline = way == "Inline"
		o.OnEvent = func(s *netasync.Session, ev netasync.Event) { answer(s, ev, bySend(s)) }
		return o, func(*netasync.Listener) {}, closed
	case "Recv":
		return o, func(ln *netasync.Listener) {
			for s := range ln.AcceptChan() {
				for ev, err := s.Recv(context.Background()); err == nil; ev, err = s.Recv(context.Background()) {
					answer(s, ev, bySend(s))
				}
			}
		}, closed
	}
	return o, func(ln *netasync.Listener) {
		for s := range ln.AcceptChan() {
			for ev := range s.ReadChan() {
				answer(s, ev, func(p []byte) { s.WriteChan() <- p })
			}
		}
	}, closed
}

var answeringWays = []string{"ReadChan", "Recv", "OnEvent", "Inline"}

// A peer that half-closes gets all answers, then the end.
func TestHalfClosedPeerIsAnswered(t *testing.T) {
	large := string(bytes.Repeat([]byte("0123456789abcdef"), 64<<10))
	for transport, dial := range halfClosers {
		for _, way := range answeringWays {
			for name, c := range map[string]struct {
				texts []string
				delay time.Duration
			}{
				"at once":       {[]string{"one", "two", "three"}, 0},
				"after a while": {[]string{"one", "two", "three"}, 50 * time.Millisecond},
				"large":         {[]string{large, large, large}, 0},
			} {
				if way == "Inline" && c.delay > 0 {
					continue // such callbacks never block
				}
				t.Run(transport+", "+way+", "+name, func(t *testing.T) {
					t.Parallel() // each waits for a user who is quiet
					o, serve, closed := answering(way, c.delay)
					conn, ln := dial(t, o)
					go serve(ln)
					go func() {
						_, _ = conn.Write(testkit.Frames(c.texts...))
						_ = conn.CloseWrite()
					}()
					expectFrames(t, conn, c.texts...)
					expectEOF(t, conn)
					ev := testkit.Take(t, closed)
					require.ErrorIs(t, ev.Err, io.EOF)
					require.Zero(t, ev.Queued)
				})
			}
		}
	}
}

// A peer that is gone altogether is told from one that has only half-closed, at once: here the
// user would otherwise be waited for until the test is over.
func TestClosedPeerIsNotWaitedFor(t *testing.T) {
	for transport, dial := range halfClosers {
		for _, way := range answeringWays {
			t.Run(transport+", "+way, func(t *testing.T) {
				o, serve, closed := answering(way, 0)
				o.Linger = time.Hour
				conn, ln := dial(t, o)
				go serve(ln)
				testkit.Write(t, conn, testkit.Frames("hello"))
				expectFrames(t, conn, "hello")
				require.NoError(t, conn.Close())
				require.ErrorIs(t, testkit.Take(t, closed).Err, io.EOF)
			})
		}
	}
}

// A user who does not read, or a peer that does not, is waited for no longer than Linger.
func TestHalfClosedPeerIsNotWaitedForForEver(t *testing.T) {
	t.Run("the user does not read", func(t *testing.T) {
		conn, ln := halfClosers["tcp"](t, netasync.ListenOptions{Linger: brief})
		testkit.Write(t, conn, testkit.Frames("hello"))
		require.NoError(t, conn.CloseWrite())
		s := testkit.Take(t, ln.AcceptChan())
		testkit.Ended(t, s.Done())
		expect(t, s, netasync.Connected)
		expectMessages(t, s, "hello")
		require.ErrorIs(t, expectClosed(t, s).Err, io.EOF)
	})
	t.Run("the peer does not read", func(t *testing.T) {
		conn, ln := halfClosers["tcp"](t, netasync.ListenOptions{Linger: brief})
		testkit.Write(t, conn, testkit.Frames("hello"))
		s := testkit.Take(t, ln.AcceptChan())
		expect(t, s, netasync.Connected)
		expectMessages(t, s, "hello")
		for s.TrySend(make([]byte, 1<<20)) == nil {
		}
		require.NoError(t, conn.CloseWrite())
		ev := expectClosed(t, s)
		require.ErrorIs(t, ev.Err, netasync.ErrLinger)
		require.ErrorIs(t, ev.Err, io.EOF)
		require.Positive(t, ev.Queued)
	})
}

// What a user has accepted to send before the peer half-closes is flushed as well, also when the
// session is closing already.
func TestCloseFlushesToHalfClosedPeer(t *testing.T) {
	conn, ln := halfClosers["tcp"](t, netasync.ListenOptions{WriteBuffer: netasync.Buffer{Bytes: 64 << 20}, Linger: testkit.Patience})
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(64<<10))
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	text := string(bytes.Repeat([]byte("0123456789abcdef"), 64<<10))
	for range 20 {
		send(t, s, text)
	}
	require.NoError(t, s.Close())
	require.NoError(t, conn.CloseWrite())
	for range 20 {
		expectFrames(t, conn, text)
	}
	expectEOF(t, conn)
	require.ErrorIs(t, expectClosed(t, s).Err, io.EOF)
}

// A Handler's sessions do the same, on a loop that is the user's.
func TestHandlerAnswersHalfClosedPeer(t *testing.T) {
	o, _, closed := answering("OnEvent", 10*time.Millisecond)
	_, addr := embed(t, o)
	conn := testkit.DialAt(t, addr.String())
	testkit.Write(t, conn, testkit.Frames("one", "two", "three"))
	require.NoError(t, conn.CloseWrite())
	expectFrames(t, conn, "one", "two", "three")
	expectEOF(t, conn)
	require.ErrorIs(t, testkit.Take(t, closed).Err, io.EOF)
}
