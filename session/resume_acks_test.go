package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/resume"
)

// rare is a session that speaks so seldom that only what is tested makes it speak.
func rare(c *Config) {
	c.HeartbeatPeriod, c.HeartbeatTimeout, c.ReadBuffer = time.Hour, 4*time.Hour, roomy
}

var roomy = Buffer{Cap: 1 << 20, Bytes: 1 << 30}

// keeping is a connected, rare session whose peer keeps so much.
func keeping(t *testing.T, keep resume.Keep) *talk {
	k := newTalk(t, true, rare)
	k.keep = keep
	k.connect(false, 0)
	return k
}

// (a) A quarter of what the peer keeps is acknowledged at once.
func TestAckOfAQuarter(t *testing.T) {
	for name, test := range map[string]struct {
		keep          resume.Keep
		before, after string // sizes of messages that bring none, and one that does
	}{
		"messages":   {resume.Keep{Messages: 40, Bytes: 1 << 20}, strings.Repeat("m", 9), "m"},
		"bytes":      {resume.Keep{Messages: 1000, Bytes: 4000}, "LL", "LL"},
		"one":        {resume.Keep{Messages: 1, Bytes: 1 << 20}, "", "m"},
		"three":      {resume.Keep{Messages: 3, Bytes: 1 << 20}, "", "m"},
		"one byte":   {resume.Keep{Messages: 1000, Bytes: 1}, "", "m"},
		"nothing":    {resume.Keep{}, "", "m"},
		"everything": {resume.Keep{Messages: 1<<32 - 1, Bytes: 1<<32 - 1}, strings.Repeat("L", 1000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keeping(t, test.keep)
				say := func(sizes string) {
					for _, size := range sizes {
						m := "m"
						if size == 'L' {
							m = strings.Repeat("m", 300)
						}
						require.NoError(t, k.says(frame(m)))
					}
				}
				n := 0
				for range 3 {
					say(test.before)
					require.Empty(t, k.hears())
					if n += len(test.before) + len(test.after); test.after != "" {
						say(test.after)
						require.Equal(t, []string{fmt.Sprint("A ", n)}, k.hears())
					}
				}
				k.end()
			})
		})
	}
}

// (b) News of 16 messages, or 64 KiB, go with whatever is written, and fewer do not.
func TestAckWithAnyWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeping(t, resume.Keep{Messages: 16384, Bytes: 4 << 20})
		for i, n := range []int{16, 32} {
			require.NoError(t, k.says(messages(15)))
			k.sends("x")
			require.Equal(t, []string{"x"}, k.hears())
			require.NoError(t, k.says(messages(1)))
			require.Empty(t, k.hears())
			k.sends("y")
			require.Equal(t, []string{fmt.Sprint("A ", n), "y"}, k.hears(), i)
		}
		require.NoError(t, k.says(frame(strings.Repeat("m", 64<<10-8))))
		k.sends("x")
		require.Equal(t, []string{"x"}, k.hears())
		require.NoError(t, k.says(frame("m")))
		k.sends("y")
		require.Equal(t, []string{"A 34", "y"}, k.hears())
		k.end()
	})
}

// A conversation costs one acknowledgement for 16 messages.
func TestConversationCostsFewAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeping(t, resume.Keep{Messages: 16384, Bytes: 4 << 20})
		acks := 0
		for range 160 {
			require.NoError(t, k.says(frame("ping")))
			k.sends("pong")
			said := k.hears()
			acks += len(said) - len(withoutControl(said))
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, 10, acks)
		k.end()
	})
}

// (c) What is received is acknowledged within 250 ms, and no sooner than it has to be.
func TestAckInTime(t *testing.T) {
	for _, policy := range []Policy{PolicyFixed, PolicyDropping, PolicySliding} {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, true, func(c *Config) {
				rare(c)
				c.ReadBuffer = Buffer{Cap: 2, Policy: policy}
			})
			for n := range 5 {
				require.NoError(t, k.says(frame("m")))
				time.Sleep(250*time.Millisecond - 1)
				require.Empty(t, k.hears())
				time.Sleep(time.Nanosecond)
				require.Equal(t, []string{fmt.Sprint("A ", n+1)}, k.hears())
				time.Sleep(time.Duration(n) * time.Second)
				require.Empty(t, k.hears())
				recv(t, k.s)
			}
			k.end()
		})
	}
}

// A heartbeat that goes out while an acknowledgement is due does not hold the next one up.
func TestAckInTimeAfterAHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) {
			c.HeartbeatPeriod, c.HeartbeatTimeout = 10*time.Second, 40*time.Second
		})
		time.Sleep(9900 * time.Millisecond)
		require.NoError(t, k.says(frame("m")))
		time.Sleep(100 * time.Millisecond)
		require.Equal(t, []string{"A 1"}, k.hears(), "the heartbeat")
		time.Sleep(100 * time.Millisecond)
		require.NoError(t, k.says(frame("m")))
		time.Sleep(250 * time.Millisecond)
		require.Equal(t, []string{"A 2"}, k.hears())
		k.end()
	})
}

// Messages at any time: none waits for longer, whatever else is written.
func TestAckInTimeAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) { c.ReadBuffer = roomy })
		var due []time.Time // of messages that were not acknowledged
		told := 0
		for i := range 3000 {
			if i*7919%13 < 5 {
				require.NoError(t, k.says(frame("m")))
				due = append(due, time.Now().Add(ackDelay))
			}
			if i*104729%17 < 2 {
				k.sends("x")
			}
			for _, said := range k.hears() {
				n := 0
				if _, err := fmt.Sscanf(said, "A %d", &n); err == nil {
					due, told = due[n-told:], n
				}
			}
			require.False(t, len(due) > 0 && time.Now().After(due[0]), "after %d steps", i)
			time.Sleep(time.Duration(i*i%97) * time.Millisecond)
			require.NoError(t, k.says(ackOf(0+k.sent())))
		}
		k.end()
	})
}

// sent returns how many messages were given to the link.
func (k *talk) sent() uint64 { return k.s.Stats().Sent }

// (d) A heartbeat is an acknowledgement. (e) A question and a goodbye are answered at once.
func TestAckOfOtherThings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, nil)
		for range 3 {
			time.Sleep(time.Second)
			require.Equal(t, []string{"A 0"}, k.hears())
		}
		require.NoError(t, k.says(question()))
		require.Equal(t, []string{"A 0"}, k.hears())
		require.NoError(t, k.says(frame("m"), question(), frame("m"), question()))
		require.Equal(t, "A 2", lastOf(k.hears()))
		require.NoError(t, k.says(frame("m"), byeOf(3)))
		require.Equal(t, "A 3", lastOf(k.hears()))
		k.end()
	})
}

func lastOf(said []string) string { return said[len(said)-1] }

// An acknowledgement goes between two messages, be the first half written, and behind no other.
func TestAckWithinALargeMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t, true, nil)
		k.connectBy(newFakeLink(50), false, 0)
		large := strings.Repeat("L", 300_000)
		k.sends(large, "x", large, "y")
		require.Empty(t, k.hears())
		require.NoError(t, k.says(frame("m"), question()))
		require.Empty(t, k.hears())
		k.link.allow(unbounded)
		require.Equal(t, []string{large, "A 1", "x", large, "y"}, k.hears())
		k.end()
	})
}

// Nor does it wait for all that one write could bring: that may take long, and the peer's window may be
// full.
func TestAckWithinManyMessages(t *testing.T) {
	for _, size := range []int{1000, copyLimit + 1, 50_000} {
		synctest.Test(t, func(t *testing.T) {
			k := newTalk(t, true, func(c *Config) { c.WriteBuffer = roomy })
			k.connectBy(newFakeLink(0), false, 0)
			m := strings.Repeat("m", size)
			for range 2_000_000 / size {
				k.sends(m)
			}
			k.link.allow(size + 10)
			require.Len(t, k.hears(), 1)
			require.NoError(t, k.says(question())) // while the others are being written
			k.link.allow(unbounded)
			require.LessOrEqual(t, slices.Index(k.hears(), "A 0")*size, 600_000)
			k.end()
		})
	}
}

// A peer's period is found out by the heartbeats that it sends, not by when it has news, asks or answers.
func TestPeriodIsAdoptedFromHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(c *Config) { c.HeartbeatPeriod, c.HeartbeatTimeout = 10*time.Second, 40*time.Second }
		k := connected(t, false, slow)
		for n := range 20 { // news
			k.sends("m")
			time.Sleep(300 * time.Millisecond)
			require.NoError(t, k.says(ackOf(uint64(n+1))))
		}
		require.EqualValues(t, 10*time.Second, k.c.beat.Load())
		time.Sleep(300 * time.Millisecond)
		require.NoError(t, k.says(question()))
		require.NoError(t, k.says(ackOf(20))) // not after a silence
		require.EqualValues(t, 10*time.Second, k.c.beat.Load(), "by a question")
		for range 3 {
			time.Sleep(2 * time.Second)
			require.NoError(t, k.says(ackOf(20)))
		}
		require.EqualValues(t, 2*time.Second, k.c.beat.Load())
		k.hears()
		time.Sleep(2 * time.Second)
		require.Equal(t, []string{"A 0"}, k.hears())
		k.end()
	})
}

// A flood of questions gets no more than one answer for each read.
func TestQuestionsOfOneRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, nil)
		require.NoError(t, k.says(slices.Concat(question(), frame("m"), question(), question())))
		require.Equal(t, []string{"A 1"}, k.hears())
		k.end()
	})
}
