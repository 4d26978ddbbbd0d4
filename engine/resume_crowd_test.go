package engine

import (
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// Who has come back once goes behind those that may not know of their session.
func TestMaxDetachedKeepsThoseThatWereHeard(t *testing.T) {
	onStage(t, ListenOptions{Resume: true, MaxDetached: 2}, func(t *stage) {
		c := t.client(1)
		p, _ := c.enters()
		first := t.accepted()
		c.proves(p)
		require.NoError(t, p.Close())
		for i := range 5 {
			p, _ := t.client(byte(i + 2)).enters()
			t.accepted()
			require.NoError(t, p.Close())
			synctest.Wait()
		}
		require.Equal(t, 2, t.e.Stats().Detached)
		require.Equal(t, session.StateDisconnected, first.State())
	})
}

// Two connections of one dialer that come at once are for one session.
func TestTwoHellosAtOnce(t *testing.T) {
	for range 100 {
		onStage(t, ListenOptions{Resume: true}, func(t *stage) {
			var work sync.WaitGroup
			for number := range uint64(4) {
				p := t.connect()
				work.Go(func() {
					h := t.client(1).Hello
					h.Number = number + 1
					_, _ = p.Write(hello(codec.Format{}, h))
					_, _ = io.Copy(io.Discard, p)
				})
			}
			synctest.Wait()
			t.knows(1)
			require.Equal(t, 1, t.e.Stats().Sessions)
			t.shutdown()
			work.Wait()
		})
	}
}

// A connection that ends within its Hello is no session: not even one of a plain peer, of which it could
// be the beginning. One that ends behind an empty frame may be a plain peer that has come to say that.
func TestHelloThatIsCutOff(t *testing.T) {
	whole := hello(codec.Format{}, resume.Hello{Nonce: resume.Nonce{1}})
	for n := range whole {
		onStage(t, ListenOptions{Resume: true}, func(t *stage) {
			p := t.connect()
			_, _ = p.Write(whole[:n])
			require.NoError(t, p.Close())
			synctest.Wait()
			begun := uint64(1)
			if n > 4 {
				begun = 0
			}
			require.Equal(t, begun, t.e.Stats().Accepted, "after %d bytes", n)
			require.Equal(t, 1-begun, t.e.Stats().RefusedBy.Resume)
		})
	}
}
