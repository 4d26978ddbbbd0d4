package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A stream waits for its session while the lease of strict names ends, which nobody was told yet: not one
// message more is queued, and that is said.
func TestStreamStopsWithTheLease(t *testing.T) {
	n, _ := startOn(t, natsWithFiles(t), Options{
		Mailboxes: true, Replicas: 1, Strict: true, StrictLease: time.Minute,
	})
	slow := newSlow(t, []*place{n}, 0, "ada")
	c := n.claim(entryID{kindName, "ada", slow.accepted.ID()})
	eventually(t, func() bool {
		held, _ := c.mail.hold.add(c.session, nil)
		return !held
	}, "the mailbox is empty")
	s := n.Session("ada")
	sent := slow.fill(t, s, 0)
	accepted := int(slow.accepted.Stats().Accepted)

	n.strict.cancel() // it is not renewed
	<-n.strict.kept
	n.strict.mu.Lock()
	n.strict.until = time.Now()
	n.strict.mu.Unlock()
	var undelivered *UndeliveredError
	require.ErrorAs(t, s.Flush(within(t)), &undelivered)
	require.Equal(t, []int{sent - accepted, 0}, []int{undelivered.NotQueued, undelivered.Unknown})
	require.Equal(t, accepted, int(slow.accepted.Stats().Accepted))
	slow.read(t, 0, accepted)
}
