package broadcast

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// A member that sends a burst on its event loop, where what is written waits for the end of the turn, is
// not slow for that, however small its write buffer is.
func TestBurstFromACallbackToItsOwnGroup(t *testing.T) {
	const messages = 10_000 // more than a turn may hold
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			g := NewGroup(Options{Slow: policy, OnSlow: func(*session.Session) { t.Error("nobody is slow") }})
			l := newLink(false)
			s := newSession(t, false, func(c *session.Config) {
				c.Inline, c.WriteBuffer = true, session.Fixed(2)
				c.OnEvent = func(_ *session.Session, ev session.Event) {
					if ev.Kind == session.Message {
						if r := g.Send(ev.Payload); r != (Result{Queued: 1}) {
							t.Errorf("%+v", r)
						}
					}
				}
			})
			g.Add(s)
			c := session.Drive(s).Attach(l, 0)
			c.Start(true)
			burst := make([]string, messages)
			for i := range burst {
				burst[i] = fmt.Sprint(i)
			}
			rest, leave, err := c.Feed(testkit.Frames(burst...), true)
			require.NoError(t, err)
			require.Empty(t, rest)
			require.False(t, leave)
			require.NoError(t, s.Flush(testkit.Context(t)))
			require.Equal(t, burst, l.messages(t))
			s.CloseNow(nil)
		})
	}
}

// What a single callback sends to its own group is bounded all the same.
func TestCallbackThatSendsTooMuchToItsOwnGroup(t *testing.T) {
	const sent, turn = 10_000, 4096
	g, l, all := NewGroup(Options{}), newLink(false), Result{}
	s := newSession(t, false, func(c *session.Config) {
		c.Inline, c.WriteBuffer = true, session.Fixed(2)
		c.OnEvent = func(_ *session.Session, ev session.Event) {
			for i := 0; i < sent && ev.Kind == session.Message; i++ {
				r := g.Send(ev.Payload)
				all.Queued, all.Slow = all.Queued+r.Queued, all.Slow+r.Slow
			}
		}
	})
	g.Add(s)
	c := session.Drive(s).Attach(l, 0)
	c.Start(true)
	_, _, err := c.Feed(testkit.Frames("m"), true)
	require.NoError(t, err)
	require.Equal(t, Result{Queued: turn, Slow: sent - turn}, all)
	require.NoError(t, s.Flush(testkit.Context(t)))
	require.Len(t, l.messages(t), turn)
	s.CloseNow(nil)
}
