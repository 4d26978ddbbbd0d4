package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// timedOut reports whether the connection of a session ends by WriteTimeout, within a minute.
func timedOut(t *testing.T, k *talk) bool {
	for range 60 {
		time.Sleep(time.Second)
		if k.s.State() == StateDisconnected {
			require.ErrorIs(t, k.s.Stats().LastError, ErrWriteTimeout)
			return true
		}
	}
	return false
}

func impatient(c *Config) {
	rare(c)
	c.WriteTimeout, c.Unacked = 2*time.Second, Buffer{Cap: 2}
}

// A peer that takes nothing is ended by WriteTimeout, also where all that waits has its number, and the
// system does not tell what it holds. So is one that takes all and acknowledges none.
func TestWriteTimeoutWithResume(t *testing.T) {
	for name, test := range map[string]struct {
		room, messages int
		want           bool
	}{
		"takes nothing":      {0, 1, true},
		"takes a part":       {7, 1, true},
		"takes all":          {unbounded, 2, false},
		"acknowledges none":  {unbounded, 3, true},
		"nothing to be sent": {0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newTalk(t, true, impatient)
				k.connectBy(newFakeLink(test.room), false, 0)
				for range test.messages {
					k.sends("message")
				}
				require.Equal(t, test.want, timedOut(t, k))
				k.end()
			})
		})
	}
}

// Where we do not read, since a callback blocks, we do not see what the peer acknowledges: that is not
// held against it.
func TestWriteTimeoutWhileWeDoNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		may := make(chan bool)
		k := newTalk(t, true, func(c *Config) {
			impatient(c)
			c.Inline = true
			c.OnEvent = func(_ *Session, ev Event) {
				if ev.Kind == Message {
					<-may
				}
			}
		})
		k.connect(false, 0)
		k.c.Start(false)
		k.sends("1", "2", "3")
		go func() { _ = k.says(frame("m"), ackOf(2)) }()
		require.False(t, timedOut(t, k))
		may <- true
		require.Equal(t, []string{"1", "2", "3"}, withoutControl(k.hears()))
		k.s.CloseNow(nil)
	})
}
