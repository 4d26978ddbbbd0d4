package cluster

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/netasync/netasync"
)

const (
	// workers is how many deliveries take a step at the same time. None of them waits for a session for long.
	workers = 16
	// pollEvery is how often a node looks whether there are messages that it was not told of, as what
	// nodes say to each other may be lost. It then asks for pollNames names at once, at most.
	pollEvery = 5 * time.Second
	pollNames = 1000
	// finishPatience is for what a node has delivered to be deleted when it ends.
	finishPatience = time.Second
)

// mailroom is the mailboxes as one node sees them: it stores what is posted there, and delivers what
// is for names that its sessions claim. Its methods may be called on nil, where there are no mailboxes.
type mailroom struct {
	node   *Node
	stream *jetStream
	poll   time.Duration
	work   sync.WaitGroup // the workers; Add with mu and not closed

	// mu guards all below, and of deliveries state, again, timer and ended; a leaf.
	mu      sync.Mutex
	closed  bool
	names   map[string]*delivery // those that have begun
	ready   []*delivery          // that wait for a worker
	running int                  // workers
	drained chan struct{}        // closed by the last worker; nil: nobody waits for that
}

func newMailroom(n *Node) *mailroom {
	return &mailroom{
		node: n, stream: newJetStream(n.nats, &n.opts), poll: cmp.Or(n.opts.mailPoll, pollEvery), names: map[string]*delivery{},
	}
}

// delivery returns that of a new claim, which is to begin.
func (m *mailroom) delivery(name string, s *netasync.Session) *delivery {
	if m == nil {
		return nil
	}
	return &delivery{room: m, name: name, session: s, most: batchMessages, state: idle}
}

// begin begins to deliver, unless it has ended.
func (m *mailroom) begin(d *delivery) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.ended == nil && !m.closed {
		m.names[d.name] = d
		m.wakeLocked(d)
	}
}

// end ends a delivery: what has arrived is still deleted, and what Send has brought still goes to the session.
func (m *mailroom) end(d *delivery) {
	if m == nil {
		return
	}
	stats := d.session.Stats() // before the session may be closed, which would say of all that it may be lost
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.ended == nil {
		d.ended = &stats
	}
	if m.names[d.name] == d {
		delete(m.names, d.name)
	}
	if d.state != idle || d.hold.open() { // else nothing is under way
		m.wakeLocked(d)
	}
}

// posted says that a message is there for a name.
func (m *mailroom) posted(name string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.names[name]; d != nil && d.state != parked { // what waits for its session goes on by itself
		m.wakeLocked(d)
	}
}

// wake has a delivery take a step.
func (m *mailroom) wake(d *delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wakeLocked(d)
}

func (m *mailroom) wakeLocked(d *delivery) {
	switch d.state {
	case running:
		d.again = true
		return
	case ready:
		return
	case parked:
		d.timer.Stop()
	}
	d.state = ready
	if m.closed {
		return
	}
	m.ready = append(m.ready, d)
	if m.running < workers {
		m.running++
		m.work.Go(m.deliver)
	}
}

// deliver is a worker. It ends when there is nothing to do.
func (m *mailroom) deliver() {
	for d := m.next(); d != nil; d = m.next() {
		pause, err := d.step(m.node.ctx)
		if err != nil && m.node.ctx.Err() == nil {
			m.node.opts.Logger.Debug("cluster: mailbox", "name", d.name, "error", err)
		}
		m.done(d, pause)
	}
}

// next returns what a worker is to do, or nil when it is to end.
func (m *mailroom) next() *delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ready) == 0 || m.closed {
		if m.running--; m.running == 0 && m.drained != nil {
			close(m.drained)
			m.drained = nil
		}
		return nil
	}
	d := m.ready[0]
	m.ready[0] = nil
	m.ready = m.ready[1:]
	d.state, d.again = running, false
	return d
}

// done takes note of when a delivery wants to go on.
func (m *mailroom) done(d *delivery, pause time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case pause == 0 || d.again:
		d.state = idle
		m.wakeLocked(d)
	case pause == never:
		d.state = idle
	default:
		d.state = parked
		d.timer = time.AfterFunc(pause, func() { m.wake(d) })
	}
}

// finish has what has arrived deleted, and ends all deliveries.
func (m *mailroom) finish(ctx context.Context) {
	if m == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, finishPatience)
	defer cancel()
	for _, d := range m.all() {
		m.end(d)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running > 0 {
		drained := make(chan struct{})
		m.drained = drained
		m.mu.Unlock()
		select {
		case <-drained:
		case <-ctx.Done():
		}
		m.mu.Lock()
	}
	m.closed, m.ready = true, nil
}

// wait waits for the workers, whose context has ended.
func (m *mailroom) wait() {
	if m != nil {
		m.work.Wait()
	}
}
