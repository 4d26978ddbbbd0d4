//go:build linux

package attack

import (
	"io"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// few is how many descriptors a process may have that is to have too few.
const few = 64

// swarm connects n sockets, of which a server may not accept all, and keeps them alive by heartbeats.
func swarm(t *testing.T, addr string, n int) (conns []net.Conn) {
	t.Helper()
	for range n {
		conns = append(conns, testkit.DialAt(t, addr))
	}
	go func() {
		for t.Context().Err() == nil {
			for _, conn := range conns {
				_, _ = conn.Write(testkit.Frames(""))
			}
			time.Sleep(period / 2)
		}
	}()
	return conns
}

// More connections come than a listener has descriptors for: those that are open live on, and one
// more that has to leave its event loop ends alone. When descriptors are free the others get in.
func TestListenerWithoutDescriptors(t *testing.T) {
	t.Parallel()
	s := start(t, role{Play: listener, Addr: "127.0.0.1:0", Descriptors: few})
	addr := s.hears(t, "ready")
	require.NoError(t, visit(addr, nil))
	empty := s.descriptors(t)
	all, err := gather(addr, nil)
	require.NoError(t, err)
	leaver := testkit.DialAt(t, addr)
	testkit.Write(t, leaver, testkit.Frames("hello"))
	answer, err := testkit.ReadMessage(leaver)
	require.NoError(t, err)
	require.Equal(t, "hello", string(answer))

	others := swarm(t, addr, 2*few)
	testkit.Eventually(t, func() bool { return s.descriptors(t) >= few }, "there are none left")
	testkit.Write(t, leaver, testkit.Frames(sleepy))
	flooded := make(chan error, 1)
	go func() {
		for frame, err := testkit.Frames(make([]byte, 16<<10)), error(nil); ; {
			if _, err = leaver.Write(frame); err != nil {
				flooded <- err
				return
			}
		}
	}()
	require.NotErrorIs(t, testkit.Take(t, flooded), os.ErrDeadlineExceeded, "the connection has ended")
	last := others[len(others)-1]
	require.NoError(t, last.SetReadDeadline(time.Now().Add(3*period)))
	testkit.Write(t, last, testkit.Frames("hello"))
	_, err = last.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "it waits to be accepted")

	for _, conn := range others[:len(others)-1] {
		require.NoError(t, conn.Close())
	}
	require.NoError(t, last.SetReadDeadline(time.Now().Add(testkit.Patience)))
	answer, err = testkit.ReadMessage(last)
	require.NoError(t, err)
	require.Equal(t, "hello", string(answer))
	require.NoError(t, last.Close())
	require.NoError(t, visit(addr, nil))
	require.Empty(t, all.disperse(), "messages of honest clients")
	testkit.Eventually(t, func() bool { return s.descriptors(t) <= empty }, "all descriptors are free again")
	require.Contains(t, s.end(t), " Refused:0 ", "all have waited until they were served")
}

// A dialer without descriptors goes on trying, and comes in later, whatever is the first for which
// there is none: the socket, the event loops, or the place of the connection on one of them. It keeps
// none that it has got.
func TestDialerWithoutDescriptors(t *testing.T) {
	t.Parallel()
	s := start(t, role{Play: listener, Addr: "127.0.0.1:0"})
	d := start(t, role{Play: "dialer", Addr: s.hears(t, "ready"), Descriptors: few})
	for left := range 10 {
		d.tell(t, strconv.Itoa(left))
		t.Logf("with %d: talks %s", left, d.hears(t, "talks"))
	}
	d.end(t)
	s.end(t)
}

// More connections come than a Handler's gnet engine has descriptors for: that ends, with all
// sessions, and without an error. This is what gnet does, and README says so: should it ever do
// better, this test fails, and README is to be changed.
func TestHandlerWithoutDescriptors(t *testing.T) {
	t.Parallel()
	s := start(t, role{Play: handler, Addr: "127.0.0.1:0", Descriptors: few})
	addr := s.hears(t, "ready")
	first := testkit.DialAt(t, addr)
	testkit.Write(t, first, testkit.Frames("hello"))
	_, err := testkit.ReadMessage(first)
	require.NoError(t, err)
	over := make(chan struct{})
	go func() {
		for range 2 * few {
			if conn, err := net.Dial("tcp", addr); err == nil {
				defer conn.Close()
			}
		}
		<-over
	}()
	defer close(over)
	require.Equal(t, "ended with <nil>", s.hears(t, "gnet"))
	_, err = io.Copy(io.Discard, first)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "its sessions have ended")
	s.end(t)
}
