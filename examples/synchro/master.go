package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
)

// Master has the state. One goroutine, Run, owns all below but the counters.
type Master struct {
	state   State
	group   *broadcast.Group
	heard   chan heard
	mirrors map[string]*known // by ticket
	absent  []*known          // those without a session, the one that left first in front
	count   uint64            // of mirrors so far

	snapshots, slow atomic.Int64
}

// known is a mirror, while it is connected and for some time afterwards.
type known struct {
	ticket   string
	number   uint64
	session  *netasync.Session // nil if there is none
	outcomes outcomes
}

// heard is what a session has said. The message is nil when it has closed.
type heard struct {
	from *netasync.Session
	said *message
}

// maxAbsent is how many mirrors without a session the master knows. A mirror that comes back later
// is a new one, and does not learn what became of the commands that were under way.
const maxAbsent = 1000

// NewMaster returns a master with an empty state.
func NewMaster() *Master {
	m := &Master{
		state:   newState(Version{Life: rand.Text()}, nil),
		heard:   make(chan heard),
		mirrors: make(map[string]*known),
	}
	// A mirror that does not keep up is ended. It comes back, and gets a snapshot instead of all that
	// it has missed.
	m.group = broadcast.NewGroup(broadcast.Options{
		Slow:   broadcast.Close,
		OnSlow: func(*netasync.Session) { m.slow.Add(1) },
	})
	return m
}

// Run serves the sessions of a listener until ctx ends. It never waits for any of them.
func (m *Master) Run(ctx context.Context, l *netasync.Listener) {
	var readers sync.WaitGroup
	defer readers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer m.group.Close()
	for {
		select {
		case s, ok := <-l.AcceptChan():
			if !ok {
				return
			}
			readers.Go(func() { m.read(ctx, s) })
		case h := <-m.heard:
			m.hear(h)
		case <-ctx.Done():
			return
		}
	}
}

// read passes on what a session says. A peer that speaks nonsense is thrown out, and not heard any more.
func (m *Master) read(ctx context.Context, s *netasync.Session) {
	follows, thrownOut := false, false
	for ev := range s.Events(ctx) {
		h := heard{from: s}
		switch {
		case ev.Kind == netasync.Message && !thrownOut:
			said, err := parse(ev.Payload)
			follows = follows || said.Follow != nil
			if ask := said.Ask; err == nil && said.Follow == nil && (ask == nil || ask.Seq == 0 || !follows) {
				err = errNonsense
			}
			if err != nil {
				s.CloseNow(err)
				thrownOut = true
				continue
			}
			h.said = &said
		case ev.Kind == netasync.Closed:
		default:
			continue
		}
		select {
		case m.heard <- h:
		case <-ctx.Done():
		}
	}
}

func (m *Master) hear(h heard) {
	mirror, _ := h.from.Value().(*known)
	switch {
	case h.said == nil:
		m.leave(mirror, h.from)
	case h.said.Follow != nil:
		m.follow(mirror, h.from, h.said.Follow)
	default:
		m.answer(mirror, h.from, h.said.Ask)
	}
}

// follow makes a session one of a mirror, and gives it the state. From here on it gets all deltas: some
// may come before the snapshot.
func (m *Master) follow(mirror *known, s *netasync.Session, f *follow) {
	if mirror == nil {
		mirror = m.recognise(f.Ticket)
		mirror.session = s
		s.SetValue(mirror)
	}
	m.group.Add(s)
	m.snapshots.Add(1)
	m.send(s, message{Snapshot: &snapshot{m.state.Version, m.state.Values, mirror.ticket, mirror.number}})
}

// recognise returns the mirror that has a ticket, or a new one. A session that it has still is one whose
// end has not been noticed so far.
func (m *Master) recognise(ticket string) *known {
	mirror := m.mirrors[ticket]
	switch {
	case mirror == nil:
		m.count++
		mirror = &known{ticket: rand.Text(), number: m.count}
		m.mirrors[mirror.ticket] = mirror
	case mirror.session != nil:
		mirror.session.CloseNow(netasync.ErrTakenOver)
	default:
		i := slices.Index(m.absent, mirror)
		m.absent = slices.Delete(m.absent, i, i+1)
	}
	return mirror
}

// leave notes that a session has closed. It has left the group by itself.
func (m *Master) leave(mirror *known, s *netasync.Session) {
	if mirror == nil || mirror.session != s {
		return
	}
	mirror.session = nil
	if m.absent = append(m.absent, mirror); len(m.absent) > maxAbsent {
		delete(m.mirrors, m.absent[0].ticket)
		m.absent = slices.Delete(m.absent, 0, 1)
	}
}

// answer executes a command, unless that was asked before. Then it says what became of it.
func (m *Master) answer(mirror *known, s *netasync.Session, a *ask) {
	result, fresh, forgotten := mirror.outcomes.find(a.Seq)
	switch {
	case a.Ticket != mirror.ticket || forgotten:
		m.send(s, message{Answer: &answer{Seq: a.Seq, Lost: true}})
		return
	case fresh:
		d, err := m.state.Execute(a.Command)
		if err == nil {
			d.By, d.Seq = mirror.number, a.Seq
			m.state.Apply(d)
			m.group.Send(message{Delta: &d}.encode()) // it is the answer, too
		}
		result = outcome{a.Seq, m.state.Number, err != nil}
		mirror.outcomes.keep(result)
		if err == nil {
			return
		}
	}
	m.send(s, message{Answer: &answer{Seq: result.seq, Version: result.version, Refused: result.refused}})
}

// send sends to one mirror, without waiting: one for which there is no room is ended, as by the group.
func (m *Master) send(s *netasync.Session, msg message) {
	if err := s.TrySend(msg.encode()); err != nil {
		s.CloseNow(fmt.Errorf("%w: %w", broadcast.ErrSlow, err))
	}
}
