package session

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// An end that answers each message waits in Send for acknowledgements that come behind messages which
// it does not read meanwhile. It finds them all the same, however it consumes.
func TestAcknowledgementsAreFoundBehindMessages(t *testing.T) {
	for way := range waysToConsume {
		for _, onLoop := range []bool{false, true} {
			t.Run(fmt.Sprintf("way %d, on a loop %v", way, onLoop), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { echoWithSmallWindows(t, way, onLoop) })
			})
		}
	}
}

func echoWithSmallWindows(t *testing.T, way int, onLoop bool) {
	const messages, most = 5_000, 100
	back := &follower{t: t, who: "near"}
	nearConfig, nearConsumes := resumable(t, byRecv, back)
	farConfig, _ := resumable(t, way, nil)
	nearConfig.Unacked = Buffer{Cap: 1 << 20, Bytes: 1 << 30} // the near end floods
	nearConfig.WriteBuffer = Buffer{Cap: 1 << 20, Bytes: 1 << 30}
	farConfig.Unacked, farConfig.WriteBuffer, farConfig.ReadBuffer = Fixed(4), Fixed(1), Fixed(1)
	farConfig.Unacked.Bytes, farConfig.WriteBuffer.Bytes, farConfig.ReadBuffer.Bytes = 1<<20, 1<<20, 1<<20
	echo := func(s *Session, ev Event) {
		if ev.Kind == Message {
			if err := s.Send(context.Background(), append([]byte(nil), ev.Payload...)); err != nil {
				t.Error(err)
			}
		}
	}
	farConsumes := func(s *Session) { <-s.Done() }
	switch way {
	case byCallback, byInline:
		farConfig.OnEvent = echo
	case byChan:
		farConsumes = func(s *Session) {
			for ev := range s.ReadChan() {
				echo(s, ev)
			}
		}
	case byRecv:
		farConsumes = func(s *Session) {
			for ev := range s.Events(context.Background()) {
				echo(s, ev)
			}
		}
	}
	w := newResumeWorld(t, nearConfig, farConfig)
	w.room = 1 << 20
	w.onLoop = &onLoop
	w.work.Go(w.dial)
	far := <-w.accepted
	w.work.Go(func() { nearConsumes(w.near) })
	w.work.Go(func() { farConsumes(far) })
	for n := range messages {
		require.NoError(t, w.near.Send(t.Context(), sized(n, most)))
	}
	require.NoError(t, w.near.Flush(t.Context()))
	require.NoError(t, far.Flush(t.Context()))
	synctest.Wait()
	require.EqualValues(t, messages, back.next.Load())
	require.EqualValues(t, 1, w.near.Stats().Epoch, "no connection had to be ended for it")
	require.NoError(t, w.near.Close())
	w.work.Wait()
}
