package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Defaults and bounds of mailboxes.
const (
	defaultMailboxAge      = 7 * 24 * time.Hour
	defaultMailboxMessages = 10_000
	defaultMailboxBytes    = 1 << 30
	defaultReplicas        = 3
	// leastMailboxAge is what JetStream can do.
	leastMailboxAge = 100 * time.Millisecond
	maxReplicas     = 5
)

// resolveMailboxes validates what has to do with mailboxes, and fills in defaults.
func (o *Options) resolveMailboxes() error {
	switch {
	case o.Dir != "" && o.NATS != nil:
		return errors.New("cluster: NATS is set, and so is Dir, which is of the embedded server")
	case o.Dir != "" && o.Listen != "" && len(o.Peers) == 0:
		return errors.New("cluster: Dir is set, and Listen without Peers; the node's own address may be one")
	case o.Mailboxes && o.Dir == "" && o.NATS == nil:
		return errors.New("cluster: Mailboxes is set without Dir or NATS")
	case o.MailboxAge != 0 && o.MailboxAge < leastMailboxAge:
		return fmt.Errorf("cluster: MailboxAge is %v, want %v or more", o.MailboxAge, leastMailboxAge)
	case o.MailboxMessages < 0:
		return fmt.Errorf("cluster: MailboxMessages is %d, want 1 or more", o.MailboxMessages)
	case o.MailboxBytes < 0:
		return fmt.Errorf("cluster: MailboxBytes is %d, want 1 or more", o.MailboxBytes)
	case o.Replicas < 0 || o.Replicas > maxReplicas:
		return fmt.Errorf("cluster: Replicas is %d, want 1 to %d", o.Replicas, maxReplicas)
	}
	o.Mailboxes = o.Mailboxes || o.Dir != ""
	o.MailboxAge = cmp.Or(o.MailboxAge, defaultMailboxAge)
	o.MailboxMessages = cmp.Or(o.MailboxMessages, defaultMailboxMessages)
	o.MailboxBytes = cmp.Or(o.MailboxBytes, defaultMailboxBytes)
	o.Replicas = cmp.Or(o.Replicas, defaultReplicas)
	return nil
}
