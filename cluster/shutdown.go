package cluster

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/netasync/netasync"
)

const (
	// evacuation is how many sessions are closed in a second, so that the other nodes are not asked for
	// all of them at once.
	evacuation = 1000
	// farewell is how long it may take to tell the others that this node ends.
	farewell = time.Second
)

// Shutdown ends the node in a way that its peers go on elsewhere:
//
//  1. Its names are free, its sessions leave their rooms, and the other nodes know that at once. Claim, Join,
//     Watch and Listen return ErrShutdown from now on.
//  2. The listeners of [Node.Listen] are closed.
//  3. The sessions that came by them are closed gracefully, 1,000 in a second, or faster so that it takes
//     at most half of the time that ctx leaves. What was queued for a peer is flushed. A peer that connects
//     again, elsewhere, has a new session, and is told what may be lost.
//  4. When all of them have closed, or ctx has ended, what a [RemoteSession] has under way has a second to
//     arrive. Then Send and Broadcast end, and the node.
//
// Sessions that did not come by Listen of the node live on, and so do those that have not closed in time:
// the engine is the user's to shut down, after the node. The error is ctx's, if that ended before all
// sessions had closed. Further calls return ErrShutdown.
func (n *Node) Shutdown(ctx context.Context) error {
	if !n.leave() {
		return ErrShutdown
	}
	n.mail.finish(ctx)
	err := n.evacuate(ctx)
	n.links.part(ctx)
	n.cancel()
	n.mail.wait()
	n.links.close()
	n.relays.end()
	if n.relayPort != nil {
		_ = n.relayPort.Close()
	}
	n.work.Wait()
	n.say(append([]byte{kindGone}, n.id.bytes()...))
	if n.nats.Status() == nats.CONNECTED { // else nobody would hear it
		_ = n.nats.FlushTimeout(farewell)
	}
	for _, g := range n.directory.others() {
		n.directory.drop(g.node)
	}
	n.disconnect()
	return err
}

// leave ends all claims and memberships. It reports false if that was done before.
func (n *Node) leave() bool {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return false
	}
	n.closed = true
	var stops []func() bool
	for _, c := range n.claims {
		if n.endClaim(c) {
			stops = append(stops, c.stop)
		}
	}
	for id, m := range n.joined {
		n.endMembership(id, m)
		stops = append(stops, m.stop)
	}
	n.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
	n.news()
	return true
}

// evacuate closes the listeners, and then their sessions.
func (n *Node) evacuate(ctx context.Context) error {
	n.mu.Lock()
	doors := n.doors
	n.mu.Unlock()
	for _, l := range doors {
		_ = l.Close()
	}
	var sessions []*netasync.Session
	for _, l := range doors {
		for s := range l.Sessions() {
			sessions = append(sessions, s)
		}
	}
	if len(sessions) == 0 {
		return nil
	}
	ticker := time.NewTicker(pace(ctx, len(sessions)))
	defer ticker.Stop()
	for _, s := range sessions {
		_ = s.Close()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, s := range sessions {
		select {
		case <-s.Done():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// pace returns how long it takes from one session to the next.
func pace(ctx context.Context, sessions int) time.Duration {
	each := time.Second / evacuation
	if deadline, ok := ctx.Deadline(); ok {
		each = min(each, time.Until(deadline)/2/time.Duration(sessions))
	}
	return max(each, time.Microsecond)
}

// disconnect ends what this node has begun of NATS.
func (n *Node) disconnect() {
	n.links.close()
	for _, sub := range n.subs {
		_ = sub.Unsubscribe()
	}
	if n.relayPort != nil {
		_ = n.relayPort.Close()
	}
	if n.server != nil {
		n.nats.Close()
		end(n.server)
	}
	if n.unlock != nil {
		n.unlock()
	}
}
