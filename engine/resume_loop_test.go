//go:build unix

package engine

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// watchEnroll tells of the links that go to an event loop.
func watchEnroll(h *host) <-chan *link {
	links, enroll := make(chan *link, 100), h.enroll
	h.enroll = func(conn net.Conn, l *link) error {
		defer func() { links <- l }()
		return enroll(conn, l)
	}
	return links
}

// A session with Resume is served by an event loop, and so is a plain one whose first bytes had to be
// looked at: those arrive first, in pieces or not.
func TestResumeListenerServesOnLoops(t *testing.T) {
	for name, first := range map[string][]byte{
		"a session with Resume":     append(hello(codec.Format{}, resume.Hello{}), testkit.Frames("one")...),
		"a message":                 testkit.Frames("one"),
		"a heartbeat and a message": testkit.Frames("", "one"),
		"a large message":           testkit.Frames(fmt.Sprintf("%0100000d", 1)),
		"nothing for a while":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			e, err := NewEngine(EngineOptions{Loops: 1})
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
			links := watchEnroll(&e.host)
			ln, err := e.Listen("127.0.0.1:0", ListenOptions{Resume: true})
			require.NoError(t, err)
			conn := testkit.Dial(t, ln.Addr())
			testkit.Write(t, conn, first)
			s := testkit.Take(t, ln.AcceptChan())
			l := testkit.Take(t, links)
			testkit.Write(t, conn, testkit.Frames("two"))
			if first == nil {
				first = testkit.Frames("two")
			}
			recv := func() session.Event {
				ev, err := s.Recv(testkit.Context(t))
				require.NoError(t, err)
				return ev
			}
			require.Equal(t, session.Connected, recv().Kind)
			require.Equal(t, first[len(first)-1], last(recv().Payload))
			l.mu.Lock()
			on, off := l.gc, l.conn
			l.mu.Unlock()
			require.NotNil(t, on, "it is on a loop")
			require.Nil(t, off)
			require.NoError(t, conn.Close())
			for recv().Kind == session.Message {
			}
		})
	}
}

const linkBytes = unsafe.Sizeof(link{})

func last(p []byte) byte { return p[len(p)-1] }

// A hello that comes late is found by a loop, too.
func TestLateHelloOnALoop(t *testing.T) {
	for _, step := range []int{1, 1000} {
		e, err := NewEngine(EngineOptions{Loops: 1})
		require.NoError(t, err)
		links := watchEnroll(&e.host)
		ln, err := e.Listen("127.0.0.1:0", ListenOptions{Resume: true})
		require.NoError(t, err)
		conn := testkit.Dial(t, ln.Addr())
		s := testkit.Take(t, ln.AcceptChan())
		testkit.Take(t, links)
		for wire := hello(codec.Format{}, resume.Hello{}); len(wire) > 0; {
			n := min(step, len(wire))
			if _, err := conn.Write(wire[:n]); err != nil {
				break
			}
			wire = wire[n:]
			time.Sleep(time.Millisecond) // so that it may be read in pieces
		}
		var ev session.Event
		for ev.Kind != session.Closed {
			ev, err = s.Recv(testkit.Context(t))
			require.NoError(t, err)
			require.NotEqual(t, session.Message, ev.Kind)
		}
		require.ErrorIs(t, ev.Err, session.ErrNotResumable)
		require.NoError(t, e.Shutdown(testkit.Context(t)))
	}
}

// What every connection has grown by would be paid for by all: a link keeps its size.
func TestSizeOfALink(t *testing.T) {
	require.LessOrEqual(t, int(linkBytes), 128)
}
