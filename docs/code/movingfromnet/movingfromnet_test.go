package movingfromnet

import (
	"encoding/binary"
	"io"
	"log"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	testkit.Main(m)
}

// Both ways to write either side do the same: answers in order, and again after an outage.
func TestSameOnSockets(t *testing.T) {
	eachPair(t, func(t *testing.T, serve func(*testing.T, world), dial func(*testing.T, world, func([]byte)) func(string)) {
		w := sockets(t)
		serve(t, w)
		answers := make(chan string, 1_000)
		send := dial(t, w, func(p []byte) { answers <- string(p) })
		for _, m := range []string{"one", "two", "three"} {
			send(m)
		}
		for _, want := range []string{"ONE", "TWO", "THREE"} {
			require.Equal(t, want, testkit.Take(t, answers))
		}
		w.link.Cut(nil)
		askAgain(t, send, answers)
	})
}

// askAgain sends until an answer comes: what goes to a connection that has just been cut is lost.
func askAgain(t *testing.T, send func(string), answers <-chan string) {
	for range 20 {
		send("again")
		select {
		case got := <-answers:
			require.Equal(t, "AGAIN", got)
			return
		case <-time.After(time.Second):
		}
	}
	require.Fail(t, "no answer after an outage")
}

// Nobody is found dead who has nothing to say for an hour, and a peer that vanishes is found.
func TestSameByTime(t *testing.T) {
	eachPair(t, func(t *testing.T, serve func(*testing.T, world), dial func(*testing.T, world, func([]byte)) func(string)) {
		synctest.Test(t, func(t *testing.T) {
			w := memory(t)
			serve(t, w)
			answers := make(chan string, 1_000)
			send := dial(t, w, func(p []byte) { answers <- string(p) })
			send("one")
			require.Equal(t, "ONE", <-answers)

			time.Sleep(time.Hour)
			send("two")
			require.Equal(t, "TWO", <-answers)
			require.EqualValues(t, 1, w.listener.accepted.Load(), "the connection has lasted")

			w.link.Vanish()
			time.Sleep(timeout + time.Second)
			w.link.Heal()
			askAgain(t, send, answers)
			require.Greater(t, w.listener.accepted.Load(), int32(1), "it was found broken")
		})
	})
}

// A message that was sent while there was no connection goes out with the next one.
func TestWaitsWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		answers := make(chan string, 10)
		s, err := connect(t.Context(), n.Engine("client", netasync.EngineOptions{}), "server:1", func(p []byte) { answers <- string(p) })
		require.NoError(t, err)
		require.NoError(t, s.Send(t.Context(), []byte("early")))
		time.Sleep(time.Minute)
		l, err := n.Engine("server", netasync.EngineOptions{}).Listen(":1", netasync.ListenOptions{})
		require.NoError(t, err)
		go serveSessions(t.Context(), l, upper)
		require.Equal(t, "EARLY", <-answers)
	})
}

// A peer that knows no heartbeats gets none, however long nothing is said.
func TestSilentPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		l, err := n.Engine("server", netasync.EngineOptions{}).Listen(":1", toSilentPeers())
		require.NoError(t, err)
		go serveSessions(t.Context(), l, upper)
		conn, err := n.Dialer("old")(t.Context(), "tcp", "server:1")
		require.NoError(t, err)
		defer conn.Close()

		time.Sleep(20 * time.Hour)
		_, err = conn.Write([]byte("\x02\x00hi"))
		require.NoError(t, err)
		require.Equal(t, "\x02\x00HI", read(t, conn, 4), "the first bytes are the answer")
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(23*time.Hour)))
		_, err = conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "nothing more comes")
	})
}

// The greeting, on the other hand, is a length of 0.
func TestGreeting(t *testing.T) {
	w := sockets(t)
	servers["netasync"](t, w)
	conn := testkit.Dial(t, w.listener.Addr())
	require.Zero(t, binary.BigEndian.Uint32([]byte(read(t, conn, 4))))
}

func read(t *testing.T, conn net.Conn, n int) string {
	p := make([]byte, n)
	_, err := io.ReadFull(conn, p)
	require.NoError(t, err)
	return string(p)
}
