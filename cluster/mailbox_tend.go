package cluster

import (
	"context"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// tend makes the stream, and then looks once in a while whether there is something new in it that nobody
// has told of.
func (m *mailroom) tend() {
	if m.make(m.node.ctx, m.stream) {
		m.watch()
	}
}

// make makes a stream, however long that takes. It reports false if ctx ended before.
func (m *mailroom) make(ctx context.Context, j *jetStream) bool {
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		err := j.ensure(ctx, m.replicas())
		if err == nil {
			return true
		}
		if !temporary(err) {
			m.node.opts.Logger.Warn("cluster: mailboxes", "error", err)
			pause = m.poll
		}
		if sleep(ctx, pause) != nil {
			return false
		}
	}
}

// sleep pauses, unless ctx ends before: then it returns ctx's error.
func sleep(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// replicas returns how many there should be of the stream now. Of the user's servers we do not know how
// many there are.
func (m *mailroom) replicas() int {
	if m.node.server == nil {
		return m.node.opts.Replicas
	}
	return min(m.node.opts.Replicas, len(m.node.directory.others())+1)
}

// watch looks at the stream until the node ends.
func (m *mailroom) watch() {
	ctx := m.node.ctx
	ticker := time.NewTicker(m.poll)
	defer ticker.Stop()
	var seen uint64 // the last message of the stream, when all that is due was found
	var due []*delivery
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		wanted := 0 // the user's servers are his
		if m.node.server != nil {
			wanted = m.replicas()
		}
		last, err := m.stream.last(ctx, wanted)
		if code(err) == server.JSStreamNotFoundErr {
			err = m.stream.ensure(ctx, m.replicas())
		}
		if err != nil {
			m.node.opts.Logger.Debug("cluster: mailboxes", "error", err)
			continue
		}
		if len(due) == 0 && last != seen {
			seen, due = last, m.all()
		}
		now := due[:min(len(due), pollNames)]
		due = due[len(now):]
		for _, d := range now {
			m.look(d)
		}
	}
}

// all returns all deliveries that have begun.
func (m *mailroom) all() (all []*delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.names {
		all = append(all, d)
	}
	return all
}

// look has a delivery look into its mailbox, if it thinks that there is nothing.
func (m *mailroom) look(d *delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.state == idle && d.ended == nil {
		m.wakeLocked(d)
	}
}
