package session

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func texts(payloads [][]byte) (all []string) {
	for _, p := range payloads {
		all = append(all, string(p))
	}
	return all
}

// WhileDown: Refuse hands back what has no number. What has stays, and arrives; at the end all that was
// never sent is handed back, and what may have arrived is told as lost.
func TestRefuseWithResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) { c.WhileDown, c.Unacked = Refuse, Buffer{Cap: 3} })
		recv(t, k.s)
		k.sends("1", "2", "3", "4", "5")
		require.Len(t, k.hears(), 3)
		k.cut()
		ev := recv(t, k.s)
		require.Equal(t, []string{"4", "5"}, texts(ev.Unsent))
		require.Equal(t, 3, ev.Queued)
		require.ErrorIs(t, k.s.TrySend([]byte("6")), ErrNotConnected)
		accountsAddUp(t, k.s)
		k.connectBy(newFakeLink(5), true, 1)
		require.True(t, recv(t, k.s).Resumed)
		k.sends("7", "8")
		require.Equal(t, []string{"2"}, k.hears())
		k.s.CloseNow(nil)
		<-k.s.Done()
		ev = k.closed()
		require.EqualValues(t, 1, ev.Lost, "2")
		require.Equal(t, []string{"3", "7", "8"}, texts(ev.Unsent))
		require.Zero(t, ev.Queued)
	})
}

// At Closed of a session that is down: what the last peer cannot have comes back.
func TestRefuseAtTheEnd(t *testing.T) {
	for cut := range 12 {
		synctest.Test(t, func(t *testing.T) {
			k := newTalk(t, false, func(c *Config) { c.WhileDown = Refuse })
			k.connectBy(newFakeLink(cut), false, 0)
			k.sends("1", "2")
			synctest.Wait()
			k.cut()
			require.True(t, Drive(k.s).Expire(nil))
			ev := k.closed()
			require.EqualValues(t, min(2, (cut+4)/5), ev.Lost, "after %d bytes", cut)
			require.Zero(t, ev.Queued)
			st := k.s.Stats()
			require.EqualValues(t, 2, st.Lost+st.Returned)
		})
	}
}

// A lossy write policy drops nothing that has a number, and a connection that is lost or goes on
// changes nothing about that.
func TestLossyWritesWithResume(t *testing.T) {
	for policy, left := range map[Policy][]string{PolicySliding: {"6", "7"}, PolicyDropping: {"3", "4"}} {
		synctest.Test(t, func(t *testing.T) {
			k := newTalk(t, true, func(c *Config) { c.Unacked, c.WriteBuffer = Buffer{Cap: 2}, Buffer{Cap: 2, Policy: policy} })
			k.connectBy(newFakeLink(3), false, 0)
			k.sends("1")
			k.hears()
			k.sends("2")
			for _, m := range []string{"3", "4", "5", "6", "7"} {
				k.link.allow(20)
				synctest.Wait()
				k.sends(m)
				accountsAddUp(t, k.s)
			}
			k.cut()
			accountsAddUp(t, k.s)
			k.connect(true, 0)
			require.Equal(t, []string{"1", "2"}, k.hears())
			k.cut()
			k.connect(true, 1)
			require.Equal(t, []string{"2", left[0]}, k.hears())
			require.NoError(t, k.says(ackOf(3)))
			require.Equal(t, left[1:], k.hears())
			st := accountsAddUp(t, k.s)
			require.EqualValues(t, 3, st.Dropped)
			require.Zero(t, st.Lost)
			k.end()
		})
	}
}

// What our own read policy drops was received.
func TestLossyReadsWithResume(t *testing.T) {
	for _, policy := range []Policy{PolicySliding, PolicyDropping} {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, true, func(c *Config) { c.ReadBuffer = Buffer{Cap: 2, Policy: policy} })
			require.NoError(t, k.says(messages(10), question()))
			require.Equal(t, []string{"A 10"}, k.hears())
			k.cut()
			require.EqualValues(t, 10, k.connect(true, 0))
			require.EqualValues(t, 8, k.s.Stats().DroppedInbound)
			k.end()
		})
	}
}

// A user who reads late is told of one connection instead of several, and of nothing untrue: what was
// lost adds up, and everything went on only if it did each time.
func TestLateReaderIsToldTheTruth(t *testing.T) {
	type connection struct {
		resumed bool
		lost    int32
	}
	for _, test := range []struct {
		connections []connection
		want        connection
	}{
		{[]connection{{true, 0}}, connection{true, 0}},
		{[]connection{{true, 0}, {true, 0}}, connection{true, 0}},
		{[]connection{{false, 1}}, connection{false, 1}},
		{[]connection{{false, 1}, {true, 0}}, connection{false, 1}},
		{[]connection{{true, 0}, {false, 1}}, connection{false, 1}},
		{[]connection{{false, 1}, {true, 0}, {false, 1}, {true, 0}}, connection{false, 2}},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, true, nil)
			for _, c := range test.connections {
				k.cut()
				if k.sends("m"); !c.resumed { // the connection brings it, and its peer starts anew
					k.connect(true, k.s.out.kept.acked)
					k.hears()
					k.cut()
				}
				k.connect(c.resumed, k.s.out.kept.acked)
				k.hears()
				if c.resumed {
					n := k.s.out.kept.acked + uint64(k.s.Stats().Unacked)
					require.NoError(t, k.says(ackOf(n)))
				}
			}
			ev := recv(t, k.s)
			require.Equal(t, Connected, ev.Kind)
			require.Equal(t, test.want.resumed, ev.Resumed)
			require.Equal(t, k.s.Stats().Epoch, ev.Epoch)
			require.Equal(t, test.want.lost, ev.Lost)
			require.EqualValues(t, k.s.Stats().Lost, ev.Lost)
			k.end()
		})
	}
}
