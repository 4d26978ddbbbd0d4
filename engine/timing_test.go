package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

var errRefused = errors.New("refused by the test")

// A heartbeat goes out when nothing was sent for a period: payloads postpone
// it, heartbeats of a peer with about our own period have no effect.
func TestIdleHeartbeatInstants(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{HeartbeatPeriod: time.Second})
		require.Equal(t, session.Connected, mustRecv(t, s).Kind)
		p := <-peers
		go p.stayAlive(900 * time.Millisecond)
		require.Equal(t, frame{"", 1 * time.Second}, p.mustRead())
		require.Equal(t, frame{"", 2 * time.Second}, p.mustRead())
		time.AfterFunc(500*time.Millisecond, func() { _ = s.Send(context.Background(), []byte("hi")) })
		require.Equal(t, frame{"hi", 2500 * time.Millisecond}, p.mustRead())
		require.Equal(t, frame{"", 3500 * time.Millisecond}, p.mustRead())
		require.Equal(t, frame{"", 4500 * time.Millisecond}, p.mustRead())
	})
}

// Silence for HeartbeatTimeout is the end of the connection, to the instant,
// and the session connects again.
func TestStuckPeerIsFoundAtTheTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{HeartbeatPeriod: time.Second, HeartbeatTimeout: 3 * time.Second})
		for epoch := uint64(1); epoch <= 2; epoch++ {
			require.Equal(t, session.Connected, mustRecv(t, s).Kind)
			p := <-peers
			go p.swallow()
			ev := mustRecv(t, s)
			require.Equal(t, session.Disconnected, ev.Kind)
			require.ErrorIs(t, ev.Err, session.ErrHeartbeatTimeout)
			require.Equal(t, epoch, ev.Epoch)
			require.Equal(t, 3*time.Second, time.Since(p.start))
		}
	})
}

// Any byte proves life, also one within a frame where MinRate is off; heartbeats alone keep a
// connection up.
func TestAnyByteProvesLife(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{HeartbeatPeriod: time.Second, HeartbeatTimeout: 2 * time.Second, MinRate: -1})
		require.Equal(t, session.Connected, mustRecv(t, s).Kind)
		p := <-peers
		go p.swallow()
		for _, b := range []byte("\x00\x00\x00\x04word") { // 15 s for one frame
			time.Sleep(1900 * time.Millisecond)
			_, err := p.Write([]byte{b})
			require.NoError(t, err)
		}
		require.Equal(t, "word", string(mustRecv(t, s).Payload))
		for range 10 {
			time.Sleep(1900 * time.Millisecond)
			require.NoError(t, p.send(""))
		}
		require.Equal(t, session.StateConnected, s.State())
	})
}

// But a frame that has begun has to come on, also one of a few bytes.
func TestFrameThatDoesNotComeOn(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{HeartbeatPeriod: time.Second, HeartbeatTimeout: 2 * time.Second})
		require.Equal(t, session.Connected, mustRecv(t, s).Kind)
		p := <-peers
		go p.swallow()
		for _, b := range []byte("\x00\x00\x00\x04word") {
			if _, err := p.Write([]byte{b}); err != nil {
				break
			}
			time.Sleep(1500 * time.Millisecond)
		}
		require.ErrorIs(t, mustRecv(t, s).Err, session.ErrSlowFrame)
		require.LessOrEqual(t, time.Since(p.start), 5*time.Second)
	})
}

// While we hold back because our user is slow, the silence is ours: the
// connection lives, our heartbeats go on, and nothing is lost.
func TestSlowConsumerLosesNeitherConnectionNorMessage(t *testing.T) {
	for _, way := range []string{"recv", "chan", "handler", "inline"} {
		t.Run(way, func(t *testing.T) {
			inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
				const slow, messages = 30 * time.Second, 8
				got := make(chan session.Event, 100)
				o := ConnectOptions{HeartbeatPeriod: time.Second, HeartbeatTimeout: 3 * time.Second, ReadBuffer: session.Fixed(2)}
				if way == "handler" || way == "inline" {
					o.Inline = way == "inline"
					o.OnEvent = func(_ *session.Session, ev session.Event) {
						if ev.Kind == session.Message {
							time.Sleep(slow)
						}
						ev.Payload = append([]byte(nil), ev.Payload...)
						got <- ev
					}
				}
				s := mustConnect(t, e, o)
				p := <-peers
				beats := make(chan int, 1)
				go countHeartbeats(p, beats)
				go func() {
					for i := range messages {
						_ = p.send(fmt.Sprint(i))
					}
					p.stayAlive(time.Second)
				}()
				next := func() session.Event { return <-got }
				switch way {
				case "recv":
					next = func() session.Event { time.Sleep(slow); return mustRecv(t, s) }
				case "chan":
					next = func() session.Event { time.Sleep(slow); return <-s.ReadChan() }
				}
				require.Equal(t, session.Connected, next().Kind)
				for i := range messages {
					ev := next()
					require.Equal(t, session.Message, ev.Kind, "%v", ev.Err)
					require.Equal(t, fmt.Sprint(i), string(ev.Payload))
				}
				elapsed := time.Since(p.start)
				_ = p.Close()
				require.InDelta(t, elapsed.Seconds(), <-beats, 2, "a heartbeat each second, held back or not")
			})
		})
	}
}

func countHeartbeats(p *peer, beats chan<- int) {
	n := 0
	for {
		f, err := p.read()
		if err != nil {
			beats <- n
			return
		}
		if f.payload == "" {
			n++
		}
	}
}

// Attempts that fail are spaced by the back-off, with a fifth of jitter; the
// outage is one Disconnected.
func TestBackoffInstants(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, _ <-chan *peer) {
		var instants []time.Time
		e.dial = func(context.Context, string, string) (net.Conn, error) {
			instants = append(instants, time.Now())
			return nil, errRefused
		}
		start := time.Now()
		s := mustConnect(t, e, ConnectOptions{})
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, start, instants[0], "the first attempt is made at once")
		want, jittered := 100*time.Millisecond, false
		for i := 1; i < len(instants); i++ {
			gap := instants[i].Sub(instants[i-1])
			require.InEpsilon(t, want.Seconds(), gap.Seconds(), reconnect.DefaultJitter+1e-9, "gap %d", i)
			jittered = jittered || gap != want
			want = min(want*16/10, 5*time.Second)
		}
		require.True(t, jittered)
		require.EqualValues(t, len(instants), s.Stats().Attempts)
		ev := mustRecv(t, s)
		require.Equal(t, session.Disconnected, ev.Kind)
		require.ErrorIs(t, ev.Err, errRefused)
		require.Zero(t, ev.Epoch)
		require.NoError(t, s.Close())
		require.Equal(t, session.Closed, mustRecv(t, s).Kind)
	})
}

// net.async's own rule: the delay, to the instant.
func TestFixedDelayInstants(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, _ <-chan *peer) {
		var instants []time.Duration
		start := time.Now()
		e.dial = func(context.Context, string, string) (net.Conn, error) {
			instants = append(instants, time.Since(start))
			return nil, errRefused
		}
		mustConnect(t, e, ConnectOptions{Backoff: reconnect.FixedDelay(time.Second)})
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}, instants)
	})
}

// A peer that accepts and hangs up has not proved itself: back-off goes on
// growing. One that says something begins it anew.
func TestBackoffIsResetByAProvenConnectionOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{
			HeartbeatPeriod: time.Second,
			Backoff:         reconnect.Backoff{Initial: time.Second, Factor: 10, Max: 100 * time.Second},
		})
		drop := func() { // the connection ends as soon as it is there
			require.Equal(t, session.Connected, mustRecv(t, s).Kind)
			require.NoError(t, (<-peers).Close())
			require.Equal(t, session.Disconnected, mustRecv(t, s).Kind)
		}
		drop()
		for _, want := range []float64{1, 10, 100} {
			start := time.Now()
			drop()
			require.InEpsilon(t, want, time.Since(start).Seconds(), reconnect.DefaultJitter+1e-9)
		}
		require.Equal(t, session.Connected, mustRecv(t, s).Kind)
		p := <-peers
		require.NoError(t, p.send("proof"))
		require.Equal(t, "proof", string(mustRecv(t, s).Payload))
		require.NoError(t, p.Close())
		require.Equal(t, session.Disconnected, mustRecv(t, s).Kind)
		start := time.Now()
		drop()
		require.InEpsilon(t, 1, time.Since(start).Seconds(), reconnect.DefaultJitter+1e-9)
	})
}

// RetryNow cuts the back-off short.
func TestRetryNow(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{Backoff: reconnect.FixedDelay(time.Hour)})
		require.Equal(t, session.Connected, mustRecv(t, s).Kind)
		require.NoError(t, (<-peers).Close())
		require.Equal(t, session.Disconnected, mustRecv(t, s).Kind)
		start := time.Now()
		s.RetryNow()
		require.Equal(t, session.Connected, mustRecv(t, s).Kind)
		require.Zero(t, time.Since(start))
	})
}

// An unanswered dial ends at DialTimeout.
func TestDialTimeoutInstant(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, _ <-chan *peer) {
		e.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		start := time.Now()
		s := mustConnect(t, e, ConnectOptions{DialTimeout: 7 * time.Second})
		ev := mustRecv(t, s)
		require.Equal(t, session.Disconnected, ev.Kind)
		require.ErrorIs(t, ev.Err, context.DeadlineExceeded)
		require.Equal(t, 7*time.Second, time.Since(start))
	})
}

// Close gives a peer that does not read its Linger, and no longer.
func TestLingerInstant(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{Linger: 3 * time.Second})
		require.Equal(t, session.Connected, mustRecv(t, s).Kind)
		<-peers
		for range 5 {
			require.NoError(t, s.Send(t.Context(), []byte("never read")))
		}
		start := time.Now()
		require.NoError(t, s.Close())
		ev := mustRecv(t, s)
		require.Equal(t, session.Closed, ev.Kind)
		require.ErrorIs(t, ev.Err, session.ErrLinger)
		require.Equal(t, 5, ev.Queued)
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

// A peer that reads slowly, but within Linger, gets everything.
func TestLingerLetsTheFlushFinish(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{Linger: 3 * time.Second})
		require.Equal(t, session.Connected, mustRecv(t, s).Kind)
		p := <-peers
		for i := range 20 {
			require.NoError(t, s.Send(t.Context(), []byte(fmt.Sprint(i))))
		}
		require.NoError(t, s.Close())
		for i := range 20 {
			time.Sleep(100 * time.Millisecond)
			require.Equal(t, fmt.Sprint(i), p.mustRead().payload)
		}
		_, err := p.read()
		require.Error(t, err)
		ev := mustRecv(t, s)
		require.Equal(t, session.Closed, ev.Kind)
		require.NoError(t, ev.Err)
		require.Zero(t, ev.Queued)
	})
}
