package session

import (
	"reflect"
	"runtime"
	"slices"
	"unsafe"
)

// In a turn on an event loop the callback itself may pass the write buffer, since it must not wait. So
// may one on a link's own goroutine while its connection takes no more, or nothing before an
// acknowledgement: the connection will make no room, and nobody but that goroutine can read on, and find
// its end or the acknowledgement. Others wait for room as ever. Here
// the two are told apart, when the buffer is full and not before.

// passer is the callback that passes the write buffer. Session.mu guards it.
type passer struct {
	at   [8]uintptr // places of its stack from which it sends; 0: none
	next int        // of at, to be used for another
	left int        // how often they are believed until the stack is looked at again
}

// maxPasses bounds how often places on a stack are believed.
const maxPasses = 4096

// mayPass reports whether the calling goroutine is a callback that may pass. The caller holds mu.
//
// To find out means to walk the stack, a few microseconds, which is done for the first message
// past the bound. For the next ones the place on the stack says the same: no two goroutines have
// one place at one time. A stack that grows or shrinks is moved, and its former place may become
// another goroutine's. That would have to send from the very same place of it, and could pass the
// bound maxPasses times. A callback of another Inline session that sends to this one during the
// turn passes, too.
func (s *Session) mayPass() bool {
	r := s.in.runner
	if r == nil || r.turn == turnNone || r.turn == turnLink && !s.holdsUpRoom() {
		return false
	}
	at := stackPlace()
	if p := r.passer; p != nil && p.left > 0 && slices.Contains(p.at[:], at) {
		p.left--
		return true
	}
	if !calledBackInline() {
		return false
	}
	if r.passer == nil {
		r.passer = new(passer)
	}
	r.passer.add(at)
	return true
}

// holdsUpRoom reports whether the connection makes no room before its reader reads on. The caller holds
// mu.
func (s *Session) holdsUpRoom() bool {
	return s.conn != nil && s.conn.writeErr != nil || s.passesWindow()
}

// passesForCallback returns, to a callback on a link's own goroutine that is about to wait, a channel
// that is closed when it may pass; to others, which may not, nil: they would use up a wake-up. The caller
// holds mu.
func (s *Session) passesForCallback() <-chan struct{} {
	if !s.holdsUpReader() || s.conn == nil || !calledBackInline() {
		return nil
	}
	if s.conn.passes == nil {
		s.conn.passes = make(chan struct{})
	}
	return s.conn.passes
}

// letPass has a callback that waits look again, since it may pass now. The caller holds mu.
func (c *Conn) letPass() {
	if c.passes != nil {
		close(c.passes)
		c.passes = nil
	}
}

// add notes a place from which a callback was seen to send.
func (p *passer) add(at uintptr) {
	if p.left == 0 {
		*p = passer{left: maxPasses}
	}
	p.at[p.next] = at
	p.next = (p.next + 1) % len(p.at)
}

// stackPlace returns where on the stack of its goroutine the caller is.
//
//go:noinline
func stackPlace() uintptr {
	var here byte
	return uintptr(unsafe.Pointer(&here))
}

// calledBackInline reports whether the calling goroutine is in an Inline callback, of whichever
// session.
func calledBackInline() bool {
	var few [32]uintptr
	for pcs := few[:]; ; pcs = make([]uintptr, 8*len(pcs)) {
		n := runtime.Callers(1, pcs)
		for _, pc := range pcs[:n] {
			if callsBackInline(pc) {
				return true
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}

// callsBackInline reports whether a program counter on a stack belongs to one of the functions below
// which all Inline callbacks run. They are not inlined.
func callsBackInline(pc uintptr) bool {
	f := runtime.FuncForPC(pc - 1)
	if f == nil {
		return false
	}
	entry := f.Entry()
	return entry == reflect.ValueOf((*Conn).inlineTurn).Pointer() ||
		entry == reflect.ValueOf((*Conn).Start).Pointer()
}

// yieldTurn has what is queued written by a goroutine when a turn on an event loop has the right to
// write, and its caller is about to wait for room: the turn may last, or wait for the caller. The
// caller holds mu.
func (s *Session) yieldTurn() {
	r := s.in.runner
	if r == nil || r.corked == nil {
		return
	}
	s.out.own()
	go r.corked.flush()
	r.corked = nil
}
