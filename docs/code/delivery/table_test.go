package delivery

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/netasynctest"
)

// These are cells of the table of docs/delivery.md.

// What is under way when the connection is cut is lost; with Resume it is not.
func TestCut(t *testing.T) {
	for resume, want := range map[bool][]string{false: {"behind"}, true: {"under way", "behind"}} {
		inWorld(t, netasync.ListenOptions{Resume: resume}, func(w *world) {
			s := w.connect(netasync.ConnectOptions{Resume: resume})
			peer := <-w.accept
			link := w.net.Link("client", "server")
			link.Latency(100*time.Millisecond, 0)
			w.send(s, "under way")
			time.Sleep(time.Millisecond)
			link.Cut(nil)
			netasynctest.Expect(w, s, netasynctest.IsConnected, netasynctest.IsDisconnected(nil))
			w.send(s, "behind") // waits for the next connection
			if !resume {
				require.Empty(w, w.texts(peer, time.Minute))
				peer = <-w.accept
			}
			require.Equal(w, want, w.texts(peer, time.Minute))
		})
	}
}

// A message that is too large for the peer ends the connection. Without Resume it is lost, as the system had
// taken it; with Resume it comes again and again.
func TestTooLargeForThePeer(t *testing.T) {
	for resume, want := range map[bool][]string{false: {"behind"}, true: nil} {
		inWorld(t, netasync.ListenOptions{Resume: resume, MaxPayload: 1000}, func(w *world) {
			s := w.connect(netasync.ConnectOptions{Resume: resume})
			peer := <-w.accept
			w.send(s, string(make([]byte, 1001)))
			time.Sleep(time.Second)
			w.send(s, "behind")
			got := w.texts(peer, time.Minute)
			if !resume {
				require.ErrorIs(w, peer.Stats().LastError, netasync.ErrFrameTooLarge)
				got = append(got, w.texts(<-w.accept, time.Minute)...)
			}
			require.Equal(w, want, got)
			if resume {
				require.Equal(w, 2, s.Stats().Unacked+s.Stats().Queued)
				require.Greater(w, s.Stats().Resumed, uint64(5))
			}
		})
	}
	inWorld(t, netasync.ListenOptions{MaxPayload: 1000}, func(w *world) {
		s := w.connect(netasync.ConnectOptions{MaxPayload: 1000})
		require.ErrorIs(w, s.Send(w.Context(), make([]byte, 1001)), netasync.ErrFrameTooLarge)
	})
}

// Nothing is lost while the peer is away for less than the window; then both ends are told what may be.
func TestWindow(t *testing.T) {
	inWorld(t, netasync.ListenOptions{Resume: true}, func(w *world) {
		s := w.connect(netasync.ConnectOptions{Resume: true})
		peer := <-w.accept
		link := w.net.Link("client", "server")
		away := func(d time.Duration) {
			link.Vanish()
			w.send(s, "ours")
			w.send(peer, "theirs")
			time.Sleep(d)
			link.Heal()
			time.Sleep(10 * time.Second)
		}
		away(2 * time.Minute) // the window begins when the listener has noticed
		require.Equal(w, []string{"theirs"}, w.texts(s, time.Second))
		require.Equal(w, []string{"ours"}, w.texts(peer, time.Second))
		away(4 * time.Minute)
		ev := w.closed(peer)
		require.ErrorIs(w, ev.Err, netasync.ErrResumeExpired)
		require.EqualValues(w, 1, int(ev.Lost)+ev.Queued)
		netasynctest.Expect(w, s, netasynctest.IsDisconnected(nil), func(ev netasync.Event) error {
			require.Equal(w, netasync.Connected, ev.Kind)
			require.False(w, ev.Resumed)
			require.EqualValues(w, 1, ev.Lost)
			return nil
		})
		require.Empty(w, w.texts(<-w.accept, time.Second))
	})
}

// Close and Shutdown send what is queued, for as long as they may, and tell what was not sent.
func TestEnds(t *testing.T) {
	inWorld(t, netasync.ListenOptions{}, func(w *world) {
		s := w.connect(netasync.ConnectOptions{})
		w.send(s, "a")
		s.Close()
		require.Equal(w, []string{"a"}, w.texts(<-w.accept, time.Second))
		require.Equal(w, 0, w.closed(s).Queued)

		away, err := w.engine.Connect("nowhere:1", netasync.ConnectOptions{})
		require.NoError(w, err)
		w.send(away, "b", "c")
		began := time.Now()
		away.Close()
		ev := w.closed(away)
		require.ErrorIs(w, ev.Err, netasync.ErrLinger)
		require.Equal(w, 2, ev.Queued)
		require.Equal(w, 5*time.Second, time.Since(began))

		away, err = w.engine.Connect("nowhere:1", netasync.ConnectOptions{})
		require.NoError(w, err)
		w.send(away, "d")
		var unsent *netasync.UnsentError
		require.ErrorAs(w, w.engine.Shutdown(w.Context()), &unsent)
		require.Equal(w, 1, unsent.Messages)
	})
	inWorld(t, netasync.ListenOptions{Resume: true}, func(w *world) {
		s := w.connect(netasync.ConnectOptions{Resume: true})
		peer := <-w.accept
		w.net.Link("client", "server").Vanish()
		w.send(peer, "sent")
		time.Sleep(time.Minute)
		w.send(peer, "queued")
		began := time.Now()
		peer.Close() // it has no connection, and does not wait for one
		ev := w.closed(peer)
		require.Zero(w, time.Since(began))
		require.Equal(w, 1, ev.Queued)
		require.EqualValues(w, 1, ev.Lost)
		s.CloseNow(nil)
	})
}
