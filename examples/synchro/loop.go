package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/netasync/netasync"
)

// run is the mirror's only goroutine. It takes commands while there is a snapshot and room for them.
func (m *Mirror) run() {
	defer close(m.done)
	events, write := m.s.ReadChan(), m.s.WriteChan()
	for {
		calls, out, first := m.calls, write, []byte(nil)
		if !m.following || len(m.pending) == window {
			calls = nil
		}
		if len(m.queue) == 0 {
			out = nil
		} else {
			first = m.queue[0]
		}
		select {
		case ev := <-events:
			if m.event(ev); ev.Kind == netasync.Closed {
				return
			}
		case p := <-calls:
			m.begin(p)
		case p := <-m.abandon:
			delete(m.pending, p.seq)
		case out <- first:
			m.queue = m.queue[1:]
		}
	}
}

func (m *Mirror) event(ev netasync.Event) {
	switch ev.Kind {
	case netasync.Connected:
		if !ev.Resumed {
			m.connected()
		}
	case netasync.Disconnected:
		m.outages.Add(1)
	case netasync.Message:
		if err := m.message(ev.Payload); err != nil {
			m.s.CloseNow(err)
		}
		return
	case netasync.Closed:
		if !errors.Is(ev.Err, netasync.ErrLinger) { // Close has said goodbye to nobody
			m.err = ev.Err
		}
		for _, p := range m.pending {
			m.finish(p, fmt.Errorf("%w: %w", ErrLost, ErrClosed))
		}
	}
	if m.o.OnEvent != nil {
		m.o.OnEvent(ev)
	}
}

// connected begins a connection on which the master begins anew: it has been asked to, by Hello. What was
// not sent so far is asked again with all that is pending.
func (m *Mirror) connected() {
	m.following, m.queue = false, nil
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replica.await()
}

func (m *Mirror) message(payload []byte) error {
	said, err := parse(payload)
	switch {
	case err != nil:
		return err
	case said.Snapshot != nil:
		m.snapshot(said.Snapshot)
	case said.Delta != nil:
		m.delta(said.Delta)
	case said.Answer != nil:
		m.answer(said.Answer)
	default:
		return errNonsense
	}
	return nil
}

func (m *Mirror) begin(p *call) {
	m.seq++
	p.seq = m.seq
	m.pending[p.seq] = p
	m.ask(p)
}

func (m *Mirror) ask(p *call) {
	// Only this goroutine writes the ticket, so it reads it without the lock.
	m.queue = append(m.queue, message{Ask: &ask{m.ticket, p.seq, p.command}}.encode())
}

// snapshot takes a snapshot. What is pending is asked again: its answer may be lost, or it never arrived.
func (m *Mirror) snapshot(s *snapshot) {
	m.snapshots.Add(1)
	m.mu.Lock()
	known := s.Ticket == m.ticket
	m.ticket = s.Ticket
	applied, complete := m.replica.snapshot(newState(s.Version, s.Values))
	m.mu.Unlock()
	m.number, m.following = s.Mirror, true
	m.changed(nil)
	for _, d := range applied {
		m.answeredBy(&d)
	}
	m.settle()
	for _, seq := range slices.Sorted(maps.Keys(m.pending)) {
		if p := m.pending[seq]; !known {
			m.finish(p, ErrLost)
		} else if p.answer == nil {
			m.ask(p)
		}
	}
	if !complete {
		m.askForSnapshot()
	}
}

func (m *Mirror) askForSnapshot() { m.queue = append(m.queue, m.follow()) }

func (m *Mirror) delta(d *Delta) {
	m.mu.Lock()
	taken, ok := m.replica.delta(*d)
	m.mu.Unlock()
	if !ok {
		m.askForSnapshot()
	}
	if taken {
		m.changed(d)
		m.answeredBy(d)
		m.settle()
	}
}

// answeredBy ends the command that has led to a delta, if it is one of this mirror's.
func (m *Mirror) answeredBy(d *Delta) {
	if p := m.pending[d.Seq]; p != nil && d.By == m.number {
		m.finish(p, nil)
	}
}

// answer notes an answer. Deltas that belong to it may come behind it.
func (m *Mirror) answer(a *answer) {
	p := m.pending[a.Seq]
	switch {
	case p == nil: // it was answered, or abandoned
	case a.Lost:
		m.finish(p, ErrLost)
	default:
		p.answer = a
		m.settle()
	}
}

// settle ends the commands whose answers speak of a state that has come.
func (m *Mirror) settle() {
	for _, p := range m.pending {
		switch a := p.answer; {
		case a == nil || a.Version > m.replica.state.Number:
		case a.Refused:
			m.finish(p, ErrRefused)
		default:
			m.finish(p, nil)
		}
	}
}

func (m *Mirror) finish(p *call, err error) {
	delete(m.pending, p.seq)
	p.done <- err
}

func (m *Mirror) changed(d *Delta) {
	if m.o.OnChange != nil {
		m.o.OnChange(m.replica.state, d)
	}
}
