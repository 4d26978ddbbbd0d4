package session

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// greeter is a session whose first words are "I am" and "here", and when they were asked for.
func greeter(epochs *[]uint64, change func(*Config)) func(*Config) {
	return func(c *Config) {
		c.Hello = func(epoch uint64) [][]byte {
			*epochs = append(*epochs, epoch)
			return [][]byte{[]byte("I am"), []byte("here")}
		}
		if change != nil {
			change(c)
		}
	}
}

// First words are said once for each session of the peer's, before all else, and are numbered. They
// count nowhere.
func TestFirstWordsOfAResumedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var epochs []uint64
		k := newTalk(t, true, greeter(&epochs, nil))
		k.sends("1")
		k.connect(false, 0)
		require.Equal(t, []string{"I am", "here", "1"}, k.hears())
		require.Equal(t, 1, k.s.Stats().Unacked)
		require.NoError(t, k.says(ackOf(2))) // the words
		require.Zero(t, accountsAddUp(t, k.s).Acked)
		k.cut()
		k.connect(true, 2)
		k.sends("2")
		require.Equal(t, []string{"1", "2"}, k.hears())
		k.cut()
		k.connect(true, 4)
		require.EqualValues(t, 2, accountsAddUp(t, k.s).Acked)
		k.sends("3")
		require.Equal(t, []string{"3"}, k.hears())
		k.cut()
		k.sends("4")
		k.connect(false, 0) // the peer has started anew
		require.Equal(t, []string{"I am", "here", "4"}, k.hears())
		require.Equal(t, []uint64{1, 4}, epochs)
		require.EqualValues(t, 1, accountsAddUp(t, k.s).Lost)
		k.end()
	})
}

// A connection is cut after each byte of the first words, and of the message behind them: what the
// peer has not received whole comes again, as often as that happens.
func TestCutsWithinFirstWords(t *testing.T) {
	wire := []string{"I am", "here", "1"}
	total := len("I am") + len("here") + len("1") + 3*4
	for cut := range total + 1 {
		for again := range total + 1 {
			synctest.Test(t, func(t *testing.T) {
				var epochs []uint64
				k := newTalk(t, true, greeter(&epochs, nil))
				k.sends("1")
				k.connectBy(newFakeLink(cut), false, 0)
				first := k.hears()
				require.Equal(t, strings.Join(wire[:len(first)], " "), strings.Join(first, " "))
				k.cut()
				k.connectBy(newFakeLink(again), true, uint64(len(first)))
				second := k.hears()
				k.cut()
				k.connect(true, uint64(len(first)+len(second)))
				all := append(append(first, second...), k.hears()...)
				require.Equal(t, wire, all)
				require.Equal(t, []uint64{1}, epochs)
				require.NoError(t, k.says(ackOf(3)))
				st := accountsAddUp(t, k.s)
				require.EqualValues(t, 1, st.Acked)
				require.Zero(t, st.Unacked+st.Queued)
				k.end()
			})
		}
	}
}

// A peer that starts anew after a cut within the first words gets them once, and nothing was lost but
// what had begun.
func TestNewPeerAfterACutWithinFirstWords(t *testing.T) {
	for cut := range 30 {
		synctest.Test(t, func(t *testing.T) {
			var epochs []uint64
			k := newTalk(t, true, greeter(&epochs, nil))
			k.sends("1", "2")
			k.connectBy(newFakeLink(cut), false, 0)
			k.hears()
			k.cut()
			k.connect(false, 0)
			begun := uint64(0) // of 1 and 2
			want := []string{"I am", "here", "1", "2"}
			if cut > 16 {
				begun, want = begun+1, []string{"I am", "here", "2"}
			}
			if cut > 21 {
				begun, want = begun+1, []string{"I am", "here"}
			}
			require.Equal(t, want, k.hears(), cut)
			require.Equal(t, begun, accountsAddUp(t, k.s).Lost)
			k.end()
		})
	}
}

// The connection ends before the first words are known: they are said on the next one, although that
// goes on with the same session.
func TestConnectionEndsBeforeFirstWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		may := make(chan bool)
		k := newTalk(t, true, func(c *Config) {
			c.Hello = func(uint64) [][]byte { <-may; return [][]byte{[]byte("I am")} }
		})
		k.sends("1")
		k.connect(false, 0)
		k.cut()
		may <- true
		synctest.Wait()
		k.connect(true, 0)
		may <- true
		require.Equal(t, []string{"I am", "1"}, k.hears())
		k.cut()
		k.connect(true, 1)
		require.Equal(t, []string{"1"}, k.hears())
		k.end()
	})
}

// First words that cannot be sent end every connection, also one that goes on.
func TestFirstWordsThatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := [][]byte{nil}
		k := newTalk(t, true, func(c *Config) { c.Hello = func(uint64) [][]byte { return words } })
		k.sends("1")
		for n := range 3 {
			k.connect(n > 0, 0)
			require.Empty(t, k.hears())
			require.Equal(t, StateDisconnected, k.s.State())
			require.Equal(t, Connected, recv(t, k.s).Kind)
			require.ErrorIs(t, recv(t, k.s).Err, ErrEmptyMessage)
		}
		words = nil // none
		k.connect(true, 0)
		require.Equal(t, []string{"1"}, k.hears())
		k.end()
	})
}

// A peer that says goodbye within our first words gets its answer behind the one that has begun.
func TestGoodbyeWithinFirstWords(t *testing.T) {
	for cut := range 25 {
		synctest.Test(t, func(t *testing.T) {
			var epochs []uint64
			k := newTalk(t, true, greeter(&epochs, nil))
			k.connectBy(newFakeLink(cut), false, 0)
			said := k.hears()
			require.NoError(t, k.says(byeOf(0)))
			k.link.allow(unbounded)
			said = append(said, k.hears()...)
			require.Equal(t, "A 0", lastOf(said), said)
			require.Equal(t, []string{"I am", "here"}[:len(said)-1], said[:len(said)-1])
			k.end()
		})
	}
}

// The same with words that take several writes.
func TestGoodbyeWithinLargeFirstWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := strings.Repeat("L", 2*atOnce)
		k := newTalk(t, true, func(c *Config) {
			c.Hello = func(uint64) [][]byte { return [][]byte{[]byte(large), []byte("here")} }
		})
		k.connectBy(newFakeLink(10), false, 0)
		require.Empty(t, k.hears())
		require.NoError(t, k.says(byeOf(0)))
		k.link.allow(unbounded)
		require.Equal(t, []string{large, "A 0"}, k.hears())
		k.end()
	})
}

// With ResendLost the first words go before what is sent again.
func TestFirstWordsBeforeWhatIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var epochs []uint64
		k := newTalk(t, true, greeter(&epochs, func(c *Config) { c.ResendLost = true }))
		k.sends("1", "2")
		k.connect(false, 0)
		require.Equal(t, []string{"I am", "here", "1", "2"}, k.hears())
		require.NoError(t, k.says(ackOf(3)))
		k.sends("3")
		k.hears()
		k.cut()
		k.sends("4")
		k.connect(false, 0)
		require.Equal(t, []string{"I am", "here", "2", "3", "4"}, k.hears())
		require.NoError(t, k.says(ackOf(4)))
		st := accountsAddUp(t, k.s)
		require.EqualValues(t, 3, st.Acked)
		require.Equal(t, 1, st.Unacked)
		require.Zero(t, st.Lost)
		k.end()
	})
}

// First words count nowhere, also when they are sent again.
func TestFirstWordsAreNoneOfWhatIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var epochs []uint64
		k := newTalk(t, true, greeter(&epochs, nil))
		k.sends("1")
		k.connect(false, 0)
		for n := range uint64(3) {
			require.Equal(t, []string{"I am", "here", "1"}, k.hears())
			require.Equal(t, n+1, k.s.Stats().Sent)
			require.Equal(t, n+1, k.s.Stats().SentBytes)
			k.cut()
			k.connect(true, 0)
		}
		k.end()
	})
}
