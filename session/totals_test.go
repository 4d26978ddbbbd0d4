package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
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
