package main

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// bothWays runs a test in a bubble, without Resume and with it.
func bothWays(t *testing.T, f func(t *testing.T, o MirrorOptions)) {
	for name, resume := range map[string]bool{"plain": false, "resume": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f(t, MirrorOptions{Connect: netasync.ConnectOptions{Resume: resume}})
			})
		})
	}
}

// begin calls Do, and returns what comes of it.
func begin(ctx context.Context, m *Mirror, c Command) <-chan error {
	result := make(chan error, 1)
	go func() { result <- m.Do(ctx, c) }()
	return result
}

// Many commands at once, through all the room there is, and each answer finds its own.
func TestManyAtOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, o MirrorOptions) {
		w := newWorld(t, netasync.ListenOptions{Resume: true})
		m := w.mirror("a", o)
		var all sync.WaitGroup
		for i := range 5 * window {
			all.Go(func() {
				c := add("n", 1)
				if i%2 == 0 {
					c.Ensure = values("never", 1)
				}
				err := m.Do(t.Context(), c)
				if refused := errors.Is(err, ErrRefused); refused != (i%2 == 0) || err != nil && !refused {
					t.Error(i, err)
				}
			})
		}
		all.Wait()
		require.Equal(t, values("n", 5*window/2), m.State().Values)
	})
}

// The answer to a command is lost with its connection: it is asked again, and was executed once.
func TestLostAnswer(t *testing.T) {
	bothWays(t, func(t *testing.T, o MirrorOptions) {
		w := newWorld(t, netasync.ListenOptions{Resume: true})
		m := w.mirror("a", o)
		require.NoError(t, m.Do(t.Context(), add("n", 1)))
		link := w.net.Link("a", "master")
		link.OneWay("master")
		result := begin(t.Context(), m, add("n", 1))
		time.Sleep(time.Second)
		require.Empty(t, result)
		link.Cut(nil)
		link.Heal()
		require.NoError(t, <-result)
		require.Equal(t, values("n", 2), m.State().Values, "Do has returned, so the state has it")
	})
}

// A command that never arrived is asked again, too.
func TestLostCommand(t *testing.T) {
	bothWays(t, func(t *testing.T, o MirrorOptions) {
		w := newWorld(t, netasync.ListenOptions{Resume: true})
		m := w.mirror("a", o)
		require.NoError(t, m.Do(t.Context(), add("n", 1)))
		link := w.net.Link("a", "master")
		link.OneWay("a")
		result := begin(t.Context(), m, add("n", 1))
		time.Sleep(time.Second)
		link.Cut(nil)
		link.Heal()
		require.NoError(t, <-result)
		require.Equal(t, values("n", 2), m.State().Values)
	})
}

// A master that was restarted does not know what became of the commands that were under way. It is
// followed from its beginning, also if it has as many versions as the one before.
func TestRestartedMaster(t *testing.T) {
	bothWays(t, func(t *testing.T, o MirrorOptions) {
		w := newWorld(t, netasync.ListenOptions{Resume: true})
		m := w.mirror("a", o)
		require.NoError(t, m.Do(t.Context(), add("n", 1)))
		life := m.State().Life
		link := w.net.Link("a", "master")
		link.OneWay("master")
		under := begin(t.Context(), m, add("n", 1)) // executed
		time.Sleep(time.Second)
		link.Cut(nil) // and so the answer is lost
		w.stop()
		require.Equal(t, values("n", 2), w.state.Values)
		link.Heal()
		time.Sleep(time.Second)
		later := begin(t.Context(), m, add("n", 10)) // nobody has been asked
		time.Sleep(time.Second)
		w.begin(netasync.ListenOptions{Resume: true})
		err := <-under
		require.ErrorIs(t, err, ErrLost)
		require.NotErrorIs(t, err, ErrClosed)
		err = <-later
		if err != nil { // it had been taken before the end of the connection was heard of
			require.ErrorIs(t, err, ErrLost)
		}
		require.NoError(t, m.Do(t.Context(), add("n", 100)))
		w.stop()
		require.NotEqual(t, life, m.State().Life)
		require.Equal(t, w.state.Version, m.State().Version)
		require.Equal(t, w.state.Values, m.State().Values)
		if err == nil {
			require.Equal(t, values("n", 110), m.State().Values)
		}
	})
}

// When the context ends, Do says whether the command may have been executed, and nothing is left of it.
func TestContexts(t *testing.T) {
	bothWays(t, func(t *testing.T, o MirrorOptions) {
		w := newWorld(t, netasync.ListenOptions{Resume: true})
		m := w.mirror("a", o)
		require.NoError(t, m.Do(t.Context(), add("n", 10)))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			err := m.Do(ended, add("n", 1))
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, ErrLost)
		}

		w.net.Link("a", "master").Vanish()
		for range 3 * window { // more than there is room for
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			err := m.Do(ctx, add("n", 100))
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, ErrLost)
		}
		w.net.Link("a", "master").Heal()
		require.NoError(t, m.Do(t.Context(), add("n", 1000)))
		require.Equal(t, int64(10+3*window*100+1000), m.State().Values["n"])
		m.Close()
		require.Empty(t, m.pending)
	})
}

// A command that waits for the first connection is not asked any more when its context has ended.
func TestContextBeforeTheFirstConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netasync.ListenOptions{})
		w.stop()
		m := w.mirror("a", MirrorOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := m.Do(ctx, add("n", 1))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrLost)
		w.begin(netasync.ListenOptions{})
		require.NoError(t, m.Do(t.Context(), add("n", 10)))
		require.Equal(t, values("n", 10), m.State().Values)
	})
}

// A mirror that is closed answers all that wait, each with what is known of its command.
func TestClose(t *testing.T) {
	bothWays(t, func(t *testing.T, o MirrorOptions) {
		w := newWorld(t, netasync.ListenOptions{Resume: true})
		m := w.mirror("a", o)
		require.NoError(t, m.Do(t.Context(), add("n", 1)))
		w.net.Link("a", "master").Vanish()
		results := make(chan error, 2*window)
		for range 2 * window {
			go func() { results <- m.Do(t.Context(), add("n", 1)) }()
		}
		synctest.Wait()
		require.Empty(t, results)
		m.Close()
		lost := 0
		for range 2 * window {
			err := <-results
			require.ErrorIs(t, err, ErrClosed)
			if errors.Is(err, ErrLost) {
				lost++
			}
		}
		require.Equal(t, window, lost, "the others were not asked")
		require.NoError(t, m.Err())
		err := m.Do(t.Context(), add("n", 1))
		require.ErrorIs(t, err, ErrClosed)
		require.NotErrorIs(t, err, ErrLost)
	})
}

// A mirror that stalls costs the others nothing. It is ended, comes back and takes a snapshot, and what
// it has asked before was executed once.
func TestStalledMirror(t *testing.T) {
	bothWays(t, func(t *testing.T, o MirrorOptions) {
		w := newWorld(t, netasync.ListenOptions{Resume: true, WriteBuffer: netasync.Fixed(16), Unacked: netasync.Fixed(16)})
		other := w.mirror("b", o)
		stall := make(chan bool)
		o.Connect.ReadBuffer = netasync.Fixed(1)
		o.OnChange = func(s State, d *Delta) {
			if s.Number == 10 {
				<-stall
			}
		}
		m := w.mirror("a", o)
		w.net.Link("a", "master").Buffer(1000)
		time.Sleep(time.Second)
		result := (<-chan error)(nil)
		for n := range 1000 {
			require.NoError(t, other.Do(t.Context(), add("n", 1)))
			if n == 9 {
				result = begin(t.Context(), m, add("m", 1)) // waits for a stalled mirror to take it
			}
		}
		require.NotZero(t, w.slow.Load())
		require.Less(t, m.replica.state.Number, uint64(11))
		close(stall)
		require.NoError(t, <-result)
		require.NoError(t, other.Do(t.Context(), add("n", 1)))
		time.Sleep(time.Second)
		require.Equal(t, values("n", 1001, "m", 1), m.State().Values)
		require.Equal(t, other.State(), m.State())
		require.NotZero(t, m.outages.Load(), "it was ended")
		require.Greater(t, m.snapshots.Load(), int64(1))
		require.LessOrEqual(t, m.snapshots.Load(), 1+w.slow.Load(), "one for each time that it was ended")
		require.Equal(t, int64(1), other.snapshots.Load())
	})
}

// The largest state there can be fits into a snapshot: a mirror that comes then is served.
func TestLargeSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netasync.ListenOptions{})
		a := w.mirror("a", MirrorOptions{})
		refused := false
		for n := 0; !refused; n++ {
			c := Command{Set: make(map[string]int64)}
			for i := range 500 {
				c.Set[string(rune(0x4e00+n))+string(rune(0x4e00+i))] = -1 << 63
			}
			err := a.Do(t.Context(), c)
			if refused = errors.Is(err, ErrRefused); !refused {
				require.NoError(t, err)
			}
		}
		b := w.mirror("b", MirrorOptions{})
		require.NoError(t, b.Do(t.Context(), Command{}))
		require.Greater(t, b.replica.state.size, maxState*9/10)
		time.Sleep(time.Second)
		require.Equal(t, a.State(), b.State())
		require.Zero(t, b.outages.Load())
	})
}
