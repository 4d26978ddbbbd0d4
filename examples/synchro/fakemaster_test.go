package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/netasynctest"
)

// fakeMaster is a master that is written by hand, with its one mirror.
func fakeMaster(t *testing.T, o MirrorOptions) (*Mirror, peer) {
	m, accept := fakeMasters(t, o)
	p := accept()
	require.Equal(t, &follow{}, p.hears().Follow)
	return m, p
}

// fakeMasters is fakeMaster for a mirror that comes again: accept returns its next connection.
func fakeMasters(t *testing.T, o MirrorOptions) (m *Mirror, accept func() peer) {
	net := netasynctest.NewNetwork(t)
	l, err := net.Engine("master", netasync.EngineOptions{}).Listen(":1", netasync.ListenOptions{})
	require.NoError(t, err)
	m, err = NewMirror(net.Engine("a", netasync.EngineOptions{}), "master:1", o)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return m, func() peer {
		s := <-l.AcceptChan()
		netasynctest.Expect(t, s, netasynctest.IsConnected)
		return peer{s, t}
	}
}

// On a connection that has just begun, nothing is asked before the snapshot: the master may be another,
// which cannot know the ticket. Deltas that come before it wait.
func TestBeforeTheSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, accept := fakeMasters(t, MirrorOptions{})
		p := accept()
		require.Equal(t, &follow{}, p.hears().Follow)
		p.says(message{Snapshot: &snapshot{Version{"one", 9}, values("n", 2), "ticket", 1}})
		synctest.Wait()
		p.CloseNow(nil)

		p = accept()
		require.Equal(t, &follow{"ticket"}, p.hears().Follow)
		d := deltaTo(3)
		p.says(message{Delta: &d})
		result := begin(t.Context(), m, add("n", 1))
		netasynctest.Quiet(t, p, time.Second)
		p.says(message{Snapshot: &snapshot{Version{"life", 2}, values("n", 2), "another", 2}})
		require.Equal(t, &ask{"another", 1, add("n", 1)}, p.hears().Ask)
		require.Equal(t, stateAt(3), m.State())
		d = deltaTo(4)
		d.By, d.Seq = 2, 1
		p.says(message{Delta: &d})
		require.NoError(t, <-result)
	})
}

// A step that is missing is noticed: a snapshot is asked for, and what is under way is asked again.
func TestMissingDelta(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := fakeMaster(t, MirrorOptions{})
		first := snapshot{Version{"life", 2}, values("n", 2), "ticket", 1}
		p.says(message{Snapshot: &first})
		result := begin(t.Context(), m, add("n", 1))
		require.Equal(t, &ask{"ticket", 1, add("n", 1)}, p.hears().Ask)
		d := deltaTo(4)
		p.says(message{Delta: &d})
		require.Equal(t, &follow{"ticket"}, p.hears().Follow)
		require.Equal(t, stateAt(2), m.State())
		p.says(message{Snapshot: &snapshot{Version{"life", 3}, values("n", 3), "ticket", 1}})
		require.Equal(t, &ask{"ticket", 1, add("n", 1)}, p.hears().Ask)
		require.Equal(t, stateAt(4), m.State())

		// The answer comes before the delta that it speaks of.
		p.says(message{Answer: &answer{Seq: 1, Version: 5}})
		synctest.Wait()
		require.Empty(t, result)
		d = deltaTo(5)
		p.says(message{Delta: &d})
		require.NoError(t, <-result)
	})
}

// So it is if the step is missing behind a snapshot.
func TestMissingDeltaBehindTheSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := fakeMaster(t, MirrorOptions{})
		for _, n := range []uint64{4, 6} {
			d := deltaTo(n)
			p.says(message{Delta: &d})
		}
		p.says(message{Snapshot: &snapshot{Version{"life", 3}, values("n", 3), "ticket", 1}})
		require.Equal(t, &follow{"ticket"}, p.hears().Follow)
		require.Equal(t, stateAt(4), m.State())
		p.says(message{Snapshot: &snapshot{Version{"life", 5}, values("n", 5), "ticket", 1}})
		synctest.Wait()
		require.Equal(t, stateAt(6), m.State())
	})
}

// A master that says that it has forgotten is believed.
func TestForgetfulMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := fakeMaster(t, MirrorOptions{})
		p.says(message{Snapshot: &snapshot{Version{"life", 2}, values("n", 2), "ticket", 1}})
		result := begin(t.Context(), m, add("n", 1))
		require.NotNil(t, p.hears().Ask)
		p.says(message{Answer: &answer{Seq: 1, Lost: true}})
		require.ErrorIs(t, <-result, ErrLost)
		// Answers to what was never asked, or is answered, change nothing.
		p.says(message{Answer: &answer{Seq: 1}})
		p.says(message{Answer: &answer{Seq: 99, Lost: true}})
		result = begin(t.Context(), m, add("n", 1))
		require.Equal(t, uint64(2), p.hears().Ask.Seq)
		p.says(message{Answer: &answer{Seq: 2, Version: 2, Refused: true}})
		require.ErrorIs(t, <-result, ErrRefused)
	})
}

// A mirror ends when its master speaks nonsense, and says so.
func TestMasterThatLies(t *testing.T) {
	for _, text := range append(nonsense, `{"follow":{}}`, `{"ask":{}}`) {
		synctest.Test(t, func(t *testing.T) {
			m, p := fakeMaster(t, MirrorOptions{})
			p.says(message{Snapshot: &snapshot{Version{"life", 2}, values("n", 2), "ticket", 1}})
			result := begin(t.Context(), m, add("n", 1))
			require.NotNil(t, p.hears().Ask)
			require.NoError(t, p.Send(t.Context(), []byte(text)))
			require.ErrorIs(t, m.Err(), errNonsense)
			require.ErrorIs(t, <-result, ErrLost)
		})
	}
}
