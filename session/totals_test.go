package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/internal/testkit"
)

// A trial that is given up is no connection that has ended: it was none.
func TestTotalsOfATrialThatIsGivenUp(t *testing.T) {
	for name, end := range map[string]func(*Session){
		"Close":    func(s *Session) { _ = s.Close() },
		"CloseNow": func(s *Session) { s.CloseNow(errCut) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				group := new(Group)
				s, _ := newFake(t, true, func(c *Config) { c.AwaitPeer, c.Group = true, group })
				s.dialing()
				link := newFakeLink(unbounded)
				link.beat(Pulse{RTT: time.Millisecond})
				s.attach(link, 0)
				_, known := s.RTT()
				require.False(t, known, "without a connection there is no round trip")
				end(s)
				<-s.Done()
				require.Zero(t, s.Stats().Epoch)
				require.Equal(t, [Reasons]uint64{}, group.totals().Disconnects)
			})
		})
	}
}

// Which sessions were dialed is told beside the sums of all, also when they have closed.
func TestTotalsOfDialedSessions(t *testing.T) {
	var r Registry
	host, group := &registryHost{r: &r}, r.Group("name")
	add := func(dialed bool) *Session {
		return r.Add(func(id uint64) *Session {
			s, _ := newFake(t, dialed, func(c *Config) { c.Host, c.Group, c.Name = host, group, "name" })
			s.id = id
			return s
		})
	}
	counts := func(sessions, connected int, connections uint64) [3]uint64 {
		return [3]uint64{uint64(sessions), uint64(connected), connections}
	}
	requireTotals := func(dialed, all [3]uint64) {
		t.Helper()
		sum := r.Total()
		require.Equal(t, dialed, counts(sum.Dialed, sum.DialedConnected, sum.DialedConnections))
		require.Equal(t, all, counts(sum.Sessions, sum.Connected, sum.Connections))
	}
	accepted, resumable, first, second := add(false), add(true), add(true), add(true)
	Drive(resumable).Resumable(7, resume.Keep{}) // what dials for it waits for its peer
	accepted.attach(newFakeLink(unbounded), 0)
	requireTotals(counts(2, 0, 0), counts(4, 1, 1))
	for range 2 {
		first.dialing()
		c := first.attach(newFakeLink(unbounded), 0)
		requireTotals(counts(2, 1, first.Stats().Epoch), counts(4, 2, 1+first.Stats().Epoch))
		c.End(errCut)
	}
	requireTotals(counts(2, 0, 2), counts(4, 1, 3))
	for n, s := range []*Session{first, second, accepted, resumable} {
		s.CloseNow(errCut)
		<-s.Done()
		testkit.Eventually(t, func() bool { return r.Len() == 3-n }, "it is removed")
	}
	requireTotals(counts(0, 0, 2), counts(0, 0, 3))
}
